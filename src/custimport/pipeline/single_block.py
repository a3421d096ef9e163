"""One block of lines by itself: the records that it holds, as far as they can be told without the rest of the file."""

from collections.abc import Iterator
from dataclasses import dataclass

from custimport.pipeline.blocks import Block
from custimport.pipeline.lines import LineWindow
from custimport.pipeline.record_parser import RecordParser, RecordShape, Rows
from custimport.records import ParsedRows, Position, Rejection


def records_of(block: Block, shape: RecordShape) -> tuple[ParsedRows, bool]:
    """The records of a block, numbered from 1, and whether they can be told without what follows the block."""
    looked_beyond = False

    def blocks() -> Iterator[Block]:
        nonlocal looked_beyond
        yield block
        looked_beyond = True

    window = LineWindow(blocks(), _Nothing())
    parser = RecordParser(_OneBlock(window), _PlainText(), shape)
    rows = parser.read_block(Rows(), 0)
    is_whole = not looked_beyond and window.number == block.line_count + 1
    return rows, is_whole


def record_of(lines: list[str], shape: RecordShape) -> list[str] | Rejection | None:
    """The record that begins on the first of some lines; None if there is no line."""
    window = LineWindow(iter([Block(1, "".join(lines), len(lines))]), _Nothing())
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
