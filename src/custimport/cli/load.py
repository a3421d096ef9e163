"""`custimport load` and `custimport check`."""

from dataclasses import replace
from typing import Annotated

import typer

from custimport.choices import IfLoaded, Policy
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
    WorkersOption,
)
from custimport.cli.options import DatabaseOption, JsonOption, QuietOption, UriOption
from custimport.errors import UsageError
from custimport.settings import BATCH_ROWS, EARLIEST_DATE_OF_BIRTH, MAX_RECORD_BYTES, RETRY_FOR_SECONDS, STANDARD_INPUT


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
    workers: WorkersOption = None,
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
    min_date_of_birth: MinDateOption = EARLIEST_DATE_OF_BIRTH,
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
    from custimport.cli import detaching, importing, loading, resuming, session
    from custimport.pipeline.limit import RejectionLimit

    if resume is not None:
        resumed = loading.resume_request(context, resume, files or [])
        if detach:
            log = detaching.log_path(f"import-{resume}")
            resumed = replace(resumed, announce=detaching.detach(log, json=json, quiet=quiet))
        with (
            loading.load_workers(workers, files or []) as pool,
            session.open_store_for_import(uri, database, quiet=quiet) as store,
        ):
            result = resuming.resume(replace(resumed, workers=pool), store)
        loading.show_result(result, json=json, quiet=quiet, rehearsal=False)
    if not files:
        raise UsageError("no file is named", hint="custimport load FILE, or custimport load --resume ID")
    request = importing.ImportRequest(
        files=files,
        input=loading.input_options(
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
    # workers are forked before the driver has threads
    with (
        loading.load_workers(workers, files) as pool,
        session.open_store_for_import(uri, database, quiet=quiet) as store,
    ):
        request = replace(request, workers=pool)
        result = importing.run_files(request, session.destination(store, dry_run=dry_run))
    loading.show_result(result, json=json, quiet=quiet, rehearsal=dry_run)


def check(
    files: FilesArgument,
    on_duplicate: PolicyOption = Policy.REJECT,
    report: ReportOption = None,
    max_rejections: LimitOption = None,
    stop_on_systematic: SystematicOption = False,
    workers: WorkersOption = None,
    column_map: MapOption = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    quotechar: QuoteOption = '"',
    date_format: DateFormatOption = None,
    min_date_of_birth: MinDateOption = EARLIEST_DATE_OF_BIRTH,
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
    from custimport.cli import importing, loading, session
    from custimport.pipeline.limit import RejectionLimit

    request = importing.ImportRequest(
        files=files,
        input=loading.input_options(
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
    with loading.check_workers(workers, files) as pool:
        result = importing.run_files(replace(request, workers=pool), session.rehearsal())
    loading.show_result(result, json=json, quiet=quiet, rehearsal=True)
