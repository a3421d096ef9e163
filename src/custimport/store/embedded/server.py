"""Starting, sharing and stopping the embedded server. Two kernel locks, released by any death, decide who may."""

import contextlib
import fcntl
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from custimport.errors import DatabaseUnavailable, Refused, UsageError
from custimport.settings import (
    CONNECT_TIMEOUT_MS,
    EMBEDDED_IDLE_SECONDS,
    EMBEDDED_START_TIMEOUT_SECONDS,
    ENVIRONMENT_DATA_FOLDER,
    ENVIRONMENT_EMBEDDED_IDLE,
    ENVIRONMENT_MONGOD,
)
from custimport.store.embedded import guard
from custimport.store.embedded.binary import cause_of_exit, cause_of_start_error, find_mongod, unusable
from custimport.store.embedded.folders import Folders, folders, lock_file

LOOK_EVERY_SECONDS: Final = 0.005
LEAST_FREE_BYTES: Final = 200 * 1024 * 1024
"""A fresh server takes 20 MB; with less than this the first larger load would fill the disk."""
LARGEST_LOG_BYTES: Final = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EmbeddedState:
    """How the embedded server stands: `kept` says that `db start` keeps it running though nobody uses it."""

    uri: str
    folder: Path
    running: bool
    kept: bool


@contextmanager
def embedded_server(environment: Mapping[str, str]) -> Iterator[str]:
    """The URI of a running server, which stays up at least as long as the block.

    Raises `DatabaseUnavailable` with the cause and the ways out if it cannot be started.
    """
    places = folders(environment)
    # before looking for the server: the guard must not stop it in between
    with _locked(places.clients_lock, fcntl.LOCK_SH) as lock:
        try:
            if not _answers(places.socket):
                with _locked(places.start_lock, fcntl.LOCK_EX):
                    if not _answers(places.socket):
                        _start(places, environment)
            yield places.uri
        finally:
            with contextlib.suppress(OSError):
                os.utime(lock)


def state(environment: Mapping[str, str]) -> EmbeddedState:
    """How the server stands, without starting it."""
    places = folders(environment)
    return EmbeddedState(places.uri, places.root, _answers(places.socket), places.keep.exists())


def keep_running(environment: Mapping[str, str]) -> EmbeddedState:
    """Start the server and keep it until `stop`. Raises as `embedded_server` does; then nothing is kept."""
    with embedded_server(environment):
        folders(environment).keep.touch(mode=0o600)
        return state(environment)


def stop(environment: Mapping[str, str], *, force: bool) -> bool:
    """Stop the server, unless somebody uses it; whether it was running. Its files are closed when this returns.

    Raises `Refused` if another process uses it, unless `force`; `DatabaseUnavailable` if it does not stop.
    """
    places = folders(environment)
    with lock_file(places.clients_lock) as lock:
        # under the lock nobody starts it anew
        ours = _unused(lock.fileno())
        running = _answers(places.socket) or _is_held(places.server_lock)
        if running and not ours and not force:
            raise Refused(
                "the embedded MongoDB is in use by another custimport",
                hint="wait for it, or stop it all the same with --force; imports can be resumed",
            )
        places.keep.unlink(missing_ok=True)
        if running:
            _shut_down(places)
    return running


def _shut_down(places: Folders) -> None:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    with (
        contextlib.suppress(PyMongoError),
        MongoClient[dict[str, object]](places.uri, serverSelectionTimeoutMS=CONNECT_TIMEOUT_MS) as client,
    ):
        client.admin.command("shutdown", force=True)
    deadline = time.monotonic() + EMBEDDED_START_TIMEOUT_SECONDS
    with lock_file(places.server_lock) as lock:
        while not _try_lock(lock.fileno()):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"the embedded MongoDB does not stop; see {places.log}")
            time.sleep(LOOK_EVERY_SECONDS)


def _start(places: Folders, environment: Mapping[str, str]) -> None:
    """Start guard and mongod unless they are there, and wait until mongod answers. The caller holds the start lock.

    A server on its way down, or up because whoever started it was killed, has the server lock: no second one may
    start beside it, since mongod takes the socket from another even if it then cannot have the data.
    """
    deadline = time.monotonic() + EMBEDDED_START_TIMEOUT_SECONDS
    with lock_file(places.server_lock) as lock:
        while not _try_lock(lock.fileno()):
            if _answers(places.socket):
                return
            if time.monotonic() > deadline:
                raise unusable(f"the mongod that has {places.data} neither answers nor ends", places.log)
            time.sleep(LOOK_EVERY_SECONDS)
        _start_guard(places, environment, lock.fileno(), deadline)


