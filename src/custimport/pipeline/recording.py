"""Has the rejections of each chunk recorded in the history while the next chunks are under way."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from custimport.errors import CustimportError
from custimport.records import Rejection, SettledRows

RECORDERS: Final = 2
"""Threads that record: one packs while the server writes for the other; one alone holds up a file of rejections."""
CHUNKS_WAITING: Final = 2
"""Chunks that are being recorded: more would only wait longer."""

Record = Callable[[Sequence[Rejection]], None]


def recorded(chunks: Iterable[SettledRows], record: Record) -> Iterator[SettledRows]:
    """Every chunk once `record` has returned for its rejections, in file order; streams, a few are under way at a time.

    `record` is called from its own threads: a chunk's rejections may be kept before those of the chunk before it.
    When the chunks end with an error, it leaves here after those before it; an error of `record` leaves at once.
    """
    failure: CustimportError | None = None
    waiting: deque[tuple[SettledRows, Future[None]]] = deque()
    with ThreadPoolExecutor(RECORDERS, thread_name_prefix="recorder") as threads:
        try:
            iterator = iter(chunks)
            while True:
                try:
                    chunk = next(iterator)
                except StopIteration:
                    break
                except CustimportError as error:
                    failure = error
                    break
                waiting.append((chunk, threads.submit(record, chunk.rejections)))
                if len(waiting) > CHUNKS_WAITING:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        finally:
            # what has not begun is not begun any more
            for _, future in waiting:
                future.cancel()
    if failure is not None:
        raise failure


def _first(waiting: deque[tuple[SettledRows, Future[None]]]) -> SettledRows:
    chunk, future = waiting.popleft()
    future.result()
    return chunk
