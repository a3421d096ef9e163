"""Deals valid rows to the writers and gives the chunks back settled, in file order.

Every e-mail always goes to the same writer, which works through its rows in file order: the result does not depend
on the number of writers.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

from custimport.errors import CustimportError
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.resuming import up_to_row
from custimport.pipeline.systematic import FIRST_ROWS, FirstRows
from custimport.records import (
    BatchWritten,
    Position,
    Rejection,
    RowCounts,
    SettledRows,
    StartingPoint,
    ValidatedRows,
    ValidRow,
)
from custimport.settings import CHUNKS_IN_FLIGHT


class CustomerSink(Protocol):
    """Where valid rows go; called from one thread at a time."""

    def write(self, rows: Sequence[ValidRow]) -> BatchWritten:
        """Settle every row, in file order. Raises only what ends the run."""

    def foresee_rejections(self, rows: Sequence[ValidRow]) -> Sequence[int]:
        """The numbers of the rows that would be rejected if they were written now, ascending."""


@dataclass(frozen=True, slots=True)
class _ChunkInFlight:
    chunk: ValidatedRows
    batches: Sequence[Future[BatchWritten]]


def write(
    chunks: Iterable[ValidatedRows],
    start: StartingPoint,
    limit: RejectionLimit,
    stop: threading.Event,
    *,
    sinks: Sequence[CustomerSink],
    batch_rows: int,
) -> Iterator[SettledRows]:
    """Every chunk once its rows are stored or rejected, in file order; streams, a few chunks are under way at a time.

    Ends early, with everything that was begun settled, when `stop` is set, or after the row that passes `limit`.
    So it does when the input fails: its error leaves here when the rows before it are settled. An exception of a sink
    leaves at once.
    """
    readable = _UntilFailure(chunks)
    total = start.counts
    first_rows = FirstRows(start.by_code)
    previous = start.position
    in_flight: deque[_ChunkInFlight] = deque()
    with ExitStack() as stack:
        threads = [
            stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix=f"writer-{number}"))
            for number in range(len(sinks))
        ]
        stack.callback(_cancel, in_flight)
        for next_chunk in readable:
            if stop.is_set():
                break
            chunk = next_chunk
            row_over = None
            ahead = chunk.row_count + sum(waiting.chunk.row_count for waiting in in_flight)
            judged = limit.judges_reasons(previous.row, chunk.position.row)
            if judged or limit.may_trip(total.read, total.rejected, ahead):
                # near the limit nothing may be under way beyond the row that passes it
                while in_flight:
                    settled = _settled(in_flight.popleft())
                    total += settled.counts
                    if total.read <= FIRST_ROWS:
                        first_rows.add(settled.rejections)
                    yield settled
                foreseen = sinks[0].foresee_rejections(chunk.valid)
                rejected_rows = sorted([*foreseen, *(rejection.row for rejection in chunk.rejections)])
                row_over = limit.first_row_over(total.rejected, rejected_rows)
                if judged:
                    first_rows.add(chunk.rejections)
                    first_rows.add_duplicates(foreseen)
                    if first_rows.fault() is not None:
                        row_over = min(row_over or FIRST_ROWS, FIRST_ROWS)
                if row_over is not None:
                    chunk = up_to_row(chunk, row_over, previous)
            previous = next_chunk.position
            in_flight.append(_ChunkInFlight(chunk, _submit(chunk.valid, sinks, threads, batch_rows)))
            if row_over is not None:
                break
            if len(in_flight) >= CHUNKS_IN_FLIGHT:
                settled = _settled(in_flight.popleft())
                total += settled.counts
                if total.read <= FIRST_ROWS:
                    first_rows.add(settled.rejections)
                yield settled
                if not limit.allows(total.read, total.rejected):
                    break
        while in_flight:
            yield _settled(in_flight.popleft())
    if readable.failure is not None:
        raise readable.failure


class _UntilFailure:
    """Chunks up to the first that cannot be read; `failure` says why it could not."""

    def __init__(self, chunks: Iterable[ValidatedRows]) -> None:
        self.failure: CustimportError | None = None
        self._chunks = chunks

    def __iter__(self) -> Iterator[ValidatedRows]:
        try:
            yield from self._chunks
        except CustimportError as error:
            self.failure = error


def settled_rows(
    written: Iterable[BatchWritten], rejections: Sequence[Rejection], row_count: int, position: Position
) -> SettledRows:
    """A chunk's balance and its rejections from every stage, in file order."""
    batches = list(written)
    everything = [*rejections, *(rejection for batch in batches for rejection in batch.rejections)]
    everything.sort(key=attrgetter("row"))
    return SettledRows(
        RowCounts(
            read=row_count,
            inserted=sum(batch.inserted for batch in batches),
            updated=sum(batch.updated for batch in batches),
            unchanged=sum(batch.unchanged for batch in batches),
            skipped=sum(batch.skipped for batch in batches),
            rejected=len(everything),
        ),
        everything,
        position,
    )


def _submit(
    rows: Sequence[ValidRow], sinks: Sequence[CustomerSink], threads: Sequence[ThreadPoolExecutor], batch_rows: int
) -> list[Future[BatchWritten]]:
    dealt: list[list[ValidRow]] = [[] for _ in sinks]
    if len(sinks) == 1:
        dealt[0].extend(rows)
    else:
        writers = len(sinks)
        append = [part.append for part in dealt]
        for row in rows:
            # any function of the e-mail will do, and the string keeps its hash
            append[hash(row[3]) % writers](row)
    return [
        thread.submit(sink.write, part[start : start + batch_rows])
        for sink, thread, part in zip(sinks, threads, dealt, strict=True)
        for start in range(0, len(part), batch_rows)
    ]


def _settled(waiting: _ChunkInFlight) -> SettledRows:
    chunk = waiting.chunk
    written = (batch.result() for batch in waiting.batches)
    return settled_rows(written, chunk.rejections, chunk.row_count, chunk.position)


def _cancel(in_flight: Iterable[_ChunkInFlight]) -> None:
    """What has not begun is not begun any more; a batch that has is waited for when its thread is shut down."""
    for waiting in in_flight:
        for batch in waiting.batches:
            batch.cancel()
