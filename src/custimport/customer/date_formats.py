"""In which format refused dates were probably written. Only said, never done."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from custimport.customer.dates import ISO_DATETIME, day_reader

MAX_DATES: Final = 10_000
"""Refused dates that are looked at: enough to tell day from month, and a fifth of a second at most."""

_NUMBERS: Final = re.compile(r"([0-9]{1,4})([./ -])[0-9]{1,2}\2([0-9]{1,4})")
_EIGHT_DIGITS: Final = re.compile("[0-9]{8}")
_MIDNIGHT: Final = re.compile(r" (?:0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? ?AM)$")
"""A time that says nothing, written behind a date of another form than ISO 8601."""
_DAY_FIRST_NAMED: Final = re.compile(r"[0-9]{1,2}([ -])([A-Za-z]{3,9})\1([0-9]{4}|[0-9]{2})")
_MONTH_FIRST_NAMED: Final = re.compile(r"([A-Za-z]{3,9}) [0-9]{1,2}(,?) [0-9]{4}")
_TIMESTAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*")
_SERIAL_NUMBER: Final = re.compile("[1-6]?[0-9]{4}")
_LONGEST_SHORT_MONTH: Final = 3
_WORDS: Final = {"%d": "DD", "%m": "MM", "%Y": "YYYY", "%y": "YY", "%b": "Mon", "%B": "Month"}


@dataclass(frozen=True, slots=True)
class DateDiagnosis:
    """What refused dates have in common.

    `text` is for people; `formats` are the values of `--date-format` that would read them, none where that is not sure.
    """

    text: str
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    """Dates that look alike: how many, and how many of them each candidate format reads."""

    candidates: tuple[str, ...]
    dates: int
    readable: Mapping[str, int]


def diagnose(texts: Iterable[str]) -> DateDiagnosis | None:
    """What the most of these refused dates look like; None if they have nothing in common that helps."""
    counted = Counter(text.strip() for text in texts)
    total = counted.total()
    if not total:
        return None
    serials = sum(count for text, count in counted.items() if _SERIAL_NUMBER.fullmatch(text))
    if 2 * serials > total:
        text = f"{serials:,} of {total:,} refused dates are plain numbers, as spreadsheets count days"
        return DateDiagnosis(f"{text}: format the column as YYYY-MM-DD there and export it again")
    layouts = _layouts(counted)
    if not layouts:
        return None
    layout = max(layouts, key=lambda found: max(found.readable.values()))
    most = max(layout.readable.values())
    return _told(layout, total) if most and 2 * layout.dates > total else None


def _told(layout: _Layout, total: int) -> DateDiagnosis:
    best = sorted(layout.candidates, key=lambda pattern: -layout.readable[pattern])
    first, *others = best
    share = f"{layout.readable[first]:,} of {total:,} refused dates look like"
    if others and layout.readable[others[0]] == layout.readable[first]:
        either = " or ".join(f"--date-format '{pattern}'" for pattern in best)
        text = f"{share} {' or '.join(map(in_words, best))}, day and month cannot be told apart"
        return DateDiagnosis(f"{text}: ask where the file comes from, then add {either}")
    against = layout.dates - layout.readable[first]
    proof = "none contradicts it" if not against else f"{against:,} contradict it"
    return DateDiagnosis(f"{share} {in_words(first)}; {proof}", (first,))


def in_words(pattern: str) -> str:
    """A format as people write it: DD/MM/YYYY for %d/%m/%Y."""
    if pattern == ISO_DATETIME:
        return "timestamps at midnight"
    return re.sub("%[a-zA-Z]", lambda found: _WORDS.get(found.group(), found.group()), pattern)


def _layouts(counted: Mapping[str, int]) -> list[_Layout]:
    dates: Counter[tuple[str, ...]] = Counter()
    readable: dict[tuple[str, ...], Counter[str]] = {}
    for text, count in counted.items():
        candidates = tuple(_candidates(text))
        if not candidates:
            continue
        dates[candidates] += count
        read = readable.setdefault(candidates, Counter())
        for pattern in candidates:
            if day_reader(pattern)(text) is not None:
                read[pattern] += count
    return [
        _Layout(candidates, count, {pattern: readable[candidates][pattern] for pattern in candidates})
        for candidates, count in dates.items()
    ]


def _candidates(text: str) -> Iterator[str]:
    """The formats that a text of this look could be written in."""
    midnight = _MIDNIGHT.search(text)
    if _TIMESTAMP.fullmatch(text):
        yield ISO_DATETIME
    elif midnight:
        # the time stands in the format as it is, so that any other time is refused and not dropped
        yield from (pattern + midnight.group() for pattern in _day_candidates(text[: midnight.start()]))
    else:
        yield from _day_candidates(text)


def _day_candidates(text: str) -> Iterator[str]:
    if numbers := _NUMBERS.fullmatch(text):
        first, between, last = numbers.groups()
        if len(first) == 4:
            yield between.join(("%Y", "%m", "%d"))
        elif len(last) in {2, 4}:
            year = "%Y" if len(last) == 4 else "%y"
            yield between.join(("%d", "%m", year))
            yield between.join(("%m", "%d", year))
    elif _EIGHT_DIGITS.fullmatch(text):
        yield from ("%Y%m%d", "%d%m%Y", "%m%d%Y")
    elif named := _DAY_FIRST_NAMED.fullmatch(text):
        between, month, year = named.groups()
        yield between.join(("%d", _month(month), "%Y" if len(year) == 4 else "%y"))
    elif named := _MONTH_FIRST_NAMED.fullmatch(text):
        yield f"{_month(named.group(1))} %d{named.group(2)} %Y"


def _month(name: str) -> str:
    return "%b" if len(name) <= _LONGEST_SHORT_MONTH else "%B"
