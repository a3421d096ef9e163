"""Killed programs, killed servers, cut connections: the end state is that of an undisturbed run."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from custimport.choices import Policy
from tests.faults.undisturbed import (
    ROUNDS,
    Place,
    assert_verified,
    end_state,
    fresh_place,
    hostile_file,
    load,
    prepare,
    resumed_to_the_end,
    undisturbed,
    without_ids,
)
from tests.mongod import Mongod, running_mongod


@pytest.fixture(scope="module")
def server() -> Iterator[Mongod]:
    """A server of this module's own: it is killed."""
    with running_mongod() as mongod:
        yield mongod


@pytest.fixture
def fresh(server: Mongod) -> Iterator[Place]:
    with fresh_place(server.uri) as place:
        yield place


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
        if fresh.database.imports.count_documents({}) < 2:
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
    fresh.database.client.admin.command(
        "configureFailPoint", "failCommand", mode={"activationProbability": 0.3}, data=FAILURES[failure]
    )
    process = load(fresh, str(path), "--on-duplicate", policy.value, "--report", "whole.csv")
    time.sleep(1.2)
    fresh.database.client.admin.command("configureFailPoint", "failCommand", mode="off")
    _, stderr = process.communicate(timeout=120)

    assert process.returncode == 3, stderr.decode()
    assert end_state(fresh) == expected
    assert_verified(fresh, path)
    assert without_ids(Path("whole.csv").read_bytes()) == expected_report


def test_an_outage_longer_than_the_patience_interrupts_and_is_resumable(server, fresh) -> None:
    path = hostile_file(Path("hostile.csv"), random.Random(5))
    expected, expected_report = undisturbed(fresh, path, Policy.UPDATE)
    prepare(fresh, path)
    before = fresh.database.customers.count_documents({})
    process = load(fresh, str(path), "--on-duplicate", "update", "--report", "whole.csv", "--retry-for", "0.5")
    while process.poll() is None and fresh.database.customers.count_documents({}) == before:
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
