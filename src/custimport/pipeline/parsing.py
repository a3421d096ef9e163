"""From bytes to records: reads the header, and prepares the parser of what follows."""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from custimport.errors import InputUnreadable
from custimport.pipeline.blocks import BlockQueue, cut_into_blocks
from custimport.pipeline.code_pages import likely_encoding
from custimport.pipeline.header import UnderstoodHeader, separator_of, understand
from custimport.pipeline.lines import Fingerprint, LineWindow
from custimport.pipeline.quotes import Dialect
from custimport.pipeline.record_parser import Content, PlaceInFile, RecordParser, RecordShape
from custimport.pipeline.text import TextReader, escaped, has_undecodable, original_bytes
from custimport.records import Header, InputOptions, ParsedRows
from custimport.settings import (
    MAX_MULTILINE_RECORD_CHARACTERS,
    MAX_MULTILINE_RECORD_LINES,
    MAX_RECORD_BYTES,
)


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file whose header is understood. `parser` reads the records; they come once.

    `blocks` are those that the parser pulls when it needs them, for who wants to look ahead.
    """

    header: Header
    warnings: Sequence[str]
    parser: RecordParser
    shape: RecordShape
    blocks: BlockQueue

    @property
    def chunks(self) -> Iterator[ParsedRows]:
        """The records in file order; streams.

        Where the input fails, the records before that place come first, and then the error.
        """
        while (chunk := self.parser.chunk()) is not None:
            yield chunk

    def encoding_advice(self) -> str:
        """What to do about the rows that were no text, of those read so far."""
        return self.parser.encoding_advice()


def parse(content: Content, options: InputOptions, chunk_lines: int) -> ParsedFile:
    """The file's header, read now, and its records, read when they are asked for.

    A chunk holds the records that begin within `chunk_lines` lines, fewer where they are very long.

    Raises `InputUnreadable` for a file without a usable header, `UsageError` for options that cannot be meant.
    """
    allow_large_cells()
    reader = TextReader(content.name, content.blocks(), options.encoding, options.max_record_bytes)
    blocks = BlockQueue(cut_into_blocks(reader.lines(), chunk_lines))
    taken = Fingerprint()
    window = LineWindow(blocks, taken)
    understood = _read_header(content.name, window, reader, options)
    dialect = Dialect(understood.header.delimiter, options.quotechar)
    header = replace(understood.header, retry_of=_import_of_report(window, understood, dialect))
    shape = RecordShape(understood, dialect, options.max_record_bytes)
    records = RecordParser(PlaceInFile(content, window, taken), reader, shape)
    return ParsedFile(header, _header_warnings(reader, header), records, shape, blocks)


def allow_large_cells() -> None:
    """Cells are measured by the parser, so that one that is too large can still be shown in the report.

    The csv module's own limit is a setting of the whole process.
    """
    csv.field_size_limit(2 * MAX_RECORD_BYTES)


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
