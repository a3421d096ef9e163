"""Waiting out an outage: back-off with jitter, for as long as `--retry-for` says."""

import random
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from pymongo.errors import PyMongoError

from custimport.errors import DatabaseUnavailable
from custimport.store.connection import is_outage

Result = TypeVar("Result")

FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 5.0
"""An election takes about ten seconds: a longer wait would waste time after it."""


class Patience:
    """Counts one outage, from anybody's first failure to anybody's next success; all threads of an import share one.

    Once it has given up, the next failure ends at once: the history is not waited for a second time.
    `stop` ends the waiting at once: whoever presses Ctrl-C during an outage does not want to wait for its end.
    `notify` is told the cause and the seconds of the next wait, and an empty cause when the outage is over.
    """

    def __init__(
        self, retry_for_seconds: float, stop: threading.Event, notify: Callable[[str, float], None] | None = None
    ) -> None:
        self._retry_for_seconds = retry_for_seconds
        self._stop = stop
        self._notify = notify or (lambda _cause, _seconds: None)
        self._since: float | None = None
        self._wait_seconds = FIRST_WAIT_SECONDS

    def failed(self, error: Exception) -> None:
        """Wait before the next try. Raises `DatabaseUnavailable` when the time is over or the run is to stop."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        left = self._since + self._retry_for_seconds - now
        if left <= 0 or self._stop.is_set():
            raise DatabaseUnavailable(
                f"the database was lost and did not come back within {self._retry_for_seconds:g} s: "
                f"{type(error).__name__}",
                hint="check the server, then resume the import",
            ) from error
        seconds = min(left, self._wait_seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        self._wait_seconds = min(self._wait_seconds * 2, LONGEST_WAIT_SECONDS)
        self._notify(type(error).__name__, seconds)
        self._stop.wait(seconds)

    def succeeded(self) -> None:
        """The outage, if there was one, is over."""
        if self._since is not None:
            self._since = None
            self._wait_seconds = FIRST_WAIT_SECONDS
            self._notify("", 0.0)

    def call(self, operation: Callable[[], Result]) -> Result:
        """What `operation` gives, tried again through outages. It must be safe to repeat."""
        while True:
            try:
                result = operation()
            except PyMongoError as error:
                if not is_outage(error):
                    raise
                self.failed(error)
            else:
                self.succeeded()
                return result
