"""Finding, changing and deleting stored customers, for the commands. Imports write through `customer_writer`."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.min_key import MinKey
from bson.objectid import ObjectId
from pymongo import DeleteOne
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, WriteError

from custimport.customer.codes import RowError
from custimport.customer.conflicts import duplicate_in_database, write_refused
from custimport.errors import NotFound, Refused
from custimport.store.changes import FINISHED, as_read, foreign_stamps_finder, later_than
from custimport.store.connection import is_outage
from custimport.store.documents import (
    CUSTOMERS,
    IMPORTS,
    customer_id_range,
    midnight,
    parsed_import_id,
    shown_import_id,
    utc_now,
)
from custimport.store.selection import NEWEST_FIRST, CustomerFilter, CustomerOrder, CustomerPage

Document = dict[str, Any]

UPDATE_STAMP: Final = {"command": "customers update"}
NEWEST_IMPORT: Final = "last"
STREAM_BATCH_ROWS: Final = 5_000
"""Documents asked for at a time while streaming: a third faster than the server's choice, and some 2 MB at most."""
MAX_LOST_RACES: Final = 50
"""Changes by others between our reading and writing after which we say so instead of trying on for ever."""
LOST_RACE_SECONDS: Final = 0.02
"""Wait after a lost race: reads see what a majority has, which may be older than the change that we lost to."""
_SHOWN: Final = ("full_name", "email", "date_of_birth", "timezone", "created_at", "updated_at")
_HEXADECIMAL_ID: Final = re.compile(r"[0-9A-Fa-f]{24}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CustomerChanged:
    """The customer as it is stored now; `fields` are those that changed, none if all had their values already."""

    document: Document
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    """The database cannot store these values; nothing was changed."""

    errors: tuple[RowError, ...]


class CustomerStore:
    """The customers of one database. Every method may raise pymongo's errors."""

    def __init__(self, database: Database[Document]) -> None:
        aware = CodecOptions[Document](tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
        # UTC without saying so: decoding takes half the time, and in a stream nobody calculates with it
        naive = CodecOptions[Document](tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
        self._imports = database[IMPORTS]
        self._customers = database[CUSTOMERS].with_options(codec_options=aware)
        self._streamed = database[CUSTOMERS].with_options(codec_options=naive)
        self._unfinished_stamps = foreign_stamps_finder(database, None)

    def page(self, selection: CustomerFilter, order: CustomerOrder, number: int, limit: int) -> CustomerPage:
        """Page `number` (1-based) of at most `limit` customers; empty beyond the last. Raises `NotFound` as `stream`.

        A page in the second half is read from the end, so that the last one costs no more than the first.
        """
        query = self._query(selection)
        skipped = (number - 1) * limit
        if number == 1:
            documents = list(self._customers.find(query).sort(order.keys()).limit(limit))
            # a page that is not full holds everything there is
            total = len(documents) if len(documents) < limit else self._count(query)
            return CustomerPage(documents, max(total, len(documents)), number, limit)
        total = self._count(query)
        if skipped >= total:
            return CustomerPage((), total, number, limit)
        if skipped <= total // 2:
            found = self._customers.find(query).sort(order.keys()).skip(skipped).limit(limit)
            return CustomerPage(list(found), total, number, limit)
        size = min(limit, total - skipped)
        found = self._customers.find(query).sort(order.keys(reverse=True))
        documents = list(found.skip(total - skipped - size).limit(size))
        return CustomerPage(documents[::-1], total, number, limit)

    def stream(
        self, selection: CustomerFilter, order: CustomerOrder = NEWEST_FIRST, *, provenance: bool = True
    ) -> Iterator[Document]:
        """Every match, one after the other; their datetimes are UTC without a tzinfo.

        `provenance` includes `created_by` and `updated_by`. It is no snapshot: what others change meanwhile may
        show. Raises `NotFound` for an import that does not exist, before the first customer.
        """
        fields = (*_SHOWN, "created_by", "updated_by") if provenance else _SHOWN
        found = self._streamed.find(self._query(selection), dict.fromkeys(fields, 1), batch_size=STREAM_BATCH_ROWS)
        return iter(found.sort(order.keys()))

    def find(self, names: Sequence[str]) -> list[Document]:
        """The customers of these ids (24 hex digits) or e-mails (stored form), in order, each once.

        Raises `NotFound`, naming every one that is missing.
        """
        ids = [ObjectId(name) for name in names if _HEXADECIMAL_ID.fullmatch(name)]
        emails = [name for name in names if not _HEXADECIMAL_ID.fullmatch(name) and _encodable(name)]
        by_name: dict[str, Document] = {}
        for document in self._customers.find({"$or": [{"_id": {"$in": ids}}, {"email": {"$in": emails}}]}):
            by_name[str(document["_id"])] = by_name[str(document.get("email"))] = document
        missing = [name for name in names if _key(name) not in by_name]
        if missing:
            raise NotFound(
                f"no customer {', '.join(map(repr, missing))}",
                hint="custimport customers list --name PART finds customers by their name",
            )
        return list({id(document): document for document in (by_name[_key(name)] for name in names)}.values())

    def change(self, customer: Document, values: Mapping[str, str | date]) -> CustomerChanged | ChangeRefused:
        """Give the customer these values (stored forms; field → value), whoever else changes it meanwhile.

        Raises `NotFound` if it was deleted since it was read, and `Refused` if others never let us have our turn.
        """
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
        before = read["updated_at"]
        updated_at = later_than(before) if isinstance(before, datetime) else utc_now()
        assigned = differing | {"updated_at": updated_at, "updated_by": dict(UPDATE_STAMP)}
        # an import that goes on later must still see which of its rows were applied
        stamps = self._unfinished_stamps(stored)
        if stamps:
            assigned["applied"] = stamps
        # no way back across this change: an undo must leave the customer as it is now
        removed = [field for field in ("previous", "applied") if field in stored and field not in assigned]
        operation: Document = {"$set": assigned}
        if removed:
            operation["$unset"] = dict.fromkeys(removed, "")
        try:
            matched = self._customers.update_one(as_read(read), operation).matched_count
        except WriteError as error:
            if is_outage(error):
                raise
            return self._refusal(error, differing)
        if not matched:
            return None
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
        an import took hold of meanwhile (then others may be deleted already).
        """
        left = list(customers)
        for _ in range(MAX_LOST_RACES):
            if not force:
                self.refuse_unfinished(left)
            deleted = self._customers.bulk_write([DeleteOne(_unchanged(customer)) for customer in left], ordered=False)
            if deleted.deleted_count == len(left):
                return
            time.sleep(LOST_RACE_SECONDS)
            left = list(self._customers.find({"_id": {"$in": [customer["_id"] for customer in left]}}))
            if not left:
                return
        raise Refused(
            f"customer {left[0]['_id']} was changed by others {MAX_LOST_RACES} times in a row, and was not deleted",
            hint="try again when the import that changes it is done",
        )

    def _count(self, query: Document) -> int:
        if not query:
            # exact also after a crash, unlike the collection's own counter; keys are counted without their documents
            query = {"_id": {"$gte": MinKey()}}
        return self._customers.count_documents(query)

    def _query(self, selection: CustomerFilter) -> Document:
        """The filter as MongoDB wants it; whatever a user typed stands in it as a plain string or number."""
        query: Document = {}
        if selection.email is not None:
            query["email"] = {"$eq": selection.email}
        if selection.name_part is not None:
            # re.escape leaves NUL alone, which BSON cannot hold in a pattern
            pattern = re.escape(selection.name_part).replace("\0", r"\x00")
            query["full_name"] = {"$regex": pattern, "$options": "i"}
        if selection.timezone is not None:
            query["timezone"] = {"$eq": selection.timezone}
        born: Document = {}
        if selection.born_after is not None:
            born["$gt"] = midnight(selection.born_after)
        if selection.born_before is not None:
            born["$lt"] = midnight(selection.born_before)
        if born:
            query["date_of_birth"] = born
        if selection.import_name is not None:
            query["_id"] = customer_id_range(self._import_id(selection.import_name))
        return query

    def _import_id(self, name: str) -> bytes:
        """The import that `name` means: 16 hex digits, or `last`. Raises `NotFound` if it does not exist."""
        query = {} if name == NEWEST_IMPORT else {"_id": parsed_import_id(name)}
        found = self._imports.find_one(query, {"_id": 1}, sort=[("_id", -1)])
        if found is None:
            raise NotFound(
                "there is no import yet" if name == NEWEST_IMPORT else f"no import {name}",
                hint="custimport imports list shows them",
            )
        return bytes(found["_id"])


def _key(name: str) -> str:
    return name.lower() if _HEXADECIMAL_ID.fullmatch(name) else name


def _encodable(text: str) -> bool:
    """Whether it is text at all; an argument that is not UTF-8 arrives with lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _unchanged(customer: Document) -> Document:
    """Matches the customer only while its last change is the one that was read."""
    return {field: customer.get(field) for field in ("_id", "updated_at", "updated_by")}
