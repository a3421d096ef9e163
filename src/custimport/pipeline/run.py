"""One import from the first byte to the summary: the only place that knows the order of the stages."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from custimport.choices import Policy, Status
from custimport.customer.dates import Rules
from custimport.errors import CustimportError, DatabaseUnavailable, ExitCode, Interrupted, TooManyRejections
from custimport.pipeline.block_judging import RowDetail
from custimport.pipeline.diagnosis import Diagnosis
from custimport.pipeline.judging import judged_rows
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.parsing import parse
from custimport.pipeline.recording import recorded
from custimport.pipeline.source import Source
from custimport.pipeline.systematic import FIRST_ROWS, FirstRows
from custimport.pipeline.timeline import Timeline
from custimport.pipeline.workers import WorkerPool
from custimport.records import (
    Header,
    ImportSummary,
    InputOptions,
    Position,
    Rejection,
    RowCounts,
    SettledRows,
    StartingPoint,
    ValidatedRows,
)

Settle = Callable[[Iterable[ValidatedRows], StartingPoint, RejectionLimit, threading.Event], Iterator[SettledRows]]
"""Stores valid rows, or rehearses it: gives every chunk back in file order once its rows are settled."""


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What is to be done with one file; fixed when the import starts."""

    file: str
    input: InputOptions
    rules: Rules
    policy: Policy
    limit: RejectionLimit
    chunk_lines: int
    start: StartingPoint = field(default_factory=StartingPoint)


@dataclass(slots=True)
class Tally:
    """What an import has come to so far. Written by the run only; others may read it at any time."""

    started_at: datetime
    counts: RowCounts = field(default_factory=RowCounts)
    by_code: Counter[str] = field(default_factory=Counter)
    position: Position = field(default_factory=Position)

    def add(self, settled: SettledRows) -> None:
        """Count a chunk; raises AssertionError if its rows are not all accounted for: that would be a bug."""
        if not settled.counts.balanced:
            raise AssertionError(f"the balance does not hold up to row {settled.position.row}: {settled.counts}")
        self.counts += settled.counts
        self.position = settled.position
        self.by_code.update(codes_of(settled.rejections))
        if self.counts.read != self.position.row:
            raise AssertionError(f"{self.counts.read} rows are counted, but row {self.position.row} is the last one")


def codes_of(rejections: Iterable[Rejection]) -> list[str]:
    """The codes of every rejection, each once."""
    reasons = [rejection[3] for rejection in rejections]
    codes: list[str] = [errors[0][0] for errors in reasons if len(errors) == 1]
    if len(codes) < len(reasons):
        codes += [code for errors in reasons if len(errors) > 1 for code in {error.code for error in errors}]
    return codes


class Journal(Protocol):
    """The import's history: what survives a crash."""

    import_id: str | None

    def begin(self, header: Header, tally: Tally) -> None:
        """Write the history document, before the first row is read."""

    def recorded_before(self) -> Iterator[Rejection]:
        """The rejections up to where a resumed import goes on, in file order; streams."""

    def record(self, rejections: Sequence[Rejection]) -> None:
        """Keep rejections; those kept before are left as they are. Several threads may call it at a time."""

    def settled(self, tally: Tally) -> None:
        """Everything up to the tally's position is stored or recorded: the checkpoint may move there."""

    def finish(self, summary: ImportSummary, exit_code: ExitCode) -> None:
        """Write the end state, and the code with which a load of this file alone ends.

        An import that cannot be written as finished shows as stalled later.
        """


class Reports(Protocol):
    """The import's rejection reports."""

    @property
    def paths(self) -> Sequence[str]:
        """Of the reports that there will be, given what was written so far."""

    def open(self, header: Header, import_id: str | None) -> None:
        """Begin the reports of a file with this header."""

    def write(self, rejections: Iterable[Rejection]) -> None:
        """Append rejections, in file order."""

    def finish(self, summary: ImportSummary) -> None:
        """Put the finished reports in place."""

    def abandon(self) -> None:
        """Leave what is written so far under its `.partial` name."""


class Listener(Protocol):
    """Whoever watches the run."""

    def started(self, import_id: str | None, source: Source, tally: Tally) -> None:
        """The import has begun; its id is None for a rehearsal. From now on tally and byte counts may be read."""

    def warned(self, text: str) -> None:
        """Something an operator should know and that stops nothing."""


class StopRequest(threading.Event):
    """Set by a signal; `exit_code` says which one it was, `import_id` which import has begun and would be resumed."""

    exit_code: ExitCode = ExitCode.SIGINT
    import_id: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run is connected to: everything outside is passed in."""

    settle: Settle
    journal: Journal
    reports: Reports
    listener: Listener
    stop: StopRequest
    now: Callable[[], datetime]
    workers: WorkerPool = field(default_factory=WorkerPool)
    detail: RowDetail = RowDetail.VALUES


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How an import ended: its summary, and the error that ended it early, if any."""

    summary: ImportSummary
    error: CustimportError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The code with which a command ends whose only import this is."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.DATA_REJECTED if self.summary.rows.rejected else ExitCode.DONE


