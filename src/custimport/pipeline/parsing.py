"""Records: cuts lines into cells with the csv module; a record that cannot be cut is a rejection of its own line."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from custimport.customer.codes import Code, RowError
from custimport.errors import InputUnreadable
from custimport.pipeline.code_pages import MAX_SAMPLE_BYTES, likely_encoding
from custimport.pipeline.header import UnderstoodHeader, separator_of, understand
from custimport.pipeline.lines import LineWindow
from custimport.pipeline.quotes import Dialect, OpenQuotes
from custimport.pipeline.records_from_cells import RecordMaker
from custimport.pipeline.resuming import position_within, rows_up_to
from custimport.pipeline.text import UNDECODABLE, TextReader, escaped, has_undecodable, original_bytes
from custimport.records import Header, InputOptions, ParsedRows, Position, Rejection
from custimport.settings import (
    CHUNK_BYTES,
    MAX_CELL_CHARACTERS,
    MAX_MULTILINE_RECORD_CHARACTERS,
    MAX_MULTILINE_RECORD_LINES,
    MAX_RECORD_BYTES,
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
class ParsedFile:
    """A file whose header is understood. `chunks` streams the records.

    `encoding_advice` says what to do about the rows that were no text, of those read so far.
    """

    header: Header
    warnings: Sequence[str]
    chunks: Iterator[ParsedRows]
    encoding_advice: Callable[[], str]


@dataclass(slots=True)
class _Rows:
    """A chunk under construction."""

    numbers: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers) + len(self.rejections)


def parse(content: Content, options: InputOptions, chunk_rows: int) -> ParsedFile:
    """The file's header, read now, and its records, `chunk_rows` in a chunk, read when they are asked for.

    Raises `InputUnreadable` for a file without a usable header, `UsageError` for options that cannot be meant.
    """
    # cells are measured here, so that one that is too large can still be shown in the report; the module's own limit
    # is a setting of the whole process
    csv.field_size_limit(2 * MAX_RECORD_BYTES)
    reader = TextReader(content.name, content.blocks(), options.encoding, options.max_record_bytes)
    window = LineWindow(reader.lines())
    understood = _read_header(content.name, window, reader, options)
    dialect = Dialect(understood.header.delimiter, options.quotechar)
    header = replace(understood.header, retry_of=_import_of_report(window, understood, dialect))
    warnings = _header_warnings(reader, header)
    parser = _Parser(content, reader, window, understood, dialect, options.max_record_bytes)
    return ParsedFile(header, warnings, parser.chunks(chunk_rows), parser.encoding_advice)


def _read_header(file: str, window: LineWindow, reader: TextReader, options: InputOptions) -> UnderstoodHeader:
    delimiter = options.delimiter
    first = window.line(0)
    if first is not None and (named := separator_of(first)) is not None:
        if named != options.quotechar:
            delimiter = delimiter or named
        window.take(1)
    while (line := window.line(0)) is not None and not line.strip():
        window.take(1)
    if line is None:
        raise InputUnreadable(
            f"{file}: is empty: there is no header", hint="the first line must name full_name, email, ..."
        )
    if window.is_truncated(0):
        raise InputUnreadable(
            f"{file}: the header has more than {options.max_record_bytes:,} bytes", hint="is it a CSV file at all?"
        )
    _refuse_undecodable(line, file, reader.encoding)
    understood = understand(
        _header_lines(window, options.quotechar), file, options.column_map, delimiter, options.quotechar
    )
    _refuse_undecodable("".join(window.peek(understood.lines)), file, reader.encoding)
    window.take(understood.lines)
    return understood


def _header_lines(window: LineWindow, quotechar: str) -> list[str]:
    """The next line, and those that follow it up to where all quotes are paired, if that is near enough."""
    lines = window.peek(1)
    is_open = lines[0].count(quotechar) % 2 == 1
    characters = len(lines[0])
    while is_open:
        following = window.line(len(lines))
        if following is None or len(lines) == MAX_MULTILINE_RECORD_LINES:
            return lines[:1]
        lines.append(following)
        characters += len(following)
        if characters > MAX_MULTILINE_RECORD_CHARACTERS:
            return lines[:1]
        is_open ^= following.count(quotechar) % 2 == 1
    return lines


def _import_of_report(window: LineWindow, understood: UnderstoodHeader, dialect: Dialect) -> str | None:
    """The import that the first record of a loaded report names."""
    at = understood.import_at
    if at is None:
        return None
    with suppress(csv.Error):
        for cells in dialect.reader(window.peek(MAX_MULTILINE_RECORD_LINES)):
            if len(cells) > at and (named := _IMPORT_ID.fullmatch(cells[at].strip())):
                return named.group()
    return None


_IMPORT_ID: Final = re.compile("[0-9a-f]{16}")


def _refuse_undecodable(text: str, file: str, encoding: str) -> None:
    if has_undecodable(text):
        guess = likely_encoding(original_bytes(text, encoding))
        raise InputUnreadable(
            f"{file}: the header is not {encoding} text: {escaped(text.strip())[:200]}",
            hint=f"name the encoding: --encoding {guess or 'NAME'}",
        )


def _header_warnings(reader: TextReader, header: Header) -> list[str]:
    warnings = []
    if reader.double_mark:
        warnings.append("the file begins with two byte order marks; both were dropped")
    if header.ignored:
        warnings.append(f"ignored columns: {', '.join(header.ignored)}")
    return warnings


class _Parser:
    """Reads the records of one file."""

    def __init__(
        self,
        content: Content,
        reader: TextReader,
        window: LineWindow,
        understood: UnderstoodHeader,
        dialect: Dialect,
        max_record_bytes: int,
    ) -> None:
        self._content = content
        self._reader = reader
        self._window = window
        self._width = understood.width
        self._dialect = dialect
        self._maker = RecordMaker(understood)
        self._max_record_bytes = max_record_bytes
        # a report holds the record and what is wrong with it
        report_factor = 2 if understood.header.is_report else 1
        most_characters = min(report_factor * MAX_MULTILINE_RECORD_CHARACTERS, max_record_bytes)
        self._quotes = OpenQuotes(dialect, lambda number: window.line(number - window.number), most_characters)
        self._sample = b""

    def chunks(self, chunk_rows: int) -> Iterator[ParsedRows]:
        """The records in file order, `chunk_rows` in each chunk but the last, fewer where they are very long; streams.

        Where the input fails, the records before that place come first, and then the error.
        """
        rows = _Rows()
        end = Position()
        last_byte = self._window.content_bytes + CHUNK_BYTES
        try:
            while self._read_into(rows, chunk_rows, end.row):
                if len(rows) == chunk_rows or (rows and self._window.content_bytes >= last_byte):
                    end = self._position(end.row + len(rows))
                    yield _chunk(rows, end)
                    rows = _Rows()
                    last_byte = self._window.content_bytes + CHUNK_BYTES
        except InputUnreadable:
            if len(rows):
                yield _chunk(rows, self._position_within(rows, end))
            raise
        if len(rows):
            yield _chunk(rows, self._position(end.row + len(rows)))

    def _read_into(self, rows: _Rows, chunk_rows: int, rows_before: int) -> bool:
        """Adds some records to the chunk, at most `chunk_rows` in all; false at the end of the file."""
        window = self._window.peek(min(WINDOW_LINES, chunk_rows - len(rows)), WINDOW_CHARACTERS)
        records = self._cut_all(window) if window else []
        if records is None:
            self._cut_each(len(window), rows, rows_before)
        elif records:
            first = rows_before + len(rows) + 1
            rows.numbers.extend(range(first, first + len(records)))
            rows.lines.extend(range(self._window.number, self._window.number + len(records)))
            rows.cells.extend(records)
            self._window.take(len(records))
        return bool(window)

    def _position(self, last_row: int) -> Position:
        window = self._window
        return Position(
            row=last_row,
            line=window.number - 1,
            content_bytes=window.content_bytes,
            content_sha256=window.content_sha256(),
            source_bytes=self._content.bytes_read,
        )

    def _position_within(self, rows: _Rows, chunk_begins: Position) -> Position:
        """Where reading ended before the chunk was whole: a mended file has the same chunk, with more rows."""
        chunk = _chunk(rows, chunk_begins)
        last_row = chunk_begins.row + len(rows)
        return position_within(chunk_begins, rows_up_to(chunk, last_row), self._content.bytes_read)

    def _cut_all(self, window: list[str]) -> list[list[str]] | None:
        """The records of the lines if every line is one ordinary record, None if one of them needs a look."""
        if self._maker.must_look or self._window.has_truncated(len(window)):
            return None
        if self._reader.has_undecodable and has_undecodable("".join(window)):
            return None
        records: list[list[str]] = []
        try:
            records.extend(self._dialect.reader(window))
        except csv.Error:
            return None
        if len(records) != len(window) or set(map(len, records)) != {self._width}:
            return None
        return None if max(map(len, window)) > MAX_CELL_CHARACTERS else records

    def _cut_each(self, line_count: int, rows: _Rows, rows_before: int) -> None:
        """Takes at least `line_count` lines, record by record."""
        end = self._window.number + line_count
        while self._window.number < end and (line := self._window.line(0)) is not None:
            if not line.strip() and self._dialect.delimiter not in line:
                self._window.take(1)
                continue
            number = rows_before + len(rows) + 1
            taken, record = self._record(line, number)
            if isinstance(record, Rejection):
                rows.rejections.append(record)
            else:
                rows.numbers.append(number)
                rows.lines.append(self._window.number)
                rows.cells.append(record)
            self._window.take(taken)

    def _record(self, line: str, number: int) -> tuple[int, list[str] | Rejection]:
        """The record that begins with the next line, and how many lines it has."""
        window, at = self._window, self._window.number
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
        if self._reader.has_undecodable and has_undecodable(text):
            return self._encoding_error(text, number)
        return self._maker.record(cells, number, self._window.number)

    def _encoding_error(self, text: str, number: int) -> Rejection:
        if len(self._sample) < MAX_SAMPLE_BYTES:
            self._sample += original_bytes(text[:MAX_SAMPLE_BYTES], self._reader.encoding)[:MAX_SAMPLE_BYTES]
        message = f"the line holds bytes that are not {self._reader.encoding} text, shown as \\xNN"
        return _without_cells(number, self._window.number, Code.ENCODING_ERROR, message, text)

    def encoding_advice(self) -> str:
        """What to do about the rows that are no text; makes sense only where there are some."""
        if self._reader.has_foreign_text and not self._is_foreign_by_chance():
            return f"the rest of the file is {self._reader.encoding}, mend these rows"
        guess = likely_encoding(self._sample)
        return f"likely {guess}: add --encoding {guess}" if guess else "name the encoding with --encoding NAME"

    def _is_foreign_by_chance(self) -> bool:
        """Whether the text beyond ASCII is what bytes of another encoding make here and there."""
        text = self._sample.decode(self._reader.encoding, UNDECODABLE)
        undecodable = [has_undecodable(character) for character in text if not character.isascii()]
        return 0 < undecodable.count(False) < undecodable.count(True)


def _chunk(rows: _Rows, position: Position) -> ParsedRows:
    return ParsedRows(rows.numbers, rows.lines, rows.cells, rows.rejections, position)


def _without_cells(number: int, line: int, code: Code, message: str, raw: str) -> Rejection:
    return Rejection(number, line, (), (RowError(code, None, None, message),), raw=escaped(raw.rstrip("\r\n")))
