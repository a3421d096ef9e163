"""The embedded server: started once, shared, stopped when idle, and healed by the next command whatever was killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from custimport.errors import DatabaseUnavailable, Refused, UsageError
from custimport.store import embedded
from custimport.store.embedded.folders import folders
from tests.mongod import MONGOD


@pytest.fixture
def home() -> Iterator[Path]:
    """A short folder, because of the socket; nothing of the server is left when the test ends."""
    folder = Path(tempfile.mkdtemp(prefix="ce-", dir="/tmp"))
    yield folder
    for process in processes_of(folder):
        os.kill(process, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def environment(home: Path, idle_seconds: float = 1.0, **more: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTIMPORT_", "MONGODB_"))}
    return {
        **plain,
        "CUSTIMPORT_DATA_DIR": str(home),
        "CUSTIMPORT_EMBEDDED_IDLE_SECONDS": str(idle_seconds),
        **more,
    }


def processes_of(home: Path, name: str = "") -> list[int]:
    """The guard and the mongod that work in the folder, by their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            program = Path(words[0]).name + " " + " ".join(map(str, words[1:5]))
            if any(str(home) in word for word in words) and name in program and "custimport" not in words[1:3]:
                found.append(int(entry.name))
    return found


def start_status(home: Path, idle_seconds: float = 1.0, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "custimport", "db", "status", "--json"],
        env=environment(home, idle_seconds, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str], exit_code: int = 0) -> tuple[str, str]:
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == exit_code, stderr
    return stdout, stderr


def wait_until_gone(home: Path) -> None:
    deadline = time.monotonic() + 15
    while processes_of(home):
        assert time.monotonic() < deadline, "the server is still running"
        time.sleep(0.05)


def test_several_first_runs_share_one_server_which_stops_when_idle(home: Path) -> None:
    runs = [start_status(home, 1.5) for _ in range(6)]
    facts = [json.loads(finished(run)[0]) for run in runs]

    assert {fact["server"] for fact in facts} == {"embedded MongoDB"}
    assert len(processes_of(home, "mongod")) == 1
    wait_until_gone(home)


def test_a_run_killed_while_it_starts_the_server_leaves_one_that_the_next_uses(home: Path) -> None:
    """A second mongod beside it would take its socket away, and could not have its data."""
    # this mongod takes its time, as one does that recovers
    slow = home / "mongod"
    slow.write_text(f'#!/bin/sh\nsleep 0.7\nexec {MONGOD} "$@"\n')
    slow.chmod(0o755)
    first = start_status(home, 1, CUSTIMPORT_MONGOD=str(slow))
    lock = folders(environment(home)).server_lock
    while not lock.exists() or not processes_of(home, "guard.py"):
        time.sleep(0.005)
    first.kill()
    first.communicate()

    finished(start_status(home, 1, CUSTIMPORT_MONGOD=str(slow)))

    assert len(processes_of(home, "guard.py")) == 1
    assert len(processes_of(home, "mongod")) == 1
    wait_until_gone(home)


def test_a_server_whose_socket_was_swept_away_is_replaced(home: Path) -> None:
    finished(start_status(home, 30))
    # a cleaner does not come within the first instants, in which a guard on a busy machine may not have looked yet
    time.sleep(0.3)
    folders(environment(home)).socket.unlink()

    finished(start_status(home, 0.2))

    wait_until_gone(home)


@pytest.mark.parametrize("victims", [("mongod",), ("guard.py",), ("guard.py", "mongod")])
def test_the_next_run_heals_a_kill(home: Path, victims: tuple[str, ...]) -> None:
    finished(start_status(home, 30))
    for name in victims:
        for process in processes_of(home, name):
            os.kill(process, signal.SIGKILL)

    stdout, _ = finished(start_status(home, 0.2))

    assert json.loads(stdout)["version"]
    wait_until_gone(home)


def test_a_killed_client_does_not_keep_the_server(home: Path) -> None:
    code = (
        "import os, time\n"
        "from custimport.store import embedded\n"
        "with embedded.embedded_server(os.environ):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(60)\n"
    )
    client = subprocess.Popen(
        [sys.executable, "-c", code], env=environment(home, 0.3), stdout=subprocess.PIPE, text=True
    )
    assert client.stdout is not None
    assert client.stdout.readline() == "up\n"
    time.sleep(0.8)
    assert processes_of(home, "mongod"), "a server in use is not stopped"

    client.kill()
    client.communicate()

    wait_until_gone(home)


def test_a_quick_succession_of_runs_always_finds_a_server(home: Path) -> None:
    for _ in range(4):
        finished(start_status(home, 0))
    wait_until_gone(home)


def test_output_in_a_pipe_ends_with_the_command(home: Path) -> None:
    begun = time.monotonic()
    command = f"{sys.executable} -m custimport db status | cat"
    subprocess.run(command, shell=True, env=environment(home, 20), check=True, stdout=subprocess.DEVNULL)

    assert time.monotonic() - begun < 15
    assert embedded.stop(environment(home), force=False)


