"""Whatever the batches and writers, a load ends as if its rows had been written one by one in file order."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from custimport.choices import Policy
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.rehearsal import StoredCustomer, rehearse
from custimport.pipeline.writing import write
from custimport.records import Position, Rejection, RowCounts, StartingPoint, ValidatedRows, ValidRow
from custimport.store.customer_writer import CustomerWriter
from custimport.store.documents import customer_document, customer_id, midnight, new_import_id, utc_now
from custimport.store.patience import Patience

EMAILS = [f"{name}@example.com" for name in "abcdef"]
NAMES = ["Ann", "Bob", "Cid"]
EARLIER_IMPORT = bytes(8)
NO_LIMIT = RejectionLimit()


class HeldLease:
    def require(self) -> None:
        pass


def a_row(row: int, email: str, name: str) -> ValidRow:
    return ValidRow(row, row + 1, name, email, date(1990, 1, 15), "UTC", [name, email, "1990-01-15", "UTC"])


@dataclass
class Expected:
    """The contract's table, read row by row."""

    stored: dict[str, str]
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("inserted", "updated", "unchanged", "skipped"), 0)
    )
    rejected: dict[int, tuple[str, int | str]] = field(default_factory=dict)
    first_rows: dict[str, int] = field(default_factory=dict)

    def apply(self, row: ValidRow, policy: Policy, before: dict[str, str]) -> None:
        email, name = row.email, row.full_name
        if email not in self.stored:
            self.stored[email] = name
            self.first_rows[email] = row.row
            self.counts["inserted"] += 1
        elif policy is Policy.REJECT and email in before:
            self.rejected[row.row] = ("duplicate-in-database", str(customer_id(EARLIER_IMPORT, EMAILS.index(email))))
        elif policy is Policy.REJECT:
            self.rejected[row.row] = ("duplicate-in-file", self.first_rows[email])
        elif policy is Policy.SKIP:
            self.counts["skipped"] += 1
        elif self.stored[email] == name:
            self.counts["unchanged"] += 1
        else:
            self.stored[email] = name
            self.counts["updated"] += 1


def expected_of(rows: Sequence[ValidRow], policy: Policy, before: dict[str, str]) -> Expected:
    expected = Expected(dict(before))
    for row in rows:
        expected.apply(row, policy, before)
    return expected


def related(rejection: Rejection) -> tuple[str, int | str | None]:
    (error,) = rejection.errors
    return error.code.value, error.related_row or error.related_customer_id


def chunks_of(rows: Sequence[ValidRow], chunk_rows: int) -> list[ValidatedRows]:
    parts = [rows[start : start + chunk_rows] for start in range(0, len(rows), chunk_rows)]
    return [ValidatedRows(part, [], Position(row=part[-1].row)) for part in parts]


def store_before(database: Database[dict[str, Any]], before: dict[str, str]) -> None:
    database.customers.create_index("email", unique=True)
    database.customers.delete_many({})
    for email, name in before.items():
        document = customer_document(a_row(EMAILS.index(email), email, name), EARLIER_IMPORT, utc_now())
        database.customers.insert_one(document)


def load(
    database: Database[dict[str, Any]],
    rows: Sequence[ValidRow],
    policy: Policy,
    *,
    chunk_rows: int,
    batch_rows: int,
    writers: int,
    import_id: bytes,
    limit: RejectionLimit = NO_LIMIT,
) -> tuple[RowCounts, list[Rejection]]:
    stop = threading.Event()
    sinks = [
        CustomerWriter(
            database.customers,
            import_id,
            policy,
            patience=Patience(5, stop),
            lease=HeldLease(),
            checkpoint_row=lambda: 0,
        )
        for _ in range(writers)
    ]
    counts, rejections = RowCounts(), []
    for settled in write(chunks_of(rows, chunk_rows), StartingPoint(), limit, stop, sinks=sinks, batch_rows=batch_rows):
        assert settled.counts.balanced
        counts += settled.counts
        rejections += settled.rejections
    return counts, rejections