def _start_guard(places: Folders, environment: Mapping[str, str], server_lock: int, deadline: float) -> None:
    idle_seconds = _idle_seconds(environment)
    mongod = find_mongod(environment)
    free_bytes = shutil.disk_usage(places.root).free
    if free_bytes < LEAST_FREE_BYTES:
        raise unusable(
            f"only {free_bytes // 1024 // 1024} MB of disk are left in {places.root}, "
            f"it needs {LEAST_FREE_BYTES // 1024 // 1024}"
        )
    _refuse_other_versions(places, mongod)
    _rotate(places.log)
    log_starts_at = places.log.stat().st_size if places.log.exists() else 0
    told, tell = os.pipe()
    try:
        arguments = [str(idle_seconds), str(places.root), str(places.socket), str(tell), str(server_lock)]
        # returns at once: the guard goes on in a child of its own, and a failure shows as an empty report
        subprocess.run(
            [sys.executable, "-I", "-S", guard.__file__, *arguments, *_command(mongod, places)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(tell, server_lock),
            umask=0o077,
            env={name: environment[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in environment},
            cwd="/",
            check=False,
        )
    finally:
        os.close(tell)
    with os.fdopen(told, "rb") as report:
        while not _answers(places.socket):
            readable, _, _ = select.select([report], [], [], LOOK_EVERY_SECONDS)
            if readable:
                raise _not_started(places, mongod, report.read(), log_starts_at)
            if time.monotonic() > deadline:
                raise unusable(f"mongod did not answer within {EMBEDDED_START_TIMEOUT_SECONDS:g} s", places.log)


def _refuse_other_versions(places: Folders, mongod: Path) -> None:
    """To begin an empty database beside a full one would look like a loss of everything."""
    others = places.data_of_other_versions()
    if others:
        raise DatabaseUnavailable(
            f"the data is in {others[-1]}, and {mongod} would begin an empty database in {places.root}",
            hint=f"use the mongod of that version: export {ENVIRONMENT_MONGOD}=/path/to/mongod\n"
            f"or begin anew elsewhere:         export {ENVIRONMENT_DATA_FOLDER}=/path/to/folder",
        )


def _command(mongod: Path, places: Folders) -> list[str]:
    """docs/architecture.md says why each option is there."""
    return [
        *(str(mongod), "--dbpath", str(places.data), "--nounixsocket", "--bind_ip", str(places.socket)),
        *("--logpath", str(places.log), "--logappend", "--quiet", "--slowms", "5000"),
        *("--wiredTigerCacheSizeGB", "0.25"),
        *("--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=16MB)"),
        *("--networkMessageCompressors", "disabled", "--noscripting"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]


def _not_started(places: Folders, mongod: Path, report: bytes, log_starts_at: int) -> DatabaseUnavailable:
    """The error for what the guard reported; an empty report is a guard that was killed."""
    if not report:
        return unusable("the process that watches over mongod ended while it started", places.log)
    found = json.loads(report)
    if "errno" in found:
        return unusable(cause_of_start_error(OSError(found["errno"], found["strerror"]), str(mongod)))
    last_error = _last_error(places.log, log_starts_at)
    return unusable(cause_of_exit(found["returncode"], found["words"], last_error), places.log)


def _last_error(log: Path, starts_at: int) -> str:
    """The last error in mongod's log, one JSON document a line, from byte `starts_at`: the rest is of earlier runs."""
    try:
        with log.open("rb") as stream:
            stream.seek(starts_at)
            lines = stream.read().decode(errors="replace").splitlines()[-200:]
    except OSError:
        return ""
    for line in reversed(lines):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            if entry["s"] in {"E", "F"}:
                reason = entry.get("attr", {}).get("error", "")
                return f"{entry['msg']} {reason}".strip()
    return ""


def _rotate(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))


def _idle_seconds(environment: Mapping[str, str]) -> float:
    text = environment.get(ENVIRONMENT_EMBEDDED_IDLE)
    if not text:
        return EMBEDDED_IDLE_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"{ENVIRONMENT_EMBEDDED_IDLE}={text!r} is not a number of seconds")
    return seconds


def _answers(path: Path) -> bool:
    """Whether a server listens there: the driver would find that out half a second later."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Whether the lock could be had at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_held(path: Path) -> bool:
    with lock_file(path) as lock:
        return not _try_lock(lock.fileno())


def _unused(clients_lock: int) -> bool:
    """Take the lock exclusively; False if somebody uses the server.

    Users share the lock. Who has it alone is the guard, for an instant or until mongod is gone: that is waited for.
    """
    deadline = time.monotonic() + EMBEDDED_START_TIMEOUT_SECONDS
    while not _try_lock(clients_lock):
        if _try_lock(clients_lock, fcntl.LOCK_SH):
            fcntl.flock(clients_lock, fcntl.LOCK_UN)
            return False
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_EVERY_SECONDS)
    return True


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[int]:
    """The lock, while the block runs; raises `DatabaseUnavailable` if it cannot be had in time."""
    deadline = time.monotonic() + EMBEDDED_START_TIMEOUT_SECONDS
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _try_lock(descriptor, kind):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"the embedded MongoDB is still starting or stopping after {EMBEDDED_START_TIMEOUT_SECONDS:g} s",
                    hint=f"another process holds {path}; mongod.log beside it may say why",
                )
            time.sleep(LOOK_EVERY_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)
