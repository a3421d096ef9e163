"""Judges every row: valid rows with the values to store, rejections with every reason."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import compress, repeat
from operator import attrgetter, itemgetter
from typing import Any, Final, Generic, TypeVar

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
        self._positions = header.field_positions
        self._days = _Verdicts[date](lambda text: stored_date_of_birth(text, rules))
        self._zones = _Verdicts[str](stored_timezone)

    def judged(self, chunk: ParsedRows) -> ValidatedRows:
        """The chunk's valid rows and its rejections."""
        return self.columns(chunk).validated()

    def columns(self, chunk: ParsedRows) -> "JudgedColumns":
        """The same as columns: the loops run in C, where a million calls a field would take most of the time."""
        names, emails, dates, zone_names = (list(map(itemgetter(at), chunk.cells)) for at in self._positions)
        verdicts: tuple[Sequence[Any], ...] = (
            stored_full_names(names),
            stored_emails(emails),
            list(map(self._days.__getitem__, dates)),
            list(map(self._zones.__getitem__, zone_names)),
        )
        may_refuse = (True, True, self._days.has_refused, self._zones.has_refused)
        refused = {
            index
            for column, may in zip(verdicts, may_refuse, strict=True)
            if may and RowError in set(map(type, column))
            for index, verdict in enumerate(column)
            if verdict.__class__ is RowError
        }
        return JudgedColumns(chunk, verdicts, sorted(refused))


@dataclass(frozen=True, slots=True)
class JudgedColumns:
    """A chunk and what the rules say of it: for each of the four fields a column of values or the errors instead.

    `refused`: the indexes (0-based) of the rows that have an error, ascending.
    """

    chunk: ParsedRows
    fields: Sequence[Sequence[Any]]
    refused: Sequence[int]

    def of_valid_rows(self, *columns: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Columns of the chunk without the rows that were refused."""
        if not self.refused:
            return columns
        selectors = self.selectors()
        return [list(compress(column, selectors)) for column in columns]

    def selectors(self) -> bytes:
        """A byte for each row: 1 for those that are valid."""
        selectors = bytearray(b"\x01") * len(self.chunk.numbers)
        for index in self.refused:
            selectors[index] = 0
        return bytes(selectors)

    def rejections(self) -> Sequence[Rejection]:
        """What the rules refuse and what could not be parsed, in file order."""
        numbers, lines, cells = self.chunk.numbers, self.chunk.lines, self.chunk.cells
        invalid = [
            Rejection(
                numbers[index],
                lines[index],
                cells[index],
                tuple([verdict for column in self.fields if isinstance(verdict := column[index], RowError)]),
            )
            for index in self.refused
        ]
        return _in_file_order(invalid, self.chunk.rejections)

    def validated(self) -> ValidatedRows:
        """The chunk's valid rows and its rejections."""
        chunk = self.chunk
        columns = self.of_valid_rows(chunk.numbers, chunk.lines, *self.fields, chunk.cells)
        # the tuple's own constructor takes half the time of the named tuple's
        valid = list(map(tuple.__new__, repeat(ValidRow), zip(*columns, strict=True)))
        return ValidatedRows(valid, self.rejections(), chunk.position)


def _in_file_order(invalid: list[Rejection], unparsed: Sequence[Rejection]) -> Sequence[Rejection]:
    if not unparsed:
        return invalid
    return sorted([*invalid, *unparsed], key=attrgetter("row"))
