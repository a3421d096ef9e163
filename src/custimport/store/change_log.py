"""The log of what commands did to customers: who, when, the values before and after.

A standalone server has no transactions. An entry is written before its change, marked `unconfirmed`, and loses the mark
after it; one whose change did not happen is taken out again. So no change is ever without its entry. Where a crash or
an outage came between, the mark stays, and the customer tells: its `last_change` names the newest entry that was
applied, set by the very write that applied it. Only commands set that field, each after confirming the entry that it
replaces there.
"""

import os
import pwd
import socket
from datetime import datetime
from typing import Any, Final

from bson.objectid import ObjectId
from pymongo.database import Database

from custimport.customer import FIELDS
from custimport.store.documents import CHANGES
from custimport.store.indexes import ensure_change_indexes

Document = dict[str, Any]

UPDATE: Final = "customers update"
DELETE: Final = "customers delete"

_AFTER: Final = (*FIELDS, "created_at", "updated_at", "created_by", "updated_by")
_BEFORE: Final = (*_AFTER, "previous")
"""With `previous`, which a command takes from the customer: it tells what the import before it changed."""


def author(command: str) -> Document:
    """Who runs this process, as `updated_by` and the log's `by` keep it."""
    return {"command": command, "user": _user_name(), "host": socket.gethostname()}


def _user_name() -> str:
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        # in a container the number need not have a name
        return str(number)
    return os.fsencode(name).decode("utf-8", "replace")


class ChangeLog:
    """The entries of one database. Every method may raise pymongo's errors."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._changes = database[CHANGES]
        self._is_indexed = False

    def intend(self, stored: Document, after: Document | None, by: Document, at: datetime) -> ObjectId:
        """Write the entry of a change that is about to be tried on the customer as it was read; gives its id.

        `after` is the whole customer as it is to be, None where it is to be deleted; `at` is its new `updated_at`.
        """
        if not self._is_indexed:
            ensure_change_indexes(self._database)
            self._is_indexed = True
        if "last_change" in stored:
            # the customer is about to forget that this one was applied
            self.confirm(stored["last_change"])
        entry: Document = {
            "_id": ObjectId(),
            "customer_id": stored["_id"],
            "email": stored.get("email"),
            "at": at,
            "by": by,
            "before": _kept(stored, _BEFORE),
            "after": None if after is None else _kept(after, _AFTER),
            "unconfirmed": True,
        }
        self._changes.insert_one(entry)
        return ObjectId(entry["_id"])

    def confirm(self, entry_id: ObjectId) -> None:
        """The change happened. Safe to repeat."""
        self._changes.update_one({"_id": entry_id, "unconfirmed": True}, {"$unset": {"unconfirmed": ""}})

    def withdraw(self, entry_id: ObjectId) -> None:
        """The change surely did not happen, and never will."""
        self._changes.delete_one({"_id": entry_id, "unconfirmed": True})


def _kept(customer: Document, fields: tuple[str, ...]) -> Document:
    return {field: customer[field] for field in fields if field in customer}
