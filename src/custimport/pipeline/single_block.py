"""One block of lines by itself: the records that it holds, as far as they can be told without the rest of the file."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

from custimport.pipeline.blocks import Block
from custimport.pipeline.lines import LineWindow
from custimport.pipeline.record_parser import RecordParser, RecordShape, Rows
from custimport.records import ParsedRows, Position, Rejection
from custimport.settings import MAX_CELL_CHARACTERS, MAX_MULTILINE_RECORD_LINES


def plain_records(text: str, shape: RecordShape) -> ParsedRows | None:
    """The records of a block in which every line is one ordinary record, numbered from 1; None if it has others."""
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


def records_of(lines: list[str], shape: RecordShape) -> tuple[ParsedRows, bool]:
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


def record_at(block: Block, line: int, shape: RecordShape) -> list[str] | Rejection | None:
    """The record that begins on a line (1-based in the block); None if there is no such line."""
    window = LineWindow(iter([Block(1, block.texts[line - 1 : line - 1 + MAX_MULTILINE_RECORD_LINES])]), _Nothing())
    return RecordParser(_OneBlock(window), _PlainText(), shape).record(1)


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
