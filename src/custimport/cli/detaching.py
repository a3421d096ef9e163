"""`load --detach`: the import goes on in a process of its own; the command ends as soon as the import has begun."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from custimport.cli import invocation
from custimport.cli.event_log import NO_LOG
from custimport.cli.terminal import note, print_json, shown, shown_value
from custimport.errors import OutputUnwritable
from custimport.pipeline.reports import plain_name

Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Background:
    """The process that does the work: its number, and the log that holds what it says, from `log_start_bytes` on."""

    process: int
    log: Path
    log_start_bytes: int


def log_path(name: str) -> Path:
    """Where a detached load of the file or import `name` writes what it would say: in the working directory."""
    return Path(f"{plain_name(name)}.load.log")


def detach(log: Path, *, json: bool, quiet: bool) -> Announce:
    """Returns in a new process without a terminal, and there gives the function that tells of the import's beginning.

    The process that called ends here: with exit code 0 and the import's id on standard output when the import has
    begun; with the messages and the exit code of the other process if it ended before that. Raises `OutputUnwritable`
    if the log cannot be written.
    """
    log_file = _opened(log)
    log_start_bytes = os.lseek(log_file, 0, os.SEEK_END)
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        os.close(writing)
        # the other process writes the log
        invocation.current().log = NO_LOG
        _leave(Background(process, log, log_start_bytes), reading, json=json, quiet=quiet)
    os.close(reading)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, standard in ((nothing, 0), (log_file, 1), (log_file, 2)):
        os.dup2(source, standard)
    note(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: process {os.getpid()} in {shown_value(str(Path.cwd()))}")

    def announce(import_id: str) -> None:
        nonlocal writing
        if writing >= 0:
            os.write(writing, import_id.encode())
            os.close(writing)
            # of several files only the first is waited for
            writing = -1

    return announce


def _opened(log: Path) -> int:
    try:
        return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise OutputUnwritable(
            f"{log}: cannot be written: {error.strerror or error}", hint="--detach logs to the working directory"
        ) from error


def _leave(background: Background, reading: int, *, json: bool, quiet: bool) -> None:
    """End this process as `detach` says; raises `typer.Exit` always."""
    import_id = ""
    try:
        with os.fdopen(reading) as pipe:
            import_id = pipe.read()
    except KeyboardInterrupt:
        # whoever presses Ctrl-C now means the import, which no terminal reaches any more
        os.kill(background.process, signal.SIGINT)
    if not import_id:
        _, status = os.waitpid(background.process, 0)
        sys.stderr.write(_said(background))
        exit_code = os.waitstatus_to_exitcode(status)
        # killed: as a shell would say it
        raise typer.Exit(exit_code if exit_code >= 0 else 128 - exit_code)
    if not quiet:
        sys.stderr.write(_said(background))
        note(
            f"in the background: process {background.process}, log {shown_value(str(background.log))}\n"
            f"  follow it with: custimport imports show {import_id} --watch\n"
            f"  stop it with: kill {background.process}"
        )
    if json:
        host = socket.gethostname()
        print_json({"import_id": import_id, "host": host, "process": background.process, "log": str(background.log)})
    else:
        typer.echo(import_id)
    raise typer.Exit


def _said(background: Background) -> str:
    """What the other process has said so far, without the line about itself."""
    with background.log.open("rb") as log:
        log.seek(background.log_start_bytes)
        return shown(log.read().decode(errors="replace").partition("\n")[2])
