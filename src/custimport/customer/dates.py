"""Dates of birth: real days in the past, in the one format, or in those that the operator names."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from custimport.customer.codes import Code, RowError
from custimport.customer.wording import quoted
from custimport.errors import UsageError
from custimport.settings import EARLIEST_DATE_OF_BIRTH

FIELD: Final = "date_of_birth"
ISO_DATETIME: Final = "iso-datetime"
EARLIEST: Final = date.fromisoformat(EARLIEST_DATE_OF_BIRTH)

_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MIDNIGHT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]00:00(?::00(?:[.,]0+)?)?(?:Z|z|[+-]00:?00|[+]00)?")
"""ISO 8601 timestamps at 00:00 UTC, or without a zone, as other programs export a plain date."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a date of birth is judged by; fixed when an import starts and kept on resume and verify.

    `today` is the day in UTC; `date_formats` are strptime patterns or `iso-datetime`, and replace YYYY-MM-DD. Raises
    `UsageError` for a pattern that cannot give a day.
    """

    today: date
    min_date_of_birth: date = EARLIEST
    date_formats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in self.date_formats:
            _check_pattern(pattern)


def stored_date_of_birth(text: str, rules: Rules) -> date | RowError:
    """The day; or why it is none, or none that a customer can have been born on."""
    value = text.strip()
    if not value:
        return RowError(Code.BLANK, FIELD, text, "the date of birth is missing")
    found = _parsed(value, rules.date_formats)
    if isinstance(found, str):
        return RowError(Code.DATE_INVALID, FIELD, text, f"{quoted(text)} {found}")
    if found >= rules.today:
        return RowError(Code.DATE_NOT_IN_PAST, FIELD, text, f"{found} is not before today, {rules.today} (UTC)")
    if found < rules.min_date_of_birth:
        message = f"{found} is before {rules.min_date_of_birth}, the earliest that is accepted"
        return RowError(Code.DATE_TOO_EARLY, FIELD, text, message)
    return found


def _parsed(value: str, formats: tuple[str, ...]) -> date | str:
    """The day, or what is wrong in words that follow the value."""
    if not formats:
        day = iso_day(value)
        return day or "is not a real day written YYYY-MM-DD"
    days = {day for pattern in formats if (day := day_reader(pattern)(value)) is not None}
    if len(days) > 1:
        return f"can be read as {' or '.join(map(str, sorted(days)))}"
    return days.pop() if days else f"is not a real day written {' or '.join(formats)}"


def day_reader(pattern: str) -> Callable[[str], date | None]:
    """Reads trimmed texts written in one format; None for a text that is no real day in it."""
    if pattern == ISO_DATETIME:
        return _midnight_day
    return lambda value: _strptime_day(value, pattern)


def iso_day(value: str) -> date | None:
    """The day that `YYYY-MM-DD` in ASCII digits names; None for any other text."""
    if not _ISO_DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _midnight_day(value: str) -> date | None:
    found = _MIDNIGHT.fullmatch(value)
    return iso_day(found.group(1)) if found else None


def _strptime_day(value: str, pattern: str) -> date | None:
    # strptime takes the digits of every script, the contract only ASCII ones
    if not value.isascii() and any(character.isdigit() and not character.isascii() for character in value):
        return None
    try:
        return datetime.strptime(value, pattern).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def _check_pattern(pattern: str) -> None:
    """A usable pattern gives back a day that was written with it."""
    if pattern == ISO_DATETIME:
        return
    for day in (date(1987, 11, 25), date(2001, 2, 3)):
        try:
            read = datetime.strptime(day.strftime(pattern), pattern).date()  # noqa: DTZ007 - a day has no zone
        except (ValueError, re.error):
            read = None
        if read != day:
            raise UsageError(
                f"--date-format {pattern!r} does not say year, month and day",
                hint="a strptime pattern such as %d/%m/%Y, or iso-datetime",
            )
