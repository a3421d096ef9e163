"""How many rejected rows an import may have, and at which row it stops: `--max-rejections`, `--stop-on-systematic`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

from custimport.errors import UsageError
from custimport.pipeline.systematic import FIRST_ROWS

PERCENTAGE_COUNTS_FROM_ROWS: Final = 1_000
"""Below that a percentage says nothing: one bad row of the first ten is no tenth of the file."""

_ROWS: Final = re.compile("[0-9]{1,18}")
_PERCENTAGE: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,9})?%")


@dataclass(frozen=True, slots=True)
class RejectionLimit:
    """At most `rows` rejections, or `percent` of the rows read (0 to 100); None for no limit.

    `stops_on_systematic`: nor more than half of the first thousand rows for one same reason.
    """

    rows: int | None = None
    percent: Decimal | None = None
    stops_on_systematic: bool = False

    @classmethod
    def parse(cls, text: str | None, *, stops_on_systematic: bool = False) -> Self:
        """The limit that `N` or `N%` says; raises `UsageError` for anything else."""
        if text is None:
            return cls(stops_on_systematic=stops_on_systematic)
        if _ROWS.fullmatch(text.strip()):
            return cls(rows=int(text), stops_on_systematic=stops_on_systematic)
        if _PERCENTAGE.fullmatch(text.strip()) and (percent := Decimal(text.strip().removesuffix("%"))) <= 100:
            return cls(percent=percent, stops_on_systematic=stops_on_systematic)
        raise UsageError(f"--max-rejections {text!r} is not a limit", hint="give a number of rows, or 0% to 100%")

    def __str__(self) -> str:
        if self.percent is not None:
            return f"{self.percent}%"
        return "none" if self.rows is None else str(self.rows)

    def allows(self, read: int, rejected: int, *, at_end: bool = False) -> bool:
        """Whether an import may go on that has read `read` rows and rejected `rejected` of them."""
        if self.rows is not None:
            return rejected <= self.rows
        if self.percent is not None and (at_end or read >= PERCENTAGE_COUNTS_FROM_ROWS):
            return rejected * 100 <= self.percent * read
        return True

    def first_row_over(self, rejected_before: int, rejected_rows: Iterable[int]) -> int | None:
        """The first of the rejected rows (1-based numbers, ascending) that is one too many, if any is.

        A row's number is also the count of rows read up to it.
        """
        for count, row in enumerate(rejected_rows, start=rejected_before + 1):
            if not self.allows(row, count):
                return row
        return None

    def judges_reasons(self, row_before: int, last_row: int) -> bool:
        """Whether the row after which one same reason counts is in the chunk after `row_before`."""
        return self.stops_on_systematic and row_before < FIRST_ROWS <= last_row

    def may_trip(self, read: int, rejected: int, ahead: int) -> bool:
        """Whether the limit could be passed within the next `ahead` rows if all of them were rejected."""
        if self.rows is None and self.percent is None:
            return False
        return not self.allows(read + ahead, rejected + ahead) or not self.allows(read, rejected + ahead)
