"""What it takes to change a stored customer: compare-and-set, with provenance and the way back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import UpdateOne
from pymongo.database import Database

from custimport.records import Status, ValidRow
from custimport.store.documents import IMPORTS, created_by_import, midnight, stamp, utc_now

Document = dict[str, Any]

CHANGE_PROJECTION = dict.fromkeys(
    ("email", "full_name", "date_of_birth", "timezone", "updated_at", "updated_by", "applied"), 1
)
"""What must have been read of a customer before it can be compared and changed."""

FINISHED = (Status.COMPLETED, Status.SKIPPED, Status.UNDONE)
"""An import in one of these states is never resumed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One compare-and-set that settles the rows of one e-mail, folded together as if written one by one.

    `stamp` is what `updated_by` holds if it succeeded; `updated` and `unchanged` count the rows it settles, of which
    the first `unchanged_before_first_update` equal what is stored now.
    """

    email: str
    operation: UpdateOne
    stamp: Document
    updated: int
    unchanged: int
    unchanged_before_first_update: int


def change_for(
    stored: Document,
    group: Sequence[ValidRow],
    import_id: bytes,
    checkpoint_row: int,
    foreign_stamps: Callable[[Document], list[Document]],
) -> Change | None:
    """The change that makes `stored` what the rows say, the last one winning; None if they all equal it.

    The rows have one e-mail and are in file order. `checkpoint_row`: rows up to it are counted for good, their stamps
    need not be kept; `foreign_stamps` gives the stamps that other imports may still need.
    """
    current = stored_values(stored)
    effective: list[int] = []
    first_effective = len(group)
    for index, row in enumerate(group):
        values = row_values(row)
        if values != current:
            current = values
            effective.append(row.row)
            first_effective = min(first_effective, index)
    if not effective:
        return None
    full_name, date_of_birth, timezone = current
    changed_by = stored.get("updated_by")
    new_stamp = stamp(import_id, effective[-1])
    assignments: Document = {
        "full_name": full_name,
        "date_of_birth": date_of_birth,
        "timezone": timezone,
        "updated_at": later_than(stored.get("updated_at")),
        "updated_by": new_stamp,
    }
    ours = created_by_import(stored["_id"], import_id) or bool(changed_by and changed_by.get("import_id") == import_id)
    if not ours:
        assignments["previous"] = previous_values(stored)
    applied = [entry for entry in own_stamps(stored, import_id) if entry["row"] > checkpoint_row]
    applied += [stamp(import_id, row) for row in effective[:-1]]
    applied += foreign_stamps(stored)
    operation: Document = {"$set": assignments}
    if applied:
        assignments["applied"] = applied
    elif "applied" in stored:
        operation["$unset"] = {"applied": ""}
    return Change(
        email=stored["email"],
        operation=UpdateOne(as_read(stored), operation),
        stamp=new_stamp,
        updated=len(effective),
        unchanged=len(group) - len(effective),
        unchanged_before_first_update=first_effective,
    )


def one_effect(stored: Document, group: Sequence[ValidRow]) -> Sequence[ValidRow]:
    """The rows up to the first that changes something."""
    for index, row in enumerate(group):
        if row_values(row) != stored_values(stored):
            return group[: index + 1]
    return group


def stored_values(stored: Document) -> tuple[Any, ...]:
    """The three values that a row of the same e-mail can change."""
    return stored.get("full_name"), stored.get("date_of_birth"), stored.get("timezone")


def row_values(row: ValidRow) -> tuple[Any, ...]:
    """The same of a row, as they would be stored."""
    return row.full_name, midnight(row.date_of_birth), row.timezone


def as_read(stored: Document) -> Document:
    """The filter of a compare-and-set: matches the customer only while nobody has changed it since it was read."""
    return {
        "_id": stored["_id"],
        "email": stored["email"],
        # None also matches a document without the field
        "updated_at": stored.get("updated_at"),
        "updated_by": stored.get("updated_by"),
    }


def later_than(moment: Any) -> datetime:
    """Now, but at least a millisecond after `moment`, so that every change is visible in `updated_at`."""
    now = utc_now()
    return max(now, moment + timedelta(milliseconds=1)) if isinstance(moment, datetime) else now


def previous_values(stored: Document) -> Document:
    """What `imports undo` puts back: the values and the stamp that a change replaces."""
    kept = ("full_name", "date_of_birth", "timezone", "updated_at", "updated_by")
    return {name: stored[name] for name in kept if name in stored}


def own_stamps(stored: Document, import_id: bytes) -> list[Document]:
    """The stamps that this import left on the customer before the one to come."""
    entries = [*(stored.get("applied") or ()), stored.get("updated_by") or {}]
    return [entry for entry in entries if entry.get("import_id") == import_id]


def foreign_stamps_finder(
    database: Database[Document], import_id: bytes | None
) -> Callable[[Document], list[Document]]:
    """A function that gives the stamps of other imports that are unfinished: a resume of theirs will ask for them.

    Finished imports never become unfinished again, so their ids are remembered.
    """
    finished: set[bytes] = set()

    def is_finished(other: bytes) -> bool:
        if other not in finished:
            found = database[IMPORTS].find_one({"_id": other}, {"status": 1})
            if found is not None and found["status"] not in FINISHED:
                return False
            finished.add(other)
        return True

    def foreign_stamps(stored: Document) -> list[Document]:
        entries = [*(stored.get("applied") or ()), stored.get("updated_by") or {}]
        others = [entry for entry in entries if entry.get("import_id") not in (None, import_id)]
        return [entry for entry in others if not is_finished(entry["import_id"])]

    return foreign_stamps
