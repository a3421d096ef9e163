"""Remembers which e-mails a file has shown already, in a few bytes each."""

from array import array
from typing import Final

PARTITIONS: Final = 64
"""Tables that grow one at a time: while one is copied the others are not, which keeps the peak low."""
FIRST_SLOTS: Final = 64
FULLEST_SHARE: Final = 0.70
GROWTH: Final = 1.4


class FingerprintTable:
    """A map from 64-bit fingerprints to 64-bit numbers, open addressing in plain arrays.

    Takes 16 bytes a slot; with between 50 % and 70 % of the slots in use that is 23 to 32 bytes an entry, where a
    dict takes over 100.
    """

    def __init__(self) -> None:
        # of different sizes, so that they do not all grow at about the same number of entries
        sizes = [int(FIRST_SLOTS * GROWTH ** (part / PARTITIONS)) for part in range(PARTITIONS)]
        self._keys = [array("Q", bytes(8 * slots)) for slots in sizes]
        self._values = [array("Q", bytes(8 * slots)) for slots in sizes]
        self._used = [0] * PARTITIONS

    def __len__(self) -> int:
        return sum(self._used)

    @property
    def size_bytes(self) -> int:
        """Memory of all slots."""
        return sum(16 * len(keys) for keys in self._keys)

    def get(self, fingerprint: int) -> int | None:
        """The number kept for a fingerprint (1 to 2**64 - 1), None if there is none."""
        part = fingerprint % PARTITIONS
        keys = self._keys[part]
        slots = len(keys)
        slot = (fingerprint // PARTITIONS) % slots
        while key := keys[slot]:
            if key == fingerprint:
                return self._values[part][slot]
            slot += 1
            if slot == slots:
                slot = 0
        return None

    def put(self, fingerprint: int, value: int) -> None:
        """Keep `value` (0 to 2**64 - 1) for the fingerprint, replacing what was kept."""
        part = fingerprint % PARTITIONS
        keys = self._keys[part]
        slots = len(keys)
        slot = (fingerprint // PARTITIONS) % slots
        while key := keys[slot]:
            if key == fingerprint:
                self._values[part][slot] = value
                return
            slot += 1
            if slot == slots:
                slot = 0
        self._occupy(part, slot, fingerprint, value)

    def put_first(self, fingerprint: int, value: int) -> int | None:
        """Keep `value` unless one is kept already; that one, or None if `value` is the first."""
        part = fingerprint % PARTITIONS
        keys = self._keys[part]
        slots = len(keys)
        slot = (fingerprint // PARTITIONS) % slots
        while key := keys[slot]:
            if key == fingerprint:
                return self._values[part][slot]
            slot += 1
            if slot == slots:
                slot = 0
        self._occupy(part, slot, fingerprint, value)
        return None

    def _occupy(self, part: int, slot: int, fingerprint: int, value: int) -> None:
        self._keys[part][slot] = fingerprint
        self._values[part][slot] = value
        self._used[part] = used = self._used[part] + 1
        if used > FULLEST_SHARE * len(self._keys[part]):
            self._grow(part)

    def _grow(self, part: int) -> None:
        old_keys, old_values = self._keys[part], self._values[part]
        slots = int(len(old_keys) * GROWTH)
        keys, values = array("Q", bytes(8 * slots)), array("Q", bytes(8 * slots))
        for key, value in zip(old_keys, old_values, strict=True):
            if key:
                slot = (key // PARTITIONS) % slots
                while keys[slot]:
                    slot += 1
                    if slot == slots:
                        slot = 0
                keys[slot] = key
                values[slot] = value
        self._keys[part], self._values[part] = keys, values


def fingerprint(value: object) -> int:
    """64 bits of a value, never 0. Python's keyed hash: a file cannot be made to collide on purpose."""
    return (hash(value) & 0xFFFF_FFFF_FFFF_FFFF) or 1
