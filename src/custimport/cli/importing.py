"""Runs the files of one `load` or `check` command, one import each, and gives what came of them."""

import gc
import glob
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from custimport.choices import IfLoaded, Policy, Status
from custimport.cli import invocation
from custimport.cli.boundary import show_error
from custimport.cli.import_log import logged
from custimport.cli.progress import ImportProgress
from custimport.cli.signals import stop_on_signals
from custimport.cli.terminal import note
from custimport.customer.dates import Rules
from custimport.errors import CustimportError, ExitCode, Refused, UsageError, gravest
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.reports import ImportReports, check_report_paths
from custimport.pipeline.run import ImportJob, ImportResult, StopRequest, Surroundings, run_import
from custimport.pipeline.source import open_source
from custimport.pipeline.workers import WorkerPool
from custimport.records import ImportSummary, InputOptions
from custimport.settings import COLLECT_AFTER_OBJECTS, STANDARD_INPUT, WRITERS

GOES_ON_AFTER = frozenset(
    {
        ExitCode.DONE,
        ExitCode.DATA_REJECTED,
        ExitCode.TOO_MANY_REJECTIONS,
        ExitCode.REFUSED,
        ExitCode.INPUT_UNREADABLE,
    }
)
"""The next file follows after these; anything graver would meet it as well."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the command line asks for, the same for every file; `announce` is told the id of every import begun."""

    files: Sequence[str]
    input: InputOptions
    policy: Policy
    reports: Sequence[str]
    limit: RejectionLimit
    batch_rows: int
    retry_for_seconds: float
    quiet: bool
    progress: bool
    workers: WorkerPool = field(default_factory=WorkerPool)
    check_first: bool = False
    if_loaded: IfLoaded = IfLoaded.LOAD
    announce: Callable[[str], None] = lambda _import_id: None

    @property
    def chunk_lines(self) -> int:
        """Lines read together: a batch for every writer."""
        return self.batch_rows * WRITERS


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What all files came to."""

    summaries: Sequence[ImportSummary]
    exit_code: ExitCode


@dataclass(frozen=True, slots=True)
class FileRun:
    """One file's part of the request."""

    job: ImportJob
    batch_rows: int
    retry_for_seconds: float
    reports: ImportReports
    progress: ImportProgress
    stop: StopRequest
    workers: WorkerPool


class Destination(Protocol):
    """Where the rows of one file go: the database, or nowhere."""

    def surroundings(self, run: FileRun) -> Surroundings:
        """Everything that the run of this file is connected to."""

    def rehearsal(self) -> "Destination":
        """Where the rows of `--check-first` go: nowhere, but judged as they would be here."""

    def loaded_before(self, run: FileRun) -> ImportSummary | None:
        """The newest completed import of the same bytes that was not undone, if there is one."""

    def skipped(self, run: FileRun, earlier: ImportSummary) -> ImportSummary:
        """Note in the history that the file was skipped because of an earlier import."""


def run_files(request: ImportRequest, destination: Destination) -> CommandResult:
    """Import the files one after the other; errors are shown as they come, the gravest code counts."""
    files = list(expanded(request.files))
    check_report_paths(request.reports, files)
    rules = Rules(datetime.now(UTC).date(), request.input.min_date_of_birth, request.input.date_formats)
    summaries: list[ImportSummary] = []
    codes: list[ExitCode] = []
    with stop_on_signals() as stop, rare_collections():
        for file in files:
            try:
                result = _run_file(file, request, rules, destination, stop)
            except CustimportError as error:
                show_error(error)
                invocation.current().log.failure(error, file=file)
                codes.append(error.exit_code)
            else:
                summaries.append(result.summary)
                codes.append(result.exit_code)
                show_ending(result)
            if codes[-1] not in GOES_ON_AFTER:
                break
    return CommandResult(summaries, gravest(codes))


def expanded(files: Sequence[str]) -> Iterator[str]:
    """The files that patterns such as `exports/*.csv` stand for, by name; whatever exists or is no pattern as it is."""
    for file in files:
        matches = [] if Path(file).exists() else sorted(glob.glob(file, recursive=True))  # noqa: PTH207 - takes absolute patterns too
        yield from matches or [file]


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the garbage collector look rarely: rows make no cycles, and looking at them takes a tenth of the time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _run_file(
    file: str, request: ImportRequest, rules: Rules, destination: Destination, stop: StopRequest
) -> ImportResult:
    progress = ImportProgress(file, quiet=request.quiet, silent=not request.progress, announce=request.announce)
    job = ImportJob(file, request.input, rules, request.policy, request.limit, request.chunk_lines)
    reports = ImportReports(file, request.reports, Path.cwd())
    run = FileRun(job, request.batch_rows, request.retry_for_seconds, reports, progress, stop, request.workers)
    earlier = _loaded_before(run, request, destination)
    if earlier is not None:
        when = f"{earlier.started_at:%Y-%m-%d %H:%M} UTC, import {earlier.import_id}"
        if request.if_loaded is IfLoaded.REFUSE:
            raise Refused(f"{file}: was loaded already: {when}", hint="--if-loaded load loads it once more")
        if request.if_loaded is IfLoaded.SKIP:
            progress.warned(f"skipped: was loaded already: {when}")
            return ImportResult(destination.skipped(run, earlier))
        progress.warned(f"was loaded already: {when}")
    if request.check_first:
        found = _checked_first(file, run, destination)
        if found.error is not None:
            return found
        run = replace(run, reports=ImportReports(file, request.reports, Path.cwd()))
    with open_source(file) as source, progress.shown():
        return run_import(job, source, logged(destination.surroundings(run), job))


def _loaded_before(run: FileRun, request: ImportRequest, destination: Destination) -> ImportSummary | None:
    if run.job.file != STANDARD_INPUT:
        return destination.loaded_before(run)
    if request.if_loaded is not IfLoaded.LOAD:
        raise UsageError(f"--if-loaded {request.if_loaded}: standard input is known only when it has been read")
    return None


def _checked_first(file: str, run: FileRun, destination: Destination) -> ImportResult:
    """What the whole file would come to; nothing is written but its reports."""
    if file == STANDARD_INPUT:
        raise UsageError("--check-first reads the file twice, which standard input cannot be")
    with open_source(file) as source, run.progress.shown():
        return run_import(run.job, source, logged(destination.rehearsal().surroundings(run), run.job))


def show_ending(result: ImportResult) -> None:
    """The error that ended an import early, and the command that goes on with it."""
    if result.error is None:
        return
    show_error(result.error)
    invocation.current().log.failure(result.error, import_id=result.summary.import_id, file=result.summary.file)
    if result.summary.import_id and result.summary.status in {Status.INTERRUPTED, Status.STOPPED}:
        note(f"  go on with: custimport load --resume {result.summary.import_id}")
