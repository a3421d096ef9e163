"""Where a quote that is open at the end of a line closes: asked of the csv module line by line, in linear time."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from custimport.settings import MAX_MULTILINE_RECORD_CHARACTERS, MAX_MULTILINE_RECORD_LINES

if TYPE_CHECKING:
    import _csv


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are written: one character between them, one around them."""

    delimiter: str
    quotechar: str

    def reader(self, lines: Iterable[str]) -> "_csv.Reader":
        """A strict reader: what does not follow the rules is an error, never a guess."""
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quotechar, strict=True)

    def begin(self, line: str) -> "LineProbe":
        """What a line is as the first of a record."""
        return self._probe([line, self.quotechar + "\n"], 1)

    def go_on(self, line: str) -> "LineProbe":
        """What a line does to a quote that was open before it."""
        return self._probe([self.quotechar + "\n", line, self.quotechar + "\n"], 2)

    def _probe(self, lines: list[str], asked_line: int) -> "LineProbe":
        reader = self.reader(lines)
        try:
            cells = next(reader)
        except csv.Error:
            return LineProbe([], failed=True, is_open=False)
        # the closing quote that was put below is only read where the record goes on
        return LineProbe(cells, failed=False, is_open=reader.line_num > asked_line)


@dataclass(frozen=True, slots=True)
class LineProbe:
    """The cells that a line ends with, whether its quotes are wrong, and whether a quote is open at its end."""

    cells: list[str]
    failed: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """The line (physical number) where a record's last open quote closes, and how many cells the record has then."""

    line: int
    cells: int


class OpenQuotes:
    """Follows open quotes over the lines.

    Whether a quote that is open after one line is still open after the next does not depend on where its record began.
    So one chain of lines, kept here, answers for every record that begins inside it: each line is looked at once as a
    beginning and once in the chain, however many lines of a hostile file open a quote.
    """

    def __init__(
        self,
        dialect: Dialect,
        line_at: Callable[[int], str | None],
        most_characters: int = MAX_MULTILINE_RECORD_CHARACTERS,
    ) -> None:
        self._most_characters = most_characters
        self._dialect = dialect
        self._line_at = line_at
        self._first = 0
        self._open_through = -1
        self._ended = False
        self._closed = False
        self._cells_at_end = 0
        self._cells: dict[int, int] = {}
        self._characters: dict[int, int] = {}

    def closing(self, line: int, cells_before: int) -> Closing | None:
        """Where the record that begins on `line` closes, if its quote is open after that line.

        `cells_before`: its cells up to there, the open one included. None if it closes wrongly, nowhere, or only after
        more lines or characters than a record may have.
        """
        if not (self._first <= line <= self._open_through):
            self._begin(line)
        self._forget_before(line)
        characters_allowed = self._characters[line] + self._most_characters - len(self._line_at(line) or "")
        while not self._ended:
            last = self._open_through
            if last - line + 1 >= MAX_MULTILINE_RECORD_LINES or self._characters[last] > characters_allowed:
                return None
            self._extend()
        last = self._open_through
        end = last + 1
        if not self._closed or end - line + 1 > MAX_MULTILINE_RECORD_LINES:
            return None
        if self._characters[last] + len(self._line_at(end) or "") > characters_allowed:
            return None
        return Closing(end, cells_before + self._cells_at_end - self._cells[line])

    def _begin(self, line: int) -> None:
        self._first = self._open_through = line
        self._ended = self._closed = False
        self._cells = {line: 0}
        self._characters = {line: 0}

    def _forget_before(self, line: int) -> None:
        for passed in range(self._first, line):
            del self._cells[passed]
            del self._characters[passed]
        self._first = line

    def _extend(self) -> None:
        last = self._open_through
        text = self._line_at(last + 1)
        if text is None:
            self._ended = True
            return
        probe = self._dialect.go_on(text)
        if probe.failed:
            self._ended = True
        elif probe.is_open:
            self._open_through = last + 1
            self._cells[last + 1] = self._cells[last] + len(probe.cells) - 1
            self._characters[last + 1] = self._characters[last] + len(text)
        else:
            self._ended = self._closed = True
            self._cells_at_end = self._cells[last] + len(probe.cells) - 1
