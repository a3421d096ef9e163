"""`--workers`: the same results, the same endings, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

HEADER = "full_name,email,date_of_birth,timezone\n"


def a_file(rows: int) -> Path:
    """Some rows of every kind: repeated, invalid, broken, over several lines."""
    lines = [HEADER]
    for number in range(1, rows + 1):
        match number % 50:
            case 7:
                lines.append(f"Ann,c{number - 5}@example.com,1990-01-15,UTC\n")
            case 11:
                lines.append(f"Ann,c{number}(at)example.com,15/01/1990,Mars/Base\n")
            case 23:
                lines.append(f'"Ann,c{number}@example.com,1990-01-15,UTC\n')
            case 31:
                lines.append(f'"Ann\n\nLee",c{number}@example.com,1990-01-15,UTC\n')
            case 37:
                lines.append("\n")
            case 41:
                lines.append(f"=Ann,c{number}@example.com\n")
            case _:
                lines.append(f"Zoë,c{number}@example.com,1990-01-15,Europe/Paris\n")
    path = Path("customers.csv")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def without_times(summary: dict[str, Any]) -> dict[str, Any]:
    timed = ("started_at", "finished_at", "elapsed_seconds", "rows_per_second", "timeline", "reports", "import_id")
    return {name: value for name, value in summary["imports"][0].items() if name not in timed}


@pytest.mark.parametrize("policy", ["reject", "skip", "update"])
def test_check_gives_the_same_with_any_number_of_workers(run_offline, policy: str) -> None:
    path = a_file(50_000)

    def checked(workers: int) -> tuple[dict[str, Any], bytes]:
        report = Path(f"{workers}.csv")
        words = ("check", path, "--json", "--workers", workers, "--on-duplicate", policy, "--report", report)
        return without_times(run_offline(*words, exit_code=3).json), report.read_bytes()

    alone = checked(1)
    assert alone[0]["rows"]["read"] == 49_000
    assert checked(2) == alone
    assert checked(3) == alone


def test_load_stores_and_rejects_the_same_and_goes_on_with_other_workers(run, database) -> None:
    path = a_file(20_000)
    words = ("load", path, "--json", "--batch-size", 500)
    stopped = run(*words, "--workers", 2, "--max-rejections", 300, exit_code=4)
    import_id = json.loads(stopped.stdout)["imports"][0]["import_id"]
    resumed = run("load", "--resume", import_id, "--workers", 3, "--max-rejections", "50%", "--json", exit_code=3)
    with_workers = list(database.customers.find({}, {"_id": 0, "full_name": 1, "email": 1, "created_by.row": 1}))
    report = Path("customers.rejections.csv").read_text(encoding="utf-8-sig").replace(import_id, "")
    database.customers.delete_many({})

    alone = run(*words, "--workers", 1, exit_code=3)

    def by_email(customers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(customers, key=lambda customer: customer["email"])

    assert without_times(resumed.json)["rows"] == without_times(alone.json)["rows"]
    stored = list(database.customers.find({}, {"_id": 0, "full_name": 1, "email": 1, "created_by.row": 1}))
    assert by_email(with_workers) == by_email(stored)
    other = Path("customers.rejections.csv").read_text(encoding="utf-8-sig")
    assert other.replace(json.loads(alone.stdout)["imports"][0]["import_id"], "") == report


def test_standard_input_and_archives_go_to_workers_too(run_offline) -> None:
    import gzip

    path = a_file(5_000)
    alone = without_times(run_offline("check", path, "--workers", 1, "--json", exit_code=3).json)

    archive = Path("customers.csv.gz")
    archive.write_bytes(gzip.compress(path.read_bytes()))
    packed = run_offline("check", archive, "--workers", 2, "--json", exit_code=3)
    piped = run_offline("check", "-", "--workers", 2, "--json", exit_code=3, stdin=path.read_bytes())

    assert without_times(packed.json)["rows"] == alone["rows"]
    assert without_times(piped.json)["rejected_by_code"] == alone["rejected_by_code"]


def children_of(process: int) -> list[int]:
    return list(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def started(*words: str | Path, workers: int) -> tuple[subprocess.Popen[str], list[int]]:
    """A command that has begun, and its worker processes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "custimport", *map(str, words), "--workers", str(workers), "--no-progress"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    found: list[int] = []
    while process.poll() is None and len(found) < workers:
        found = children_of(process.pid)
        time.sleep(0.005)
    return process, found


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_for_all_processes_of_a_terminal_ends_them_as_one(mongod, database, number, exit_code) -> None:
    path = a_file(300_000)
    uri = mongod.uri.replace("/?", f"/{database.name}?")
    process, workers = started("load", path, "--uri", uri, workers=2)
    while process.poll() is None and database.customers.estimated_document_count() == 0:
        time.sleep(0.005)

    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=20)

    assert process.returncode == exit_code, stderr
    assert "custimport load --resume" in stderr
    assert "Traceback" not in stderr
    assert len(workers) == 2
    assert not any(map(is_alive, workers))
    balance = database.imports.find_one({}, sort=[("_id", -1)])["rows"]
    assert balance["inserted"] == database.customers.count_documents({})


def test_workers_that_are_killed_cost_nothing(run_offline) -> None:
    path = a_file(200_000)
    alone = without_times(run_offline("check", path, "--workers", 1, "--json", exit_code=3).json)

    process, workers = started("check", path, "--json", workers=2)
    time.sleep(0.2)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 3, stderr
    assert without_times(json.loads(stdout)) == alone


def test_workers_end_when_the_program_is_killed() -> None:
    process, workers = started("check", a_file(300_000), workers=2)

    process.kill()
    process.communicate(timeout=20)

    deadline = time.monotonic() + 10
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(workers) == 2
    assert not any(map(is_alive, workers))


def test_a_number_that_makes_no_sense_is_wrong_usage(run_offline) -> None:
    Path("customers.csv").write_text(HEADER)

    assert "--workers" in run_offline("check", "customers.csv", "--workers", 0, exit_code=2).stderr
