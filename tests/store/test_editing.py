"""Changing and deleting customers by command, on a real server."""

import os
import pwd
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from custimport.customer.codes import Code
from custimport.errors import NotFound, Refused
from custimport.store import editing
from custimport.store.change_log import ChangeLog
from custimport.store.customers import CustomerStore
from custimport.store.editing import ChangeRefused, CustomerChanged, CustomerEditor
from tests.store.test_customers import IMPORT, LONG_AGO, OTHER_IMPORT, a_customer, rows


@pytest.fixture
def editor(database):
    database.customers.create_index("email", unique=True)
    return CustomerEditor(database)


def found(database, *names: str) -> list[dict[str, Any]]:
    return CustomerStore(database).find(names)


def by(command: str) -> dict[str, Any]:
    return {"command": command, "user": pwd.getpwuid(os.getuid()).pw_name, "host": socket.gethostname()}


def entries(database) -> list[dict[str, Any]]:
    """The log without the ids of its entries, oldest first."""
    return list(database.changes.find({}, {"_id": 0}).sort("_id", 1))


def left(database) -> list[int]:
    return rows(database.customers.find().sort("_id", -1))


# changing -----------------------------------------------------------------------------------------------------


def stored(database, row: int = 1) -> dict[str, Any]:
    return database.customers.find_one({"_id": ObjectId(IMPORT + row.to_bytes(4, "big"))})


def change(editor: CustomerEditor, database, **values: Any) -> CustomerChanged | ChangeRefused:
    return editor.change(stored(database), values)


def test_a_change_leaves_who_and_when_and_nothing_else(editor, database):
    database.customers.insert_one(a_customer(1))
    result = change(editor, database, full_name="$email", date_of_birth=date(1991, 2, 3), timezone="Europe/Paris")
    after = stored(database)
    assert result == CustomerChanged(after, ("full_name", "date_of_birth"))
    assert after["updated_at"] > LONG_AGO
    assert after == a_customer(
        1,
        full_name="$email",
        date_of_birth=datetime(1991, 2, 3, tzinfo=UTC),
        updated_at=after["updated_at"],
        updated_by=by("customers update"),
        last_change=database.changes.find_one()["_id"],
    )


def test_equal_values_are_no_change(editor, database):
    database.customers.insert_one(a_customer(1))
    result = change(editor, database, full_name="Customer 1", date_of_birth=date(1990, 1, 15))
    assert result == CustomerChanged(a_customer(1), ())
    assert stored(database) == a_customer(1)


def test_the_time_of_change_grows_even_where_the_clock_is_behind(editor, database):
    future = datetime(2999, 1, 1, tzinfo=UTC)
    database.customers.insert_one(a_customer(1, updated_at=future))
    change(editor, database, full_name="B")
    assert stored(database)["updated_at"] == future + timedelta(milliseconds=1)


def test_the_way_back_is_dropped(editor, database):
    previous = {"full_name": "Old", "updated_at": LONG_AGO}
    updated_by = {"import_id": OTHER_IMPORT, "row": 3}
    database.imports.insert_one({"_id": OTHER_IMPORT, "status": "completed"})
    database.customers.insert_one(
        a_customer(1, previous=previous, updated_by=updated_by, applied=[{"import_id": OTHER_IMPORT, "row": 2}])
    )
    result = change(editor, database, full_name="B")
    after = stored(database)
    assert isinstance(result, CustomerChanged)
    assert result.document == after
    assert not {"previous", "applied"} & after.keys()
    assert after["updated_by"] == by("customers update")


def test_stamps_of_unfinished_imports_survive_as_applied(editor, database):
    finished, running, stopped = (bytes([1, 2, 3, 4, 5, 6, 7, last]) for last in range(3))
    database.imports.insert_many(
        [
            {"_id": finished, "status": "undone"},
            {"_id": running, "status": "running"},
            {"_id": stopped, "status": "stopped"},
        ]
    )
    applied = [{"import_id": finished, "row": 7}, {"import_id": running, "row": 8}]
    database.customers.insert_one(a_customer(1, updated_by={"import_id": stopped, "row": 9}, applied=applied))
    change(editor, database, full_name="B")
    kept = [{"import_id": running, "row": 8}, {"import_id": stopped, "row": 9}]
    assert stored(database)["applied"] == kept
    change(editor, database, full_name="C")
    assert stored(database)["applied"] == kept


