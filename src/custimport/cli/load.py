"""`custimport load` and `custimport check`."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, NoReturn

import typer

from custimport.cli import detaching, importing, resuming, session
from custimport.cli.importing import CommandResult, IfLoaded, ImportRequest
from custimport.cli.load_options import (
    BatchOption,
    CheckFirstOption,
    DateFormatOption,
    DelimiterOption,
    DetachOption,
    EncodingOption,
    FilesArgument,
    IfLoadedOption,
    LimitOption,
    MapOption,
    MaxRecordOption,
    MinDateOption,
    NoProgressOption,
    PolicyOption,
    QuoteOption,
    ReportOption,
    ResumeOption,
    RetryOption,
    SystematicOption,
)
from custimport.cli.options import DatabaseOption, JsonOption, QuietOption, UriOption
from custimport.cli.render import summaries_document, summary_table, totals_table
from custimport.cli.resuming import ResumeRequest
from custimport.cli.terminal import print_json, print_table
from custimport.customer.dates import EARLIEST_TEXT, iso_day
from custimport.errors import UsageError
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.source import STANDARD_INPUT
from custimport.records import ImportSummary, InputOptions, Policy, Status
from custimport.settings import BATCH_ROWS, MAX_RECORD_BYTES, RETRY_FOR_SECONDS


def load(
    context: typer.Context,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE...", help="CSV files, plain or compressed; - is standard input.")
    ] = None,
    on_duplicate: PolicyOption = Policy.REJECT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Validate and look for duplicates in the database; write nothing to it.")
    ] = False,
    report: ReportOption = None,
    max_rejections: LimitOption = None,
    stop_on_systematic: SystematicOption = False,
    batch_size: BatchOption = BATCH_ROWS,
    retry_for: RetryOption = RETRY_FOR_SECONDS,
    resume: ResumeOption = None,
    check_first: CheckFirstOption = False,
    if_loaded: IfLoadedOption = IfLoaded.LOAD,
    detach: DetachOption = False,
    column_map: MapOption = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    quotechar: QuoteOption = '"',
    date_format: DateFormatOption = None,
    min_date_of_birth: MinDateOption = EARLIEST_TEXT,
    max_record_bytes: MaxRecordOption = MAX_RECORD_BYTES,
    uri: UriOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    no_progress: NoProgressOption = False,
) -> None:
    """Load customer CSV files: store every valid row, report every rejected one with every reason.

    Examples:
      custimport load customers.csv

      custimport load old.csv --encoding cp1252 --date-format %d/%m/%Y --on-duplicate update

      custimport load 'exports/*.csv' --report 'rejected/{name}.jsonl' --max-rejections 1%

    """
    if resume is not None:
        resumed = resume_request(context, resume, files or [])
        if detach:
            log = detaching.log_path(f"import-{resume}")
            resumed = replace(resumed, announce=detaching.detach(log, json=json, quiet=quiet))
        with session.open_store_for_import(uri, database, quiet=quiet) as store:
            result = resuming.resume(resumed, store)
        show_result(result, json=json, quiet=quiet, rehearsal=False)
    if not files:
        raise UsageError("no file is named", hint="custimport load FILE, or custimport load --resume ID")
    request = ImportRequest(
        files=files,
        input=input_options(
            column_map, encoding, delimiter, quotechar, date_format, min_date_of_birth, max_record_bytes
        ),
        policy=on_duplicate,
        reports=report or [],
        limit=RejectionLimit.parse(max_rejections, stops_on_systematic=stop_on_systematic),
        batch_rows=batch_size,
        retry_for_seconds=retry_for,
        quiet=quiet,
        progress=not no_progress,
        check_first=check_first,
        if_loaded=if_loaded,
    )
    if detach:
        if dry_run or STANDARD_INPUT in files:
            reason = "a dry run leaves no import to follow" if dry_run else "standard input ends with this command"
            raise UsageError(f"--detach cannot be: {reason}")
        log = detaching.log_path(files[0])
        request = replace(request, announce=detaching.detach(log, json=json, quiet=quiet))
    with session.open_store_for_import(uri, database, quiet=quiet) as store:
        result = importing.run_files(request, session.destination(store, dry_run=dry_run))
    show_result(result, json=json, quiet=quiet, rehearsal=dry_run)


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


def check(
    files: FilesArgument,
    on_duplicate: PolicyOption = Policy.REJECT,
    report: ReportOption = None,
    max_rejections: LimitOption = None,
    stop_on_systematic: SystematicOption = False,
    column_map: MapOption = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    quotechar: QuoteOption = '"',
    date_format: DateFormatOption = None,
    min_date_of_birth: MinDateOption = EARLIEST_TEXT,
    max_record_bytes: MaxRecordOption = MAX_RECORD_BYTES,
    json: JsonOption = False,
    quiet: QuietOption = False,
    no_progress: NoProgressOption = False,
) -> None:
    """Validate customer CSV files without any database: the result of a load into an empty one.

    Examples:
      custimport check customers.csv

      custimport check customers.csv --json --report problems.jsonl

    """
    request = ImportRequest(
        files=files,
        input=input_options(
            column_map, encoding, delimiter, quotechar, date_format, min_date_of_birth, max_record_bytes
        ),
        policy=on_duplicate,
        reports=report or [],
        limit=RejectionLimit.parse(max_rejections, stops_on_systematic=stop_on_systematic),
        batch_rows=BATCH_ROWS,
        retry_for_seconds=0.0,
        quiet=quiet,
        progress=not no_progress,
    )
    result = importing.run_files(request, session.rehearsal())
    show_result(result, json=json, quiet=quiet, rehearsal=True)


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
