"""SIGINT and SIGTERM while an import runs: the first asks it to stop at a batch boundary, the second ends it."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from custimport.errors import ExitCode
from custimport.pipeline.run import StopRequest

EXIT_CODES = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """A request that the first signal sets; a second signal ends the process at once, and a resume finds its way."""
    request = StopRequest()

    def handle(number: int, _frame: FrameType | None) -> None:
        exit_code = EXIT_CODES[signal.Signals(number)]
        if request.is_set():
            os._exit(exit_code)
        request.exit_code = exit_code
        request.set()
        # no console here: a signal may come while one is being written to
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nstopping; once more ends at once\n")

    previous = {number: signal.signal(number, handle) for number in EXIT_CODES}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
