"""What a load would do, without writing: for `check` and `load --dry-run`."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Final

from custimport.choices import Policy
from custimport.customer.conflicts import duplicate_in_database, duplicate_in_file
from custimport.pipeline.fingerprints import (
    FingerprintTable,
    email_fingerprints,
    fingerprint,
    row_numbers,
    rows_at,
    value_fingerprints,
)
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.resuming import up_to_row
from custimport.pipeline.systematic import FIRST_ROWS, FirstRows
from custimport.pipeline.writing import settled_rows
from custimport.records import BatchWritten, Position, Rejection, RowCounts, SettledRows, ValidatedRows, ValidRow


@dataclass(frozen=True, slots=True)
class StoredCustomer:
    """A customer that the database has already; `id` as 24 hex digits."""

    id: str
    full_name: str
    date_of_birth: date | None
    timezone: str


CustomerLookup = Callable[[Sequence[str]], Mapping[str, StoredCustomer]]
"""Gives the stored customers among these e-mails."""

UPDATED: Final = "updated"
UNCHANGED: Final = "unchanged"
SKIPPED: Final = "skipped"


def rehearse(
    chunks: Iterable[ValidatedRows],
    policy: Policy,
    lookup: CustomerLookup | None,
    limit: RejectionLimit,
    stop: threading.Event,
    *,
    file_bytes: int = 0,
) -> Iterator[SettledRows]:
    """Every chunk as a load would settle it, in file order; streams, keeping at most 32 bytes an e-mail.

    `lookup` is None for an empty database; then fingerprints of the rows suffice. `file_bytes`: of the file's content,
    if known, for a guess how many rows there will be.

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
        stored = {} if lookup is None else lookup([row.email for row in chunk.valid])
        seen.expect(file_bytes * chunk.position.row // max(chunk.position.content_bytes, 1))
        outcomes = decide(chunk.valid, stored, seen)
        rejections = [outcome for outcome in outcomes.values() if isinstance(outcome, Rejection)]
        rejections = sorted([*rejections, *chunk.rejections], key=attrgetter("row"))
        row_over = limit.first_row_over(total.rejected, [rejection.row for rejection in rejections])
        if total.read < FIRST_ROWS:
            first_rows.add(rejections)
            if limit.judges_reasons(previous.row, chunk.position.row) and first_rows.fault() is not None:
                row_over = min(row_over or FIRST_ROWS, FIRST_ROWS)
        if row_over is not None:
            chunk = up_to_row(chunk, row_over, previous)
            outcomes = {index: outcome for index, outcome in outcomes.items() if index < len(chunk.valid)}
        settled_otherwise = list(outcomes.values())
        written = BatchWritten(
            inserted=len(chunk.valid) - len(outcomes),
            updated=settled_otherwise.count(UPDATED),
            unchanged=settled_otherwise.count(UNCHANGED),
            skipped=settled_otherwise.count(SKIPPED),
            rejections=[outcome for outcome in settled_otherwise if isinstance(outcome, Rejection)],
        )
        settled = settled_rows([written], chunk.rejections, chunk.row_count, chunk.position)
        total += settled.counts
        previous = next_chunk.position
        yield settled
        if row_over is not None:
            return


Outcomes = dict[int, str | Rejection]
"""What becomes of the rows, by their index (0-based) in their chunk; those that are inserted are left out."""


def _reject(rows: Sequence[ValidRow], stored: Mapping[str, StoredCustomer], seen: FingerprintTable) -> Outcomes:
    outcomes: Outcomes = {}
    known = dict(_known(rows, stored, seen))
    for (index, first_row), row in zip(known.items(), rows_at(rows, list(known)), strict=True):
        customer = stored.get(row.email)
        error = (
            duplicate_in_file(row.email, first_row)
            if customer is None
            else duplicate_in_database(row.email, customer.id)
        )
        outcomes[index] = Rejection(row.row, row.line, row.cells, (error,))
    return outcomes


def _skip(rows: Sequence[ValidRow], stored: Mapping[str, StoredCustomer], seen: FingerprintTable) -> Outcomes:
    return {index: SKIPPED for index, _ in _known(rows, stored, seen)}


def _known(
    rows: Sequence[ValidRow], stored: Mapping[str, StoredCustomer], seen: FingerprintTable
) -> Iterator[tuple[int, int]]:
    """The indexes of the rows whose e-mail is stored or came before, with the first row that has it."""
    known = seen.put_first(email_fingerprints(rows), row_numbers(rows))
    if not stored:
        return iter(known.items())
    return ((index, known.get(index, 0)) for index, row in enumerate(rows) if index in known or row.email in stored)


def _update(rows: Sequence[ValidRow], stored: Mapping[str, StoredCustomer], seen: FingerprintTable) -> Outcomes:
    values = value_fingerprints(rows)
    known = seen.put(email_fingerprints(rows), values)
    outcomes: Outcomes = {index: UNCHANGED if before == values[index] else UPDATED for index, before in known.items()}
    if stored:
        for index, row in enumerate(rows):
            customer = stored.get(row.email)
            if customer is not None and index not in known:
                before = fingerprint((customer.full_name, customer.date_of_birth, customer.timezone))
                outcomes[index] = UNCHANGED if before == values[index] else UPDATED
    return outcomes
