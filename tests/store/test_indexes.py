"""The unique index on the e-mail: made once, and refused where it cannot hold."""

from typing import Any

import pytest
from pymongo.database import Database

from custimport.errors import DatabaseRefused
from custimport.store.indexes import ensure_indexes


def test_the_index_is_made_on_first_use_and_found_afterwards(database: Database[dict[str, Any]]) -> None:
    assert ensure_indexes(database) == ["_id_", "email_1"]
    assert ensure_indexes(database) == ["_id_", "email_1"]
    assert database.customers.index_information()["email_1"]["unique"]


def test_an_index_of_another_name_will_do(database: Database[dict[str, Any]]) -> None:
    database.customers.create_index("email", name="mail", unique=True)

    assert ensure_indexes(database) == ["_id_", "mail"]


def test_customers_who_share_an_email_are_counted_but_not_named(database: Database[dict[str, Any]]) -> None:
    database.customers.insert_many([{"email": "ann@example.com"} for _ in range(3)])

    with pytest.raises(DatabaseRefused, match="has 3 customers with one e-mail address") as refused:
        ensure_indexes(database)

    assert "ann@" not in str(refused.value) + refused.value.hint


def test_customers_without_any_email_are_counted_as_sharing_one(database: Database[dict[str, Any]]) -> None:
    database.customers.insert_many([{"name": "Ann"}, {"name": "Bob"}])

    with pytest.raises(DatabaseRefused, match="has 2 customers"):
        ensure_indexes(database)


@pytest.mark.parametrize("options", [{}, {"unique": True, "sparse": True}])
def test_an_index_that_is_not_plainly_unique_is_refused(
    database: Database[dict[str, Any]], options: dict[str, Any]
) -> None:
    database.customers.create_index("email", **options)

    with pytest.raises(DatabaseRefused, match="not plainly unique"):
        ensure_indexes(database)
