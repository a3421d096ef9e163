"""One unordered insert of packed documents.

Sent as a plain command: the driver's own `insert_many` looks at every document three times, which costs more than
packing did. What the driver would add is not needed here: every document has its `_id`, and what is sent again after
an outage is settled by it.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, Final

from pymongo.collection import Collection
from pymongo.errors import WriteConcernError

from custimport.store.documents import PackedDocument

Document = dict[str, Any]

MAX_COMMAND_BYTES: Final = 12 * 1024 * 1024
"""A command is a document of its own, and a document has 16 MB at most ("MongoDB Limits and Thresholds")."""


def insert_packed(collection: Collection[Document], documents: Sequence[PackedDocument]) -> list[Document]:
    """Insert the documents; gives the server's replies for those that it refused, with their 0-based `index`.

    Raises the driver's errors when the outcome of some documents is unknown, a failed write concern among them.
    """
    refused: list[Document] = []
    for first, part in _commands(documents):
        reply = collection.database.command(
            {
                "insert": collection.name,
                "ordered": False,
                "writeConcern": collection.write_concern.document,
                "documents": part,
            }
        )
        failure = reply.get("writeConcernError")
        if failure is not None:
            raise WriteConcernError(failure.get("errmsg", ""), failure.get("code"), failure)
        refused += [error | {"index": first + error["index"]} for error in reply.get("writeErrors", ())]
    return refused


def _commands(documents: Sequence[PackedDocument]) -> Iterator[tuple[int, Sequence[PackedDocument]]]:
    """The documents in parts that fit into one command each, with the index of each part's first."""
    if sum(map(len, map(attrgetter("raw"), documents))) <= MAX_COMMAND_BYTES:
        yield 0, documents
        return
    first = size_bytes = 0
    for index, document in enumerate(documents):
        size_bytes += len(document.raw)
        if size_bytes > MAX_COMMAND_BYTES:
            yield first, documents[first:index]
            first, size_bytes = index, len(document.raw)
    yield first, documents[first:]
