"""Options that several commands share, so that they read the same everywhere."""

from enum import StrEnum
from typing import Annotated

import typer

CONNECTION_PANEL = "Connection"
INPUT_PANEL = "Input"
CONFIGURATION_PANEL = "Configuration"
LOG_PANEL = "Log"


class OutputFormat(StrEnum):
    """How a command shows customers."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


UriOption = Annotated[
    str | None,
    typer.Option(
        "--uri",
        metavar="URI",
        help="MongoDB to use, e.g. mongodb://host:27017/crm. Default: CUSTIMPORT_MONGODB_URI, MONGODB_URI, "
        "CUSTIMPORT_MONGODB_URI_FILE, .env, custimport.toml, else the embedded server.",
        rich_help_panel=CONNECTION_PANEL,
        show_default=False,
    ),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="NAME",
        help="Database to use. Default: CUSTIMPORT_DATABASE, the one in the URI, else custimport.",
        rich_help_panel=CONNECTION_PANEL,
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only errors, and what --json asks for.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
