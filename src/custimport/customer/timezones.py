"""Time zones: the names of the IANA database as the tzdata package lists them."""

from functools import cache
from importlib.resources import files
from typing import Final

from custimport.customer.codes import Code, RowError
from custimport.customer.hints import meant_timezone
from custimport.customer.wording import quoted

FIELD: Final = "timezone"


@cache
def timezone_names() -> frozenset[str]:
    """Every zone and link of the tzdata package; never the machine's own zoneinfo folder. `Factory` is not a place."""
    lines = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(lines) - {"Factory"}


def stored_timezone(text: str) -> str | RowError:
    """The zone's name, exactly as the database writes it; or why it is none."""
    name = text.strip()
    if name in timezone_names():
        return name
    if not name:
        return RowError(Code.BLANK, FIELD, text, "the time zone is missing")
    message = f"{quoted(text)} is not a time zone name such as Europe/Paris"
    meant = meant_timezone(text, timezone_names())
    return RowError(Code.TIMEZONE_UNKNOWN, FIELD, text, message, hint=f"perhaps {meant}" if meant else None)