files = st.lists(st.tuples(st.sampled_from(EMAILS), st.sampled_from(NAMES)), max_size=30)
stored_before = st.dictionaries(st.sampled_from(EMAILS), st.sampled_from(NAMES), max_size=4)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=files,
    before=stored_before,
    policy=st.sampled_from(Policy),
    chunk_rows=st.integers(1, 12),
    batch_rows=st.integers(1, 12),
    writers=st.integers(1, 3),
)
def test_batches_and_writers_never_change_the_result(
    database, file, before, policy, chunk_rows, batch_rows, writers
) -> None:
    rows = [a_row(number, email, name) for number, (email, name) in enumerate(file, start=1)]
    expected = expected_of(rows, policy, before)
    store_before(database, before)
    import_id = new_import_id()

    counts, rejections = load(
        database, rows, policy, chunk_rows=chunk_rows, batch_rows=batch_rows, writers=writers, import_id=import_id
    )

    assert {name: getattr(counts, name) for name in expected.counts} == expected.counts
    assert {rejection.row: related(rejection) for rejection in rejections} == expected.rejected
    assert [rejection.row for rejection in rejections] == sorted(expected.rejected)
    stored = list(database.customers.find())
    assert {document["email"]: document["full_name"] for document in stored} == expected.stored
    for document in stored:
        if document["email"] not in before:
            assert document["created_by"] == {"import_id": import_id, "row": expected.first_rows[document["email"]]}
            assert document["_id"] == customer_id(import_id, expected.first_rows[document["email"]])
        elif document["full_name"] != before[document["email"]]:
            assert document["previous"]["full_name"] == before[document["email"]]


@settings(max_examples=100, deadline=None)
@given(file=files, before=stored_before, policy=st.sampled_from(Policy), chunk_rows=st.integers(1, 12))
def test_a_rehearsal_gives_what_a_load_would_give(file, before, policy, chunk_rows) -> None:
    rows = [a_row(number, email, name) for number, (email, name) in enumerate(file, start=1)]
    expected = expected_of(rows, policy, before)
    customers = {
        email: StoredCustomer(str(customer_id(EARLIER_IMPORT, EMAILS.index(email))), name, date(1990, 1, 15), "UTC")
        for email, name in before.items()
    }

    settled = list(
        rehearse(
            chunks_of(rows, chunk_rows),
            policy,
            lambda emails: {email: customers[email] for email in emails if email in customers},
            RejectionLimit(),
            threading.Event(),
        )
    )

    counts = sum((chunk.counts for chunk in settled), RowCounts())
    assert {name: getattr(counts, name) for name in expected.counts} == expected.counts
    assert {r.row: related(r) for chunk in settled for r in chunk.rejections} == expected.rejected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=files,
    before=stored_before,
    allowed=st.integers(0, 5),
    chunk_rows=st.integers(1, 12),
    writers=st.integers(1, 3),
)
def test_a_limit_stops_exactly_at_the_row_that_passes_it(database, file, before, allowed, chunk_rows, writers) -> None:
    rows = [a_row(number, email, name) for number, (email, name) in enumerate(file, start=1)]
    rejected = sorted(expected_of(rows, Policy.REJECT, before).rejected)
    last_row = rejected[allowed] if len(rejected) > allowed else len(rows)
    expected = expected_of(rows[:last_row], Policy.REJECT, before)
    store_before(database, before)

    counts, rejections = load(
        database,
        rows,
        Policy.REJECT,
        chunk_rows=chunk_rows,
        batch_rows=3,
        writers=writers,
        import_id=new_import_id(),
        limit=RejectionLimit(rows=allowed),
    )

    assert counts.read == last_row
    assert [rejection.row for rejection in rejections] == sorted(expected.rejected)
    assert {document["email"] for document in database.customers.find()} == set(expected.stored)


def test_a_document_that_the_server_refuses_is_rejected_alone(database) -> None:
    store_before(database, {})
    database.command("collMod", "customers", validator={"full_name": {"$ne": "Bob"}})
    rows = [a_row(1, "a@example.com", "Ann"), a_row(2, "b@example.com", "Bob"), a_row(3, "c@example.com", "Cid")]

    counts, rejections = load(
        database, rows, Policy.REJECT, chunk_rows=10, batch_rows=10, writers=1, import_id=new_import_id()
    )

    assert (counts.inserted, counts.rejected) == (2, 1)
    assert [related(rejection)[0] for rejection in rejections] == ["write-refused"]
    assert "failed validation" in rejections[0].errors[0].message


