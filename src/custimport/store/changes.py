"""What it takes to change a stored customer: compare-and-set, with provenance and the way back."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import bson
from pymongo.database import Database

from custimport.choices import Status
from custimport.records import ValidRow
from custimport.store.documents import (
    IMPORTS,
    Packed,
    created_by_import,
    midnight,
    moment_of,
    packed_day_and_zone,
    packed_document,
    packed_email,
    packed_moment,
    packed_name,
    packed_stamp,
    stamp,
    utc_now,
)
from custimport.store.untouched import UntouchedCustomer

Document = dict[str, Any]

CHANGE_PROJECTION = dict.fromkeys(
    ("email", "full_name", "date_of_birth", "timezone", "updated_at", "updated_by", "applied"), 1
)
"""What must have been read of a customer before it can be compared and changed."""

FINISHED = (Status.COMPLETED, Status.SKIPPED, Status.UNDONE)
"""An import in one of these states is never resumed."""


BY_IDENTIFIER: Final = {"_id": 1}
"""Which index finds the customer to change: left to itself the server tries both, which takes a third of the time."""


class Change(NamedTuple):
    """One compare-and-set that settles the rows of one e-mail, folded together as if written one by one.

    `statement` is packed for the database command `update`; `stamp` is what `updated_by` holds if it succeeded, `row`
    (1-based) the last one that counts; `updated` and `unchanged` count the rows it settles, of which the first
    `unchanged_before_first_update` equal what is stored now.
    """

    email: str
    statement: Packed
    stamp: Document
    row: int
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
        statement=bson.encode({"q": as_read(stored), "u": operation, "hint": BY_IDENTIFIER}).decode("latin-1"),
        stamp=new_stamp,
        row=effective[-1],
        updated=len(effective),
        unchanged=len(group) - len(effective),
        unchanged_before_first_update=first_effective,
    )


_HINT: Final = "\x03hint\0" + bson.encode(BY_IDENTIFIER).decode("latin-1")


def change_of_untouched(stored: UntouchedCustomer, row: ValidRow, import_id: bytes, now_milliseconds: int) -> Change:
    """The same as `change_for`, for one row that differs from a customer that only finished imports have written.

    A property test pins that the statements are the same bytes.
    """
    later = max(now_milliseconds, moment_of(stored.updated_at) + 1)
    updated_by = f"\x03{stored.updated_by}" if stored.updated_by else ""
    previous = packed_document(f"{stored.full_name}{stored.day_and_zone}{stored.updated_at}{updated_by}")
    as_read = packed_document(
        f"{stored.identifier}{packed_email(row.email)}{stored.updated_at}{updated_by or _NEVER_UPDATED}"
    )
    assignments = packed_document(
        f"{packed_name(row.full_name)}{packed_day_and_zone(row)}\x09updated_at\0{packed_moment(later)}"
        f"\x03updated_by\0{packed_stamp(import_id, row.row)}\x03previous\0{previous}"
    )
    changed = packed_document(f"\x03$set\0{assignments}")
    statement = packed_document(f"\x03q\0{as_read}\x03u\0{changed}{_HINT}")
    return Change(row.email, statement, stamp(import_id, row.row), row.row, 1, 0, 0)


_NEVER_UPDATED: Final = "\x0aupdated_by\0"


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


class ForeignStamps:
    """Finds the stamps of other imports that are unfinished: a resume of theirs will ask for them.

    Finished imports never become unfinished again, so their ids are remembered. `import_id`: the import that asks, None
    for a command.
    """

    def __init__(self, database: Database[Document], import_id: bytes | None) -> None:
        self._imports = database[IMPORTS]
        self._import_id = import_id
        self._finished: set[bytes] = set()

    def of(self, stored: Document) -> list[Document]:
        """The stamps on a customer that must stay."""
        entries = [*(stored.get("applied") or ()), stored.get("updated_by") or {}]
        others = [entry for entry in entries if entry.get("import_id") not in (None, self._import_id)]
        return [entry for entry in others if not self.is_finished(entry["import_id"])]

    def is_finished(self, import_id: bytes) -> bool:
        """Whether the import will never be resumed; an unknown one will not."""
        if import_id not in self._finished:
            found = self._imports.find_one({"_id": import_id}, {"status": 1})
            if found is not None and found["status"] not in FINISHED:
                return False
            self._finished.add(import_id)
        return True
