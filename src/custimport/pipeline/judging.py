"""From blocks of lines to judged rows: here, or by worker processes; the same rows in the same chunks either way.

A worker sees one block. What it says of it counts only if the block begins where the rows before it ended, and if no
record of it had to be looked for beyond its end; else the block is read here. So quotes may span blocks.
"""

import csv
import marshal
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from io import StringIO
from itertools import repeat
from typing import Any, Final

from custimport.customer.codes import Code, RowError
from custimport.customer.dates import Rules
from custimport.pipeline.blocks import Block
from custimport.pipeline.fingerprints import FingerprintedRows, email_fingerprints, value_fingerprints
from custimport.pipeline.lines import LineWindow
from custimport.pipeline.parsing import ParsedFile, allow_large_cells
from custimport.pipeline.record_parser import RecordParser, RecordShape, Rows
from custimport.pipeline.resuming import rest_after
from custimport.pipeline.text import has_undecodable
from custimport.pipeline.validation import Judge
from custimport.pipeline.workers import Answer, Ticket, WorkerPool
from custimport.records import Header, ParsedRows, Position, Rejection, StartingPoint, ValidatedRows, ValidRow
from custimport.settings import MAX_CELL_CHARACTERS, MAX_MULTILINE_RECORD_LINES

_CODES: Final = {code.value: code for code in Code}


class RowDetail(Enum):
    """How much of valid rows is needed: their values, or, where nothing is stored, fingerprints to tell them apart.

    Those of the e-mails suffice where what comes first wins.
    """

    VALUES = "values"
    FINGERPRINTS = "fingerprints"
    EMAILS = "fingerprints of e-mails"


def judged_rows(
    parsed: ParsedFile, rules: Rules, start: StartingPoint, workers: WorkerPool, detail: RowDetail = RowDetail.VALUES
) -> Iterator[ValidatedRows]:
    """The file's rows after `start`, judged, in file order; streams. Workers give no more than the detail asked for.

    Raises `Refused` if the content before `start` is not what it was, and `InputUnreadable` where the input fails.
    """
    judge = Judge(parsed.header, rules)
    rest = rest_after(parsed.chunks, start.position)
    if rest is not None:
        yield judge.judged(rest)
    if workers.is_working:
        workers.prepare(_PREPARE[detail], (parsed.shape, parsed.header, rules))
        yield from _judged_by_workers(parsed, judge, workers)
    for chunk in parsed.chunks:
        yield judge.judged(chunk)


@dataclass(frozen=True, slots=True)
class _Handed:
    """A block, its text in UTF-8, and the ticket of the worker that has it, if any."""

    block: Block
    encoded: bytes = b""
    ticket: Ticket | None = None


def _judged_by_workers(parsed: ParsedFile, judge: Judge, workers: WorkerPool) -> Iterator[ValidatedRows]:
    """The rows after those that the parser has read, as long as there are blocks and workers."""
    parser, window = parsed.parser, parsed.parser.window
    days = _Days()
    handed: deque[_Handed] = deque()
    while True:
        while workers.can_ask and (block := parsed.blocks.look_ahead()) is not None:
            handed.append(_hand_out(block, parser, workers))
        while handed and handed[0].block.line < window.number:
            # a record of the block before it reached into this one
            _answer_to(handed.popleft(), workers)
        if not handed:
            return
        rows = None
        if handed[0].block.line == window.number:
            first = handed.popleft()
            answer = _answer_to(first, workers)
            found = marshal.loads(answer) if answer is not None else None  # noqa: S302 - written by our own worker
            rows = None if found is None else _numbered(found, first, parsed, judge, days)
        if rows is None:
            chunk = parser.chunk()
            if chunk is None:
                return
            rows = judge.judged(chunk)
        if rows.row_count:
            yield rows


