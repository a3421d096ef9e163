"""What a user says about customers: options of the filters, names of customers, new values. All of it is text."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from custimport.cli import completion
from custimport.cli.options import OutputFormat
from custimport.cli.terminal import warning
from custimport.customer import FIELDS
from custimport.customer.codes import RowError
from custimport.errors import InputUnreadable, UsageError
from custimport.store.selection import CustomerFilter

FILTER_PANEL: Final = "Filters"
MAX_REPLACEMENT_BYTES: Final = 1_048_576
"""Much more than four valid values can take."""

EmailFilterOption = Annotated[
    str | None, typer.Option("--email", metavar="EMAIL", help="This e-mail, whole.", rich_help_panel=FILTER_PANEL)
]
NameFilterOption = Annotated[
    str | None,
    typer.Option("--name", metavar="PART", help="Name holds PART, in any case.", rich_help_panel=FILTER_PANEL),
]
TimezoneFilterOption = Annotated[
    str | None,
    typer.Option(
        "--timezone",
        metavar="ZONE",
        help="This time zone.",
        rich_help_panel=FILTER_PANEL,
        autocompletion=completion.time_zones,
    ),
]
BornAfterOption = Annotated[
    str | None,
    typer.Option(
        "--born-after", metavar="DATE", help="Born after that day (YYYY-MM-DD).", rich_help_panel=FILTER_PANEL
    ),
]
BornBeforeOption = Annotated[
    str | None,
    typer.Option(
        "--born-before", metavar="DATE", help="Born before that day (YYYY-MM-DD).", rich_help_panel=FILTER_PANEL
    ),
]
ImportFilterOption = Annotated[
    str | None,
    typer.Option(
        "--import",
        metavar="ID",
        help="Created by this import; last is the newest.",
        rich_help_panel=FILTER_PANEL,
        autocompletion=completion.import_ids,
    ),
]
SortOption = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="FIELD|-FIELD",
        help="full_name, email, date_of_birth, timezone, created_at or updated_at; -FIELD from the end. "
        "Ties, and everything without --sort: newest first.",
    ),
]

_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HEXADECIMAL_ID: Final = re.compile(r"[0-9A-Fa-f]{24}", re.ASCII)


def customer_filter(
    *,
    email: str | None,
    name: str | None,
    timezone: str | None,
    born_after: str | None,
    born_before: str | None,
    import_name: str | None,
) -> CustomerFilter:
    """The filter that the options mean. Raises `UsageError` for a value that no customer could ever match."""
    if name is not None:
        name = _filter_text("--name", name)
    if timezone is not None:
        timezone = _filter_zone(timezone)
    return CustomerFilter(
        email=None if email is None else _filter_email(email),
        name_part=name,
        timezone=timezone,
        born_after=None if born_after is None else _filter_day("--born-after", born_after),
        born_before=None if born_before is None else _filter_day("--born-before", born_before),
        import_name=import_name,
    )


def _filter_text(option: str, text: str) -> str:
    if not text:
        raise UsageError(f"{option} is empty", hint=f"leave {option} out to match every customer")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{option} {text!r} is not UTF-8 text") from None
    return text


def _filter_email(text: str) -> str:
    from custimport.customer.emails import stored_email

    email = stored_email(_filter_text("--email", text))
    if isinstance(email, RowError):
        raise UsageError(f"--email: {email.message}", hint="--name PART finds customers by their name")
    return email


def _filter_zone(text: str) -> str:
    from custimport.customer.timezones import stored_timezone

    zone = _filter_text("--timezone", text.strip())
    if isinstance(stored_timezone(zone), RowError):
        # not refused: the customers may have been loaded with a newer list of zones than this machine's
        warning(f"--timezone {zone!r} is not a time zone name that is known here; upper and lower case matter")
    return zone


def _filter_day(option: str, text: str) -> date:
    # the pattern first: fromisoformat takes 19900515 and week dates as well
    with suppress(ValueError):
        if _ISO_DATE.fullmatch(text.strip()):
            return date.fromisoformat(text.strip())
    raise UsageError(f"{option} {text!r} is not a day", hint=f"write YYYY-MM-DD, such as {option} 1990-05-15")


def customer_name(text: str) -> str:
    """A customer's id as it is, an e-mail in its stored form; other text as it is: no customer has that name."""
    stripped = text.strip()
    if _HEXADECIMAL_ID.fullmatch(stripped):
        return stripped.lower()
    from custimport.customer.emails import stored_email

    email = stored_email(stripped)
    return stripped if isinstance(email, RowError) else email


def new_values(fields: Mapping[str, str | None], replacement: str | None) -> dict[str, Any] | Sequence[RowError]:
    """The values to store (field → text or day): those of the options, or all four of a JSON object; or what is wrong.

    `replacement` is a file's name or `-` for standard input. They are judged as of today (UTC). Raises `UsageError`
    for both, neither, or a field that no customer has, and `InputUnreadable` for what is not a JSON object.
    """
    given = {field: text for field, text in fields.items() if text is not None}
    if given and replacement is not None:
        raise UsageError("--replace gives all four values; it cannot be used together with single ones")
    if not given and replacement is None:
        options = ", ".join("--" + field.replace("_", "-") for field in FIELDS)
        raise UsageError("nothing to change", hint=f"give at least one of {options}, or --replace FILE")
    # here, because pydantic takes longer to import than most commands to run
    from custimport.customer.dates import Rules
    from custimport.customer.model import Customer, validate_customer, validate_fields

    rules = Rules(today=datetime.now(UTC).date())
    if replacement is None:
        return validate_fields(given, rules)
    judged = validate_customer(_json_object(replacement), rules)
    return judged.model_dump() if isinstance(judged, Customer) else judged


def _json_object(name: str) -> dict[str, Any]:
    shown = "standard input" if name == "-" else name
    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_REPLACEMENT_BYTES + 1)
        else:
            with Path(name).open("rb") as stream:
                content = stream.read(MAX_REPLACEMENT_BYTES + 1)
    except OSError as error:
        raise InputUnreadable(f"{shown} cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_REPLACEMENT_BYTES:
        raise _not_a_customer(shown, f"it has more than {MAX_REPLACEMENT_BYTES:,} bytes")
    try:
        values = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise _not_a_customer(shown, str(error)) from error
    if not isinstance(values, dict):
        raise _not_a_customer(shown, "it is not an object")
    return values


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs; json alone would silently let the last of two equal names win."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands in it twice")
    return values


def _not_a_customer(shown: str, problem: str) -> InputUnreadable:
    return InputUnreadable(
        f"{shown} does not hold one customer as JSON: {problem}",
        hint=f"an object with {', '.join(FIELDS)} and nothing else, every value in quotes",
    )


def chosen_format(output_format: OutputFormat | None, *, json_short: bool, default: OutputFormat) -> OutputFormat:
    """The format that `--format` and `--json` ask for together. Raises `UsageError` if they disagree."""
    if json_short and output_format not in {None, OutputFormat.JSON}:
        raise UsageError(f"--json and --format {output_format} contradict each other")
    return OutputFormat.JSON if json_short else output_format or default


def format_of_file(path: Path) -> OutputFormat:
    """The format that a file's extension names; CSV for any other."""
    return {".json": OutputFormat.JSON, ".jsonl": OutputFormat.JSONL}.get(path.suffix.lower(), OutputFormat.CSV)