def test_a_taken_email_names_its_owner(editor, database):
    database.customers.insert_many([a_customer(1), a_customer(2)])
    result = change(editor, database, email="customer2@example.com", full_name="B")
    assert isinstance(result, ChangeRefused)
    (error,) = result.errors
    assert (error.code, error.field) == (Code.DUPLICATE_IN_DATABASE, "email")
    assert error.related_customer_id == f"{IMPORT.hex()}00000002"
    assert stored(database) == a_customer(1)


def test_a_rule_of_the_database_refuses_a_value(editor, database):
    database.customers.insert_one(a_customer(1))
    database.command("collMod", "customers", validator={"timezone": {"$ne": "UTC"}})
    result = change(editor, database, timezone="UTC")
    assert isinstance(result, ChangeRefused)
    assert result.errors[0].code is Code.WRITE_REFUSED
    assert stored(database) == a_customer(1)


def test_a_further_unique_index_refuses_a_value(editor, database):
    database.customers.insert_many([a_customer(1), a_customer(2)])
    database.customers.create_index("full_name", unique=True)
    result = change(editor, database, full_name="Customer 2")
    assert isinstance(result, ChangeRefused)
    assert result.errors[0].code is Code.WRITE_REFUSED


def test_a_lost_race_keeps_the_change_of_the_other(editor, database):
    database.customers.insert_one(a_customer(1))
    as_read = stored(database)
    other = {"timezone": "Asia/Tokyo", "updated_at": LONG_AGO + timedelta(seconds=1)}
    database.customers.update_one({"_id": as_read["_id"]}, {"$set": other})
    result = editor.change(as_read, {"full_name": "B"})
    after = stored(database)
    assert result == CustomerChanged(after, ("full_name",))
    assert (after["full_name"], after["timezone"]) == ("B", "Asia/Tokyo")


def test_a_stamp_alone_is_a_change_as_well(editor, database):
    """A change within the same millisecond is told by who made it."""
    database.imports.insert_one({"_id": OTHER_IMPORT, "status": "running"})
    database.customers.insert_one(a_customer(1))
    as_read = stored(database)
    database.customers.update_one(
        {"_id": as_read["_id"]}, {"$set": {"updated_by": {"import_id": OTHER_IMPORT, "row": 4}}}
    )
    editor.change(as_read, {"full_name": "B"})
    assert stored(database)["applied"] == [{"import_id": OTHER_IMPORT, "row": 4}]


def test_a_customer_deleted_meanwhile_is_not_found(editor, database):
    database.customers.insert_one(a_customer(1))
    as_read = stored(database)
    database.customers.delete_one({"_id": as_read["_id"]})
    with pytest.raises(NotFound):
        editor.change(as_read, {"full_name": "B"})
    assert database.customers.count_documents({}) == 0


def test_a_race_lost_for_ever_ends(editor, database, monkeypatch):
    database.customers.insert_one(a_customer(1))
    as_read = stored(database)
    tries = []

    def always_too_late(read):
        tries.append(read)
        return {"_id": ObjectId()}

    monkeypatch.setattr(editing, "as_read", always_too_late)
    with pytest.raises(Refused):
        editor.change(as_read, {"full_name": "B"})
    assert len(tries) == editing.MAX_LOST_RACES
    assert stored(database) == a_customer(1)


def test_a_customer_of_other_software_without_our_fields_can_be_changed(editor, database):
    database.customers.insert_one({"_id": ObjectId(IMPORT + b"\0\0\0\1"), "email": "legacy@example.com"})
    change(editor, database, full_name="B")
    after = stored(database)
    assert after["full_name"] == "B"
    assert after["updated_at"] > LONG_AGO


# deleting -----------------------------------------------------------------------------------------------------


def test_the_named_customers_are_deleted(editor, database):
    database.customers.insert_many(a_customer(row) for row in range(4))
    editor.delete(found(database, "customer1@example.com", "customer2@example.com"), force=False)
    assert left(database) == [3, 0]


