"""A batch on its way into the database: the rows still pending, by e-mail, and what became of the others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from custimport.choices import Policy
from custimport.customer.conflicts import write_refused
from custimport.records import BatchWritten, Rejection, ValidRow
from custimport.store.settled import SettledRows


@dataclass(slots=True)
class Batch:
    """Rows of one writer, in file order. A row leaves `pending` only when the database has answered for it.

    `singly`: e-mails whose rows, folded into one change, were refused; they are tried one by one to find the row to
    blame.
    """

    pending: dict[str, list[ValidRow]] = field(default_factory=dict)
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    singly: set[str] = field(default_factory=set)

    def add(self, rows: Iterable[ValidRow]) -> None:
        """Rows to settle, in file order."""
        pending = self.pending
        for row in rows:
            group = pending.get(row.email)
            if group is None:
                pending[row.email] = [row]
            else:
                group.append(row)

    def row_count(self) -> int:
        """Rows that are still pending."""
        return sum(map(len, self.pending.values()))

    def row_range(self) -> tuple[int, int]:
        """The first and the last pending row (1-based numbers); there must be one."""
        numbers = [row.row for group in self.pending.values() for row in group]
        return min(numbers), max(numbers)

    def settle_first(self, email: str, count: int = 1) -> list[ValidRow]:
        """Take the first `count` rows of an e-mail out of `pending`; they are counted by the caller."""
        group = self.pending[email]
        self._keep(email, group[count:])
        return group[:count]

    def refuse_first(self, email: str, words: str) -> None:
        """The first row of an e-mail is rejected: the server refused its document, in these words."""
        for row in self.settle_first(email):
            self.refuse(row, words)

    def refuse(self, row: ValidRow, words: str) -> None:
        """A row is rejected: the server refused its document, in these words."""
        self.rejections.append(Rejection(row.row, row.line, row.cells, (write_refused(words),)))

    def leave_out_recorded(self, recorded: Mapping[int, Rejection]) -> None:
        """Rows whose rejection is recorded are rejected for that reason: a recorded rejection is final."""
        if not recorded:
            return
        for email, group in list(self.pending.items()):
            self.rejections.extend(recorded[row.row] for row in group if row.row in recorded)
            self._keep(email, [row for row in group if row.row not in recorded])

    def leave_out_settled(self, emails: Sequence[str], settled: SettledRows, policy: Policy) -> None:
        """Rows of these e-mails whose effect is in the database already are counted for what they did."""
        if not settled.newest_with:
            return
        for email in emails:
            group = self.pending[email]
            numbers = [row.row for row in group]
            left: list[ValidRow] = []
            for row in group:
                match settled.outcome(row.row, email, numbers, policy):
                    case "inserted":
                        self.inserted += 1
                    case "updated":
                        self.updated += 1
                    case "unchanged":
                        self.unchanged += 1
                    case _:
                        left.append(row)
            self._keep(email, left)

    def written(self) -> BatchWritten:
        """What became of every row; none may be pending."""
        return BatchWritten(self.inserted, self.updated, self.unchanged, self.skipped, self.rejections)

    def _keep(self, email: str, left: list[ValidRow]) -> None:
        if left:
            self.pending[email] = left
        else:
            del self.pending[email]
