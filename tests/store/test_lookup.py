"""Comparing bytes finds the same rows unchanged as comparing decoded values."""

from datetime import UTC, date, datetime
from typing import Any

import bson
import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custimport.records import ValidRow
from custimport.store.changes import Change, change_for, change_of_untouched, row_values, stored_values
from custimport.store.documents import customer_document, new_import_id, utc_now
from custimport.store.lookup import BY_EMAIL, CUSTOMER_CODEC, compare

EARLIER, LATER, NOW = new_import_id(), new_import_id(), new_import_id()
names = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=60)
values = st.tuples(
    st.one_of(st.sampled_from(["Ann", "Zoë", "山田太郎"]), names),
    st.sampled_from([date(1990, 1, 15), date(1900, 1, 1), date(2024, 2, 29)]),
    st.sampled_from(["UTC", "Europe/Berlin"]),
)


def a_row(number: int, given: tuple[str, date, str]) -> ValidRow:
    name, born, zone = given
    return ValidRow(number, number + 1, name, f"c{number}@example.com", born, zone, ())


def changed_by(import_id: bytes, row: int) -> dict[str, Any]:
    """What an import leaves on a customer that it changed."""
    return {
        "updated_by": {"import_id": import_id, "row": row},
        "previous": {"full_name": "Old", "updated_at": utc_now()},
    }


def statement_of(change: Change) -> dict[str, Any]:
    """What is sent to the server, but for the moment, which lies between the two."""
    statement = bson.decode(change.statement.encode("latin-1"))
    assert statement["u"]["$set"].pop("updated_at") > statement["q"]["updated_at"]
    return statement


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(values, st.one_of(st.none(), values)), max_size=12), same=st.integers(0, 12))
def test_what_is_equal_by_bytes_is_equal_by_values(database, pairs, same: int) -> None:
    customers = database.customers.with_options(codec_options=CUSTOMER_CODEC)
    customers.delete_many({})
    rows = [a_row(number, new) for number, (new, _) in enumerate(pairs, start=1)]
    stored = [
        customer_document(a_row(row.row, old if row.row > same else new), EARLIER, utc_now())
        | (changed_by(LATER, row.row) if row.row % 2 else {})
        for row, (new, old) in zip(rows, pairs, strict=True)
        if old is not None
    ]
    if stored:
        customers.insert_many(stored)

    found = compare(customers, sorted(rows, key=BY_EMAIL), (), NOW)

    by_email = {document["email"]: document for document in customers.find()}
    unchanged = {r.email for r in rows if r.email in by_email and row_values(r) == stored_values(by_email[r.email])}
    assert set(found.equal) == unchanged
    assert found.other.keys() | found.differing.keys() == by_email.keys() - unchanged
    for email, parts in found.differing.items():
        row = next(row for row in rows if row.email == email)
        slowly = change_for(by_email[email], [row], NOW, 0, lambda _: [])
        quickly = change_of_untouched(parts, row, NOW, int(utc_now().timestamp() * 1000))
        assert slowly is not None
        assert statement_of(quickly) == statement_of(slowly)
        assert quickly[2:] == slowly[2:]


@pytest.mark.parametrize(
    "foreign",
    [
        {"_id": "text", "full_name": "Ann", "email": "c1@example.com"},
        {"email": "c1@example.com", "full_name": "Ann", "timezone": "UTC"},
        {"full_name": 7, "email": "c1@example.com", "date_of_birth": None},
        {"full_name": "Ann", "email": "c1@example.com", "date_of_birth": datetime(1990, 1, 15, 1, tzinfo=UTC)},
    ],
)
def test_documents_of_other_tools_are_decoded(database, foreign) -> None:
    database.customers.insert_one(foreign)
    row = a_row(1, ("Ann", date(1990, 1, 15), "UTC"))

    found = compare(database.customers, [row], (), NOW)

    assert found.equal == []
    assert found.other[row.email]["_id"] == foreign["_id"]


def test_customers_with_a_trace_of_this_import_are_never_passed_over(database) -> None:
    rows = [a_row(number, ("Ann", date(1990, 1, 15), "UTC")) for number in (1, 2, 3)]
    own = customer_document(rows[0], NOW, utc_now())
    changed = customer_document(rows[1], EARLIER, utc_now()) | {"updated_by": {"import_id": NOW, "row": 2}}
    other = customer_document(rows[2], EARLIER, utc_now()) | {"_id": ObjectId()}
    database.customers.insert_many([own, changed, other])

    found = compare(database.customers, sorted(rows, key=BY_EMAIL), (), NOW)

    assert found.equal == [rows[2].email]
    assert set(found.other) == {rows[0].email, rows[1].email}
