"""SIGINT and SIGTERM while an import runs: the first asks it to stop at a batch boundary, the second ends it."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from custimport.errors import ExitCode
from custimport.pipeline.run import StopRequest
from custimport.settings import STOPPING_SECONDS

EXIT_CODES = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """A request that the first signal sets; a second signal ends the process at once, and a resume finds its way.

    So does a database that keeps the process from stopping for longer than `STOPPING_SECONDS`.
    """
    request = StopRequest()
    overdue = threading.Timer(STOPPING_SECONDS, _give_up, [request])
    overdue.daemon = True

    def handle(number: int, _frame: FrameType | None) -> None:
        exit_code = EXIT_CODES[signal.Signals(number)]
        if request.is_set():
            os._exit(exit_code)
        request.exit_code = exit_code
        request.set()
        overdue.start()
        _say("\nstopping; once more ends at once\n")

    previous = {number: signal.signal(number, handle) for number in EXIT_CODES}
    try:
        yield request
    finally:
        overdue.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _give_up(request: StopRequest) -> None:
    _say("error: the database does not answer; what was sent last is settled when the import is resumed\n")
    if request.import_id:
        _say(f"  go on with: custimport load --resume {request.import_id}\n")
    os._exit(request.exit_code)


def _say(text: str) -> None:
    # no console here: a signal may come while one is being written to
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, text.encode())
