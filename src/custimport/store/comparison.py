"""Tells the rows that equal what is stored from those that do not, by the bytes of the stored documents.

Most rows of a nightly reload change nothing. Decoding their customers would take five times what comparing bytes does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, cast

from bson import decode
from bson.codec_options import CodecOptions
from pymongo.collection import Collection

from custimport.records import ValidRow
from custimport.store.documents import packed_values

Document = dict[str, Any]

_length_at = Struct("<i").unpack_from


@dataclass(frozen=True, slots=True)
class Compared:
    """What is stored under some e-mails: `equal` are those whose customer has the row's values, `other` the rest."""

    equal: Sequence[str]
    other: dict[str, Document]


def compare(
    customers: Collection[Document],
    pending: dict[str, list[ValidRow]],
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


def _documents(customers: Collection[Document], emails: Sequence[str]) -> Iterator[bytes]:
    """The stored customers' documents as they came."""
    # one reply, as far as 16 MB go: the server cuts a first batch at 101 documents otherwise
    found = customers.find_raw_batches({"email": {"$in": emails}}, batch_size=len(emails) + 1)
    # the driver's stubs speak of documents here
    for block in cast("Iterator[bytes]", found):
        at, size_bytes = 0, len(block)
        while at < size_bytes:
            end = at + _length_at(block, at)[0]
            yield block[at:end]
            at = end