def run_import(job: ImportJob, source: Source, around: Surroundings) -> ImportResult:
    """Load (or rehearse) one file; streams.

    Errors before the first row leave as exceptions: the import does not exist then. Later ones are in the result,
    after what was settled has been recorded. A bug leaves as its own exception, the history says `failed`.
    """
    parsed = parse(source, job.input, job.chunk_lines)
    start = job.start
    tally = Tally(start.started_at or around.now(), start.counts, Counter(start.by_code), start.position)
    begun = time.monotonic()
    warnings: list[str] = []
    first_rows = FirstRows(start.by_code)
    timeline = Timeline(start.timeline or [(start.counts.read, start.elapsed_seconds)])
    diagnosis = Diagnosis(parsed.header, job.rules, parsed.encoding_advice)
    # only who holds the import may touch its reports
    around.journal.begin(parsed.header, tally)
    around.stop.import_id = around.journal.import_id
    around.listener.started(around.journal.import_id, source, tally)
    at_end = False

    def warn(text: str) -> None:
        warnings.append(text)
        around.listener.warned(text)

    def to_the_end() -> Iterator[ValidatedRows]:
        nonlocal at_end
        yield from judged_rows(parsed, job.rules, start, around.workers, around.detail)
        at_end = True

    def elapsed_until_now() -> float:
        return start.elapsed_seconds + time.monotonic() - begun

    def summary(status: Status) -> ImportSummary:
        elapsed_seconds = elapsed_until_now()
        return ImportSummary(
            import_id=around.journal.import_id,
            file=job.file,
            bytes=source.bytes_read if status is Status.COMPLETED else source.size_bytes,
            sha256=source.sha256() if status is Status.COMPLETED else None,
            status=status,
            on_duplicate=job.policy,
            rows=tally.counts,
            rejected_by_code={str(code): rows for code, rows in sorted(tally.by_code.items())},
            ignored_columns=parsed.header.ignored,
            warnings=tuple(warnings),
            findings=tuple(diagnosis.findings(tally.counts.read, tally.by_code)),
            timeline=timeline.ended(tally.counts.read, elapsed_seconds),
            reports=(),
            started_at=tally.started_at,
            finished_at=around.now(),
            elapsed_seconds=elapsed_seconds,
            rows_per_second=tally.counts.read / elapsed_seconds if elapsed_seconds else 0.0,
        )

    for text in parsed.warnings:
        warn(text)
    status, error = Status.COMPLETED, None
    try:
        around.reports.open(parsed.header, around.journal.import_id)
        around.reports.write(diagnosis.passing(around.journal.recorded_before()))
        settled_chunks = around.settle(to_the_end(), start, job.limit, around.stop)
        for settled in recorded(settled_chunks, around.journal.record):
            around.reports.write(settled.rejections)
            diagnosis.watch(settled.rejections)
            row_before = tally.position.row
            tally.add(settled)
            around.journal.settled(tally)
            timeline.reached(tally.counts.read, elapsed_until_now())
            if row_before < FIRST_ROWS:
                first_rows.add(settled.rejections)
                if tally.position.row >= FIRST_ROWS and (fault := first_rows.fault()) is not None:
                    warn("; ".join([str(fault), *diagnosis.findings(tally.counts.read, tally.by_code)]))
        status, error = _ending(job, tally, around.stop, at_end=at_end)
    except DatabaseUnavailable as problem:
        status, error = Status.INTERRUPTED, _stopped(job, tally, around.stop) if around.stop.is_set() else problem
    except CustimportError as problem:
        status, error = Status.INTERRUPTED, problem
    except BaseException:
        around.reports.abandon()
        around.journal.finish(summary(Status.FAILED), ExitCode.BUG)
        raise
    return _finished(summary(status), error, around)


def _ending(job: ImportJob, tally: Tally, stop: StopRequest, *, at_end: bool) -> tuple[Status, CustimportError | None]:
    """How an import stands when its last row is settled, or the last one before it was told to stop."""
    read, rejected = tally.counts.read, tally.counts.rejected
    if stop.is_set() and not at_end:
        return Status.INTERRUPTED, _stopped(job, tally, stop)
    if job.limit.stops_on_systematic and read == FIRST_ROWS and not at_end:
        fault = FirstRows(tally.by_code).fault()
        if fault is not None:
            error = TooManyRejections(f"{job.file}: stopped by --stop-on-systematic: {fault}", hint=_MEND)
            return Status.STOPPED, error
    if not job.limit.allows(read, rejected, at_end=True):
        error = TooManyRejections(
            f"{job.file}: stopped after row {read}: {rejected} rejected, --max-rejections is {job.limit}",
            hint=_MEND,
        )
        return Status.STOPPED, error
    return Status.COMPLETED, None


_MEND: Final = "mend the file or the cause"


def _stopped(job: ImportJob, tally: Tally, stop: StopRequest) -> Interrupted:
    name = "SIGTERM" if stop.exit_code is ExitCode.SIGTERM else "SIGINT"
    where = f"{job.file}: stopped by {name} after row {tally.counts.read}, line {tally.position.line}"
    return Interrupted(where, exit_code=stop.exit_code)


def _finished(summary: ImportSummary, error: CustimportError | None, around: Surroundings) -> ImportResult:
    """Put reports and history in their end state: reports first, because they can be made again from the history."""
    if summary.status is Status.INTERRUPTED:
        around.reports.abandon()
    else:
        summary = replace(summary, reports=tuple(around.reports.paths))
        try:
            around.reports.finish(summary)
        except CustimportError as problem:
            summary, error = replace(summary, status=Status.INTERRUPTED, reports=()), problem
    result = ImportResult(summary, error)
    try:
        around.journal.finish(summary, result.exit_code)
    except CustimportError as problem:
        # told to stop during an outage, the history cannot hear of it: it shows as stalled, and can be resumed
        result = replace(result, error=error or problem)
    return result
