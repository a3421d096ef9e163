"""The log for machines and for later: events with stable names and keys, off unless an option asks for it."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from custimport.errors import (
    CustimportError,
    DatabaseUnavailable,
    ExitCode,
    Interrupted,
    OutputUnwritable,
    TooManyRejections,
)

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class LogFormat(StrEnum):
    """How an event is written: one line each."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least grave events that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


FREE_OF_VALUES: Final = (DatabaseUnavailable, Interrupted, OutputUnwritable, TooManyRejections)
"""Errors whose messages never quote what a file or a customer holds; a header that was not found may be a customer."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What the log options say; None for what nobody says."""

    format: LogFormat | None = None
    file: str | None = None
    level: LogLevel | None = None
    values: bool | None = None

    @property
    def asked_for(self) -> bool:
        """Whether there is to be a log at all."""
        return any(option is not None for option in (self.format, self.file, self.level, self.values))


@dataclass(frozen=True, slots=True)
class EventLog:
    """Where events go; nowhere without a logger.

    `shows_values`: cells of the file may be written. `on_standard_error`: it is what a person would read there.
    """

    logger: "FilteringBoundLogger | None" = field(default=None, repr=False)
    shows_values: bool = False
    on_standard_error: bool = False
    level: LogLevel = LogLevel.INFO

    def debug(self, event: str, **fields: Any) -> None:
        """Write an event about a single row."""
        if self.logger is not None:
            self.logger.debug(event, **fields)

    def info(self, event: str, **fields: Any) -> None:
        """Write an event of an undisturbed run."""
        if self.logger is not None:
            self.logger.info(event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Write an event that an operator should know and that stops nothing."""
        if self.logger is not None:
            self.logger.warning(event, **fields)

    def failure(self, error: BaseException, **fields: Any) -> None:
        """Write what ended a run: kind and exit code; the message only where it cannot hold any value of a file."""
        if self.logger is None:
            return
        if isinstance(error, FREE_OF_VALUES) or (self.shows_values and isinstance(error, CustimportError)):
            fields["message"] = error.message
        self.logger.error("error", error=type(error).__name__, exit_code=exit_code_of(error), **fields)

    def bind(self, **fields: Any) -> "EventLog":
        """The same log, with these fields in every event."""
        if self.logger is None:
            return self
        return EventLog(self.logger.bind(**fields), self.shows_values, self.on_standard_error, self.level)


def exit_code_of(error: BaseException) -> int:
    """The exit code to which an error leads; 1 for a bug."""
    return int(ExitCode.SIGINT if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_code", ExitCode.BUG))


NO_LOG: Final = EventLog()


@contextmanager
def opened_log(options: LogOptions) -> Iterator[EventLog]:
    """The log that the options ask for, until the block ends; one without a logger if they ask for none.

    A file is appended to, and made with mode 0600. Raises `OutputUnwritable` if it cannot be written.
    """
    if not options.asked_for:
        yield NO_LOG
    elif options.file is None:
        yield _log(options, sys.stderr, on_standard_error=True)
    else:
        descriptor = _opened(options.file)
        try:
            yield _log(options, _LogFile(descriptor, options.file), on_standard_error=False)
        finally:
            os.close(descriptor)


class _LogFile:
    """What can be written to line by line; a disk that is full ends the log and not the import."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self._path = path
        self._failed = False

    def write(self, text: str) -> None:
        if self._failed:
            return
        try:
            # in one piece, so that the lines of several processes stay whole
            os.write(self._descriptor, text.encode("utf-8", errors="backslashreplace"))
        except OSError as error:
            from custimport.cli.terminal import warning

            self._failed = True
            warning(f"--log-file {self._path}: cannot be written any more: {error.strerror or error}")

    def flush(self) -> None:
        """Nothing is kept back."""


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutputUnwritable(
            f"--log-file {path}: cannot be written: {error.strerror or error}", hint="name another file"
        ) from error


def _log(options: LogOptions, stream: Any, *, on_standard_error: bool) -> EventLog:
    # only who asks for a log pays for it
    import structlog

    level = options.level or LogLevel.INFO
    if options.format is LogFormat.JSON:
        render: Any = _json_line
    else:
        colors = on_standard_error and stream.isatty() and not os.environ.get("NO_COLOR")
        render = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _in_order,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
    )
    return EventLog(logger.bind(), bool(options.values), on_standard_error, level)


def _in_order(_logger: object, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """When, how grave and what first; every text free of what could steer a terminal."""
    from custimport.cli.terminal import shown_value

    first = ("timestamp", "level", "event", "import_id", "file")
    keys = (*(key for key in first if key in event), *(key for key in event if key not in first))
    return {key: shown_value(event[key]) if isinstance(event[key], str) else event[key] for key in keys}


def _json_line(_logger: object, _method: str, event: Mapping[str, Any]) -> str:
    from custimport.cli.terminal import json_text

    return json_text(dict(event))
