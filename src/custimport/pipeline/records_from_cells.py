"""From cells to a record: their number and size, and, for a report loaded again, what the report added taken off."""

import json
from collections.abc import Sequence

from custimport.customer.codes import Code, RowError
from custimport.pipeline.header import UnderstoodHeader, without_neutraliser
from custimport.records import Rejection
from custimport.settings import MAX_CELL_CHARACTERS


class RecordMaker:
    """Makes records under one header. `must_look`: no record can be taken without a look at its cells."""

    def __init__(self, understood: UnderstoodHeader) -> None:
        self._width = understood.width
        self._kept = understood.kept
        self._extra_cells_at = understood.extra_cells_at
        self.must_look = understood.kept is not None

    def record(self, cells: list[str], number: int, line: int) -> list[str] | Rejection:
        """The file's own cells, as many as its columns; a rejection where their number or size is wrong."""
        problem = self._wrong_width(cells)
        if self._kept is None:
            problem = problem or _too_large(cells)
            return cells if problem is None else Rejection(number, line, cells, (problem,))
        own = [without_neutraliser(cells[at]) for at in self._kept if at < len(cells)]
        if problem is not None:
            beyond = cells[self._width :]
            return Rejection(number, line, [*own, *beyond], (problem,))
        extra_text = cells[self._extra_cells_at] if self._extra_cells_at is not None else ""
        if extra_text.strip():
            extra = _extra_cells(without_neutraliser(extra_text))
            return Rejection(number, line, [*own, *extra], (_too_many(len(own) + len(extra), len(self._kept)),))
        # what the report added may be longer than a cell of the file: only the file's own are measured
        problem = _too_large(own)
        return own if problem is None else Rejection(number, line, own, (problem,))

    def _wrong_width(self, cells: Sequence[str]) -> RowError | None:
        if len(cells) < self._width:
            message = f"the row has {_cells(len(cells))}, the header {self._width}"
            return RowError(Code.TOO_FEW_CELLS, None, None, message)
        return _too_many(len(cells), self._width) if len(cells) > self._width else None


def _too_large(cells: Sequence[str]) -> RowError | None:
    longest = max(map(len, cells))
    if longest <= MAX_CELL_CHARACTERS:
        return None
    message = f"a cell has {longest:,} characters, at most {MAX_CELL_CHARACTERS:,} are allowed"
    return RowError(Code.CELL_TOO_LARGE, None, None, message)


def _too_many(count: int, width: int) -> RowError:
    return RowError(Code.TOO_MANY_CELLS, None, None, f"the row has {_cells(count)}, the header {width}")


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _extra_cells(text: str) -> list[str]:
    """The cells that a report keeps as a JSON list; whatever else was typed there counts as one cell."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    if isinstance(found, list) and found and all(isinstance(cell, str) for cell in found):
        return found
    return [text]
