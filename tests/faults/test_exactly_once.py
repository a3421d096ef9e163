"""Killed programs, killed servers, cut connections: the end state is that of an undisturbed run."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from custimport.records import Policy
from tests.mongod import Mongod, running_mongod

ROUNDS = int(os.environ.get("CUSTIMPORT_FAULT_ROUNDS", "1"))
ROWS = 8_000
HEADER = "full_name,email,date_of_birth,timezone\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Mongod]:
    """A server of this module's own: it is killed."""
    with running_mongod() as mongod:
        yield mongod


@pytest.fixture
def fresh(server: Mongod) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient(server.uri, tz_aware=True) as client:
        name = f"fault_{os.getpid()}_{time.monotonic_ns()}"
        yield client[name]
        client.drop_database(name)


def hostile_file(path: Path, chance: random.Random) -> Path:
    """Invalid rows, repeated e-mails near and far, repeated values, structure that fails."""
    lines = [HEADER]
    for number in range(1, ROWS + 1):
        email = f"c{number}@example.com"
        if chance.random() < 0.1 and number > 1:
            email = f"c{chance.randrange(max(1, number - 50), number)}@example.com"
        elif chance.random() < 0.05:
            email = f"c{chance.randrange(1, number + 1)}@example.com"
        name = chance.choice(["Ann", "Bob"])
        zone = "Mars/Base" if chance.random() < 0.02 else "UTC"
        lines.append(f'"{name},broken\n' if chance.random() < 0.01 else f"{name},{email},1990-01-15,{zone}\n")
    path.write_text("".join(lines))
    return path


def prepare(database: Database[dict[str, Any]], path: Path) -> None:
    """Some of the file's customers are stored already, with other names."""
    other = path.with_name("earlier.csv")
    other.write_text(HEADER + "".join(f"Old,c{n}@example.com,1980-01-01,UTC\n" for n in range(1, ROWS, 9)))
    finish(load(database, str(other)), 0)


def uri_of(database: Database[dict[str, Any]]) -> str:
    address = database.client.address
    assert address is not None
    return f"mongodb://{address[0].replace('/', '%2F')}/{database.name}?directConnection=true"


