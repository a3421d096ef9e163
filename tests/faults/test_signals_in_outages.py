"""Told to stop while the database is away, the program ends within two seconds, and the import can be resumed."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from custimport.choices import Policy
from tests.faults.undisturbed import (
    assert_verified,
    end_state,
    fresh_place,
    hostile_file,
    load,
    prepare,
    resumed_to_the_end,
    undisturbed,
)
from tests.mongod import Mongod, running_mongod

SLACK_SECONDS = 3
"""What a busy machine may need beyond the two."""


def go_away(server: Mongod, how: str) -> None:
    assert server.process is not None
    if how == "killed":
        server.kill()
    else:
        os.kill(server.process.pid, signal.SIGSTOP)


def come_back(server: Mongod, how: str) -> None:
    assert server.process is not None
    if how == "killed":
        server.start()
    else:
        os.kill(server.process.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("how", "number", "exit_code", "policy"),
    [("killed", signal.SIGINT, 130, Policy.UPDATE), ("hanging", signal.SIGTERM, 143, Policy.REJECT)],
)
def test_a_signal_during_an_outage_ends_the_program(how: str, number: int, exit_code: int, policy: Policy) -> None:
    path = hostile_file(Path("hostile.csv"), random.Random(how))
    with running_mongod() as server, fresh_place(server.uri) as place:
        expected, _ = undisturbed(place, path, policy)
        prepare(place, path)
        before = place.database.customers.count_documents({})
        process = load(place, str(path), "--on-duplicate", policy.value, "--report", "whole.csv")
        while process.poll() is None and place.database.customers.count_documents({}) == before:
            time.sleep(0.002)

        go_away(server, how)
        time.sleep(0.5)
        process.send_signal(number)
        begun = time.monotonic()
        _, stderr = process.communicate(timeout=60)
        elapsed_seconds = time.monotonic() - begun
        come_back(server, how)

        assert process.returncode == exit_code, stderr.decode()
        assert elapsed_seconds < 2 + SLACK_SECONDS
        assert b"custimport load --resume" in stderr
        assert b"Traceback" not in stderr
        assert resumed_to_the_end(place) == 3
        assert end_state(place) == expected
        assert_verified(place, path)