@pytest.mark.parametrize("status", ["running", "interrupted", "stopped", "failed"])
@pytest.mark.parametrize("where", ["created_by", "updated_by", "applied"])
def test_customers_of_an_unfinished_import_stay(editor, database, status, where):
    database.imports.insert_many([{"_id": IMPORT, "status": "completed"}, {"_id": OTHER_IMPORT, "status": status}])
    stamp = {"import_id": OTHER_IMPORT, "row": 1}
    database.customers.insert_many([a_customer(1), a_customer(2, **{where: [stamp] if where == "applied" else stamp})])
    customers = found(database, "customer1@example.com", "customer2@example.com")
    with pytest.raises(Refused, match=OTHER_IMPORT.hex()):
        editor.delete(customers, force=False)
    assert database.customers.count_documents({}) == 2
    editor.delete(customers, force=True)
    assert database.customers.count_documents({}) == 0


@pytest.mark.parametrize("status", ["completed", "skipped", "undone"])
def test_customers_of_finished_imports_are_deleted(editor, database, status):
    database.imports.insert_one({"_id": IMPORT, "status": status})
    database.customers.insert_one(a_customer(1))
    editor.delete(found(database, "customer1@example.com"), force=False)
    assert database.customers.count_documents({}) == 0


def test_a_customer_that_an_import_took_hold_of_meanwhile_stays(editor, database):
    database.customers.insert_many([a_customer(1), a_customer(2)])
    customers = found(database, "customer1@example.com", "customer2@example.com")
    database.imports.insert_one({"_id": OTHER_IMPORT, "status": "running"})
    database.customers.update_one(
        {"email": "customer2@example.com"}, {"$set": {"updated_by": {"import_id": OTHER_IMPORT, "row": 4}}}
    )
    with pytest.raises(Refused):
        editor.delete(customers, force=False)
    assert left(database) == [2]


def test_a_customer_that_somebody_changed_or_deleted_meanwhile_is_deleted(editor, database):
    database.customers.insert_many([a_customer(1), a_customer(2)])
    customers = found(database, "customer1@example.com", "customer2@example.com")
    database.customers.delete_one({"email": "customer1@example.com"})
    database.customers.update_one({"email": "customer2@example.com"}, {"$set": {"updated_at": datetime.now(UTC)}})
    editor.delete(customers, force=False)
    assert database.customers.count_documents({}) == 0


# the log ------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for a process that ends between two writes."""


def killed(*_: Any) -> None:
    raise Killed


def values_of(customer: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in customer.items() if field not in {"_id", "applied", "last_change"}}


def test_a_change_leaves_the_values_before_and_after(editor, database):
    previous = {"full_name": "Old", "updated_at": LONG_AGO - timedelta(days=1)}
    stamp = {"import_id": OTHER_IMPORT, "row": 3}
    database.customers.insert_one(a_customer(1, updated_by=stamp, previous=previous, other="x" * 1_000))
    before = stored(database)
    change(editor, database, email="new@example.com", full_name="B")
    after = stored(database)
    del before["other"], after["other"]
    assert entries(database) == [
        {
            "customer_id": before["_id"],
            "email": "customer1@example.com",
            "at": after["updated_at"],
            "by": by("customers update"),
            "before": values_of(before),
            "after": values_of(after),
        }
    ]


def test_a_deletion_leaves_the_values_before_one_entry_a_customer(editor, database):
    future = datetime(2999, 1, 1, tzinfo=UTC)
    database.customers.insert_many([a_customer(1), a_customer(2, updated_at=future), a_customer(3)])
    editor.delete(found(database, "customer1@example.com", "customer2@example.com"), force=False)
    first, second = entries(database)
    assert LONG_AGO < first.pop("at") < future < second.pop("at")
    for row, entry in ((1, first), (2, second)):
        before = a_customer(row) if row == 1 else a_customer(row, updated_at=future)
        assert entry == {
            "customer_id": before["_id"],
            "email": before["email"],
            "by": by("customers delete"),
            "before": values_of(before),
            "after": None,
        }


