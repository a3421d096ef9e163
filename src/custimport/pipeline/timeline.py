"""How far an import was at which second: few samples, however long it takes."""

from collections.abc import Iterable
from typing import Final

MAX_SAMPLES: Final = 120
"""As many bars as a page shows; with more, every second one is forgotten."""
LEAST_SECONDS: Final = 0.02
"""Between two samples: shorter times say more about threads than about throughput."""

Sample = tuple[int, float]
"""Rows read, and the seconds since the import began, those before an interruption included."""


class Timeline:
    """Samples of one import, in order of time; `before` are those from before this run, its starting point at least."""

    def __init__(self, before: Iterable[Sample]) -> None:
        self._samples: list[Sample] = list(before)
        self._least_seconds = LEAST_SECONDS

    def reached(self, rows: int, seconds: float) -> None:
        """So many rows are read after so many seconds."""
        if seconds - self._samples[-1][1] < self._least_seconds:
            return
        self._samples.append((rows, seconds))
        if len(self._samples) > MAX_SAMPLES:
            del self._samples[1::2]
            self._least_seconds = seconds / MAX_SAMPLES

    def ended(self, rows: int, seconds: float) -> tuple[Sample, ...]:
        """All samples, the last one for the end."""
        first, *others = self._samples
        samples = [first, *(sample for sample in others if sample[1] <= seconds - self._least_seconds)]
        return (*samples, (rows, seconds))
