"""`imports undo`: takes one import back, as far as nobody has changed since what it did. Safe to repeat."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database

from custimport.choices import Status
from custimport.errors import Refused
from custimport.store.changes import as_read
from custimport.store.documents import CUSTOMERS, IMPORTS, customer_id_range, row_of, utc_now
from custimport.store.history import RecordedImport
from custimport.store.lease import holder_lives, server_time
from custimport.store.rights import UNDO, require_rights

Document = dict[str, Any]

ROWS_A_COMMAND: Final = 10_000
"""Customers deleted by one command: it answers long before any time-out."""
CHANGES_A_COMMAND: Final = 1_000
RESTORED: Final = ("full_name", "date_of_birth", "timezone", "updated_at", "updated_by")


@dataclass(frozen=True, slots=True)
class LeftCustomer:
    """A customer that was changed since, and is left as it is; `id` as 24 hex digits."""

    id: str
    email: str


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of it, over all attempts: customers deleted, restored, and left because they were changed since."""

    deleted: int
    restored: int
    left: tuple[LeftCustomer, ...]


def undo(database: Database[Document], found: RecordedImport) -> Undone:
    """Delete the customers that the import created, restore those whose newest change it is, and mark it `undone`.

    May be interrupted and repeated. Raises `Refused` if a process works on the import, `DatabaseRefused` before
    anything is changed if the user lacks a right that it needs.
    """
    require_rights(database, UNDO)
    _claim(database, found)
    customers, import_id = database[CUSTOMERS], found.import_id
    imports = database[IMPORTS]
    imports.update_one({"_id": import_id}, {"$inc": {"undo.deleted": _delete_created(customers, found)}})
    for restored in _restore_changed(customers, import_id):
        imports.update_one({"_id": import_id}, {"$inc": {"undo.restored": restored}})
    left = tuple(_left(customers, import_id))
    imports.update_one({"_id": import_id}, {"$set": {"undo.finished_at": utc_now(), "undo.left": len(left)}})
    counts = imports.find_one({"_id": import_id}, {"undo": 1}) or {}
    return Undone(counts["undo"]["deleted"], counts["undo"]["restored"], left)


def _claim(database: Database[Document], found: RecordedImport) -> None:
    """From here on nobody resumes the import."""
    if found.summary.status is Status.UNDONE:
        return
    if found.summary.status is Status.SKIPPED:
        raise Refused(f"import {found.shown_id} was skipped: it stored nothing that could be taken back")
    if holder_lives(found.document, server_time(database)):
        raise Refused(
            f"import {found.shown_id} is running", hint="wait for it, or stop it first: SIGINT ends it at a checkpoint"
        )
    lease = found.document.get("lease") or {}
    claimed = database[IMPORTS].update_one(
        {"_id": found.import_id, "status": found.document["status"], "lease.token": lease.get("token")},
        {
            "$set": {
                "status": Status.UNDONE.value,
                "undo": {"started_at": utc_now(), "finished_at": None, "deleted": 0, "restored": 0, "left": 0},
            },
            "$unset": {"lease.token": ""},
        },
    )
    if claimed.matched_count == 0:
        raise Refused(f"import {found.shown_id} was just taken over by another process")


def _delete_created(customers: Collection[Document], found: RecordedImport) -> int:
    """How many were deleted now."""
    ours_alone: Document = {"$or": [{"updated_by": None}, {"updated_by.import_id": found.import_id}]}
    deleted = 0
    first = 1
    newest = customers.find_one({"_id": customer_id_range(found.import_id)}, {"_id": 1}, sort=[("_id", -1)])
    last_row = row_of(newest["_id"]) if newest else 0
    while first <= last_row:
        rows = customer_id_range(found.import_id, first, first + ROWS_A_COMMAND - 1)
        deleted += customers.delete_many({"_id": rows, **ours_alone}).deleted_count
        first += ROWS_A_COMMAND
    return deleted


def _restore_changed(customers: Collection[Document], import_id: bytes) -> Iterator[int]:
    """How many customers each command restored; those changed meanwhile are left."""
    changed = {"updated_by.import_id": import_id, "previous": {"$exists": True}}
    operations: list[UpdateOne] = []
    for stored in customers.find(changed, {"email": 1, "updated_at": 1, "updated_by": 1, "previous": 1}):
        before = stored["previous"]
        values = {name: before[name] for name in RESTORED if name in before}
        removed = {name: "" for name in ("previous", "applied", *RESTORED) if name not in values}
        operations.append(UpdateOne(as_read(stored), {"$set": values, "$unset": removed}))
        if len(operations) == CHANGES_A_COMMAND:
            yield customers.bulk_write(operations, ordered=False).modified_count
            operations = []
    if operations:
        yield customers.bulk_write(operations, ordered=False).modified_count


def _left(customers: Collection[Document], import_id: bytes) -> Iterator[LeftCustomer]:
    """Customers that still carry the import's doing below a later change."""
    remains = {
        "$or": [
            {"_id": customer_id_range(import_id)},
            {"updated_by.import_id": import_id},
            {"previous.updated_by.import_id": import_id},
        ]
    }
    for stored in customers.find(remains, {"email": 1}).sort("_id", 1):
        yield LeftCustomer(str(stored["_id"]), stored.get("email", ""))
