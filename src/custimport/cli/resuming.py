"""`load --resume`: an import goes on with the options that it began with."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custimport.choices import Policy, Status
from custimport.cli.destinations import StoreDestination
from custimport.cli.import_log import logged
from custimport.cli.importing import (
    CommandResult,
    FileRun,
    rare_collections,
    show_ending,
)
from custimport.cli.progress import ImportProgress
from custimport.cli.signals import stop_on_signals
from custimport.customer.dates import Rules
from custimport.errors import Refused, UsageError
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.reports import ImportReports, check_report_paths
from custimport.pipeline.run import ImportJob, ImportResult, run_import
from custimport.pipeline.source import open_source
from custimport.pipeline.workers import WorkerPool
from custimport.records import InputOptions, Position, RowCounts, StartingPoint
from custimport.settings import MAX_RECORD_BYTES, STANDARD_INPUT

if TYPE_CHECKING:
    from custimport.store.connection import Store
    from custimport.store.history import RecordedImport


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """Which import goes on, and what is to be different from its beginning; None leaves it as it was."""

    name: str
    file: str | None
    reports: Sequence[str] | None
    limit: RejectionLimit | None
    batch_rows: int | None
    retry_for_seconds: float
    quiet: bool
    progress: bool
    workers: WorkerPool = field(default_factory=WorkerPool)
    announce: Callable[[str], None] = lambda _import_id: None


def resume(request: ResumeRequest, store: "Store") -> CommandResult:
    """Go on with an import, or, if it is complete, give its summary once more.

    Raises `Refused` if it was undone, skipped, or another process works on it, `NotFound` if there is none.
    """
    from custimport.store import history
    from custimport.store.patience import Patience

    with stop_on_signals() as stop:
        waiting = ImportProgress(f"import {request.name}", quiet=request.quiet, silent=True).waiting
        patience = Patience(request.retry_for_seconds, stop, waiting)
        found = patience.call(lambda: history.find_import(store.database, request.name))
    if found.summary.status is Status.COMPLETED:
        return CommandResult([found.summary], ImportResult(found.summary).exit_code)
    if found.summary.status in {Status.UNDONE, Status.SKIPPED}:
        raise Refused(
            f"import {found.shown_id} is {found.summary.status.value}: there is nothing to go on with",
            hint=f"custimport load {shlex.quote(found.summary.file)} starts a new one",
        )
    file = request.file or found.document["file"]["path"]
    if file is None:
        raise UsageError(
            f"import {found.shown_id} read standard input, which does not come again",
            hint=f"custimport load --resume {found.shown_id} FILE, or - with the same data on standard input",
        )
    progress = ImportProgress(
        found.summary.file, quiet=request.quiet, silent=not request.progress, announce=request.announce
    )
    for text in _changes_since(found, file):
        progress.warned(text)
    with stop_on_signals() as stop, rare_collections(), open_source(file) as source, progress.shown():
        job = recorded_job(found, request.limit)
        templates = request.reports if request.reports is not None else found.document["options"]["reports"]
        check_report_paths(templates, [file])
        run = FileRun(
            job,
            request.batch_rows or found.document["options"]["batch_rows"],
            request.retry_for_seconds,
            ImportReports(found.summary.file, templates, Path.cwd()),
            progress,
            stop,
            request.workers,
        )
        result = run_import(job, source, logged(StoreDestination(store).resumed(run, found), job))
    show_ending(result)
    return CommandResult([result.summary], result.exit_code)


def recorded_input(options: Mapping[str, Any]) -> InputOptions:
    """How the import read its file, from its history document."""
    return InputOptions(
        column_map=dict(options["column_map"]),
        encoding=options["encoding"],
        delimiter=options["delimiter"],
        quotechar=options["quotechar"],
        date_formats=tuple(options["date_formats"]),
        min_date_of_birth=date.fromisoformat(options["min_date_of_birth"]),
        max_record_bytes=options.get("max_record_bytes", MAX_RECORD_BYTES),
    )


def recorded_rules(found: "RecordedImport") -> Rules:
    """What the import judged dates by, its own today included."""
    given = recorded_input(found.document["options"])
    return Rules(date.fromisoformat(found.document["today"]), given.min_date_of_birth, given.date_formats)


def recorded_job(found: "RecordedImport", limit: RejectionLimit | None) -> ImportJob:
    """What the import does, as it was fixed when it began, but for its limit if one is given."""
    options, summary = found.document["options"], found.summary
    recorded_limit = None if options["max_rejections"] == "none" else options["max_rejections"]
    return ImportJob(
        file=summary.file,
        input=recorded_input(options),
        rules=recorded_rules(found),
        policy=Policy(found.document["on_duplicate"]),
        limit=replace(
            limit or RejectionLimit.parse(recorded_limit), stops_on_systematic=options.get("stop_on_systematic", False)
        ),
        chunk_lines=options["chunk_lines"],
        start=StartingPoint(
            position=Position(**found.document["checkpoint"]),
            counts=RowCounts(**found.document["rows"]),
            by_code=found.document["rejected_by_code"],
            started_at=summary.started_at,
            elapsed_seconds=found.document.get("elapsed_seconds") or 0.0,
            timeline=summary.timeline,
        ),
    )


def _changes_since(found: "RecordedImport", file: str) -> list[str]:
    """What an operator should know before an import goes on under other conditions than it began."""
    from custimport.store.history import rule_versions

    warnings = []
    before, now = found.document.get("versions", {}), rule_versions()
    changed = [f"{name} {before.get(name)} is now {now[name]}" for name in now if before.get(name) != now[name]]
    if changed:
        warnings.append(f"the rules may differ from those the import began with: {', '.join(changed)}")
    modified_ns = found.document["file"].get("modified_ns")
    if file != STANDARD_INPUT and modified_ns is not None and Path(file).exists():
        current = Path(file).stat().st_mtime_ns
        if current != modified_ns:
            moment = datetime.fromtimestamp(current / 1e9, UTC)
            row = found.document["checkpoint"]["row"]
            warnings.append(
                f"{file} has changed since the import began (on {moment:%Y-%m-%d %H:%M:%S} UTC); "
                f"its content is compared up to row {row:,}, what follows is taken as it is now"
            )
    return warnings
