"""The rejections of imports as documents: one a row, never inside the import's own document (16 MB limit)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from struct import Struct
from typing import Any, Final

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from custimport.customer.codes import Code, RowError
from custimport.records import Rejection
from custimport.store.documents import LARGEST_ROW, PackedDocument
from custimport.store.insertion import insert_packed

Document = dict[str, Any]

DUPLICATE_KEY: Final = 11000
BATCH_BYTES: Final = 4 * 1024 * 1024
"""Rejections packed before they are sent: each may hold a row of some megabytes."""
_INT32: Final = Struct("<i").pack

PAGE_ROWS: Final = 100
"""Rejections read together where reading must survive an outage; the first batch of a cursor has 101 documents."""


def rejection_id(import_id: bytes, row: int) -> Document:
    """The `_id` of a row's rejection."""
    return {"import_id": import_id, "row": row}


def to_document(rejection: Rejection, import_id: bytes) -> Document:
    """The rejection as it is stored; what is None is left out. `rejection_packer` gives the same as bytes."""
    document: Document = {
        "_id": rejection_id(import_id, rejection.row),
        "line": rejection.line,
        "cells": list(rejection.cells),
        "errors": [_error_to_document(error) for error in rejection.errors],
    }
    if rejection.raw is not None:
        document["raw"] = rejection.raw
    return document


def rejection_packer(import_id: bytes) -> Callable[[Rejection], PackedDocument]:
    """A function that packs a rejection as BSON: a file may have nothing else, and encoding a dict takes twice as long.

    A property test pins that the bytes equal `bson.encode` of `to_document`.
    """
    identifier = b"\x05import_id\x00%b\x00%b\x10row\x00" % (_INT32(len(import_id)), import_id)
    head = b"\x03_id\x00%b%b" % (_INT32(4 + len(identifier) + 4 + 1), identifier)

    def pack(rejection: Rejection) -> PackedDocument:
        row, line, cells, errors, raw = rejection
        body = b"%b%b\x00\x10line\x00%b\x04cells\x00%b\x04errors\x00%b%b" % (
            head,
            _INT32(row),
            _INT32(line),
            _array(map(_packed_text, cells), b"\x02"),
            _array(map(_packed_error, errors), b"\x03"),
            b"" if raw is None else b"\x02raw\x00" + _packed_text(raw),
        )
        return PackedDocument(b"%b%b\x00" % (_INT32(len(body) + 5), body))

    return pack


def _packed_text(text: str) -> bytes:
    encoded = text.encode()
    return b"%b%b\x00" % (_INT32(len(encoded) + 1), encoded)


def _array(values: Iterable[bytes], kind: bytes) -> bytes:
    """A BSON array: a document whose keys are the indexes."""
    body = b"".join([b"%b%d\x00%b" % (kind, index, value) for index, value in enumerate(values)])
    return b"%b%b\x00" % (_INT32(len(body) + 5), body)


def _packed_error(error: RowError) -> bytes:
    code, field, value, message, hint, related_row, related_customer_id = error
    body = b"\x02code\x00%b%b%b\x02message\x00%b" % (
        _packed_text(code),
        b"\x0afield\x00" if field is None else b"\x02field\x00" + _packed_text(field),
        b"\x0avalue\x00" if value is None else b"\x02value\x00" + _packed_text(value),
        _packed_text(message),
    )
    if hint is not None:
        body += b"\x02hint\x00" + _packed_text(hint)
    if related_row is not None:
        body += b"\x10related_row\x00" + _INT32(related_row)
    if related_customer_id is not None:
        body += b"\x02related_customer_id\x00" + _packed_text(related_customer_id)
    return b"%b%b\x00" % (_INT32(len(body) + 5), body)


def from_document(document: Document) -> Rejection:
    """The same rejection that `to_document` was given."""
    return Rejection(
        row=document["_id"]["row"],
        line=document["line"],
        cells=document["cells"],
        errors=tuple(_error_from_document(error) for error in document["errors"]),
        raw=document.get("raw"),
    )


def record(collection: Collection[Document], import_id: bytes, rejections: Sequence[Rejection]) -> None:
    """Store the rejections that are not recorded yet; the recorded ones are final. Safe to repeat."""
    for batch in _batches(map(rejection_packer(import_id), rejections)):
        for reply in insert_packed(collection, batch):
            if reply["code"] != DUPLICATE_KEY:
                raise OperationFailure(reply["errmsg"], reply["code"], reply)


def _batches(documents: Iterable[PackedDocument]) -> Iterator[list[PackedDocument]]:
    batch: list[PackedDocument] = []
    size_bytes = 0
    for document in documents:
        batch.append(document)
        size_bytes += len(document.raw)
        if size_bytes >= BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def find(
    collection: Collection[Document], import_id: bytes, *, after_row: int = 0, last_row: int = LARGEST_ROW
) -> Iterator[Rejection]:
    """The import's recorded rejections after `after_row`, up to and with `last_row`, in file order; streams."""
    bounds = {"$gt": rejection_id(import_id, after_row), "$lte": rejection_id(import_id, last_row)}
    for document in collection.find({"_id": bounds}).sort("_id", 1):
        yield from_document(document)


def page(collection: Collection[Document], import_id: bytes, after_row: int, last_row: int) -> list[Rejection]:
    """The next recorded rejections, as `find` gives them, at most `PAGE_ROWS`; empty after the last one."""
    return list(islice(find(collection, import_id, after_row=after_row, last_row=last_row), PAGE_ROWS))


def _error_to_document(error: RowError) -> Document:
    document: Document = {
        "code": error.code.value,
        "field": error.field,
        "value": error.value,
        "message": error.message,
    }
    if error.hint is not None:
        document["hint"] = error.hint
    if error.related_row is not None:
        document["related_row"] = error.related_row
    if error.related_customer_id is not None:
        document["related_customer_id"] = error.related_customer_id
    return document


def _error_from_document(document: Document) -> RowError:
    return RowError(
        code=Code(document["code"]),
        field=document["field"],
        value=document["value"],
        message=document["message"],
        hint=document.get("hint"),
        related_row=document.get("related_row"),
        related_customer_id=document.get("related_customer_id"),
    )
