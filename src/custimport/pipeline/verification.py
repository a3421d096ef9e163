"""`imports verify`: reads a file again and holds every row against what the database has of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from custimport.choices import Policy
from custimport.records import StoredState, ValidatedRows, ValidRow


class Evidence(Protocol):
    """What the database knows of an import."""

    def customers(self, rows: Sequence[ValidRow]) -> tuple[Mapping[str, StoredState], Mapping[int, StoredState]]:
        """The stored customers of these rows: by e-mail, and by the row that created them."""

    def rejected(self, first_row: int, last_row: int) -> Mapping[int, frozenset[str]]:
        """The codes of the recorded rejections of these rows, both ends included."""

    def created_count(self) -> int:
        """How many customers carry an id that this import gave."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not as the import should have left it; `row` and `line` are 1-based, 0 for the whole file."""

    row: int
    line: int
    what: str


@dataclass(slots=True)
class Verification:
    """What came of it. `outcomes` counts rows as `stored`, `rejected`, `settled by another row` or `changed since`."""

    outcomes: Counter[str] = field(default_factory=Counter)
    changed_since: dict[str, None] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows that were looked at."""
        return self.outcomes.total()


def verify(chunks: Iterable[ValidatedRows], policy: Policy, evidence: Evidence) -> Verification:
    """Hold every row against the evidence; keeps only what differs and whom others changed."""
    found = Verification()
    created = 0
    for chunk in chunks:
        numbers = [*(row.row for row in chunk.valid), *(rejection.row for rejection in chunk.rejections)]
        recorded = evidence.rejected(min(numbers), max(numbers))
        by_email, by_row = evidence.customers(chunk.valid)
        created += len(by_row)
        for rejection in chunk.rejections:
            codes = frozenset(error.code.value for error in rejection.errors)
            found.outcomes["rejected"] += 1
            if recorded.get(rejection.row) != codes:
                what = f"should be rejected ({' '.join(sorted(codes))}), and the rejection is not recorded so"
                found.differences.append(Difference(rejection.row, rejection.line, what))
        for row in chunk.valid:
            codes = recorded.get(row.row, frozenset())
            outcome, what = _judged(row, codes, by_email.get(row.email) or by_row.get(row.row), policy)
            found.outcomes[outcome] += 1
            if what:
                found.differences.append(Difference(row.row, row.line, what))
            if outcome == CHANGED_SINCE:
                state = by_email.get(row.email) or by_row[row.row]
                found.changed_since[state.id] = None
    if evidence.created_count() > created:
        surplus = evidence.created_count() - created
        found.differences.append(Difference(0, 0, f"{surplus:,} stored customers belong to no valid row of the file"))
    return found


STORED = "stored"
REJECTED = "rejected"
SETTLED_BY_ANOTHER = "settled by another row"
CHANGED_SINCE = "changed since"
WRONG = "wrong"


def _judged(row: ValidRow, codes: frozenset[str], state: StoredState | None, policy: Policy) -> tuple[str, str]:
    """What became of a valid row, and what is wrong with that, if anything."""
    if codes:
        conflicts = {"duplicate-in-file", "duplicate-in-database", "write-refused"}
        return (REJECTED, "") if codes <= conflicts else (WRONG, "is valid, but recorded as rejected")
    if state is None:
        return WRONG, "is neither stored nor rejected"
    if state.changed_since:
        return CHANGED_SINCE, ""
    effect = state.changed_row or state.created_row
    if policy is Policy.REJECT and state.created_row != row.row:
        return WRONG, f"is not rejected, though customer {state.id} came from elsewhere"
    if policy is Policy.SKIP and state.created_row != row.row:
        return SETTLED_BY_ANOTHER, ""
    if policy is Policy.UPDATE and effect is not None and effect > row.row:
        return SETTLED_BY_ANOTHER, ""
    if state.values != (row.full_name, row.email, row.date_of_birth, row.timezone):
        return WRONG, f"customer {state.id} does not have the row's values"
    return STORED, ""
