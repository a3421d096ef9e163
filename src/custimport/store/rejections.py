"""The rejections of imports as documents: one a row, never inside the import's own document (16 MB limit)."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from custimport.customer.codes import Code, RowError
from custimport.records import Rejection
from custimport.store.connection import is_outage
from custimport.store.documents import LARGEST_ROW

Document = dict[str, Any]

DUPLICATE_KEY: Final = 11000
MAX_COMMAND_CHARACTERS: Final = 8 * 1024 * 1024
"""Text sent in one insert; far below the driver's 48 MB, so that a page of huge cells does not fill the memory."""


PAGE_ROWS: Final = 100
"""Rejections read together where reading must survive an outage; the first batch of a cursor has 101 documents."""


def rejection_id(import_id: bytes, row: int) -> Document:
    """The `_id` of a row's rejection."""
    return {"import_id": import_id, "row": row}


def to_document(rejection: Rejection, import_id: bytes) -> Document:
    """The rejection as it is stored; what is None is left out."""
    document: Document = {
        "_id": rejection_id(import_id, rejection.row),
        "line": rejection.line,
        "cells": list(rejection.cells),
        "errors": [_error_to_document(error) for error in rejection.errors],
    }
    if rejection.raw is not None:
        document["raw"] = rejection.raw
    return document


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
    batch: list[Document] = []
    characters = 0
    for rejection in rejections:
        batch.append(to_document(rejection, import_id))
        characters += sum(map(len, rejection.cells)) + len(rejection.raw or "")
        if characters > MAX_COMMAND_CHARACTERS:
            _insert_missing(collection, batch)
            batch, characters = [], 0
    if batch:
        _insert_missing(collection, batch)


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


def _insert_missing(collection: Collection[Document], documents: list[Document]) -> None:
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if is_outage(error) or any(reply["code"] != DUPLICATE_KEY for reply in error.details["writeErrors"]):
            raise


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
