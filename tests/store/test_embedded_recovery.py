"""The embedded server when something hangs, is of another version, or is only just starting."""

import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from custimport.errors import DatabaseUnavailable, Refused
from custimport.store import embedded
from custimport.store.embedded import guard, server
from custimport.store.embedded.folders import folders
from tests.mongod import MONGOD
from tests.store.test_embedded import environment, finished, home, processes_of, start_status, wait_until_gone

__all__ = ["home"]


def script(home: Path, text: str) -> dict[str, str]:
    """Settings that name a mongod made of these lines of shell."""
    fake = home / "mongod"
    fake.write_text(f"#!/bin/sh\n{text}\n")
    fake.chmod(0o755)
    return {"CUSTIMPORT_MONGOD": str(fake)}


def failure(settings: dict[str, str]) -> DatabaseUnavailable:
    with pytest.raises(DatabaseUnavailable) as refused, embedded.embedded_server(settings):
        raise AssertionError("unreachable")
    return refused.value


def test_a_mongod_that_does_not_stop_is_killed_so_that_nobody_waits_for_ever(monkeypatch) -> None:
    monkeypatch.setattr(guard, "LONGEST_STOP_SECONDS", 0.3)
    deaf = ["/bin/sh", "-c", "trap '' TERM; echo deaf; exec sleep 60"]
    with subprocess.Popen(deaf, stdout=subprocess.PIPE) as hanging:
        assert hanging.stdout is not None
        hanging.stdout.readline()

        assert guard.end(hanging) == -signal.SIGKILL


def test_a_lock_that_nobody_lets_go_is_an_error_and_not_an_endless_wait(home: Path, monkeypatch) -> None:
    monkeypatch.setattr(server, "EMBEDDED_START_TIMEOUT_SECONDS", 0.3)
    with folders(environment(home)).clients_lock.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        told = failure(environment(home))

    assert "still starting or stopping" in told.message
    assert "clients.lock" in told.hint


NEWER = f"""if [ "$1" = --version ]; then echo 'db version v7.0.28'; exit 0; fi
exec {MONGOD} "$@\""""


def test_each_version_has_a_folder_of_its_own(home: Path) -> None:
    newer = environment(home, 0, **script(home, NEWER))

    with embedded.embedded_server(newer):
        assert embedded.state(newer).folder.name == "mongo-7.0"

    assert embedded.state(environment(home)).folder.name == "mongo-6.0"
    wait_until_gone(home)


def test_another_version_does_not_hide_the_data_behind_an_empty_database(home: Path) -> None:
    finished(start_status(home, 0))
    wait_until_gone(home)

    told = failure(environment(home, 0, **script(home, NEWER)))

    assert "mongo-6.0" in told.message
    assert "would begin an empty database" in told.message
    assert "CUSTIMPORT_MONGOD" in told.hint
    finished(start_status(home, 0))
    wait_until_gone(home)


def test_a_server_that_is_only_starting_is_in_use_already(home: Path) -> None:
    slow = script(home, f'[ "$1" = --version ] || sleep 1\nexec {MONGOD} "$@"')
    first = start_status(home, 0.2, **slow)
    lock = folders(environment(home)).server_lock
    while not lock.exists() or not processes_of(home, "guard.py"):
        time.sleep(0.005)

    with pytest.raises(Refused, match="in use"):
        embedded.stop(environment(home), force=False)

    finished(first)
    wait_until_gone(home)


def test_the_cause_is_never_one_of_an_earlier_run(home: Path) -> None:
    log = folders(environment(home)).log
    log.write_text(json.dumps({"s": "E", "msg": "of last year"}) + "\n")

    assert "of last year" not in failure(environment(home, **script(home, "exit 3"))).message


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("#!/bin/sh\n", 0o644, "may not be executed"),
        ("", 0o755, "Exec format error"),
        ("#!/bin/sh\nexit 100\n", 0o755, "its data folder"),
    ],
)
def test_a_mongod_that_is_no_program_or_has_no_folder_is_explained(
    home: Path, text: str, mode: int, words: str
) -> None:
    fake = home / "mongod"
    fake.write_text(text)
    fake.chmod(mode)

    assert words in failure(environment(home, CUSTIMPORT_MONGOD=str(fake))).message
    assert not processes_of(home)


def test_client_guard_and_mongod_killed_at_once_are_healed(home: Path) -> None:
    finished(start_status(home, 30))
    client = start_status(home, 30)
    for process in [*processes_of(home, "guard.py"), *processes_of(home, "mongod")]:
        os.kill(process, signal.SIGKILL)
    client.kill()
    client.communicate()

    finished(start_status(home, 0.1))

    wait_until_gone(home)
