"""What `load` and `check` make of their options, and how they end; imported when one of them runs."""

import os
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NoReturn

import typer

from custimport.choices import Status
from custimport.cli.importing import CommandResult, expanded
from custimport.cli.render import summaries_document, summary_table, totals_table
from custimport.cli.resuming import ResumeRequest
from custimport.cli.terminal import print_json, print_table
from custimport.customer.dates import iso_day
from custimport.errors import UsageError
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.source import size_on_disk
from custimport.pipeline.workers import WorkerPool, worker_pool
from custimport.records import ImportSummary, InputOptions
from custimport.settings import CHECK_WORKERS, LARGE_FILE_BYTES, LOAD_WORKERS


def load_workers(asked: int | None, files: Sequence[str]) -> AbstractContextManager[WorkerPool]:
    """The worker processes of a load: as many as are asked for, else as many as never make it slower."""
    return _workers(asked, LOAD_WORKERS, files)


def check_workers(asked: int | None, files: Sequence[str]) -> AbstractContextManager[WorkerPool]:
    """The same for `check`."""
    return _workers(asked, min(CHECK_WORKERS, _cores()), files)


def _workers(asked: int | None, default: int, files: Sequence[str]) -> AbstractContextManager[WorkerPool]:
    count = asked or (default if _may_be_large(files) else 1)
    # one is this process itself
    return worker_pool(count if count > 1 else 0)


def _cores() -> int:
    """Cores that this process may use, where the system says so; else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _may_be_large(files: Sequence[str]) -> bool:
    sizes = [size_on_disk(file) for file in expanded(files)]
    return not sizes or any(size is None or size >= LARGE_FILE_BYTES for size in sizes)


KEPT_ON_RESUME = {
    "on_duplicate": "--on-duplicate",
    "dry_run": "--dry-run",
    "check_first": "--check-first",
    "if_loaded": "--if-loaded",
    "column_map": "--map",
    "encoding": "--encoding",
    "delimiter": "--delimiter",
    "quotechar": "--quotechar",
    "date_format": "--date-format",
    "min_date_of_birth": "--min-date-of-birth",
    "max_record_bytes": "--max-record-bytes",
    "stop_on_systematic": "--stop-on-systematic",
}
"""Options that an import keeps from its beginning: others would make another import of it."""


def resume_request(context: typer.Context, name: str, files: Sequence[str]) -> ResumeRequest:
    """What `load --resume` asks for; raises `UsageError` for an option that an import keeps."""
    given = {
        parameter
        for parameter in context.params
        if str(context.get_parameter_source(parameter)).endswith("COMMANDLINE")
    }
    for parameter, option in KEPT_ON_RESUME.items():
        if parameter in given:
            raise UsageError(f"{option} cannot change when an import is resumed", hint="it keeps its own options")
    if len(files) > 1:
        raise UsageError("--resume goes on with one import: give one file at most")
    values = context.params
    return ResumeRequest(
        name=name,
        file=files[0] if files else None,
        # what is configured was taken when the import began, if it was to count
        reports=values["report"] if "report" in given else None,
        limit=RejectionLimit.parse(values["max_rejections"]) if "max_rejections" in given else None,
        batch_rows=values["batch_size"] if "batch_size" in given else None,
        retry_for_seconds=values["retry_for"],
        quiet=values["quiet"],
        progress=not values["no_progress"],
    )


def input_options(
    column_map: Sequence[str] | None,
    encoding: str | None,
    delimiter: str | None,
    quotechar: str,
    date_formats: Sequence[str] | None,
    min_date_of_birth: str,
    max_record_bytes: int,
) -> InputOptions:
    """The input options as one value; raises `UsageError` for what cannot be meant."""
    delimiter = {"tab": "\t", r"\t": "\t"}.get((delimiter or "").lower(), delimiter)
    for name, value in (("--delimiter", delimiter), ("--quotechar", quotechar)):
        if value is not None and (len(value) != 1 or value in "\r\n\x00"):
            raise UsageError(f"{name} {value!r} is not one character")
    if delimiter == quotechar:
        raise UsageError(f"--delimiter and --quotechar are both {quotechar!r}")
    earliest = iso_day(min_date_of_birth)
    if earliest is None:
        raise UsageError(f"--min-date-of-birth {min_date_of_birth!r} is not a day written YYYY-MM-DD")
    pairs: dict[str, str] = {}
    for text in column_map or ():
        column, equals, field = text.rpartition("=")
        if not equals or not column.strip() or not field.strip():
            raise UsageError(f"--map {text!r} does not say COLUMN=field", hint='for example --map "E-Mail=email"')
        pairs[column.strip()] = field.strip()
    return InputOptions(
        column_map=pairs,
        encoding=encoding,
        delimiter=delimiter,
        quotechar=quotechar,
        date_formats=tuple(date_formats or ()),
        min_date_of_birth=earliest,
        max_record_bytes=max_record_bytes,
    )


def show_result(result: CommandResult, *, json: bool, quiet: bool, rehearsal: bool) -> NoReturn:
    """The summaries on standard output; leaves with the command's exit code."""
    if json:
        print_json(summaries_document(result.summaries, result.exit_code))
    elif not quiet:
        for summary in result.summaries:
            steps = next_steps(summary, rehearsal=rehearsal)
            print_table(summary_table(summary, rehearsal=rehearsal, next_steps=steps))
        if len(result.summaries) > 1:
            print_table(totals_table(result.summaries))
    raise typer.Exit(int(result.exit_code))


def next_steps(summary: ImportSummary, *, rehearsal: bool) -> list[str]:
    """What an operator would do now."""
    if summary.status in {Status.INTERRUPTED, Status.STOPPED} and not rehearsal:
        return [f"custimport load --resume {summary.import_id}"]
    csv_reports = [path for path in summary.reports if path.endswith(".csv")]
    if summary.rows.rejected and csv_reports:
        verb = "check" if rehearsal else "load"
        return [f"fix the cells in the report, then: custimport {verb} {shlex.quote(csv_reports[0])}"]
    pages = [path for path in summary.reports if path.lower().endswith(".html")]
    steps = [f"open {shlex.quote(pages[0])} in a browser"] if pages else []
    if summary.rows.rejected and not rehearsal:
        again = f"custimport imports rejections {summary.import_id} > rejected.csv"
        steps.append(f"to fix the cells and load them: {again}")
    return steps
