"""What is stored under the e-mails of a batch, and whether it equals their rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final, cast

from bson import decode
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.collection import Collection
from pymongo.database import Database

from custimport.records import Policy, ValidRow
from custimport.store.changes import CHANGE_PROJECTION
from custimport.store.documents import CUSTOMERS, created_by_import, packed_values, row_of, values_packer

Document = dict[str, Any]

# a batch_size of all that can be found gives one reply, as far as 16 MB go: a first one has 101 documents otherwise
_length_at = Struct("<i").unpack_from


@dataclass(frozen=True, slots=True)
class Compared:
    """What is stored under some e-mails.

    `equal` are those whose customer has the row's values, `taken` (with the customer's id as 24 hex digits) those of
    customers that are not this import's, `other` the rest, decoded: they want a closer look.
    """

    equal: Sequence[str]
    other: dict[str, Document]
    taken: Mapping[str, str] = field(default_factory=dict)


CUSTOMER_CODEC: Final = CodecOptions[Document](tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
"""A date that Python cannot represent, put there by other tools, is read as a number and fails no batch."""


class StoredCustomers:
    """Looks customers up for one import; each call is one read, and raises the driver's errors."""

    def __init__(self, customers: Collection[Document], import_id: bytes, policy: Policy) -> None:
        self._customers = customers
        self._import_id = import_id
        self._policy = policy
        self._pack_values = values_packer()

    def find(self, emails: Sequence[str], projection: Document) -> dict[str, Document]:
        """The stored customers among these e-mails, with the fields of the projection."""
        found = self._customers.find({"email": {"$in": emails}}, projection, batch_size=len(emails) + 1)
        return {customer["email"]: customer for customer in found}

    def compare(self, pending: Mapping[str, list[ValidRow]]) -> Compared:
        """What is stored under the pending e-mails; only the policy update asks how it compares."""
        if self._policy is Policy.UPDATE:
            return compare(self._customers, pending, self._import_id, self._pack_values)
        return self._taken(list(pending))

    def _taken(self, emails: Sequence[str]) -> Compared:
        codec: CodecOptions[Document] = self._customers.codec_options
        taken: dict[str, str] = {}
        other: dict[str, Document] = {}
        for raw in _documents(self._customers, emails, {"email": 1}):
            # an ObjectId of 12 bytes, then the e-mail with its length before it and a zero after it (bsonspec.org)
            identifier = raw[9:21]
            if raw[4:9] == b"\x07_id\x00" and raw[21:28] == b"\x02email\x00" and self._import_id not in identifier:
                taken[raw[32:-2].decode()] = identifier.hex()
            else:
                document = decode(raw, codec)
                other[document["email"]] = document
        return Compared((), other, taken)

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
    customers: Collection[Document],
    pending: Mapping[str, list[ValidRow]],
    import_id: bytes,
    pack_values: Callable[[ValidRow], bytes],
) -> Compared:
    """Holds the pending rows against the stored customers; e-mails that are not stored are in neither part.

    A customer is in `other`, decoded, if it differs from its row, if there are several rows for it, or if it bears a
    trace of this import: then the rows must be settled by what the import did already.
    """
    codec: CodecOptions[Document] = customers.codec_options
    expected = {pack_values(group[0]): email for email, group in pending.items() if len(group) == 1}
    equal: list[str] = []
    other: dict[str, Document] = {}
    for raw in _documents(customers, list(pending)):
        email = expected.get(packed_values(raw))
        if email is not None and import_id not in raw:
            equal.append(email)
        else:
            document = decode(raw, codec)
            other[document["email"]] = document
    return Compared(equal, other)


def _documents(
    customers: Collection[Document], emails: Sequence[str], projection: Document | None = None
) -> Iterator[bytes]:
    """The stored customers' documents as they came."""
    found = customers.find_raw_batches({"email": {"$in": emails}}, projection, batch_size=len(emails) + 1)
    # the driver's stubs speak of documents here
    for block in cast("Iterator[bytes]", found):
        at, size_bytes = 0, len(block)
        while at < size_bytes:
            end = at + _length_at(block, at)[0]
            yield block[at:end]
            at = end


def find_stored_customers(database: Database[Document], emails: Sequence[str]) -> Iterator[Document]:
    """The stored customers among these e-mails, as documents with what a change is judged by."""
    customers = database[CUSTOMERS].with_options(codec_options=CUSTOMER_CODEC)
    yield from customers.find({"email": {"$in": list(emails)}}, CHANGE_PROJECTION)
