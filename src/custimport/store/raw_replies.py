"""Found customers as the server sent them: what is only compared need not become objects.

The driver's own raw batches copy every reply three times and look at every document, a microsecond for each; here the
documents stay where they lie in the reply.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, Final

from bson import encode
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

Document = dict[str, Any]
RawDocuments = memoryview
"""The documents of a reply one after another, each after as many bytes as `KEY_BYTES` says for its index (0-based)."""

MOST_DOCUMENTS: Final = 100_000
"""More are asked for in parts."""
KEY_BYTES: Final = b"\3" * 10 + b"\4" * 90 + b"\5" * 900 + b"\6" * 9_000 + b"\7" * 90_000 + b"\x08"
"""An array is a document whose keys are indexes in digits, each after a type and before a zero (bsonspec.org)."""

_WHOLE: Final = CodecOptions(RawBSONDocument)
_FIRST_BATCH: Final = b"\x04firstBatch\0"
_CURSOR_ID: Final = b"\x12id\0"

length_at: Final = Struct("<i").unpack_from
"""The length (a tuple of it alone) of the document at a place in bytes."""
_int64_at: Final = Struct("<q").unpack_from


def raw_replies(
    customers: Collection[Document], emails: Sequence[str], projection: Document | None = None
) -> Iterator[RawDocuments]:
    """The customers stored under these e-mails, in the order in which the server finds them.

    One command, unless the reply would have over 16 MB or 100,000 documents: then each half of the e-mails is one. Of
    one e-mail no more than that is found. Raises the driver's errors.
    """
    reply = customers.database.command(
        {
            "find": customers.name,
            "filter": {"email": {"$in": emails}},
            "projection": projection or {},
            # a first reply has 101 documents otherwise
            "batchSize": MOST_DOCUMENTS,
            "readConcern": customers.read_concern.document,
        },
        read_preference=customers.read_preference,
        codec_options=_WHOLE,
    )
    cursor = memoryview(reply["cursor"].raw)
    begin = 4 + len(_FIRST_BATCH)
    if bytes(cursor[4:begin]) != _FIRST_BATCH:
        # for a collection that is not there the documents come last
        cursor = memoryview(encode({name: reply["cursor"][name] for name in ("firstBatch", "id")}))
    end = begin + length_at(cursor, begin)[0]
    rest = bytes(cursor[end:])
    cursor_id = _int64_at(rest, rest.index(_CURSOR_ID) + len(_CURSOR_ID))[0]
    if cursor_id:
        customers.database.command({"killCursors": customers.name, "cursors": [cursor_id]})
    if not cursor_id or len(emails) == 1:
        yield cursor[begin + 4 : end - 1]
        return
    middle = len(emails) // 2
    for half in (emails[:middle], emails[middle:]):
        yield from raw_replies(customers, half, projection)


def each_document(found: RawDocuments) -> Iterator[tuple[int, int]]:
    """Where each document begins and ends."""
    end = index = 0
    while end < len(found):
        first = end + KEY_BYTES[index]
        end = first + length_at(found, first)[0]
        index += 1
        yield first, end