def _hand_out(block: Block, parser: RecordParser, workers: WorkerPool) -> _Handed:
    text = "".join(block.texts)
    if not block.is_whole or block.truncated or (parser.may_see_undecodable and has_undecodable(text)):
        return _Handed(block)
    encoded = text.encode()
    return _Handed(block, encoded, workers.ask(encoded))


def _answer_to(handed: _Handed, workers: WorkerPool) -> bytes | None:
    return None if handed.ticket is None else workers.answer(handed.ticket)


def _numbered(found: Any, handed: _Handed, parsed: ParsedFile, judge: Judge, days: Mapping[int, date]) -> ValidatedRows:
    """What a worker found in a block that begins with the parser's next line; the parser is behind it then."""
    row_count, in_block, details, rejections = found
    block = handed.block
    row_before, line_before = parsed.parser.rows_read, block.line - 1
    position = parsed.parser.pass_block(len(block.texts), handed.encoded, row_count)
    numbers: Sequence[int] = range(row_before + 1, row_before + row_count + 1)
    lines: Sequence[int] = range(1, row_count + 1)
    if in_block is not None:
        relative, lines = in_block
        numbers = [row_before + number for number in relative]
    refused = [
        Rejection(row_before + row, line_before + line, row_cells, tuple([_reason(error) for error in errors]), raw)
        for row, line, row_cells, errors, raw in rejections
    ]
    if isinstance(details, bytes):
        fingerprints = memoryview(details).cast("q").tolist()
        count = len(numbers)

        def rows_at(indexes: Sequence[int]) -> list[ValidRow]:
            places = [(lines[index], numbers[index]) for index in indexes]
            return _judged_once_more(block, places, parsed.shape, judge)

        rows = FingerprintedRows(numbers, fingerprints[:count], fingerprints[count:], rows_at)
        return ValidatedRows(rows, refused, position)
    names, emails, ordinals, zones, cells = details
    places_in_file = [line_before + line for line in lines]
    values = zip(numbers, places_in_file, names, emails, map(days.__getitem__, ordinals), zones, cells, strict=True)
    return ValidatedRows(list(map(tuple.__new__, repeat(ValidRow), values)), refused, position)


def _judged_once_more(
    block: Block, places: Sequence[tuple[int, int]], shape: RecordShape, judge: Judge
) -> list[ValidRow]:
    """The rows that begin on lines (1-based in their block), with their numbers; they are known to be valid."""
    together, is_whole = _records_of([block.texts[line - 1] for line, _ in places], shape)
    cells: Sequence[list[str] | Rejection | None] = together.cells
    if not is_whole or len(cells) != len(places):
        # some have several lines
        cells = [_record_at(block, line, shape) for line, _ in places]
    rows = Rows()
    for (line, number), record in zip(places, cells, strict=True):
        if record is not None:
            rows.add(number, block.line + line - 1, record)
    return list(judge.judged(rows.chunk(Position())).valid)


def _record_at(block: Block, line: int, shape: RecordShape) -> list[str] | Rejection | None:
    window = LineWindow(iter([Block(1, block.texts[line - 1 : line - 1 + MAX_MULTILINE_RECORD_LINES])]), _Nothing())
    return RecordParser(_OneBlock(window), _PlainText(), shape).record(1)


def _reason(error: tuple[Any, ...]) -> RowError:
    code, *rest = error
    return RowError(_CODES[code], *rest)


class _Days(dict[int, date]):
    """Days by their ordinals; there are few."""

    def __missing__(self, ordinal: int) -> date:
        day = self[ordinal] = date.fromordinal(ordinal)
        return day


class _Ordinals(dict[date, int]):
    """Days as numbers, which another process can be told."""

    def __missing__(self, day: date) -> int:
        ordinal = self[day] = day.toordinal()
        return ordinal


@dataclass(slots=True)
class _PlainText:
    """Text of which all is decodable."""

    encoding: str = "utf-8"
    has_undecodable: bool = False
    has_foreign_text: bool = False


