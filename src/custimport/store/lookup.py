"""What is stored under the e-mails of a batch, and whether it equals their rows."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, cast

from bson import decode
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.collection import Collection
from pymongo.database import Database

from custimport.choices import Policy
from custimport.records import ValidRow
from custimport.store.changes import CHANGE_PROJECTION
from custimport.store.documents import (
    CUSTOMERS,
    VALUES_BEGIN,
    Packed,
    created_by_import,
    packed_values,
    row_of,
)
from custimport.store.raw_replies import KEY_BYTES, each_document, length_at, raw_replies
from custimport.store.untouched import UntouchedCustomer, untouched_customer

Document = dict[str, Any]

_IDENTIFIER_AND_EMAIL: Final = re.compile(rb"\x03[0-9]+\0....\x07_id\0(.{12})\x02email\0....([^\0]*)\0\0", re.DOTALL)
_IDENTIFIER_AND_EMAIL_BYTES: Final = 34
"""Bytes of such a document beside the e-mail itself."""


BY_EMAIL: Final = itemgetter(ValidRow._fields.index("email"))
"""The order of the server's index: what is asked for and written in this order takes it less time."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What is stored under some e-mails.

    `equal` are those whose customer has the row's values, `differing` those of customers that only other imports have
    written and that have other values, `taken` (with the customer's id as 24 hex digits) those of customers that are
    not this import's, `other` the rest, decoded: they want a closer look.
    """

    equal: Sequence[str]
    other: dict[str, Document]
    differing: dict[str, UntouchedCustomer] = field(default_factory=dict)
    taken: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many of the e-mails are stored."""
        return len(self.equal) + len(self.other) + len(self.differing) + len(self.taken)


CUSTOMER_CODEC: Final = CodecOptions[Document](tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
"""A date that Python cannot represent, put there by other tools, is read as a number and fails no batch."""


class StoredCustomers:
    """Looks customers up for one import; each call is one read, and raises the driver's errors."""

    def __init__(self, customers: Collection[Document], import_id: bytes, policy: Policy) -> None:
        self._customers = customers
        self._import_id = import_id
        self._policy = policy

    def find(self, emails: Sequence[str], projection: Document) -> dict[str, Document]:
        """The stored customers among these e-mails, with the fields of the projection."""
        found = self._customers.find({"email": {"$in": emails}}, projection, batch_size=len(emails) + 1)
        return {customer["email"]: customer for customer in found}

    def compare(self, pending: Mapping[str, list[ValidRow]]) -> Compared:
        """What is stored under the pending e-mails; only the policy update asks how it compares."""
        if self._policy is not Policy.UPDATE:
            return self.taken(list(pending))
        alone = sorted([group[0] for group in pending.values() if len(group) == 1], key=BY_EMAIL)
        return self.compare_alone(alone, [email for email, group in pending.items() if len(group) > 1])

    def compare_alone(self, rows: Sequence[ValidRow], repeated: Sequence[str] = ()) -> Compared:
        """What is stored under the e-mails of rows, each the only one with its e-mail, and under some e-mails more."""
        return compare(self._customers, rows, repeated, self._import_id)

    def taken(self, emails: Sequence[str]) -> Compared:
        """Whose customers are stored under these e-mails."""
        codec: CodecOptions[Document] = self._customers.codec_options
        taken: dict[str, str] = {}
        other: dict[str, Document] = {}
        for reply in raw_replies(self._customers, emails, {"email": 1}):
            content = bytes(reply)
            found = _IDENTIFIER_AND_EMAIL.findall(content)
            covered = sum([len(email) for _, email in found]) + _IDENTIFIER_AND_EMAIL_BYTES * len(found)
            if covered + sum(KEY_BYTES[: len(found)]) == len(content) and self._import_id not in content:
                taken |= {email.decode(): identifier.hex() for identifier, email in found}
                continue
            for first, end in each_document(reply):
                document = decode(content[first:end], codec)
                other[document["email"]] = document
        return Compared((), other, taken=taken)

    def without_doubt(
        self, fresh: Sequence[ValidRow], doubtful: Sequence[ValidRow]
    ) -> tuple[list[ValidRow], list[ValidRow]]:
        """The fresh rows and those of the doubtful that are fresh as well, asking the database; then the others."""
        taken = {row.email for row in fresh}
        taken |= self.find([row.email for row in doubtful], {"email": 1}).keys()
        more: list[ValidRow] = []
        others: list[ValidRow] = []
        for row in doubtful:
            (others if row.email in taken else more).append(row)
            taken.add(row.email)
        return [*fresh, *more], others

    def foresee_duplicates(self, rows: Sequence[ValidRow]) -> list[int]:
        """The rows (1-based numbers) that are no first with their e-mail if they are written now, in file order."""
        groups: dict[str, list[ValidRow]] = {}
        for row in rows:
            groups.setdefault(row.email, []).append(row)
        known = self.find(list(groups), {"email": 1})
        foreseen: list[int] = []
        for email, group in groups.items():
            own = known.get(email)
            # a row that this import stored before it was interrupted is not its own duplicate
            spared = row_of(own["_id"]) if own and created_by_import(own["_id"], self._import_id) else None
            losers = group if own else group[1:]
            foreseen.extend(row.row for row in losers if row.row != spared)
        return sorted(foreseen)


def compare(
    customers: Collection[Document], rows: Sequence[ValidRow], repeated: Sequence[str], import_id: bytes
) -> Compared:
    """Holds rows of distinct e-mails, sorted by them, against the stored customers; and finds those of further e-mails.

    E-mails that are not stored are in no part. A customer is in `other`, decoded, if it is one of the further ones, or
    if it bears a trace of this import: then the rows must be settled by what the import did already.
    """
    codec: CodecOptions[Document] = customers.codec_options
    emails = list(map(BY_EMAIL, rows))
    expected = list(map(packed_values, rows))
    compared = Compared([], {})
    equal = cast("list[str]", compared.equal)
    own = import_id.decode("latin-1")
    at = 0
    # the server finds them by its index, in this order: almost always the next customer is that of the next row
    for reply in raw_replies(customers, sorted([*emails, *repeated]) if repeated else emails):
        text: Packed = str(reply, "latin-1")
        is_foreign = own not in text
        first, index, size_bytes = KEY_BYTES[0], 0, len(text)
        while first < size_bytes:
            if is_foreign:
                run = at
                while at < len(emails) and text.startswith(expected[at], first + VALUES_BEGIN):
                    index += 1
                    first += length_at(reply, first)[0] + KEY_BYTES[index]
                    at += 1
                equal.extend(emails[run:at])
                if first >= size_bytes:
                    break
            end = first + length_at(reply, first)[0]
            document = text[first:end]
            untouched = untouched_customer(document) if is_foreign or own not in document else None
            email = decode(reply[first:end], codec)["email"] if untouched is None else untouched.email
            place = bisect_left(emails, email)
            at = place + 1
            # a collection with a collation of its own may find others too
            if untouched is None or emails[place : place + 1] != [email]:
                compared.other[email] = decode(reply[first:end], codec)
            elif text.startswith(expected[place], first + VALUES_BEGIN):
                equal.append(email)
            else:
                compared.differing[email] = untouched
            index += 1
            first = end + KEY_BYTES[index]
    return compared


def find_stored_customers(database: Database[Document], emails: Sequence[str]) -> Iterator[Document]:
    """The stored customers among these e-mails, as documents with what a change is judged by."""
    customers = database[CUSTOMERS].with_options(codec_options=CUSTOMER_CODEC)
    yield from customers.find({"email": {"$in": list(emails)}}, CHANGE_PROJECTION)
