"""The rejections of imports as documents: one a row, never inside the import's own document (16 MB limit)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import islice
from struct import Struct
from typing import Any, Final

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from custimport.customer.codes import Code, RowError
from custimport.records import Rejection
from custimport.store.documents import LARGEST_ROW, SMALL, STRING_LENGTHS, Packed, int32, packed_document, packed_text
from custimport.store.insertion import insert_packed

Document = dict[str, Any]

DUPLICATE_KEY: Final = 11000
BATCH_BYTES: Final = 4 * 1024 * 1024
"""Rejections packed before they are sent: each may hold a row of some megabytes."""

_NUMBERS: Final = Struct("<ii").pack

PAGE_ROWS: Final = 100
"""Rejections read together where reading must survive an outage; the first batch of a cursor has 101 documents."""


def rejection_id(import_id: bytes, row: int) -> Document:
    """The `_id` of a row's rejection."""
    return {"import_id": import_id, "row": row}


def to_document(rejection: Rejection, import_id: bytes) -> Document:
    """The rejection as it is stored; what is None is left out. `rejections_packer` gives the same as bytes."""
    document: Document = {
        "_id": rejection_id(import_id, rejection.row),
        "line": rejection.line,
        "cells": list(rejection.cells),
        "errors": [_error_to_document(error) for error in rejection.errors],
    }
    if rejection.raw is not None:
        document["raw"] = rejection.raw
    return document


def rejections_packer(import_id: bytes) -> Callable[[Rejection], Packed]:
    """A function that packs a rejection: a file may have nothing else, and encoding a dict takes four times as long.

    A property test pins that the bytes equal `bson.encode` of `to_document`.
    """
    identifier = f"\x05import_id\0{int32(len(import_id))}\0{import_id.decode('latin-1')}\x10row\0"
    head = f"\x03_id\0{int32(4 + len(identifier) + 4 + 1)}{identifier}"

    def pack(rejection: Rejection) -> Packed:
        row, line, cells, errors, raw = rejection
        together = "".join(cells)
        names = _names(len(cells))
        if together.isascii() and len(together) < SMALL:
            # what `packed_text` would give, without a call for each
            texts = [f"{name}{STRING_LENGTHS[len(cell)]}{cell}\0" for name, cell in zip(names, cells, strict=True)]
        else:
            texts = [f"{name}{packed_text(cell)}" for name, cell in zip(names, cells, strict=True)]
        if len(errors) == 1:
            packed_errors = f"\x030\0{_packed_error(errors[0])}"
        else:
            packed_errors = "".join([f"\x03{index}\0{_packed_error(error)}" for index, error in enumerate(errors)])
        numbers = _NUMBERS(row, line).decode("latin-1")
        return packed_document(
            f"{head}{numbers[:4]}\0\x10line\0{numbers[4:]}\x04cells\0{packed_document(''.join(texts))}"
            f"\x04errors\0{packed_document(packed_errors)}{'' if raw is None else f'{_RAW}{packed_text(raw)}'}"
        )

    return pack


@lru_cache(maxsize=100)
def _names(count: int) -> Sequence[Packed]:
    """What stands before each text of an array: its kind, and its index as a name."""
    return [f"\x02{index}\0" for index in range(count)]


@cache
def _packed_reason(code: Code, field: str | None) -> Packed:
    """The elements `code` and `field`: there are no more than the catalogue has."""
    shown_field = "\x0afield\0" if field is None else f"\x02field\0{packed_text(field)}"
    return f"\x02code\0{packed_text(code)}{shown_field}"


def _packed_error(error: RowError) -> Packed:
    code, field, value, message, hint, related_row, related_customer_id = error
    rest = ""
    if hint is not None:
        rest = f"\x02hint\0{packed_text(hint)}"
    if related_row is not None:
        rest += f"\x10related_row\0{int32(related_row)}"
    if related_customer_id is not None:
        rest += f"\x02related_customer_id\0{packed_text(related_customer_id)}"
    reason = _packed_reason(code, field)
    if value is None:
        return packed_document(f"{reason}\x0avalue\0\x02message\0{packed_text(message)}{rest}")
    return packed_document(f"{reason}\x02value\0{packed_text(value)}\x02message\0{packed_text(message)}{rest}")


_RAW: Final = "\x02raw\0"


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
    for batch in _batches(map(rejections_packer(import_id), rejections)):
        for reply in insert_packed(collection, batch):
            if reply["code"] != DUPLICATE_KEY:
                raise OperationFailure(reply["errmsg"], reply["code"], reply)


def _batches(documents: Iterable[Packed]) -> Iterator[list[Packed]]:
    batch: list[Packed] = []
    size_bytes = 0
    for document in documents:
        batch.append(document)
        size_bytes += len(document)
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
