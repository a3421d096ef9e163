"""The primary of a replica set dies under a running load: an election later the load goes on, and nothing is amiss."""

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
    undisturbed,
    without_ids,
)
from tests.replica_set import ReplicaSet, running_replica_set


@pytest.fixture(scope="module")
def replica_set() -> Iterator[ReplicaSet]:
    with running_replica_set() as members:
        yield members


@pytest.fixture
def fresh(replica_set: ReplicaSet) -> Iterator[Place]:
    with fresh_place(replica_set.uri) as place:
        yield place


# in the plain suite the policy that changes documents; many rounds take turns
@pytest.mark.parametrize(
    ("seed", "policy"), [(n, [Policy.UPDATE, Policy.REJECT, Policy.SKIP][n % 3]) for n in range(ROUNDS)]
)
def test_the_death_of_the_primary_changes_nothing(replica_set, fresh, policy: Policy, seed: int) -> None:
    chance = random.Random(2000 + seed)
    path = hostile_file(Path("hostile.csv"), chance)
    expected, expected_report = undisturbed(fresh, path, policy)
    prepare(fresh, path)
    before = fresh.database.customers.count_documents({})

    process = load(fresh, str(path), "--on-duplicate", policy.value, "--report", "whole.csv")
    while process.poll() is None and fresh.database.customers.count_documents({}) == before:
        time.sleep(0.002)
    time.sleep(chance.random() * 0.3)
    killed = replica_set.kill_primary()
    _, stderr = process.communicate(timeout=120)
    replica_set.start(killed)

    assert process.returncode == 3, stderr.decode()
    assert end_state(fresh) == expected
    assert_verified(fresh, path)
    assert without_ids(Path("whole.csv").read_bytes()) == expected_report
