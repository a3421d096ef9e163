"""What a load would do, without writing: for `check` and `load --dry-run`."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Final

from custimport.customer.conflicts import duplicate_in_database, duplicate_in_file
from custimport.pipeline.fingerprints import FingerprintTable, fingerprint
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.resuming import up_to_row
from custimport.pipeline.systematic import FIRST_ROWS, FirstRows
from custimport.pipeline.writing import settled_rows
from custimport.records import (
    BatchWritten,
    Policy,
    Position,
    Rejection,
    RowCounts,
    SettledRows,
    ValidatedRows,
    ValidRow,
)


@dataclass(frozen=True, slots=True)
class StoredCustomer:
    """A customer that the database has already; `id` as 24 hex digits."""

    id: str
    full_name: str
    date_of_birth: date | None
    timezone: str


CustomerLookup = Callable[[Sequence[str]], Mapping[str, StoredCustomer]]
"""Gives the stored customers among these e-mails."""

INSERTED: Final = "inserted"
UPDATED: Final = "updated"
UNCHANGED: Final = "unchanged"
SKIPPED: Final = "skipped"


def no_customers(_emails: Sequence[str]) -> Mapping[str, StoredCustomer]:
    """The empty database that `check` assumes."""
    return {}


def rehearse(
    chunks: Iterable[ValidatedRows],
    policy: Policy,
    lookup: CustomerLookup,
    limit: RejectionLimit,
    stop: threading.Event,
) -> Iterator[SettledRows]:
    """Every chunk as a load would settle it, in file order; streams, keeping at most 32 bytes an e-mail.

    Ends early when `stop` is set or after the row that passes `limit`.
    """
    seen = FingerprintTable()
    decide = {Policy.REJECT: _reject, Policy.SKIP: _skip, Policy.UPDATE: _update}[policy]
    total = RowCounts()
    first_rows = FirstRows({})
    previous = Position()
    for next_chunk in chunks:
        if stop.is_set():
            return
        chunk = next_chunk
        stored = lookup([row.email for row in chunk.valid])
        outcomes = [decide(row, stored.get(row.email), seen) for row in chunk.valid]
        rejections = [outcome for outcome in outcomes if isinstance(outcome, Rejection)]
        rejections = sorted([*rejections, *chunk.rejections], key=attrgetter("row"))
        row_over = limit.first_row_over(total.rejected, [rejection.row for rejection in rejections])
        if total.read < FIRST_ROWS:
            first_rows.add(rejections)
            if limit.judges_reasons(previous.row, chunk.position.row) and first_rows.fault() is not None:
                row_over = min(row_over or FIRST_ROWS, FIRST_ROWS)
        if row_over is not None:
            chunk = up_to_row(chunk, row_over, previous)
            outcomes = outcomes[: len(chunk.valid)]
        written = BatchWritten(
            inserted=outcomes.count(INSERTED),
            updated=outcomes.count(UPDATED),
            unchanged=outcomes.count(UNCHANGED),
            skipped=outcomes.count(SKIPPED),
            rejections=[outcome for outcome in outcomes if isinstance(outcome, Rejection)],
        )
        settled = settled_rows([written], chunk.rejections, chunk.row_count, chunk.position)
        total += settled.counts
        previous = next_chunk.position
        yield settled
        if row_over is not None:
            return


def _reject(row: ValidRow, stored: StoredCustomer | None, seen: FingerprintTable) -> str | Rejection:
    if stored is not None:
        return Rejection(row.row, row.line, row.cells, (duplicate_in_database(row.email, stored.id),))
    first_row = seen.put_first(fingerprint(row.email), row.row)
    if first_row is not None:
        return Rejection(row.row, row.line, row.cells, (duplicate_in_file(row.email, first_row),))
    return INSERTED


def _skip(row: ValidRow, stored: StoredCustomer | None, seen: FingerprintTable) -> str | Rejection:
    if stored is not None:
        return SKIPPED
    return INSERTED if seen.put_first(fingerprint(row.email), row.row) is None else SKIPPED


def _update(row: ValidRow, stored: StoredCustomer | None, seen: FingerprintTable) -> str | Rejection:
    key = fingerprint(row.email)
    values = fingerprint((row.full_name, row.date_of_birth, row.timezone))
    before = seen.get(key)
    if before is None and stored is not None:
        before = fingerprint((stored.full_name, stored.date_of_birth, stored.timezone))
    seen.put(key, values)
    if before is None:
        return INSERTED
    return UNCHANGED if before == values else UPDATED
