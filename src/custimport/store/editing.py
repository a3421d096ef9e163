"""Changing and deleting stored customers by command, each change with its entry in the log."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure, WriteError

from custimport.customer.codes import RowError
from custimport.customer.conflicts import duplicate_in_database, write_refused
from custimport.errors import NotFound, Refused
from custimport.store.change_log import DELETE, UPDATE, ChangeLog, author
from custimport.store.changes import FINISHED, ForeignStamps, as_read, later_than
from custimport.store.connection import is_outage
from custimport.store.documents import CUSTOMERS, IMPORTS, midnight, shown_import_id
from custimport.store.lookup import CUSTOMER_CODEC
from custimport.store.rights import CHANGING, DELETING, require_rights

Document = dict[str, Any]

MAX_LOST_RACES: Final = 50
"""Changes by others between our reading and writing after which we say so instead of trying on for ever."""
LOST_RACE_SECONDS: Final = 0.02
"""Wait after a lost race: reads see what a majority has, which may be older than the change that we lost to."""


@dataclass(frozen=True, slots=True)
class CustomerChanged:
    """The customer as it is stored now; `fields` are those that changed, none if all had their values already."""

    document: Document
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    """The database cannot store these values; nothing was changed."""

    errors: tuple[RowError, ...]


class CustomerEditor:
    """Changes the customers of one database. Every method may raise pymongo's errors."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._imports = database[IMPORTS]
        self._customers = database[CUSTOMERS].with_options(codec_options=CUSTOMER_CODEC)
        self._unfinished_stamps = ForeignStamps(database, None).of
        self._log = ChangeLog(database)

    def change(self, customer: Document, values: Mapping[str, str | date]) -> CustomerChanged | ChangeRefused:
        """Give the customer these values (stored forms; field → value), whoever else changes it meanwhile.

        Raises `NotFound` if it was deleted since it was read, and `Refused` if others never let us have our turn.
        """
        require_rights(self._database, CHANGING)
        wanted = {field: midnight(value) if isinstance(value, date) else value for field, value in values.items()}
        stored: Document | None = customer
        for _ in range(MAX_LOST_RACES):
            if stored is None:
                raise NotFound(f"customer {customer['_id']} was deleted meanwhile")
            differing = {field: value for field, value in wanted.items() if stored.get(field) != value}
            if not differing:
                return CustomerChanged(stored, ())
            match self._compare_and_set(stored, differing):
                case ChangeRefused() as refused:
                    return refused
                case None:
                    time.sleep(LOST_RACE_SECONDS)
                    stored = self._customers.find_one({"_id": customer["_id"]})
                case changed:
                    return CustomerChanged(changed, tuple(differing))
        raise Refused(
            f"customer {customer['_id']} was changed by others {MAX_LOST_RACES} times in a row; nothing was changed",
            hint="try again when the import that changes it is done",
        )

    def _compare_and_set(self, stored: Document, differing: Document) -> Document | ChangeRefused | None:
        """The document after the change; None if it is no longer as it was read."""
        # a customer that other software stored may have no date; in a filter None also matches a missing field
        read = {"email": None, "updated_at": None} | stored
        by = author(UPDATE)
        assigned = differing | {"updated_at": later_than(read["updated_at"]), "updated_by": by}
        # an import that goes on later must still see which of its rows were applied
        stamps = self._unfinished_stamps(stored)
        if stamps:
            assigned["applied"] = stamps
        # no way back across this change: an undo must leave the customer as it is now
        removed = [field for field in ("previous", "applied") if field in stored and field not in assigned]
        entry = self._log.intend(stored, stored | assigned, by, assigned["updated_at"])
        assigned["last_change"] = entry
        operation: Document = {"$set": assigned}
        if removed:
            operation["$unset"] = dict.fromkeys(removed, "")
        try:
            matched = self._customers.update_one(as_read(read), operation).matched_count
        except OperationFailure as error:
            if is_outage(error):
                raise
            self._log.withdraw(entry)
            if not isinstance(error, WriteError):
                raise
            return self._refusal(error, differing)
        if not matched:
            self._log.withdraw(entry)
            return None
        self._log.confirm(entry)
        return {field: value for field, value in stored.items() if field not in removed} | assigned

    def _refusal(self, error: WriteError, differing: Document) -> ChangeRefused | None:
        """What the server says about the values; None where the other customer has gone, and it may be tried again."""
        pattern = (error.details or {}).get("keyPattern") or {}
        if isinstance(error, DuplicateKeyError) and list(pattern) == ["email"]:
            email = differing["email"]
            owner = self._customers.find_one({"email": email}, {"_id": 1})
            if owner is None:
                return None
            return ChangeRefused((duplicate_in_database(email, str(owner["_id"])),))
        return ChangeRefused((write_refused((error.details or {}).get("errmsg") or str(error)),))

    def refuse_unfinished(self, customers: Sequence[Document]) -> None:
        """Returns if no unfinished import wrote any of them; raises `Refused` otherwise.

        An import that goes on later would offer the deleted customer's row again.
        """
        writers: dict[bytes, list[str]] = {}
        for customer in customers:
            stamps = (customer.get("created_by"), customer.get("updated_by"), *(customer.get("applied") or ()))
            for import_id in {stamp["import_id"] for stamp in stamps if stamp and "import_id" in stamp}:
                writers.setdefault(import_id, []).append(str(customer["_id"]))
        unfinished = {"_id": {"$in": list(writers)}, "status": {"$nin": list(FINISHED)}}
        for found in self._imports.find(unfinished, {"status": 1}).sort("_id", -1):
            shown = shown_import_id(found["_id"])
            raise Refused(
                f"customer {writers[found['_id']][0]} was not deleted: import {shown} wrote it, is {found['status']}, "
                "and may write it again when it goes on",
                hint=f"finish it first (custimport load --resume {shown}), or add --force",
            )

    def delete(self, customers: Sequence[Document], *, force: bool) -> None:
        """Delete them, also those that others changed since they were read; one that is gone already is no error.

        Unless `force`, raises `Refused` before the first deletion as `refuse_unfinished` does, and for those that
        an import took hold of meanwhile (then others may be deleted already). One after the other, so that each
        entry of the log is confirmed by its own deletion.
        """
        require_rights(self._database, DELETING)
        if not force:
            self.refuse_unfinished(customers)
        for customer in customers:
            self._delete(customer, force=force)

    def _delete(self, customer: Document, *, force: bool) -> None:
        stored = customer
        for _ in range(MAX_LOST_RACES):
            entry = self._log.intend(stored, None, author(DELETE), later_than(stored.get("updated_at")))
            try:
                is_deleted = self._customers.delete_one(_unchanged(stored)).deleted_count > 0
            except OperationFailure as error:
                if not is_outage(error):
                    self._log.withdraw(entry)
                raise
            if is_deleted:
                self._log.confirm(entry)
                return
            self._log.withdraw(entry)
            time.sleep(LOST_RACE_SECONDS)
            found = self._customers.find_one({"_id": customer["_id"]})
            if found is None:
                return
            stored = found
            if not force:
                self.refuse_unfinished([stored])
        raise Refused(
            f"customer {customer['_id']} was changed by others {MAX_LOST_RACES} times in a row, and was not deleted",
            hint="try again when the import that changes it is done",
        )


def _unchanged(customer: Document) -> Document:
    """Matches the customer only while its last change is the one that was read."""
    return {field: customer.get(field) for field in ("_id", "updated_at", "updated_by")}
