"""A window on the physical lines of a file: looked at ahead of time, taken when their records are known."""

import hashlib
import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from typing import Protocol

from custimport.errors import InputUnreadable
from custimport.pipeline.blocks import Block


class Taken(Protocol):
    """What is kept of the lines that were taken."""

    def add(self, text: str) -> None:
        """These lines were taken."""

    def add_encoded(self, text: bytes) -> None:
        """These lines, in UTF-8, were taken."""


class Fingerprint:
    """Counts and hashes what was taken, as UTF-8: the same text is the same whatever its encoding or compression."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._digest = hashlib.sha256()

    def add(self, text: str) -> None:
        """These lines were taken."""
        self.add_encoded(text.encode("utf-8", "surrogatepass"))

    def add_encoded(self, text: bytes) -> None:
        """These lines, in UTF-8, were taken."""
        self.size_bytes += len(text)
        self._digest.update(text)

    def sha256(self) -> str:
        """Hex digits, over everything that was taken."""
        return self._digest.copy().hexdigest()


class LineWindow:
    """The lines not yet taken, as far as anybody asked for them; pulls more blocks when it must.

    Offsets are 0-based from the next line to take; `number` is that line's physical number, 1-based. Where the input
    fails, its error is raised when somebody needs a line that was not read; those before it are good.
    """

    def __init__(self, blocks: Iterator[Block], taken: Taken) -> None:
        self.number = 1
        self._blocks = blocks
        self._taken = taken
        self._lines: list[str] = []
        self._at = 0
        self._truncated: set[int] = set()
        self._block_ends: deque[int] = deque()
        self._unopened: Block | None = None
        self._failure: InputUnreadable | None = None

    def peek(self, count: int, most_characters: int = sys.maxsize) -> list[str]:
        """The next `count` lines; fewer at the end of the file, or of what could be read of it, if there are any.

        None after the line with which they have more than `most_characters`.
        """
        while len(self._lines) - self._at < count and self._failure is None:
            if self._at < len(self._lines) and sum(map(len, self._lines[self._at :])) > most_characters:
                break
            block = self._unopened or self._next_block()
            if block is None:
                break
            self._unopened = None
            del self._lines[: self._at]
            self._at = 0
            first = self.number + len(self._lines)
            self._truncated.update(first + offset for offset in block.truncated)
            self._lines += block.lines()
            if block.is_whole:
                self._block_ends.append(first + block.line_count)
        found = self._lines[self._at : self._at + count]
        if not found and self._failure is not None:
            raise self._failure
        if sum(map(len, found)) > most_characters:
            ends = list(accumulate(map(len, found)))
            return found[: bisect_right(ends, most_characters) + 1]
        return found

    def line(self, offset: int) -> str | None:
        """The line at an offset, None after the end of the file."""
        if self._at + offset >= len(self._lines):
            self.peek(offset + 1)
        at = self._at + offset
        if at < len(self._lines):
            return self._lines[at]
        if self._failure is not None:
            raise self._failure
        return None

    def _next_block(self) -> Block | None:
        try:
            return next(self._blocks, None)
        except InputUnreadable as error:
            self._failure = error
            return None

    def unopened(self) -> Block | None:
        """The block that begins with the next line, as long as nobody has looked at its lines; it may be taken whole.

        None at the end of the file and where the input fails.
        """
        if self._unopened is None and self._at == len(self._lines) and self._failure is None:
            self._lines.clear()
            self._at = 0
            self._unopened = self._next_block()
        return self._unopened

    def has_next(self) -> bool:
        """Whether there is a next line; does not look at it."""
        return self.unopened() is not None or self.line(0) is not None

    def block_end(self) -> int:
        """The number (1-based) of the line after the block that the next line is in; it must have been looked at.

        `sys.maxsize` where the input failed within the block.
        """
        ends = self._block_ends
        while ends and ends[0] <= self.number:
            ends.popleft()
        return ends[0] if ends else sys.maxsize

    def is_truncated(self, offset: int) -> bool:
        """Whether the line at an offset was longer than any line may be, and its rest passed over."""
        return self.number + offset in self._truncated

    def has_truncated(self, count: int) -> bool:
        """Whether one of the next `count` lines was truncated."""
        return bool(self._truncated) and any(map(self.is_truncated, range(count)))

    def take(self, count: int) -> None:
        """The next `count` lines are dealt with."""
        self._taken.add("".join(self._lines[self._at : self._at + count]))
        self._pass(count)

    def take_block(self, block: Block, encoded: bytes | None = None) -> None:
        """All lines of a block that begins with the next line; `encoded` in UTF-8, where somebody has it already."""
        if encoded is None:
            self._taken.add(block.text)
        else:
            self._taken.add_encoded(encoded)
        if self.unopened() is None:
            self.peek(block.line_count)
            self._pass(block.line_count)
        else:
            self._unopened = None
            self.number += block.line_count

    def _pass(self, count: int) -> None:
        if self._truncated:
            self._truncated.difference_update(range(self.number, self.number + count))
        self._at += count
        self.number += count
