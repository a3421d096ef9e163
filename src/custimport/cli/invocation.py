"""What one command line asks for besides its command: which configuration, which log."""

import os
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custimport.cli.event_log import NO_LOG, EventLog

if TYPE_CHECKING:
    from custimport.cli.configuration import Configuration


@dataclass(slots=True)
class Invocation:
    """One run of the program; filled while its command line is read."""

    config: str | None = None
    profile: str | None = None
    configuration: "Configuration | None" = None
    log_options: dict[str, Any] = field(default_factory=dict)
    log: EventLog = NO_LOG

    def configured(self) -> "Configuration":
        """The configuration, read when it is needed first; raises `UsageError` if it is not usable."""
        from custimport.cli.configuration import read_configuration

        if self.configuration is None:
            self.configuration = read_configuration(self.config, self.profile, os.environ, Path.cwd())
        return self.configuration


_current: ContextVar[Invocation] = ContextVar("invocation")


def begin() -> Invocation:
    """A new invocation, which is the current one from now on."""
    invocation = Invocation()
    _current.set(invocation)
    return invocation


def adopt(invocation: Invocation) -> None:
    """Make an invocation the current one of this thread."""
    _current.set(invocation)


def current() -> Invocation:
    """The invocation under way; a fresh one where no command line was read."""
    return _current.get(None) or begin()