def test_what_changes_nothing_leaves_no_entry(editor, database):
    database.customers.insert_many([a_customer(1), a_customer(2)])
    database.command("collMod", "customers", validator={"timezone": {"$ne": "UTC"}})
    change(editor, database, full_name="Customer 1")
    assert isinstance(change(editor, database, email="customer2@example.com"), ChangeRefused)
    assert isinstance(change(editor, database, timezone="UTC"), ChangeRefused)
    assert entries(database) == []


def test_after_a_lost_race_there_is_one_entry_with_what_really_was_before(editor, database):
    database.customers.insert_one(a_customer(1))
    as_read = stored(database)
    other = {"timezone": "Asia/Tokyo", "updated_at": LONG_AGO + timedelta(seconds=1)}
    database.customers.update_one({"_id": as_read["_id"]}, {"$set": other})
    editor.change(as_read, {"full_name": "B"})
    (entry,) = entries(database)
    assert entry["before"]["timezone"] == entry["after"]["timezone"] == "Asia/Tokyo"
    database.customers.update_one({"_id": as_read["_id"]}, {"$set": {"updated_at": LONG_AGO}})
    editor.delete([as_read], force=False)
    (_, entry) = entries(database)
    assert (entry["before"]["full_name"], entry["after"]) == ("B", None)


def test_a_customer_that_others_deleted_meanwhile_leaves_no_entry(editor, database):
    database.customers.insert_one(a_customer(1))
    as_read = stored(database)
    database.customers.delete_one({"_id": as_read["_id"]})
    editor.delete([as_read], force=False)
    with pytest.raises(NotFound):
        editor.change(as_read, {"full_name": "B"})
    assert entries(database) == []


def test_an_entry_is_there_before_its_change(editor, database, monkeypatch):
    database.customers.insert_one(a_customer(1))
    monkeypatch.setattr(editing, "as_read", killed)
    with pytest.raises(Killed):
        change(editor, database, full_name="B")
    monkeypatch.setattr(editing, "_unchanged", killed)
    with pytest.raises(Killed):
        editor.delete([stored(database)], force=False)
    assert stored(database) == a_customer(1)
    assert [entry["unconfirmed"] for entry in entries(database)] == [True, True]


def test_a_change_whose_entry_was_not_confirmed_is_confirmed_before_the_next(editor, database, monkeypatch):
    database.customers.insert_one(a_customer(1))
    with monkeypatch.context() as patched:
        patched.setattr(ChangeLog, "confirm", killed)
        with pytest.raises(Killed):
            change(editor, database, full_name="B")
    (entry,) = database.changes.find()
    assert entry["unconfirmed"]
    assert stored(database)["last_change"] == entry["_id"]

    change(editor, database, full_name="C")

    assert [(entry["after"]["full_name"], "unconfirmed" in entry) for entry in entries(database)] == [
        ("B", False),
        ("C", False),
    ]


def test_the_log_is_searched_by_indexes_that_the_first_change_makes(editor, database):
    database.customers.insert_many([a_customer(1), a_customer(2)])
    editor.delete(found(database, "customer1@example.com"), force=False)
    assert sorted(database.changes.index_information()) == ["_id_", "customer_id_1", "email_1"]


def test_a_user_without_a_name_is_a_number(editor, database, monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    database.customers.insert_one(a_customer(1))
    change(editor, database, full_name="B")
    assert stored(database)["updated_by"]["user"] == "4000000000"


def test_the_log_of_changes_at_the_same_time_has_no_gap_and_nothing_twice(editor, database):
    database.customers.insert_one(a_customer(1))
    as_read = stored(database)

    def work(number: int) -> int:
        own = CustomerEditor(database)
        return sum(bool(own.change(as_read, {"full_name": f"{number}.{turn}"}).fields) for turn in range(5))

    with ThreadPoolExecutor(3) as threads:
        changed = sum(threads.map(work, range(3)))

    log = sorted(entries(database), key=lambda entry: entry["at"])
    assert changed == len(log) == 15
    assert not any("unconfirmed" in entry for entry in log)
    assert [entry["before"] for entry in log] == [values_of(as_read), *(entry["after"] for entry in log[:-1])]
    assert log[-1]["after"] == values_of(stored(database))
