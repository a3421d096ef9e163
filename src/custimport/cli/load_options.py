"""The options of `load` and `check`: what they are called, what they say of themselves."""

from typing import Annotated

import typer

from custimport.choices import IfLoaded, Policy
from custimport.cli import completion
from custimport.cli.options import INPUT_PANEL
from custimport.settings import MAX_RECORD_BYTES

REPORT_PANEL = "Rejections"
RUN_PANEL = "Run"

FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="CSV files, plain or compressed; - is standard input.")
]
PolicyOption = Annotated[
    Policy,
    typer.Option(
        "--on-duplicate", help="What happens to a row whose e-mail is there already: in the database or file."
    ),
]
ReportOption = Annotated[
    list[str] | None,
    typer.Option(
        "--report",
        metavar="PATH",
        help="Write the rejected rows there: .csv, .json, .jsonl or .html; repeatable; {name} is the file's name. "
        "Default: NAME.rejections.csv here, if a row is rejected.",
        rich_help_panel=REPORT_PANEL,
        show_default=False,
    ),
]
LimitOption = Annotated[
    str | None,
    typer.Option(
        "--max-rejections",
        metavar="N|N%",
        help="Stop at the row that is one rejection too many (exit 4); a percentage counts from 1,000 rows on.",
        rich_help_panel=REPORT_PANEL,
        show_default=False,
    ),
]
SystematicOption = Annotated[
    bool,
    typer.Option(
        "--stop-on-systematic",
        help="Stop after the first 1,000 rows (exit 4) if more than half of them are rejected for one same reason.",
        rich_help_panel=REPORT_PANEL,
    ),
]
BatchOption = Annotated[
    int,
    typer.Option(
        "--batch-size", min=1, max=100_000, metavar="N", help="Rows in one write command.", rich_help_panel=RUN_PANEL
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=64,
        metavar="N",
        help="Processes that read and validate; 1: this one does. Default: what is fastest for the file.",
        rich_help_panel=RUN_PANEL,
        show_default=False,
    ),
]
ResumeOption = Annotated[
    str | None,
    typer.Option(
        "--resume",
        metavar="ID",
        help="Go on with an interrupted, stopped or stalled import (last: the newest); FILE only if it moved.",
        rich_help_panel=RUN_PANEL,
        show_default=False,
        autocompletion=completion.resumable_ids,
    ),
]
CheckFirstOption = Annotated[
    bool,
    typer.Option(
        "--check-first",
        help="Validate the whole file before the first write; over --max-rejections nothing is written.",
        rich_help_panel=RUN_PANEL,
    ),
]
IfLoadedOption = Annotated[
    IfLoaded,
    typer.Option(
        "--if-loaded",
        help="What to do with a file whose very bytes were loaded before: load it with a warning, skip it, or refuse.",
        rich_help_panel=RUN_PANEL,
    ),
]
RetryOption = Annotated[
    float,
    typer.Option(
        "--retry-for",
        min=0,
        metavar="SECONDS",
        help="How long to wait for a database that went away, before the import is interrupted.",
        rich_help_panel=RUN_PANEL,
    ),
]
DetachOption = Annotated[
    bool,
    typer.Option(
        "--detach",
        help="Go on in the background once the import has begun, and print its id; its messages go to NAME.load.log.",
        rich_help_panel=RUN_PANEL,
    ),
]
NoProgressOption = Annotated[
    bool, typer.Option("--no-progress", help="No progress bar and no progress lines.", rich_help_panel=RUN_PANEL)
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="COLUMN=FIELD",
        help="The file's column that holds a field, if its name does not say so; repeatable.",
        rich_help_panel=INPUT_PANEL,
        show_default=False,
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="The file's encoding, e.g. cp1252. Default: UTF-8, or what a byte order mark says.",
        rich_help_panel=INPUT_PANEL,
        show_default=False,
    ),
]
DelimiterOption = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        help="The character between cells, or 'tab'. Default: the one of , ; TAB | that fits the header.",
        rich_help_panel=INPUT_PANEL,
        show_default=False,
    ),
]
QuoteOption = Annotated[
    str, typer.Option("--quotechar", metavar="CHAR", help="The quote character.", rich_help_panel=INPUT_PANEL)
]
DateFormatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--date-format",
        metavar="FORMAT",
        help="How dates of birth are written, e.g. %d/%m/%Y, or iso-datetime; repeatable. Default: YYYY-MM-DD.",
        rich_help_panel=INPUT_PANEL,
        show_default=False,
    ),
]
MaxRecordOption = Annotated[
    int,
    typer.Option(
        "--max-record-bytes",
        min=1_000,
        max=MAX_RECORD_BYTES,
        metavar="BYTES",
        help="A longer line is one rejection, and is never held in memory whole.",
        rich_help_panel=INPUT_PANEL,
    ),
]
MinDateOption = Annotated[
    str,
    typer.Option(
        "--min-date-of-birth",
        metavar="DATE",
        help="The earliest date of birth that is believed.",
        rich_help_panel=INPUT_PANEL,
    ),
]
