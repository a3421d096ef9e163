"""From blocks of lines to judged rows: here, or by worker processes; the same rows in the same chunks either way.

A worker sees one block. What it says of it counts only if the block begins where the rows before it ended, and if no
record of it had to be looked for beyond its end; else the block is read here. So quotes may span blocks.
"""

import marshal
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import compress, repeat
from typing import Any, Final

from custimport.customer.codes import Code, RowError
from custimport.customer.dates import Rules
from custimport.pipeline.block_judging import RowDetail, prepare
from custimport.pipeline.blocks import Block
from custimport.pipeline.fingerprints import FingerprintedRows
from custimport.pipeline.parsing import ParsedFile
from custimport.pipeline.record_parser import RecordParser, RecordShape, Rows
from custimport.pipeline.resuming import rest_after
from custimport.pipeline.single_block import record_of, records_of
from custimport.pipeline.text import has_undecodable
from custimport.pipeline.validation import Judge
from custimport.pipeline.workers import Ticket, WorkerPool
from custimport.records import Position, Rejection, StartingPoint, ValidatedRows, ValidRow
from custimport.settings import MAX_MULTILINE_RECORD_LINES

_CODES: Final = {code.value: code for code in Code}


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
        workers.prepare(prepare, (parsed.shape, parsed.header, rules, detail))
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
    text = block.text
    if not block.is_whole or block.truncated or (parser.may_see_undecodable and has_undecodable(text)):
        return _Handed(block)
    encoded = text.encode()
    return _Handed(block, encoded, workers.ask(marshal.dumps((block.line_count, encoded))))


def _answer_to(handed: _Handed, workers: WorkerPool) -> bytes | None:
    return None if handed.ticket is None else workers.answer(handed.ticket)


def _numbered(found: Any, handed: _Handed, parsed: ParsedFile, judge: Judge, days: Mapping[int, date]) -> ValidatedRows:
    """What a worker found in a block that begins with the parser's next line; the parser is behind it then."""
    row_count, places, details, rejections = found
    block = handed.block
    row_before, line_before = parsed.parser.rows_read, block.line - 1
    position = parsed.parser.pass_block(block, handed.encoded, row_count)
    numbers: Sequence[int] = range(row_before + 1, row_before + row_count + 1)
    lines: Sequence[int] = range(line_before + 1, line_before + row_count + 1)
    if isinstance(places, bytes):
        numbers, lines = list(compress(numbers, places)), list(compress(lines, places))
    elif places is not None:
        rows_in_block, lines_in_block = places
        numbers = [row_before + row for row in rows_in_block]
        lines = [line_before + line for line in lines_in_block]
    refused = [
        Rejection(row_before + row, line_before + line, row_cells, tuple([_reason(error) for error in errors]), raw)
        for row, line, row_cells, errors, raw in rejections
    ]
    if isinstance(details, bytes):
        fingerprints = array("q", details)
        count = len(numbers)

        def rows_at(indexes: Sequence[int]) -> list[ValidRow]:
            places = [(lines[index], numbers[index]) for index in indexes]
            return _judged_once_more(block, places, parsed.shape, judge)

        rows = FingerprintedRows(numbers, fingerprints[:count], fingerprints[count:], rows_at)
        return ValidatedRows(rows, refused, position)
    names, emails, ordinals, zones, cells = details
    values = zip(numbers, lines, names, emails, map(days.__getitem__, ordinals), zones, cells, strict=True)
    return ValidatedRows(list(map(tuple.__new__, repeat(ValidRow), values)), refused, position)


def _judged_once_more(
    block: Block, places: Sequence[tuple[int, int]], shape: RecordShape, judge: Judge
) -> list[ValidRow]:
    """The rows that begin on lines (1-based in the file), with their numbers; they are known to be valid."""
    begins = [line - block.line for line, _ in places]
    selectors = bytearray(block.line_count)
    for begin in begins:
        selectors[begin] = 1
    together, is_whole = records_of(Block(1, "".join(compress(block.lines(), selectors)), len(places)), shape)
    cells: Sequence[list[str] | Rejection | None] = together.cells
    if not is_whole or len(cells) != len(places):
        # some have several lines
        texts = list(block.lines())
        cells = [record_of(texts[begin : begin + MAX_MULTILINE_RECORD_LINES], shape) for begin in begins]
    rows = Rows()
    for (line, number), record in zip(places, cells, strict=True):
        if record is not None:
            rows.add(number, line, record)
    return list(judge.judged(rows.chunk(Position())).valid)


def _reason(error: tuple[Any, ...]) -> RowError:
    code, *rest = error
    return RowError(_CODES[code], *rest)


class _Days(dict[int, date]):
    """Days by their ordinals; there are few."""

    def __missing__(self, ordinal: int) -> date:
        day = self[ordinal] = date.fromordinal(ordinal)
        return day
