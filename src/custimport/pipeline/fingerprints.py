"""Remembers which e-mails a file has shown already, in a few bytes each."""

from array import array
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, overload

from custimport.records import ValidRow

fingerprint: Final[Callable[[object], int]] = hash
"""64 bits of a value, signed. Python's keyed hash: a file cannot be made to collide on purpose."""

UNUSED: Final = 2**32 - 1
"""Stands for the entry before it in an entry that is in no chain."""
FIRST_SLOTS: Final = 8_192
"""Beginnings of chains in an empty table, a power of two; there are at least twice as many whenever entries outnumber
them."""
MOST_GROWTH: Final = 16
"""Times as many as there are: the rows that were seen may be shorter than those to come, and promise too many."""


class FingerprintTable:
    """A map from 64-bit fingerprints to 64-bit numbers, asked for many at a time.

    Entries stand one after another, each with the place of the one before it in its chain, so that writing them is
    cheap. An entry takes 20 bytes, and between 4 and 8 for the beginnings of the chains, where a dict takes over 100.
    """

    def __init__(self) -> None:
        # places are 1-based: 0 ends a chain
        self._keys = array("q", [0])
        self._values = array("q", [0])
        self._before = array("I", [0])
        self._newest = array("I", [0]) * FIRST_SLOTS
        self._expected = 0

    @property
    def size_bytes(self) -> int:
        """Memory of all entries and chains."""
        return 20 * len(self._keys) + 4 * len(self._newest)

    def expect(self, entries: int) -> None:
        """There will be about so many: where the table must grow, it grows to that size, if it can be believed."""
        self._expected = entries

    def put_first(self, fingerprints: "array[int]", values: "array[int]") -> dict[int, int]:
        """Keep each value unless there is one for its fingerprint already, in order.

        Gives, for the index (0-based) of each fingerprint that was there, the value that is kept.
        """
        places = self._places(fingerprints, values)
        return {index: self._values[place] for index, place in places.items()}

    def put(self, fingerprints: "array[int]", values: "array[int]") -> dict[int, int]:
        """Keep each value instead of the one before it, in order; gives those before as `put_first` does."""
        before: dict[int, int] = {}
        for index, place in self._places(fingerprints, values).items():
            before[index] = self._values[place]
            self._values[place] = values[index]
        return before

    def _places(self, fingerprints: "array[int]", values: "array[int]") -> dict[int, int]:
        """Enters what is new; gives the places of the fingerprints that were there, by their index."""
        keys, before = self._keys, self._before
        first = len(keys)
        # what turns out to be known takes room as well, and is never found
        keys.extend(fingerprints)
        self._values.extend(values)
        before.frombytes(bytes(before.itemsize * len(fingerprints)))
        if len(keys) > len(self._newest):
            self._more_slots(first)
        newest, mask = self._newest, len(self._newest) - 1
        known: dict[int, int] = {}
        for place, fingerprint in enumerate(fingerprints, start=first):
            slot = fingerprint & mask
            at = latest = newest[slot]
            if latest:
                while keys[at] != fingerprint:
                    at = before[at]
                    if not at:
                        before[place] = latest
                        break
                else:
                    known[place - first] = at
                    before[place] = UNUSED
                    continue
            newest[slot] = place
        return known

    def _more_slots(self, entries: int) -> None:
        """As many chains as there will be entries, a power of two; the first `entries` are put into them."""
        slots = len(self._newest)
        believed = min(self._expected, MOST_GROWTH * slots)
        while slots < max(len(self._keys), believed):
            slots *= 2
        # the old chains go first: both at once would be the peak
        self._newest = array("I")
        self._newest = newest = array("I", [0]) * slots
        before, mask = self._before, slots - 1
        for place, fingerprint in enumerate(islice(self._keys, 1, entries), start=1):
            if before[place] != UNUSED:
                slot = fingerprint & mask
                before[place] = newest[slot]
                newest[slot] = place


class FingerprintedRows(Sequence[ValidRow]):
    """Valid rows of which only fingerprints are at hand; rows themselves are made when somebody asks for them.

    `numbers` are the rows' own (1-based), `emails` the fingerprints of the e-mails, `values` those of the other values,
    if they are needed.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        emails: "array[int]",
        values: "array[int]",
        rows_at: Callable[[Sequence[int]], list[ValidRow]],
    ) -> None:
        self.numbers = numbers
        self.emails = emails
        self.values = values
        self._rows_at = rows_at

    def at(self, indexes: Sequence[int]) -> list[ValidRow]:
        """The rows at some indexes (0-based), which takes less time than one by one."""
        return self._rows_at(indexes) if indexes else []

    def __len__(self) -> int:
        return len(self.emails)

    @overload
    def __getitem__(self, index: int) -> ValidRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[ValidRow]: ...
    def __getitem__(self, index: int | slice) -> ValidRow | list[ValidRow]:
        if isinstance(index, slice):
            return self._rows_at(range(*index.indices(len(self))))
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._rows_at([index])[0]


def rows_at(rows: Sequence[ValidRow], indexes: Sequence[int]) -> list[ValidRow]:
    """The rows at some indexes (0-based)."""
    return rows.at(indexes) if isinstance(rows, FingerprintedRows) else [rows[index] for index in indexes]


def row_numbers(rows: Sequence[ValidRow]) -> "array[int]":
    """The number (1-based) of each row."""
    return array("q", rows.numbers if isinstance(rows, FingerprintedRows) else [row[0] for row in rows])


def email_fingerprints(rows: Sequence[ValidRow]) -> "array[int]":
    """A fingerprint of each row's e-mail."""
    return rows.emails if isinstance(rows, FingerprintedRows) else array("q", [hash(row[3]) for row in rows])


def value_fingerprints(rows: Sequence[ValidRow]) -> "array[int]":
    """A fingerprint of the other values of each row."""
    if isinstance(rows, FingerprintedRows):
        return rows.values
    return array("q", [fingerprint((name, day, zone)) for _, _, name, _, day, zone, _ in rows])
