"""Judges every row: valid rows with the values to store, rejections with every reason."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Final, Generic, TypeVar

from custimport.customer.codes import RowError
from custimport.customer.dates import Rules, stored_date_of_birth
from custimport.customer.emails import stored_emails
from custimport.customer.names import stored_full_names
from custimport.customer.timezones import stored_timezone
from custimport.records import Header, ParsedRows, Rejection, ValidatedRows, ValidRow

MAX_CACHED_VERDICTS: Final = 50_000
"""Texts of dates and zones whose verdict is kept: a hundred and thirty years of days fit; then it starts anew."""
LONGEST_CACHED_TEXT: Final = 64

Value = TypeVar("Value")


class _Verdicts(dict[str, Value | RowError], Generic[Value]):
    """What a rule says of texts that repeat: looked up like a dict, asked once for each text.

    `has_refused`: it has refused some text by now.
    """

    def __init__(self, judge: Callable[[str], Value | RowError]) -> None:
        super().__init__()
        self._judge = judge
        self.has_refused = False

    def __missing__(self, text: str) -> Value | RowError:
        verdict = self._judge(text)
        self.has_refused |= isinstance(verdict, RowError)
        if len(text) <= LONGEST_CACHED_TEXT:
            if len(self) >= MAX_CACHED_VERDICTS:
                self.clear()
            self[text] = verdict
        return verdict


def validate(chunks: Iterable[ParsedRows], header: Header, rules: Rules) -> Iterator[ValidatedRows]:
    """Every chunk judged, in file order; streams, keeps nothing but verdicts of texts that repeat."""
    judge = Judge(header, rules)
    for chunk in chunks:
        yield judge.judged(chunk)


class Judge:
    """Judges the rows of one file; keeps nothing but verdicts of texts that repeat."""

    def __init__(self, header: Header, rules: Rules) -> None:
        self._header = header
        self._days = _Verdicts[date](lambda text: stored_date_of_birth(text, rules))
        self._zones = _Verdicts[str](stored_timezone)

    def judged(self, chunk: ParsedRows) -> ValidatedRows:
        """The chunk's valid rows and its rejections."""
        return _validated(chunk, self._header, self._days, self._zones)


def _validated(chunk: ParsedRows, header: Header, days: _Verdicts[date], zones: _Verdicts[str]) -> ValidatedRows:
    """Judges column by column: the loops run in C, where a million calls a field would take most of the time."""
    names, emails, dates, zone_names = (list(map(itemgetter(at), chunk.cells)) for at in header.field_positions)
    verdicts: tuple[Sequence[object], ...] = (
        stored_full_names(names),
        stored_emails(emails),
        list(map(days.__getitem__, dates)),
        list(map(zones.__getitem__, zone_names)),
    )
    rows = zip(chunk.numbers, chunk.lines, *verdicts, chunk.cells, strict=True)
    refused = {
        index
        for column, may_refuse in zip(verdicts, (True, True, days.has_refused, zones.has_refused), strict=True)
        if may_refuse and RowError in set(map(type, column))
        for index, verdict in enumerate(column)
        if verdict.__class__ is RowError
    }
    if not refused:
        # the tuple's own constructor takes half the time of the named tuple's
        return ValidatedRows(list(map(tuple.__new__, repeat(ValidRow), rows)), chunk.rejections, chunk.position)
    valid = [tuple.__new__(ValidRow, row) for index, row in enumerate(rows) if index not in refused]
    invalid = [
        Rejection(
            chunk.numbers[index],
            chunk.lines[index],
            chunk.cells[index],
            tuple(verdict for column in verdicts if isinstance(verdict := column[index], RowError)),
        )
        for index in sorted(refused)
    ]
    return ValidatedRows(valid, _in_file_order(invalid, chunk.rejections), chunk.position)


def _in_file_order(invalid: list[Rejection], unparsed: Sequence[Rejection]) -> Sequence[Rejection]:
    if not unparsed:
        return invalid
    return sorted([*invalid, *unparsed], key=attrgetter("row"))
