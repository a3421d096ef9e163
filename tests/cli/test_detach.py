"""`load --detach` and `imports show --watch`, with real processes."""

import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

HEADER = "full_name,email,date_of_birth,timezone\n"


@pytest.fixture
def command(mongod, database):
    """Runs `custimport ARGUMENTS` in a process of its own against the test's own database."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"CUSTIMPORT_MONGODB_URI": mongod.uri.replace("/?", f"/{database.name}?")}
        words = [sys.executable, "-m", "custimport", *arguments]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=environment)

    return run


def write_customers(rows: int, bad: int = 0) -> Path:
    path = Path("customers.csv")
    good = (f"Ann,ann{number}@example.com,1990-01-15,UTC\n" for number in range(rows))
    path.write_text(HEADER + "Ann,,1990-01-15,UTC\n" * bad + "".join(good))
    return path


def test_a_detached_load_gives_its_id_and_goes_on_and_can_be_watched_to_its_end(command, database) -> None:
    write_customers(3_000, bad=2)

    detached = command("load", "customers.csv", "--detach")
    import_id = detached.stdout.strip()
    watched = command("imports", "show", import_id, "--watch", "--json")

    assert detached.returncode == 0
    assert database.imports.find_one()["_id"] == bytes.fromhex(import_id)
    assert "target: " in detached.stderr
    assert f"custimport imports show {import_id} --watch" in detached.stderr
    assert watched.returncode == 3
    assert json.loads(watched.stdout)["rows"]["inserted"] == 3_000
    assert json.loads(watched.stdout)["exit_code"] == 3
    assert database.customers.count_documents({}) == 3_000
    assert Path("customers.rejections.csv").exists()
    log = Path("customers.load.log")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    # its last words may come after the history's
    assert "target: " in log.read_text()


def test_scripts_get_a_document_that_names_id_process_and_log(command, database) -> None:
    write_customers(10)

    result = command("load", "customers.csv", "--detach", "--json", "--quiet")

    found = json.loads(result.stdout)
    assert found["import_id"] == database.imports.find_one()["_id"].hex()
    assert found["log"] == "customers.load.log"
    assert result.stderr == ""
    assert command("imports", "show", found["import_id"], "--watch").returncode == 0
    assert database.imports.find_one()["lease"]["process"] == found["process"]


def test_what_fails_before_the_import_has_begun_is_told_at_once(command, database) -> None:
    result = command("load", "missing.csv", "--detach")

    assert result.returncode == 7
    assert "missing.csv: cannot be opened" in result.stderr
    assert result.stdout == ""
    assert database.imports.count_documents({}) == 0


@pytest.mark.parametrize("arguments", [("-",), ("customers.csv", "--dry-run")])
def test_what_cannot_be_followed_is_not_detached(run_offline, arguments: tuple[str, ...]) -> None:
    result = run_offline("load", *arguments, "--detach", exit_code=2)

    assert "--detach cannot be" in result.stderr
    assert list(Path().glob("*.log")) == []


def test_a_log_that_cannot_be_written_ends_the_load_before_it_begins(command, database) -> None:
    write_customers(10)
    Path("customers.load.log").mkdir()

    result = command("load", "customers.csv", "--detach")

    assert result.returncode == 9
    assert "customers.load.log" in result.stderr
    assert database.imports.count_documents({}) == 0


def test_a_detached_load_can_be_stopped_and_resumed_in_the_background(command, database) -> None:
    write_customers(60_000)
    found = json.loads(command("load", "customers.csv", "--detach", "--json", "--batch-size", "100").stdout)

    os.kill(found["process"], signal.SIGTERM)
    stopped = command("imports", "show", "last", "--watch")
    resumed = command("load", "--resume", "last", "--detach")
    watched = command("imports", "show", "last", "--watch")

    assert stopped.returncode == 143
    assert "interrupted" in stopped.stdout
    assert resumed.stdout.strip() == found["import_id"]
    assert watched.returncode == 0
    assert database.customers.count_documents({}) == 60_000
    assert f"--resume {found['import_id']}" in Path("customers.load.log").read_text()


def test_watching_ends_when_the_process_was_not_heard_of_for_a_minute(command, run, database) -> None:
    write_customers(10)
    run("load", "customers.csv")
    old = datetime.now(UTC) - timedelta(seconds=61)
    lease = {"host": "elsewhere", "process": 1, "token": "x", "heartbeat_at": old}
    database.imports.update_one({}, {"$set": {"status": "running", "lease": lease}})

    result = command("imports", "show", "last", "--watch")

    assert result.returncode == 5
    assert "stalled" in result.stderr
    assert f"custimport load --resume {database.imports.find_one()['_id'].hex()}" in result.stderr