def load(database: Database[dict[str, Any]], *arguments: str) -> subprocess.Popen[bytes]:
    uri = uri_of(database)
    return subprocess.Popen(
        [sys.executable, "-m", "custimport", "load", *arguments, "--uri", uri, "--quiet", "--batch-size", "300"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=Path.cwd(),
    )


def finish(process: subprocess.Popen[bytes], exit_code: int) -> None:
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == exit_code, stderr.decode()


def end_state(database: Database[dict[str, Any]]) -> dict[str, object]:
    newest = database.imports.find_one(sort=[("_id", -1)])
    assert newest is not None

    def row_of(stamp: dict[str, Any] | None) -> object:
        return stamp["row"] if stamp and stamp["import_id"] == newest["_id"] else "earlier" if stamp else None

    return {
        "customers": [
            (c["email"], c["full_name"], row_of(c["created_by"]), row_of(c.get("updated_by")))
            for c in database.customers.find().sort("email")
        ],
        "rejections": [
            (r["_id"]["row"], r["line"], [(e["code"], e.get("related_row")) for e in r["errors"]])
            for r in database.rejections.find({"_id.import_id": newest["_id"]}).sort("_id")
        ],
        "rows": newest["rows"],
        "by_code": newest["rejected_by_code"],
        "status": newest["status"],
    }


def undisturbed(database: Database[dict[str, Any]], path: Path, policy: Policy) -> tuple[dict[str, object], bytes]:
    prepare(database, path)
    finish(load(database, str(path), "--on-duplicate", policy.value, "--report", "whole.csv"), 3)
    state = end_state(database)
    for name in ("customers", "imports", "rejections"):
        database[name].delete_many({})
    return state, without_ids(Path("whole.csv").read_bytes())


def assert_verified(database: Database[dict[str, Any]], path: Path) -> None:
    """`imports verify` agrees that nothing is lost, doubled or altered."""
    command = [sys.executable, "-m", "custimport", "imports", "verify", "last", str(path), "--uri", uri_of(database)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def without_ids(report: bytes) -> bytes:
    """The report without the ids of customers, which differ from run to run."""
    import re

    return re.sub(rb"customer [0-9a-f]{24}", b"customer ID", report)


def resumed_to_the_end(database: Database[dict[str, Any]]) -> int:
    """Resume until the import is complete."""
    for _ in range(40):
        process = load(database, "--resume", "last")
        _, stderr = process.communicate(timeout=120)
        if process.returncode in {0, 3}:
            return process.returncode
        time.sleep(0.1)
    raise AssertionError(stderr.decode())


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_kills_at_random_moments_change_nothing(fresh, policy: Policy, seed: int) -> None:
    chance = random.Random(seed)
    path = hostile_file(Path("hostile.csv"), chance)
    expected, expected_report = undisturbed(fresh, path, policy)
    prepare(fresh, path)

    process = load(fresh, str(path), "--on-duplicate", policy.value, "--report", "whole.csv")
    for _ in range(4):
        time.sleep(0.45 + chance.random() * 0.8)
        process.kill()
        process.communicate()
        if fresh.imports.count_documents({}) < 2:
            process = load(fresh, str(path), "--on-duplicate", policy.value, "--report", "whole.csv")
        else:
            process = load(fresh, "--resume", "last")
    process.communicate(timeout=120)
    if process.returncode not in {0, 3}:
        resumed_to_the_end(fresh)

    assert end_state(fresh) == expected
    assert_verified(fresh, path)
    assert without_ids(Path("whole.csv").read_bytes()) == expected_report


@pytest.mark.parametrize(("seed", "policy"), [(n, list(Policy)[n % 3]) for n in range(2 * ROUNDS)])
def test_a_killed_and_restarted_server_changes_nothing(server, fresh, policy: Policy, seed: int) -> None:
    chance = random.Random(1000 + seed)
    path = hostile_file(Path("hostile.csv"), chance)
    expected, expected_report = undisturbed(fresh, path, policy)
    prepare(fresh, path)

    process = load(fresh, str(path), "--on-duplicate", policy.value, "--report", "whole.csv")
    for _ in range(2):
        time.sleep(0.5 + chance.random() * 0.5)
        server.kill()
        time.sleep(0.2)
        server.start()
    _, stderr = process.communicate(timeout=120)

    assert process.returncode == 3, stderr.decode()
    assert end_state(fresh) == expected
    assert_verified(fresh, path)
    assert without_ids(Path("whole.csv").read_bytes()) == expected_report


FAILURES = {
    "connection cut on insert": {"failCommands": ["insert"], "closeConnection": True},
    "connection cut on update": {"failCommands": ["update"], "closeConnection": True},
    "connection cut on find": {"failCommands": ["find"], "closeConnection": True},
    "not primary": {"failCommands": ["insert", "update", "find"], "errorCode": 10107},
    "shutting down": {"failCommands": ["insert", "update"], "errorCode": 11600},
    "write concern failed": {
        "failCommands": ["insert", "update"],
        "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"},
    },
}


@pytest.mark.parametrize(("failure", "policy"), list(zip(FAILURES, [*Policy, *Policy], strict=True)))
def test_errors_that_say_nothing_of_a_document_are_waited_out(server, fresh, policy: Policy, failure: str) -> None:
    path = hostile_file(Path("hostile.csv"), random.Random(failure))
    expected, expected_report = undisturbed(fresh, path, policy)
    prepare(fresh, path)
    # every third command of the kind fails, for a while
    fresh.client.admin.command(
        "configureFailPoint", "failCommand", mode={"activationProbability": 0.3}, data=FAILURES[failure]
    )
    process = load(fresh, str(path), "--on-duplicate", policy.value, "--report", "whole.csv")
    time.sleep(1.2)
    fresh.client.admin.command("configureFailPoint", "failCommand", mode="off")
    _, stderr = process.communicate(timeout=120)

    assert process.returncode == 3, stderr.decode()
    assert end_state(fresh) == expected
    assert_verified(fresh, path)
    assert without_ids(Path("whole.csv").read_bytes()) == expected_report


def test_an_outage_longer_than_the_patience_interrupts_and_is_resumable(server, fresh) -> None:
    path = hostile_file(Path("hostile.csv"), random.Random(5))
    expected, expected_report = undisturbed(fresh, path, Policy.UPDATE)
    prepare(fresh, path)
    before = fresh.customers.count_documents({})
    process = load(fresh, str(path), "--on-duplicate", "update", "--report", "whole.csv", "--retry-for", "0.5")
    while process.poll() is None and fresh.customers.count_documents({}) == before:
        time.sleep(0.002)

    server.kill()
    _, stderr = process.communicate(timeout=60)
    server.start()

    assert process.returncode == 8
    assert b"custimport load --resume" in stderr
    assert b"Traceback" not in stderr
    assert resumed_to_the_end(fresh) == 3
    assert end_state(fresh) == expected
    assert_verified(fresh, path)
    assert without_ids(Path("whole.csv").read_bytes()) == expected_report
