"""Judges every row: valid rows with the values to store, rejections with every reason."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from operator import attrgetter
from typing import Final

from custimport.customer.codes import RowError
from custimport.customer.dates import Rules, stored_date_of_birth
from custimport.customer.emails import PLAIN_LOCAL_PART, accepted_domains, stored_email
from custimport.customer.names import MAX_NAME_CODE_POINTS, stored_full_name
from custimport.customer.timezones import stored_timezone
from custimport.records import Header, ParsedRows, Rejection, ValidatedRows, ValidRow

MAX_CACHED_VERDICTS: Final = 50_000
"""Texts of dates and zones whose verdict is kept: a hundred and thirty years of days fit; then it starts anew."""
LONGEST_CACHED_TEXT: Final = 64


def validate(chunks: Iterable[ParsedRows], header: Header, rules: Rules) -> Iterator[ValidatedRows]:
    """Every chunk judged, in file order; streams, keeps nothing but verdicts of texts that repeat."""
    days: dict[str, date | RowError] = {}
    zones: dict[str, str | RowError] = {}
    for chunk in chunks:
        if len(days) > MAX_CACHED_VERDICTS:
            days.clear()
        if len(zones) > MAX_CACHED_VERDICTS:
            zones.clear()
        yield _validated(chunk, header, rules, days, zones)


def _validated(
    chunk: ParsedRows,
    header: Header,
    rules: Rules,
    days: dict[str, date | RowError],
    zones: dict[str, str | RowError],
) -> ValidatedRows:
    name_at, email_at, date_at, zone_at = header.field_positions
    valid: list[ValidRow] = []
    rejections: list[Rejection] = []
    keep = valid.append
    # a million calls: the tuple's own constructor takes half the time of the named tuple's
    make = tuple.__new__
    is_plain = PLAIN_LOCAL_PART.fullmatch
    for number, line, cells in zip(chunk.numbers, chunk.lines, chunk.cells, strict=True):
        # the short ways of the two rules once more, without a call: most rows go through here
        text = cells[name_at].strip()
        name: str | RowError = text
        if not (text.isascii() and text.isprintable() and 0 < len(text) <= MAX_NAME_CODE_POINTS):
            name = stored_full_name(cells[name_at])
        local_part, _, domain = cells[email_at].partition("@")
        accepted = accepted_domains.get(domain)
        email: str | RowError
        if accepted is not None and len(local_part) <= accepted[1] and is_plain(local_part):
            email = local_part.lower() + accepted[0]
        else:
            email = stored_email(cells[email_at])
        date_text = cells[date_at]
        day = days.get(date_text)
        if day is None:
            day = stored_date_of_birth(date_text, rules)
            if len(date_text) <= LONGEST_CACHED_TEXT:
                days[date_text] = day
        zone_text = cells[zone_at]
        zone = zones.get(zone_text)
        if zone is None:
            zone = stored_timezone(zone_text)
            if len(zone_text) <= LONGEST_CACHED_TEXT:
                zones[zone_text] = zone
        if name.__class__ is str and email.__class__ is str and day.__class__ is date and zone.__class__ is str:
            keep(make(ValidRow, (number, line, name, email, day, zone, cells)))
        else:
            errors = tuple(found for found in (name, email, day, zone) if isinstance(found, RowError))
            rejections.append(Rejection(number, line, cells, errors))
    return ValidatedRows(valid, _in_file_order(rejections, chunk.rejections), chunk.position)


def _in_file_order(invalid: list[Rejection], unparsed: Sequence[Rejection]) -> Sequence[Rejection]:
    if not unparsed:
        return invalid
    return sorted([*invalid, *unparsed], key=attrgetter("row"))