def test_a_change_that_the_server_refuses_costs_its_own_row(database) -> None:
    store_before(database, {"a@example.com": "Ann"})
    database.command("collMod", "customers", validator={"full_name": {"$ne": "Bob"}})
    rows = [
        a_row(1, "a@example.com", "Cid"),
        a_row(2, "a@example.com", "Bob"),
        a_row(3, "a@example.com", "Cid"),
        a_row(4, "a@example.com", "Bob"),
    ]

    counts, rejections = load(
        database, rows, Policy.UPDATE, chunk_rows=10, batch_rows=10, writers=1, import_id=new_import_id()
    )

    assert (counts.updated, counts.unchanged) == (1, 1)
    assert [(rejection.row, related(rejection)[0]) for rejection in rejections] == [
        (2, "write-refused"),
        (4, "write-refused"),
    ]
    assert database.customers.find_one({"email": "a@example.com"})["full_name"] == "Cid"


def test_a_further_unique_index_refuses_a_document_without_ending_the_load(database) -> None:
    store_before(database, {})
    database.customers.create_index("full_name", unique=True)
    rows = [a_row(1, "a@example.com", "Ann"), a_row(2, "b@example.com", "Ann"), a_row(3, "c@example.com", "Cid")]

    counts, rejections = load(
        database, rows, Policy.REJECT, chunk_rows=10, batch_rows=10, writers=1, import_id=new_import_id()
    )

    assert (counts.inserted, counts.rejected) == (2, 1)
    assert [related(rejection)[0] for rejection in rejections] == ["write-refused"]


@pytest.fixture
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits for a majority read that sees what an insert collided with take five seconds in all."""
    monkeypatch.setattr("custimport.store.customer_writer.FIRST_FRUITLESS_WAIT_SECONDS", 0.0001)


@pytest.mark.usefixtures("no_long_waits")
def test_a_unique_index_that_sees_equal_what_we_see_different_ends_in_a_refusal(database) -> None:
    database.customers.create_index("email", unique=True, collation={"locale": "en", "strength": 1})
    rows = [a_row(1, "e@example.com", "Ann"), a_row(2, "é@example.com", "Bob")]

    counts, rejections = load(
        database, rows, Policy.REJECT, chunk_rows=10, batch_rows=10, writers=1, import_id=new_import_id()
    )

    assert (counts.inserted, counts.rejected) == (1, 1)
    assert [related(rejection)[0] for rejection in rejections] == ["write-refused"]


def test_dates_are_stored_as_midnight_utc(database) -> None:
    store_before(database, {})

    load(
        database,
        [a_row(1, "a@example.com", "Ann")],
        Policy.REJECT,
        chunk_rows=1,
        batch_rows=1,
        writers=1,
        import_id=new_import_id(),
    )

    assert database.customers.find_one()["date_of_birth"] == midnight(date(1990, 1, 15))


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.usefixtures("no_long_waits")
def test_a_collection_that_takes_upper_and_lower_case_for_equal_settles_every_row(database, policy, many) -> None:
    """The server finds a customer whose e-mail is another one for us: such rows are refused, and nothing goes astray."""
    database.create_collection("customers", collation={"locale": "en", "strength": 2})
    database.customers.create_index("email", unique=True)
    emails = [f"c{number}@example.com" for number in range(20)]
    loud = emails if many else emails[:1]
    database.customers.insert_many([{"email": email.upper(), "full_name": "Other"} for email in loud])
    rows = [a_row(number, email, "Ann") for number, email in enumerate(emails, start=1)]

    counts, rejections = load(
        database, rows, policy, chunk_rows=50, batch_rows=50, writers=1, import_id=new_import_id()
    )

    assert (counts.inserted, counts.rejected) == (len(emails) - len(loud), len(loud))
    assert [related(rejection)[0] for rejection in rejections] == ["write-refused"] * len(loud)
    assert database.customers.count_documents({"full_name": "Other"}) == len(loud)
