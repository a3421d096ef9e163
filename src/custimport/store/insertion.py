"""Packed documents into a collection, and packed changes to those that are there: one unordered command each.

Sent as plain commands: the driver's own `insert_many` and `bulk_write` look at every document three times, which costs
more than packing did. What the driver would add is not needed here: every document has its `_id`, every change its
stamp, and what is sent again after an outage is settled by them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo.collection import Collection
from pymongo.errors import OperationFailure, WriteConcernError

from custimport.store.connection import TRANSIENT_CODES
from custimport.store.documents import DocumentSequence, Packed

Document = dict[str, Any]

MAX_COMMAND_BYTES: Final = 12 * 1024 * 1024
"""For the driver all documents of a command are one, and a document has 16 MB at most ("MongoDB Limits")."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the server made of a command.

    How many documents it inserted or matched, and its replies for those that it refused, with their 0-based `index`.
    """

    matched: int
    refused: Sequence[Document]


def insert_packed(collection: Collection[Document], documents: Sequence[Packed]) -> Sequence[Document]:
    """Insert the documents; gives the server's replies for those that it refused, with their 0-based `index`.

    Raises the driver's errors when the outcome of some documents is unknown, a failed write concern among them.
    """
    return _written(collection, "insert", "documents", documents).refused


def update_packed(collection: Collection[Document], statements: Sequence[Packed]) -> Written:
    """Carry out update statements (`{q, u}`, see the database command `update`); raises as `insert_packed` does."""
    return _written(collection, "update", "updates", statements)


def _written(collection: Collection[Document], command: str, section: str, packed: Sequence[Packed]) -> Written:
    refused: list[Document] = []
    matched = 0
    for first, part in _commands(packed):
        reply = collection.database.command(
            {
                command: collection.name,
                "ordered": False,
                "writeConcern": collection.write_concern.document,
                section: [DocumentSequence(part)],
            }
        )
        failure = reply.get("writeConcernError")
        if failure is not None:
            raise WriteConcernError(failure.get("errmsg", ""), failure.get("code"), failure)
        for error in reply.get("writeErrors", ()):
            if error["code"] in TRANSIENT_CODES:
                raise OperationFailure(error["errmsg"], error["code"], error)
        matched += reply["n"]
        refused += [error | {"index": first + error["index"]} for error in reply.get("writeErrors", ())]
    return Written(matched, refused)


def _commands(packed: Sequence[Packed]) -> Iterator[tuple[int, Sequence[Packed]]]:
    """The documents in parts that fit into one command each, with the index of each part's first."""
    if sum(map(len, packed)) <= MAX_COMMAND_BYTES:
        yield 0, packed
        return
    first = size_bytes = 0
    for index, document in enumerate(packed):
        size_bytes += len(document)
        if size_bytes > MAX_COMMAND_BYTES:
            yield first, packed[first:index]
            first, size_bytes = index, len(document)
    yield first, packed[first:]
