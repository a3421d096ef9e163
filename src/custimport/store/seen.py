"""Guesses which rows repeat an e-mail of their file, so that inserts seldom collide."""

from collections.abc import Sequence
from typing import Final

from custimport.records import ValidRow

SLOTS: Final = 1 << 22
"""Bytes of memory for each writer. Of a million rows in two writers one in fifteen is taken for a repeated one."""
MOST_USED_SLOTS: Final = SLOTS // 4
"""Then everything is forgotten: with more, most rows would be taken for repeated ones."""


class SeenEmails:
    """Remembers the e-mails that went by, a byte each, in fixed memory.

    One colliding document costs the server as much as a hundred that go in: it gives up the group that it was writing
    and writes its documents one by one. A wrong guess costs one look-up, and never changes the result.
    """

    def __init__(self) -> None:
        self._slots = bytearray(SLOTS)
        self._used = 0

    def split(self, rows: Sequence[ValidRow]) -> tuple[Sequence[ValidRow], Sequence[ValidRow]]:
        """Rows of distinct e-mails that surely did not go by before, and those that may have; both in file order."""
        slots = self._slots
        places = [hash(row[3]) % SLOTS for row in rows]
        is_new = not any(map(slots.__getitem__, places)) and len(set(places)) == len(places)
        fresh: Sequence[ValidRow] = rows
        perhaps_seen: Sequence[ValidRow] = ()
        if is_new:
            for place in places:
                slots[place] = 1
            self._used += len(places)
        else:
            fresh, perhaps_seen = [], []
            for place, row in zip(places, rows, strict=True):
                (perhaps_seen if slots[place] else fresh).append(row)
                slots[place] = 1
            self._used += len(fresh)
        if self._used > MOST_USED_SLOTS:
            self._slots = bytearray(SLOTS)
            self._used = 0
        return fresh, perhaps_seen
