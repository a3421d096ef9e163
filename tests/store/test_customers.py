"""Finding customers, on a real server."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custimport.errors import NotFound, UsageError
from custimport.store.customers import CustomerStore
from custimport.store.selection import SORT_FIELDS, CustomerFilter, CustomerOrder, parsed_order

IMPORT = bytes.fromhex("018f000000000001")
OTHER_IMPORT = bytes.fromhex("018f000000000002")
LONG_AGO = datetime(2020, 5, 17, 8, 30, 0, 123_000, tzinfo=UTC)
EVERYBODY = CustomerFilter()


def a_customer(row: int, import_id: bytes = IMPORT, **values: Any) -> dict[str, Any]:
    return {
        "_id": ObjectId(import_id + row.to_bytes(4, "big")),
        "full_name": f"Customer {row}",
        "email": f"customer{row}@example.com",
        "date_of_birth": datetime(1990, 1, 15, tzinfo=UTC),
        "timezone": "Europe/Paris",
        "created_at": LONG_AGO,
        "updated_at": LONG_AGO,
        "created_by": {"import_id": import_id, "row": row},
    } | values


@pytest.fixture
def store(database):
    database.customers.create_index("email", unique=True)
    return CustomerStore(database)


def rows(documents: Iterable[dict[str, Any]]) -> list[int]:
    return [int.from_bytes(document["_id"].binary[8:], "big") for document in documents]


def selected(store: CustomerStore, **criteria: Any) -> list[int]:
    found = rows(store.stream(CustomerFilter(**criteria)))
    page = store.page(CustomerFilter(**criteria), CustomerOrder(), 1, 100)
    assert rows(page.documents) == found
    assert page.total == len(found)
    return found


# pages and orders ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(client):
    """101 customers with many ties in every field but the e-mail."""
    database = client["test_customers_pages"]
    database.customers.create_index("email", unique=True)
    database.customers.insert_many(
        a_customer(
            row,
            full_name=f"Name {row * 7 % 5}",
            email=f"c{row * 37 % 101:03}@example.com",
            date_of_birth=datetime(1980 + row % 3, 1, 1, tzinfo=UTC),
            timezone=("UTC", "Asia/Tokyo")[row % 2],
            created_at=LONG_AGO + timedelta(milliseconds=row % 4),
            updated_at=LONG_AGO + timedelta(milliseconds=row % 6),
        )
        for row in range(1, 102)
    )
    yield CustomerStore(database)
    client.drop_database(database.name)


@given(
    field=st.sampled_from((None, *SORT_FIELDS)),
    minus=st.booleans(),
    limit=st.integers(1, 120),
    timezone=st.sampled_from((None, "UTC", "Africa/Abidjan")),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_one_after_the_other_are_the_whole_list(many, field, minus, limit, timezone):
    order = parsed_order(field and ("-" if minus else "") + field)
    selection = CustomerFilter(timezone=timezone)
    whole = rows(many.stream(selection, order))
    pages = []
    for number in range(1, len(whole) // limit + 3):
        page = many.page(selection, order, number, limit)
        assert page.total == len(whole)
        pages += rows(page.documents)
    assert pages == whole


@pytest.mark.parametrize("field", SORT_FIELDS)
def test_ties_are_newest_first_in_both_directions(many, field):
    for minus in (False, True):
        documents = list(many.stream(EVERYBODY, CustomerOrder(field, descending=minus)))
        newest_first = sorted(documents, key=lambda document: document["_id"], reverse=True)
        assert documents == sorted(newest_first, key=lambda document: document[field], reverse=minus)


def test_without_an_order_the_newest_come_first(many):
    assert rows(many.stream(EVERYBODY)) == list(range(101, 0, -1))


def test_a_page_far_beyond_the_end_is_empty_and_knows_the_total(many):
    page = many.page(EVERYBODY, CustomerOrder(), 2**31 - 1, 2**31 - 1)
    assert (page.documents, page.total, page.pages) == ((), 101, 1)


@pytest.mark.parametrize("text", ["", "-", "name", "--email", "_id", "$natural", "email "])
def test_an_order_of_nothing_we_know_is_wrong_usage(text):
    with pytest.raises(UsageError):
        parsed_order(text)


# filters ------------------------------------------------------------------------------------------------------


def test_the_name_is_searched_as_text_in_any_case(store, database):
    names = ["Élodie Ångström", "a.b*c", "[red]x[/red]", "$where (x)", "\\d+ ^a|b$", "李小龙", "ΣΊΣΥΦΟΣ", "tab? #-&~ !"]
    database.customers.insert_many(a_customer(row, full_name=name) for row, name in enumerate(names))
    for row, name in enumerate(names):
        assert selected(store, name_part=name) == [row]
        assert selected(store, name_part=name[1:-1]) == [row]
    assert selected(store, name_part="éLODIE åNG") == [0]
    assert selected(store, name_part="σίσυφ") == [6]
    assert selected(store, name_part=".*") == []
    assert selected(store, name_part="\0") == []


def test_filters_are_combined_and_days_exclude_themselves(store, database):
    database.customers.insert_many(
        a_customer(day, date_of_birth=datetime(1990, 1, day, tzinfo=UTC), timezone="UTC" if day % 2 else "Asia/Tokyo")
        for day in range(1, 8)
    )
    assert selected(store, born_after=date(1990, 1, 3)) == [7, 6, 5, 4]
    assert selected(store, born_before=date(1990, 1, 3)) == [2, 1]
    assert selected(store, born_after=date(1990, 1, 2), born_before=date(1990, 1, 6)) == [5, 4, 3]
    assert selected(store, born_after=date(1990, 1, 2), timezone="UTC") == [7, 5, 3]
    assert selected(store, email="customer4@example.com") == [4]
    assert selected(store, email="customer4@example.com", timezone="UTC") == []
    assert selected(store, timezone="utc") == []


def test_an_import_selects_the_customers_that_it_created(store, database):
    database.imports.insert_many([{"_id": IMPORT, "status": "completed"}, {"_id": OTHER_IMPORT, "status": "running"}])
    changed = {"updated_by": {"import_id": OTHER_IMPORT, "row": 9}}
    database.customers.insert_many([a_customer(0), a_customer(2**31 - 1, **changed), a_customer(5, OTHER_IMPORT)])
    assert selected(store, import_name=IMPORT.hex()) == [2**31 - 1, 0]
    assert selected(store, import_name=IMPORT.hex().upper()) == [2**31 - 1, 0]
    assert selected(store, import_name="last") == [5]


@pytest.mark.parametrize("name", ["last", "018f000000000009", "18f", "", "newest"])
def test_an_import_that_does_not_exist_is_not_found(store, name):
    for ask in (lambda: store.stream(CustomerFilter(import_name=name)), lambda: selected(store, import_name=name)):
        with pytest.raises(NotFound):
            ask()


# finding ------------------------------------------------------------------------------------------------------


def test_customers_are_found_by_id_and_email_each_once(store, database):
    database.customers.insert_many([a_customer(1), a_customer(2)])
    first, second = f"{IMPORT.hex()}00000001", f"{IMPORT.hex()}00000002"
    found = store.find([second.upper(), "customer1@example.com", first])
    assert rows(found) == [2, 1]
    assert found[1]["updated_at"] == LONG_AGO


def test_every_missing_customer_is_named(store, database):
    database.customers.insert_one(a_customer(1))
    with pytest.raises(NotFound, match=r"000000000000000000000000.*nobody@example.com.*udcff") as raised:
        store.find(["0" * 24, "customer1@example.com", "nobody@example.com", "\udcff"])
    assert "customer1" not in raised.value.message
