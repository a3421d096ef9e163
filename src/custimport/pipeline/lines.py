"""A window on the physical lines of a file: looked at ahead of time, taken when their records are known."""

import hashlib
import sys
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from custimport.errors import InputUnreadable
from custimport.pipeline.text import Lines


class LineWindow:
    """The lines not yet taken, as far as anybody asked for them; pulls more when it must.

    Offsets are 0-based from the next line to take; `number` is that line's physical number, 1-based. What is taken is
    counted and hashed as UTF-8, so that the same text gives the same position whatever its encoding or compression.
    Where the input fails, its error is raised when somebody needs a line that was not read; those before it are good.
    """

    def __init__(self, batches: Iterator[Lines]) -> None:
        self.number = 1
        self.content_bytes = 0
        self._batches = batches
        self._lines: list[str] = []
        self._at = 0
        self._truncated: set[int] = set()
        self._digest = hashlib.sha256()
        self._failure: InputUnreadable | None = None

    def peek(self, count: int, most_characters: int = sys.maxsize) -> list[str]:
        """The next `count` lines; fewer at the end of the file, or of what could be read of it, if there are any.

        None after the line with which they have more than `most_characters`.
        """
        while len(self._lines) - self._at < count and self._failure is None:
            if sum(map(len, self._lines[self._at :])) > most_characters:
                break
            try:
                batch = next(self._batches, None)
            except InputUnreadable as error:
                self._failure = error
                break
            if batch is None:
                break
            del self._lines[: self._at]
            self._at = 0
            first = self.number + len(self._lines)
            self._truncated.update(first + offset for offset in batch.truncated)
            self._lines += batch.texts
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

    def is_truncated(self, offset: int) -> bool:
        """Whether the line at an offset was longer than any line may be, and its rest passed over."""
        return self.number + offset in self._truncated

    def has_truncated(self, count: int) -> bool:
        """Whether one of the next `count` lines was truncated."""
        return bool(self._truncated) and any(map(self.is_truncated, range(count)))

    def take(self, count: int) -> None:
        """The next `count` lines are dealt with."""
        text = "".join(self._lines[self._at : self._at + count]).encode("utf-8", "surrogatepass")
        self.content_bytes += len(text)
        self._digest.update(text)
        if self._truncated:
            self._truncated.difference_update(range(self.number, self.number + count))
        self._at += count
        self.number += count

    def content_sha256(self) -> str:
        """Hex digits, over everything that was taken."""
        return self._digest.copy().hexdigest()
