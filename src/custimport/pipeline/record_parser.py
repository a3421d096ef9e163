"""Records: cuts lines into cells with the csv module; a record that cannot be cut is a rejection of its own line."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from custimport.customer.codes import Code, RowError
from custimport.errors import InputUnreadable
from custimport.pipeline.blocks import Block
from custimport.pipeline.code_pages import MAX_SAMPLE_BYTES, likely_encoding
from custimport.pipeline.header import UnderstoodHeader
from custimport.pipeline.lines import Fingerprint, LineWindow
from custimport.pipeline.quotes import Dialect, OpenQuotes
from custimport.pipeline.records_from_cells import RecordMaker
from custimport.pipeline.resuming import position_within, rows_up_to
from custimport.pipeline.text import UNDECODABLE, escaped, has_undecodable, original_bytes
from custimport.records import ParsedRows, Position, Rejection
from custimport.settings import (
    MAX_CELL_CHARACTERS,
    MAX_MULTILINE_RECORD_CHARACTERS,
)

WINDOW_LINES: Final = 256
"""Lines cut at once by the csv module without a look at each: where one of them is odd, only these are looked at."""
WINDOW_CHARACTERS: Final = 1024 * 1024
"""Fewer lines are cut at once where they are long."""


class Content(Protocol):
    """What the parser needs of a source."""

    name: str
    bytes_read: int

    def blocks(self) -> Iterator[bytes]:
        """The content, in blocks."""


@dataclass(frozen=True, slots=True)
class RecordShape:
    """What a record of the file must look like: all that is needed to cut lines of it into records."""

    understood: UnderstoodHeader
    dialect: Dialect
    max_record_bytes: int


class DecodedText(Protocol):
    """What the parser needs to know of the text that the lines come from."""

    encoding: str
    has_undecodable: bool
    has_foreign_text: bool


@dataclass(slots=True)
class Rows:
    """A chunk under construction."""

    numbers: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers) + len(self.rejections)

    def add(self, number: int, line: int, record: list[str] | Rejection) -> None:
        """One more row."""
        if isinstance(record, Rejection):
            self.rejections.append(record)
        else:
            self.numbers.append(number)
            self.lines.append(line)
            self.cells.append(record)

    def chunk(self, position: Position) -> ParsedRows:
        """The rows, which end at a position."""
        return ParsedRows(self.numbers, self.lines, self.cells, self.rejections, position)


class Place(Protocol):
    """Where a parser is: the lines before it, and the position."""

    window: LineWindow

    @property
    def source_bytes(self) -> int:
        """Bytes taken from the file as it lies on disk."""

    def position(self, last_row: int) -> Position:
        """The position after the lines that were taken."""


class PlaceInFile:
    """How far the parser has come: the lines before it, and the position in the file."""

    def __init__(self, content: Content, window: LineWindow, taken: Fingerprint) -> None:
        self.window = window
        self._content = content
        self._taken = taken

    @property
    def source_bytes(self) -> int:
        """Bytes taken from the file as it lies on disk."""
        return self._content.bytes_read

    def position(self, last_row: int) -> Position:
        """The position after the lines that were taken."""
        return Position(
            row=last_row,
            line=self.window.number - 1,
            content_bytes=self._taken.size_bytes,
            content_sha256=self._taken.sha256(),
            source_bytes=self.source_bytes,
        )


class RecordParser:
    """Reads the records of one file, or of one block of it."""

    def __init__(self, place: Place, text: DecodedText, shape: RecordShape) -> None:
        self.window = window = place.window
        self._place = place
        self._text = text
        self._width = shape.understood.width
        self._dialect = dialect = shape.dialect
        self._maker = RecordMaker(shape.understood)
        self._max_record_bytes = shape.max_record_bytes
        # a report holds the record and what is wrong with it
        report_factor = 2 if shape.understood.header.is_report else 1
        most_characters = min(report_factor * MAX_MULTILINE_RECORD_CHARACTERS, shape.max_record_bytes)
        self._quotes = OpenQuotes(dialect, lambda number: window.line(number - window.number), most_characters)
        self._expects_plain_lines = True
        self._sample = b""
        self._end = Position()
        self._failure: InputUnreadable | None = None

    def chunk(self) -> ParsedRows | None:
        """The next records: those that begin in the block that the next line is in; None at the end of the file.

        Where the input fails, the records before that place come first, and then the error.
        """
        if self._failure is not None:
            raise self._failure
        rows = Rows()
        try:
            while self.window.has_next():
                found = self.read_block(rows, self._end.row)
                if found.row_count:
                    self._end = self._place.position(self._end.row + found.row_count)
                    return replace(found, position=self._end)
        except InputUnreadable as failure:
            self._failure = failure
            if not len(rows):
                raise
            # a mended file has the same chunk, with more rows
            upto = rows_up_to(rows.chunk(self._end), self._end.row + len(rows))
            self._end = position_within(self._end, upto, self._place.source_bytes)
            return rows.chunk(self._end)
        return None

    def pass_block(self, block: Block, encoded: bytes, row_count: int) -> Position:
        """Leave out a block, which was read elsewhere and holds so many rows; the position after it."""
        self.window.take_block(block, encoded)
        if row_count:
            self._end = self._place.position(self._end.row + row_count)
        return self._end

    @property
    def rows_read(self) -> int:
        """The number of the last row."""
        return self._end.row

    @property
    def may_see_undecodable(self) -> bool:
        """Whether some line may hold what is no text."""
        return self._text.has_undecodable

    def record(self, number: int) -> list[str] | Rejection | None:
        """The record that begins with the next line, which gets that number; it is not taken. None at the end."""
        line = self.window.line(0)
        return None if line is None else self._record(line, number)[1]

    def read_block(self, rows: "Rows", rows_before: int) -> ParsedRows:
        """The records that begin in the block that the next line is in; without a position.

        `rows` are empty; where the input fails within the block, they hold the records before that place.
        """
        block = self.window.unopened()
        records = self._cut_block(block) if block is not None and self._expects_plain_lines else None
        if block is None or records is None:
            self._read_lines(rows, rows_before)
            return rows.chunk(Position())
        if self._are_whole(records):
            numbers = range(rows_before + 1, rows_before + 1 + len(records))
            found = ParsedRows(numbers, range(block.line, block.line + len(records)), records, (), Position())
        else:
            self._add(records, block.lines(), rows, rows_before)
            found = rows.chunk(Position())
        self.window.take_block(block)
        return found

    def _are_whole(self, records: list[list[str]]) -> bool:
        """Whether every record has the right number of cells, and needs no further look."""
        return not self._maker.must_look and set(map(len, records)) == {self._width}

    def _read_lines(self, rows: "Rows", rows_before: int) -> None:
        """Adds the records that begin in the block that the next line is in."""
        self.window.line(0)
        end = self.window.block_end()
        self._expects_plain_lines = True
        while self.window.number < end:
            lines = self.window.peek(min(WINDOW_LINES, end - self.window.number), WINDOW_CHARACTERS)
            if not lines:
                return
            records = self._cut_all(lines)
            if records is None:
                self._expects_plain_lines = False
                self._cut_each(len(lines), rows, rows_before)
            else:
                self._add(records, lines, rows, rows_before)
                self.window.take(len(lines))

    def _cut_block(self, block: Block) -> list[list[str]] | None:
        """The same as `_cut_all` for the lines of a block, which nobody has looked at."""
        if block.truncated or not block.is_whole:
            return None
        if self._text.has_undecodable and has_undecodable(block.text):
            return None
        return self._single_line_records(block.lines())

    def _cut_all(self, lines: list[str]) -> list[list[str]] | None:
        """The cells of each line if every line is one record or blank, None if one of them needs a look of its own."""
        if self.window.has_truncated(len(lines)):
            return None
        # blocks of long lines are not cut as a whole either then: that takes four bytes a character
        if max(map(len, lines)) > MAX_CELL_CHARACTERS:
            return None
        if self._text.has_undecodable and has_undecodable("".join(lines)):
            return None
        return self._single_line_records(lines)

    def _single_line_records(self, lines: Iterable[str]) -> list[list[str]] | None:
        """The cells of each line; None if a record has several lines, a cell is too large, or quotes are wrong."""
        reader = self._dialect.reader(lines)
        limit = csv.field_size_limit(MAX_CELL_CHARACTERS)
        try:
            records = list(reader)
        except csv.Error:
            return None
        finally:
            csv.field_size_limit(limit)
        # a record takes a line or more, so as many records as lines are one each
        return records if reader.line_num == len(records) else None

    def _add(self, records: list[list[str]], lines: Iterable[str], rows: "Rows", rows_before: int) -> None:
        """Adds the records of lines that are one record each; asks for these only where it must look at them."""
        first_row, first_line = rows_before + len(rows) + 1, self.window.number
        if self._are_whole(records):
            rows.numbers.extend(range(first_row, first_row + len(records)))
            rows.lines.extend(range(first_line, first_line + len(records)))
            rows.cells.extend(records)
            return
        number = first_row
        for at, (cells, line) in enumerate(zip(records, lines, strict=True), start=first_line):
            if self._is_blank(line):
                continue
            rows.add(number, at, self._maker.record(cells, number, at))
            number += 1

    def _is_blank(self, line: str) -> bool:
        return not line.strip() and self._dialect.delimiter not in line

    def _cut_each(self, line_count: int, rows: "Rows", rows_before: int) -> None:
        """Takes at least `line_count` lines, record by record."""
        end = self.window.number + line_count
        while self.window.number < end and (line := self.window.line(0)) is not None:
            if self._is_blank(line):
                self.window.take(1)
                continue
            number = rows_before + len(rows) + 1
            taken, record = self._record(line, number)
            rows.add(number, self.window.number, record)
            self.window.take(taken)

    def _record(self, line: str, number: int) -> tuple[int, list[str] | Rejection]:
        """The record that begins with the next line, and how many lines it has."""
        window, at = self.window, self.window.number
        if window.is_truncated(0):
            message = f"the line has more than {self._max_record_bytes:,} bytes; only its beginning is kept"
            return 1, _without_cells(number, at, Code.CELL_TOO_LARGE, message, line[:MAX_CELL_CHARACTERS])
        probe = self._dialect.begin(line)
        if probe.is_open:
            closing = self._quotes.closing(at, len(probe.cells))
            if closing is not None and closing.cells == self._width:
                texts = window.peek(closing.line - at + 1)
                cells = next(self._dialect.reader(texts))
                if max(map(len, cells)) <= MAX_CELL_CHARACTERS:
                    return len(texts), self._judged("".join(texts), number, cells)
            message = "a quote opens in this line and does not close where a record could end"
            return 1, _without_cells(number, at, Code.UNCLOSED_QUOTE, message, line)
        if probe.failed:
            if has_undecodable(line):
                return 1, self._encoding_error(line, number)
            message = "text follows a closing quote; quotes inside a cell must be doubled"
            return 1, _without_cells(number, at, Code.MALFORMED_QUOTING, message, line)
        return 1, self._judged(line, number, probe.cells)

    def _judged(self, text: str, number: int, cells: list[str]) -> list[str] | Rejection:
        if self._text.has_undecodable and has_undecodable(text):
            return self._encoding_error(text, number)
        return self._maker.record(cells, number, self.window.number)

    def _encoding_error(self, text: str, number: int) -> Rejection:
        if len(self._sample) < MAX_SAMPLE_BYTES:
            self._sample += original_bytes(text[:MAX_SAMPLE_BYTES], self._text.encoding)[:MAX_SAMPLE_BYTES]
        message = f"the line holds bytes that are not {self._text.encoding} text, shown as \\xNN"
        return _without_cells(number, self.window.number, Code.ENCODING_ERROR, message, text)

    def encoding_advice(self) -> str:
        """What to do about the rows that are no text; makes sense only where there are some."""
        if self._text.has_foreign_text and not self._is_foreign_by_chance():
            return f"the rest of the file is {self._text.encoding}, mend these rows"
        guess = likely_encoding(self._sample)
        return f"likely {guess}: add --encoding {guess}" if guess else "name the encoding with --encoding NAME"

    def _is_foreign_by_chance(self) -> bool:
        """Whether the text beyond ASCII is what bytes of another encoding make here and there."""
        text = self._sample.decode(self._text.encoding, UNDECODABLE)
        undecodable = [has_undecodable(character) for character in text if not character.isascii()]
        return 0 < undecodable.count(False) < undecodable.count(True)


def _without_cells(number: int, line: int, code: Code, message: str, raw: str) -> Rejection:
    return Rejection(number, line, (), (RowError(code, None, None, message),), raw=escaped(raw.rstrip("\r\n")))
