"""A worker's part: judges one block of lines by itself, and tells what it found in what marshal can carry."""

import marshal
from array import array
from collections.abc import Callable, Sequence
from datetime import date
from enum import Enum
from typing import Any, Final

from custimport.customer.dates import Rules
from custimport.pipeline.blocks import Block
from custimport.pipeline.fingerprints import fingerprint
from custimport.pipeline.parsing import allow_large_cells
from custimport.pipeline.record_parser import RecordShape
from custimport.pipeline.single_block import records_of
from custimport.pipeline.validation import Judge
from custimport.pipeline.workers import Answer
from custimport.records import Header, Rejection


class RowDetail(Enum):
    """How much of valid rows is needed: their values, or, where nothing is stored, fingerprints to tell them apart.

    Those of the e-mails suffice where what comes first wins.
    """

    VALUES = "values"
    FINGERPRINTS = "fingerprints"
    EMAILS = "fingerprints of e-mails"


Columns = Sequence[Sequence[Any]]
"""Names, e-mails, days, zones and cells of valid rows."""


def _values() -> Callable[[Columns], Any]:
    ordinals = _Ordinals()

    def details(columns: Columns) -> Any:
        names, emails, days, zones, cells = columns
        return names, emails, list(map(ordinals.__getitem__, days)), zones, cells

    return details


def _fingerprints() -> Callable[[Columns], Any]:
    """First those of the e-mails.

    They are the same in every process, because a forked one has the secret of the one that it was forked from.
    """

    def details(columns: Columns) -> bytes:
        names, emails, days, zones, _ = columns
        values = map(fingerprint, zip(names, days, zones, strict=True))
        return array("q", [*map(fingerprint, emails), *values]).tobytes()

    return details


def _fingerprints_of_emails() -> Callable[[Columns], Any]:
    return lambda columns: array("q", list(map(fingerprint, columns[1]))).tobytes()


_DETAILS: Final = {
    RowDetail.VALUES: _values,
    RowDetail.FINGERPRINTS: _fingerprints,
    RowDetail.EMAILS: _fingerprints_of_emails,
}


def prepare(what: tuple[RecordShape, Header, Rules, RowDetail]) -> Answer:
    """What a worker does with a block: from its number of lines and its text in UTF-8 to a tuple, both marshalled.

    None for a block that cannot be told by itself; else how many rows there are; the places of the valid ones; details
    of those; the rejections as plain tuples. Places are None where every line is a valid row, a byte for each line (1
    for a valid row) where every line is a row, else the rows' numbers and their lines, both 1-based in the block.
    """
    shape, header, rules, detail = what
    allow_large_cells()
    judge = Judge(header, rules)
    details = _DETAILS[detail]()

    def answer(question: bytes) -> bytes:
        line_count, text = marshal.loads(question)  # noqa: S302 - written by the process that forked this one
        records, is_whole = records_of(Block(1, str(text, "utf-8"), line_count), shape)
        if not is_whole:
            return marshal.dumps(None)
        judged = judge.columns(records)
        rejections = judged.rejections()
        places: Any = None
        if len(records.numbers) < line_count:
            places = tuple(map(list, judged.of_valid_rows(records.numbers, records.lines)))
        elif rejections:
            places = judged.selectors()
        valid = details(judged.of_valid_rows(*judged.fields, records.cells))
        return marshal.dumps((records.row_count, places, valid, list(map(_plain_tuple, rejections))))

    return answer


def _plain_tuple(rejection: Rejection) -> tuple[Any, ...]:
    row, line, cells, errors, raw = rejection
    return row, line, cells, [(error.code.value, *error[1:]) for error in errors], raw


class _Ordinals(dict[date, int]):
    """Days as numbers, which another process can be told."""

    def __missing__(self, day: date) -> int:
        ordinal = self[day] = day.toordinal()
        return ordinal
