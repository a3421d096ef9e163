"""Starting, sharing and stopping the embedded server. Two kernel locks, released by any death, decide who may."""

import contextlib
import fcntl
import json
import os
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
    EMBEDDED_IDLE_SECONDS,
    EMBEDDED_START_TIMEOUT_SECONDS,
    ENVIRONMENT_EMBEDDED_IDLE,
)
from custimport.store.embedded import guard
from custimport.store.embedded.binary import cause_of_exit, cause_of_start_error, find_mongod, unusable
from custimport.store.embedded.folders import Folders, folders

LOOK_EVERY_SECONDS: Final = 0.005
LEAST_FREE_BYTES: Final = 200 * 1024 * 1024
"""A fresh server takes 20 MB; with less than this the first larger load would fill the disk."""
DATA_FOLDER_IN_USE: Final = 100
DYING_SERVER_SECONDS: Final = 10.0
"""A server that was loading takes some seconds to close its files."""
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
    """Start the server and keep it until `stop`."""
    folders(environment).keep.touch(mode=0o600)
    with embedded_server(environment):
        return state(environment)


def stop(environment: Mapping[str, str], *, force: bool) -> bool:
    """Stop the server, unless somebody uses it; whether it was running.

    Raises `Refused` if another process uses it, unless `force`.
    """
    places = folders(environment)
    places.keep.unlink(missing_ok=True)
    if not _answers(places.socket):
        return False
    with places.clients_lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            in_use = False
        except OSError:
            in_use = True
        if in_use and not force:
            # the guard itself looks at the lock for an instant, four times a second
            time.sleep(LOOK_EVERY_SECONDS * 4)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refused(
                    "the embedded MongoDB is in use by another custimport",
                    hint="wait for it, or stop it all the same with --force; imports can be resumed",
                ) from None
        _shut_down(places)
    return True


def _shut_down(places: Folders) -> None:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    with contextlib.suppress(PyMongoError), MongoClient[dict[str, object]](places.uri) as client:
        client.admin.command("shutdown", force=True)
    deadline = time.monotonic() + EMBEDDED_START_TIMEOUT_SECONDS
    while _answers(places.socket):
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(f"the embedded MongoDB does not stop; see {places.log}")
        time.sleep(LOOK_EVERY_SECONDS)
    # the guard leaves word when mongod has closed its files; one that was killed leaves none
    deadline = time.monotonic() + DYING_SERVER_SECONDS
    while not places.failure.exists() and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_SECONDS)


def _start(places: Folders, environment: Mapping[str, str]) -> None:
    """Start guard and mongod and wait until it answers. The caller holds the start lock.

    A server whose guard was killed is still on its way down: it holds the data folder for a moment longer.
    """
    deadline = time.monotonic() + DYING_SERVER_SECONDS
    while True:
        try:
            _start_once(places, environment)
        except _DataFolderInUse as error:
            if time.monotonic() > deadline:
                raise error.told from None
            time.sleep(0.1)
        else:
            return


class _DataFolderInUse(Exception):
    """mongod's exit code 100: another one has the data folder. `told` is the error for the operator."""

    def __init__(self, told: DatabaseUnavailable) -> None:
        super().__init__()
        self.told = told


def _start_once(places: Folders, environment: Mapping[str, str]) -> None:
    mongod = find_mongod(environment)
    free_bytes = shutil.disk_usage(places.root).free
    if free_bytes < LEAST_FREE_BYTES:
        raise DatabaseUnavailable(
            f"the embedded MongoDB has only {free_bytes // 1024 // 1024} MB of disk left in {places.root}",
            hint="make room, or set CUSTIMPORT_DATA_DIR to another disk",
        )
    _rotate(places.log)
    places.failure.unlink(missing_ok=True)
    idle_seconds = _idle_seconds(environment)
    subprocess.run(
        [sys.executable, "-I", "-S", guard.__file__, str(idle_seconds), str(places.root), *_command(mongod, places)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        close_fds=True,
        umask=0o077,
        env={"PATH": environment.get("PATH", os.defpath)},
        cwd="/",
        check=True,
    )
    deadline = time.monotonic() + EMBEDDED_START_TIMEOUT_SECONDS
    while not _answers(places.socket):
        if places.failure.exists():
            raise _not_started(places, mongod)
        if time.monotonic() > deadline:
            cause = f"mongod did not answer within {EMBEDDED_START_TIMEOUT_SECONDS:g} s"
            raise unusable(cause, places.log)
        time.sleep(LOOK_EVERY_SECONDS)


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


def _not_started(places: Folders, mongod: Path) -> Exception:
    found = json.loads(places.failure.read_text(encoding="utf-8"))
    if "errno" in found:
        return unusable(cause_of_start_error(OSError(found["errno"], found["strerror"]), str(mongod)))
    told = unusable(cause_of_exit(found["returncode"], found["words"], _last_error(places.log)), places.log)
    return _DataFolderInUse(told) if found["returncode"] == DATA_FOLDER_IN_USE else told


def _last_error(log: Path) -> str:
    """The message of the last error in mongod's log, which has one JSON document a line."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-200:]
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


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield descriptor
    finally:
        os.close(descriptor)
