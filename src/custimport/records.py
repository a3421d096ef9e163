"""The values that travel through the pipeline. No behaviour beyond arithmetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple, Self

from custimport.choices import Policy, Status
from custimport.customer.codes import RowError
from custimport.settings import MAX_RECORD_BYTES


class Rejection(NamedTuple):
    """A row that is not stored, with every reason.

    `row` is the record's number, 1-based, header and blank lines not counted; `line` the physical line where it
    starts, 1-based over everything in the file. `cells` are the row's own cells, whole and untrimmed, as many as
    the row has; empty where broken quoting or encoding leaves none, and then `raw` is the text of the line.
    """

    row: int
    line: int
    cells: Sequence[str]
    errors: tuple[RowError, ...]
    raw: str | None = None


class ValidRow(NamedTuple):
    """A row that passed validation, its values as they are to be stored; `cells` as in the file, for a report."""

    row: int
    line: int
    full_name: str
    email: str
    date_of_birth: date
    timezone: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Position:
    """How far reading has come: the last record's number and the last physical line, both 1-based, 0 at the start.

    `content_bytes`: bytes of the decompressed content up to the end of that line, and `content_sha256`: their
    SHA-256 in hex digits, which tells at resume whether the file is the same up to there. `source_bytes`: bytes
    taken from the file as it lies on disk, which may be ahead of the line; for progress only. `rows_sha256` is only
    set where an import stopped within a chunk: `content_*` are of the chunk's beginning then, and this is the digest
    of the rows from there to `row`.
    """

    row: int = 0
    line: int = 0
    content_bytes: int = 0
    content_sha256: str = ""
    source_bytes: int = 0
    rows_sha256: str = ""


@dataclass(frozen=True, slots=True)
class ParsedRows:
    """A chunk of consecutive records, in file order, as three columns of equal length and the ones that failed.

    Columns instead of an object per row: the csv module fills them without any Python code per row.
    """

    numbers: Sequence[int]
    lines: Sequence[int]
    cells: Sequence[list[str]]
    rejections: Sequence[Rejection]
    position: Position

    @property
    def row_count(self) -> int:
        """Rows of the chunk, with those that failed."""
        return len(self.numbers) + len(self.rejections)


@dataclass(frozen=True, slots=True)
class ValidatedRows:
    """A chunk after validation: valid rows and rejections, each in file order, and where the chunk ends."""

    valid: Sequence[ValidRow]
    rejections: Sequence[Rejection]
    position: Position

    @property
    def row_count(self) -> int:
        """Rows of the chunk, valid and rejected."""
        return len(self.valid) + len(self.rejections)


@dataclass(frozen=True, slots=True)
class RowCounts:
    """The balance of an import: `read` is always the sum of the five others."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0

    def __add__(self, other: Self) -> "RowCounts":
        return RowCounts(
            self.read + other.read,
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.skipped + other.skipped,
            self.rejected + other.rejected,
        )

    @property
    def balanced(self) -> bool:
        """Whether every row that was read is in exactly one of the other counts."""
        return self.read == self.inserted + self.updated + self.unchanged + self.skipped + self.rejected


@dataclass(frozen=True, slots=True)
class BatchWritten:
    """What became of a batch of valid rows: every one of them is counted once or is in `rejections`."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejections: Sequence[Rejection] = ()


@dataclass(frozen=True, slots=True)
class SettledRows:
    """A chunk of which every row is stored or rejected: `rejections` in file order, from every stage."""

    counts: RowCounts
    rejections: Sequence[Rejection]
    position: Position


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """Where a run begins: at the file's first row, or, when it resumes an import, after the checkpoint's."""

    position: Position = Position()
    counts: RowCounts = RowCounts()
    by_code: Mapping[str, int] = field(default_factory=dict)
    started_at: datetime | None = None
    elapsed_seconds: float = 0.0
    timeline: Sequence[tuple[int, float]] = ()


@dataclass(frozen=True, slots=True)
class StoredState:
    """A customer as it is stored now: its values, and which rows (1-based) of the import made it so.

    `changed_since`: somebody else changed it after the import did.
    """

    id: str
    values: tuple[str, str, date | None, str]
    created_row: int | None
    changed_row: int | None
    changed_since: bool


@dataclass(frozen=True, slots=True)
class Header:
    """The file's header as understood.

    `columns`: every column name, equal ones made unique as `name#2`; `field_positions`: for each of the four
    fields, in the order of `custimport.customer.FIELDS`, the 0-based index of its column; `ignored`: names of columns
    nobody asked for; `is_report`: some column's name starts with `rejection_`, the file is a rejection report loaded
    again; `retry_of`: the import (16 hex digits) whose report it is, if it says so.
    """

    columns: tuple[str, ...]
    field_positions: tuple[int, int, int, int]
    delimiter: str
    ignored: tuple[str, ...] = ()
    is_report: bool = False
    retry_of: str | None = None


@dataclass(frozen=True, slots=True)
class InputOptions:
    """How to read and judge a file. Kept with the import; resume and verify use the same."""

    column_map: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    delimiter: str | None = None
    quotechar: str = '"'
    date_formats: tuple[str, ...] = ()
    min_date_of_birth: date = date(1900, 1, 1)
    max_record_bytes: int = MAX_RECORD_BYTES


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What is said of one import when it ends, and what `imports show` repeats (contract.md, "Summary").

    `findings`: what many of the rejections have in common, and what would help, a sentence each. `timeline`: pairs of
    rows read and seconds since the beginning, a hundred or so. `bytes` and `sha256`
    are of the file as it lies on disk; None where it was not read to the end.
    """

    import_id: str | None
    file: str
    bytes: int | None
    sha256: str | None
    status: Status
    on_duplicate: Policy
    rows: RowCounts
    rejected_by_code: Mapping[str, int]
    ignored_columns: Sequence[str]
    warnings: Sequence[str]
    findings: Sequence[str]
    timeline: Sequence[tuple[int, float]]
    reports: Sequence[str]
    started_at: datetime
    finished_at: datetime | None
    elapsed_seconds: float
    rows_per_second: float
