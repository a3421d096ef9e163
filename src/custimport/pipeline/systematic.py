"""Systematic faults: when most of the first rows are rejected for one same reason, the file or an option is wrong."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from custimport.records import Rejection

FIRST_ROWS: Final = 1_000
"""Fewer say little about a file, more take time that is lost if they are all bad."""

_DUPLICATE: Final = "duplicate"


@dataclass(frozen=True, slots=True)
class SystematicFault:
    """More than half of the first thousand rows are rejected for one `reason`: a code, or `duplicate` for both."""

    reason: str
    rows: int

    def __str__(self) -> str:
        return f"{self.rows:,} of the first {FIRST_ROWS:,} rows are rejected for one reason, {self.reason}"


class FirstRows:
    """Counts why the first thousand rows of a file are rejected; `by_code` are those that were counted before."""

    def __init__(self, by_code: Mapping[str, int]) -> None:
        self._by_reason: Counter[str] = Counter()
        for code, rows in by_code.items():
            self._by_reason[_reason(code)] += rows

    def add(self, rejections: Iterable[Rejection]) -> None:
        """Count the rejections among the first rows."""
        for rejection in rejections:
            if rejection.row <= FIRST_ROWS:
                self._by_reason.update({_reason(error.code.value) for error in rejection.errors})

    def add_duplicates(self, rows: Iterable[int]) -> None:
        """Count rows (1-based) that would be rejected as duplicates."""
        self._by_reason[_DUPLICATE] += sum(row <= FIRST_ROWS for row in rows)

    def fault(self) -> SystematicFault | None:
        """The reason for more than half of the first thousand rows, which must all have been counted."""
        for reason, rows in self._by_reason.most_common(1):
            if 2 * rows > FIRST_ROWS:
                return SystematicFault(reason, rows)
        return None


def _reason(code: str) -> str:
    return _DUPLICATE if code.startswith(_DUPLICATE) else code
