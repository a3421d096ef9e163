"""Two processes never work on the same import: the lease says whose it is."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

HEADER = "full_name,email,date_of_birth,timezone\n"


@pytest.fixture
def left_behind(run, database):
    """Makes the import look as a process of another host would have left it, its heartbeat some seconds ago."""
    rows = "".join(f"Ann,ann{n}@example.com,1990-01-15,UTC\n" for n in range(50))
    Path("customers.csv").write_text(HEADER + "Ann,,1990-01-15,UTC\n" * 2 + rows)
    run("load", "customers.csv", "--max-rejections", "1", exit_code=4)

    def leave(heartbeat_age_seconds: float) -> None:
        lease = {
            "host": "another",
            "process": 1,
            "process_started": "1",
            "token": "theirs",
            "heartbeat_at": datetime.now(UTC) - timedelta(seconds=heartbeat_age_seconds),
        }
        database.imports.update_one({}, {"$set": {"status": "running", "lease": lease}})

    return leave


def test_another_host_is_believed_for_a_minute(run, database, left_behind) -> None:
    left_behind(30)

    refused = run("load", "--resume", "last", "--max-rejections", "9", exit_code=5)
    undo = run("imports", "undo", "last", "--yes", exit_code=5)

    assert "is held by process 1 on another" in refused.stderr
    assert "is running" in undo.stderr
    assert database.imports.find_one()["lease"]["token"] == "theirs"


def test_after_a_minute_of_silence_anybody_may_take_it_over(run, database, left_behind) -> None:
    left_behind(70)

    shown = run("imports", "list")
    run("load", "--resume", "last", "--max-rejections", "9", exit_code=3)

    assert "stalled" in shown.stdout
    assert database.imports.find_one()["status"] == "completed"
    assert database.customers.count_documents({}) == 50


def test_of_several_processes_that_resume_one_import_one_does(mongod, database, left_behind) -> None:
    left_behind(70)
    uri = mongod.uri.replace("/?", f"/{database.name}?")
    words = [sys.executable, "-m", "custimport", "load", "--resume", "last", "--max-rejections", "9", "--uri", uri]
    processes = [subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(4)]

    endings = [(process.communicate(timeout=60)[1].decode(), process.returncode) for process in processes]

    # whoever comes after the import is complete is told what it came to
    assert {code for _, code in endings} <= {3, 5}
    assert any(code == 3 for _, code in endings)
    for stderr, code in endings:
        assert code == 3 or "is held by process" in stderr or "was just taken over" in stderr
    assert database.imports.find_one()["rows"] == {
        "read": 52,
        "inserted": 50,
        "updated": 0,
        "unchanged": 0,
        "skipped": 0,
        "rejected": 2,
    }
    assert database.customers.count_documents({}) == 50