def test_a_kept_server_runs_until_it_is_stopped(home: Path) -> None:
    state = embedded.keep_running(environment(home, 0))
    assert (state.running, state.kept) == (True, True)
    time.sleep(1)
    assert embedded.state(environment(home)).running

    assert embedded.stop(environment(home), force=False)

    assert not embedded.state(environment(home)).running
    assert not embedded.stop(environment(home), force=False)
    wait_until_gone(home)


def test_a_start_right_after_a_stop_is_not_disturbed_by_the_old_guard(home: Path) -> None:
    for _ in range(3):
        embedded.keep_running(environment(home))
        assert embedded.stop(environment(home), force=False)
    wait_until_gone(home)


def test_a_used_server_is_stopped_by_force_only_and_stays_kept_when_that_is_refused(home: Path) -> None:
    embedded.keep_running(environment(home))
    with embedded.embedded_server(environment(home)):
        with pytest.raises(Refused, match="in use"):
            embedded.stop(environment(home), force=False)
        assert embedded.state(environment(home)).kept

        assert embedded.stop(environment(home), force=True)

        assert not embedded.state(environment(home)).running
    wait_until_gone(home)


def test_a_server_that_did_not_start_is_not_kept(home: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        embedded.keep_running(environment(home, CUSTIMPORT_MONGOD="/bin/false"))

    assert not embedded.state(environment(home)).kept


def test_a_large_log_is_rotated_and_the_journal_stays_small(home: Path) -> None:
    places = folders(environment(home))
    with places.log.open("wb") as log:
        log.truncate(6 * 1024 * 1024)

    finished(start_status(home, 0))
    wait_until_gone(home)

    assert places.log.stat().st_size < 1024 * 1024
    assert places.log.with_name("mongod.log.1").stat().st_size > 5 * 1024 * 1024
    # an option that mongod hands on to its engine unchecked: without it the journal takes 300 MB
    used = sum(file.stat().st_blocks * 512 for file in places.data.rglob("*") if file.is_file())
    assert used < 60 * 1024 * 1024


def test_too_little_disk_is_said_before_anything_starts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10**8, 10**8))
    with (
        pytest.raises(DatabaseUnavailable, match="only 95 MB of disk"),
        embedded.embedded_server(environment(home)),
    ):
        raise AssertionError("unreachable")
    assert not processes_of(home)


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_an_impossible_idle_time_is_a_usage_error(home: Path, text: str) -> None:
    with (
        pytest.raises(UsageError, match="CUSTIMPORT_EMBEDDED_IDLE_SECONDS"),
        embedded.embedded_server(environment(home) | {"CUSTIMPORT_EMBEDDED_IDLE_SECONDS": text}),
    ):
        raise AssertionError("unreachable")


def test_data_outlives_the_server_and_folders_are_private(home: Path) -> None:
    from pymongo import MongoClient

    for expected in (0, 1):
        with embedded.embedded_server(environment(home, 0)) as uri, MongoClient(uri) as client:
            assert client.x.y.count_documents({}) == expected
            client.x.y.insert_one({})
        wait_until_gone(home)
    places = folders(environment(home))
    assert places.root.stat().st_mode & 0o777 == 0o700
    assert places.log.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["ümlaut 100% a+b@c", "with,comma", "with:colon", "x" * 90])
def test_any_folder_works(home: Path, name: str) -> None:
    folder = home / name
    folder.mkdir()

    stdout, _ = finished(start_status(folder, 0))

    assert json.loads(stdout)["embedded"]
    wait_until_gone(folder)


FAKES = {
    "echo 'mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file' >&2; exit 127": (
        "needs libcurl.so.4, which is not installed (Debian: apt-get install libcurl4)"
    ),
    'echo "mongod: version \\`GLIBC_2.34\' not found" >&2; exit 1': "glibc is too old",
    "exit 62": "of another MongoDB version",
    "exit 48": "could not make its socket",
    "kill -ILL $$": "lacks instructions",
    "exit 3": "exit code 3",
}


@pytest.mark.parametrize("script", FAKES)
def test_a_mongod_that_does_not_start_is_explained_with_the_ways_out(home: Path, script: str) -> None:
    fake = home / "mongod"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)

    with (
        pytest.raises(DatabaseUnavailable) as refused,
        embedded.embedded_server(environment(home, CUSTIMPORT_MONGOD=str(fake))),
    ):
        raise AssertionError("unreachable")

    assert FAKES[script] in refused.value.message
    for way_out in ("--uri", "pip install", "CUSTIMPORT_MONGOD"):
        assert way_out in refused.value.hint


def test_a_mongod_that_may_not_or_cannot_run_is_explained(home: Path) -> None:
    broken = home / "mongod"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    for path, words in ((broken, "cannot run here"), (home / "missing", "which is no file")):
        with (
            pytest.raises(DatabaseUnavailable, match=words),
            embedded.embedded_server(environment(home, CUSTIMPORT_MONGOD=str(path))),
        ):
            raise AssertionError("unreachable")
    wait_until_gone(home)