class _Nothing:
    """Nothing is kept of the lines: the process that reads the file hashes them."""

    source_bytes = 0

    def add(self, text: str) -> None:
        """These lines were taken."""

    def add_encoded(self, text: bytes) -> None:
        """The same."""

    def position(self, last_row: int) -> Position:
        """A block by itself has no position."""
        return Position(last_row)


@dataclass(slots=True)
class _OneBlock(_Nothing):
    """The place of a parser that sees one block."""

    window: LineWindow


def _judging(what: tuple[RecordShape, Header, Rules]) -> Answer:
    """In a worker: answers with the rows of a block."""
    ordinals = _Ordinals()

    def details(rows: Sequence[ValidRow]) -> Any:
        _, _, names, emails, days, zones, cells = zip(*rows, strict=True) if rows else ((),) * 7
        return names, emails, list(map(ordinals.__getitem__, days)), zones, cells

    return _answering(what, details)


def _fingerprinting(what: tuple[RecordShape, Header, Rules]) -> Answer:
    """In a worker: answers with fingerprints of the rows of a block, first those of the e-mails.

    They are the same in every process, because a forked one has the secret of the one that it was forked from.
    """

    def details(rows: Sequence[ValidRow]) -> bytes:
        return array("q", [*email_fingerprints(rows), *value_fingerprints(rows)]).tobytes()

    return _answering(what, details)


def _fingerprinting_emails(what: tuple[RecordShape, Header, Rules]) -> Answer:
    """In a worker: answers with fingerprints of the e-mails."""
    return _answering(what, lambda rows: array("q", email_fingerprints(rows)).tobytes())


_PREPARE: Final = {
    RowDetail.VALUES: _judging,
    RowDetail.FINGERPRINTS: _fingerprinting,
    RowDetail.EMAILS: _fingerprinting_emails,
}


def _answering(what: tuple[RecordShape, Header, Rules], details: Callable[[Sequence[ValidRow]], Any]) -> Answer:
    shape, header, rules = what
    allow_large_cells()
    judge = Judge(header, rules)

    def answer(question: bytes) -> bytes:
        text = question.decode()
        records = _plain_records(text, shape)
        if records is None:
            records, is_whole = _records_of(list(StringIO(text, newline="")), shape)
            if not is_whole:
                return marshal.dumps(None)
        judged = judge.judged(records)
        valid = judged.valid
        rejections = [
            (row, line, cells, [(error.code.value, *error[1:]) for error in errors], raw)
            for row, line, cells, errors, raw in judged.rejections
        ]
        # a row in every line is told by their count
        places = ([row[0] for row in valid], [row[1] for row in valid])
        is_plain = isinstance(records.numbers, range) and not rejections
        return marshal.dumps((judged.row_count, None if is_plain else places, details(valid), rejections))

    return answer


def _plain_records(text: str, shape: RecordShape) -> ParsedRows | None:
    """The records of a block in which every line is one ordinary record; None if it has others."""
    if shape.understood.kept is not None:
        return None
    reader = shape.dialect.reader(StringIO(text, newline=""))
    before = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        cells = list(reader)
    except csv.Error:
        return None
    finally:
        csv.field_size_limit(before)
    if reader.line_num != len(cells) or set(map(len, cells)) != {shape.understood.width}:
        return None
    numbers = range(1, len(cells) + 1)
    return ParsedRows(numbers, numbers, cells, (), Position())


def _records_of(lines: list[str], shape: RecordShape) -> tuple[ParsedRows, bool]:
    """The records of some lines, numbered from 1, and whether they can be told without what follows the lines."""
    looked_beyond = False

    def blocks() -> Iterator[Block]:
        nonlocal looked_beyond
        yield Block(1, lines)
        looked_beyond = True

    window = LineWindow(blocks(), _Nothing())
    parser = RecordParser(_OneBlock(window), _PlainText(), shape)
    rows = Rows()
    if window.line(0) is not None:
        parser.read_block(rows, 0)
    is_whole = not looked_beyond and window.number == len(lines) + 1
    return rows.chunk(Position()), is_whole
