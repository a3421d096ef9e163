"""Blocks of lines: where they end depends on the file alone, so that any process can read them, and again later."""

import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from custimport.errors import InputUnreadable
from custimport.pipeline.text import Text
from custimport.settings import BLOCK_CHARACTERS

_LINE_END: Final = re.compile("\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines from line number `line` (1-based) on; `truncated` are indexes (0-based) of too long ones.

    `is_whole`: it ends where it always would; not where the input failed.
    """

    line: int
    text: str
    line_count: int
    truncated: frozenset[int] = frozenset()
    is_whole: bool = True

    def lines(self) -> Iterator[str]:
        """The lines with their ends."""
        return io.StringIO(self.text, newline="")


class BlockQueue:
    """The blocks of a file, in order, for the parser; somebody else may look at those to come before it takes them."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._looked_at: deque[Block] = deque()
        self._failure: InputUnreadable | None = None

    def __iter__(self) -> Iterator[Block]:
        return self

    def __next__(self) -> Block:
        if self._looked_at:
            return self._looked_at.popleft()
        if self._failure is not None:
            raise self._failure
        return next(self._blocks)

    def look_ahead(self) -> Block | None:
        """The first block that nobody has seen; None at the end, and where the input fails: the parser is told then."""
        try:
            block = next(self._blocks, None)
        except InputUnreadable as failure:
            self._failure = failure
            return None
        if block is not None:
            self._looked_at.append(block)
        return block


def cut_into_blocks(texts: Iterable[Text], block_lines: int) -> Iterator[Block]:
    """Blocks of `block_lines` lines, fewer where they are very long and at the end; streams.

    Where the input fails, what was read of the last block comes first, and then the error.
    """
    line = 1
    begun = _BegunBlock(block_lines)
    try:
        for piece in texts:
            lines = _LinesLeft(piece.text)
            while lines.count:
                if piece.is_truncated:
                    begun.truncated.add(begun.line_count)
                begun.take_from(lines)
                if begun.is_full:
                    yield begun.block(line)
                    line += begun.line_count
                    begun = _BegunBlock(block_lines)
    except InputUnreadable:
        if begun.line_count:
            yield begun.block(line, is_whole=False)
        raise
    if begun.line_count:
        yield begun.block(line)


class _BegunBlock:
    """A block under construction."""

    def __init__(self, most_lines: int) -> None:
        self.line_count = 0
        self.truncated: set[int] = set()
        self._characters = 0
        self._texts: list[str] = []
        self._most_lines = most_lines

    @property
    def is_full(self) -> bool:
        """Whether it ends here."""
        return self.line_count >= self._most_lines or self._characters >= BLOCK_CHARACTERS

    def take_from(self, lines: "_LinesLeft") -> None:
        """Adds as many lines as there is room for, at least one."""
        before = lines.count
        text = lines.take(self._most_lines - self.line_count, BLOCK_CHARACTERS - self._characters)
        self._texts.append(text)
        self.line_count += before - lines.count
        self._characters += len(text)

    def block(self, line: int, *, is_whole: bool = True) -> Block:
        """The block, of which the first line has that number."""
        return Block(line, "".join(self._texts), self.line_count, frozenset(self.truncated), is_whole)


class _LinesLeft:
    """A text of whole lines that are taken one after another; `count` are left."""

    def __init__(self, text: str) -> None:
        carriage_returns = text.count("\r")
        pairs = text.count("\r\n") if carriage_returns else 0
        self.count = text.count("\n") + carriage_returns - pairs + (text[-1:] not in "\r\n")
        self._text = text
        self._at = 0
        # where every line ends with LF, it is found in half the time
        self._has_bare_returns = carriage_returns > pairs

    def take(self, most_lines: int, most_characters: int) -> str:
        """The next lines: so many, fewer at the end; none after the one in which the characters reach that number."""
        text, at, end = self._text, self._at, len(self._text)
        taken = self.count
        if taken > most_lines:
            end, taken = self._end_of(most_lines), most_lines
        if end - at > most_characters:
            limit = _LINE_END.search(text, at + most_characters - 1)
            if limit is not None and limit.end() < end:
                end = limit.end()
                taken = _LinesLeft(text[at:end]).count
        self._at = end
        self.count -= taken
        return text[at:end]

    def _end_of(self, lines: int) -> int:
        """The index after so many of the lines that are left, which are more."""
        if self._has_bare_returns:
            return next(islice(_LINE_END.finditer(self._text, self._at), lines - 1, None)).end()
        end = self._at
        for _ in range(lines):
            end = self._text.find("\n", end) + 1
        return end
