"""Runs the files of one `load` or `check` command, one import each, and gives what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from custimport.cli.boundary import show_error
from custimport.cli.progress import ImportProgress
from custimport.cli.signals import stop_on_signals
from custimport.customer.dates import Rules
from custimport.errors import CustimportError, ExitCode, gravest
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.reports import ImportReports, check_report_paths
from custimport.pipeline.run import ImportJob, ImportResult, StopRequest, Surroundings, run_import
from custimport.pipeline.source import open_source
from custimport.records import ImportSummary, InputOptions, Policy
from custimport.settings import WRITERS

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
    """What the command line asks for, the same for every file."""

    files: Sequence[str]
    input: InputOptions
    policy: Policy
    reports: Sequence[str]
    limit: RejectionLimit
    batch_rows: int
    quiet: bool
    progress: bool

    @property
    def chunk_rows(self) -> int:
        """Rows read together: a batch for every writer."""
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
    reports: ImportReports
    progress: ImportProgress
    stop: StopRequest


class Destination(Protocol):
    """Where the rows of one file go: the database, or nowhere."""

    def surroundings(self, run: FileRun) -> Surroundings:
        """Everything that the run of this file is connected to."""


def run_files(request: ImportRequest, destination: Destination) -> CommandResult:
    """Import the files one after the other; errors are shown as they come, the gravest code counts."""
    check_report_paths(request.reports, request.files)
    rules = Rules(datetime.now(UTC).date(), request.input.min_date_of_birth, request.input.date_formats)
    summaries: list[ImportSummary] = []
    codes: list[ExitCode] = []
    with stop_on_signals() as stop:
        for file in request.files:
            try:
                result = _run_file(file, request, rules, destination, stop)
            except CustimportError as error:
                show_error(error)
                codes.append(error.exit_code)
            else:
                summaries.append(result.summary)
                codes.append(_exit_code(result))
                if result.error is not None:
                    show_error(result.error)
            if codes[-1] not in GOES_ON_AFTER:
                break
    return CommandResult(summaries, gravest(codes))


def _run_file(
    file: str, request: ImportRequest, rules: Rules, destination: Destination, stop: StopRequest
) -> ImportResult:
    progress = ImportProgress(file, quiet=request.quiet, silent=not request.progress)
    job = ImportJob(file, request.input, rules, request.policy, request.limit, request.chunk_rows)
    reports = ImportReports(file, request.reports, Path.cwd())
    run = FileRun(job, request.batch_rows, reports, progress, stop)
    with open_source(file) as source, progress.shown():
        return run_import(job, source, destination.surroundings(run))


def _exit_code(result: ImportResult) -> ExitCode:
    if result.error is not None:
        return result.error.exit_code
    return ExitCode.DATA_REJECTED if result.summary.rows.rejected else ExitCode.DONE
