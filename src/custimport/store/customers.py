"""Finding stored customers, for the commands. `editing` changes them; imports write through `customer_writer`."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.min_key import MinKey
from bson.objectid import ObjectId
from pymongo.cursor import Cursor
from pymongo.database import Database

from custimport.errors import NotFound
from custimport.store.documents import CUSTOMERS, IMPORTS, customer_id_range, midnight, parsed_import_id
from custimport.store.lookup import CUSTOMER_CODEC
from custimport.store.selection import NEWEST_FIRST, CustomerFilter, CustomerOrder, CustomerPage

Document = dict[str, Any]

NEWEST_IMPORT: Final = "last"
STREAM_BATCH_ROWS: Final = 5_000
"""Documents asked for at a time while streaming: a third faster than the server's choice, and some 2 MB at most."""
_SHOWN: Final = ("full_name", "email", "date_of_birth", "timezone", "created_at", "updated_at")
HEXADECIMAL_ID: Final = re.compile(r"[0-9A-Fa-f]{24}", re.ASCII)


class CustomerStore:
    """The customers of one database. Every method may raise pymongo's errors."""

    def __init__(self, database: Database[Document]) -> None:
        # UTC without saying so: decoding takes half the time, and in a stream nobody calculates with it
        naive = CodecOptions[Document](tz_aware=False, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
        self._imports = database[IMPORTS]
        self._customers = database[CUSTOMERS].with_options(codec_options=CUSTOMER_CODEC)
        self._streamed = database[CUSTOMERS].with_options(codec_options=naive)

    def page(self, selection: CustomerFilter, order: CustomerOrder, number: int, limit: int) -> CustomerPage:
        """Page `number` (1-based) of at most `limit` customers; empty beyond the last. Raises `NotFound` as `stream`.

        A page in the second half is read from the end, so that the last one costs no more than the first.
        """
        query = self._query(selection)
        skipped = (number - 1) * limit
        if number == 1:
            documents = list(_sorted(self._customers.find(query), order).limit(limit))
            # a page that is not full holds everything there is
            total = len(documents) if len(documents) < limit else self._count(query)
            return CustomerPage(documents, max(total, len(documents)), number, limit)
        total = self._count(query)
        if skipped >= total:
            return CustomerPage((), total, number, limit)
        if skipped <= total // 2:
            found = _sorted(self._customers.find(query), order).skip(skipped).limit(limit)
            return CustomerPage(list(found), total, number, limit)
        size = min(limit, total - skipped)
        found = _sorted(self._customers.find(query), order, reverse=True)
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
        return iter(_sorted(found, order))

    def find(self, names: Sequence[str]) -> list[Document]:
        """The customers of these ids (24 hex digits) or e-mails (stored form), in order, each once.

        Raises `NotFound`, naming every one that is missing.
        """
        ids = [ObjectId(name) for name in names if HEXADECIMAL_ID.fullmatch(name)]
        emails = [name for name in names if not HEXADECIMAL_ID.fullmatch(name) and encodable(name)]
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


def _sorted(found: Cursor[Document], order: CustomerOrder, *, reverse: bool = False) -> Cursor[Document]:
    found = found.sort(order.keys(reverse=reverse))
    # a sort over 100 MB, some 400,000 customers, goes to disk: servers before 6.0 refuse it unless told to
    return found if order.is_indexed else found.allow_disk_use(True)


def _key(name: str) -> str:
    return name.lower() if HEXADECIMAL_ID.fullmatch(name) else name


def encodable(text: str) -> bool:
    """Whether it is text at all; an argument that is not UTF-8 arrives with lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
