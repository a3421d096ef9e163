"""Full disks, under the report and under the database: the import is interrupted, and goes on when there is room."""

import contextlib
import os
import random
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from custimport.choices import Policy
from tests.faults.undisturbed import (
    CUSTIMPORT,
    ROUNDS,
    assert_verified,
    end_state,
    finish,
    fresh_place,
    hostile_file,
    load,
    prepare,
    resumed_to_the_end,
    undisturbed,
    without_ids,
)
from tests.mongod import Mongod

POLICIES = [Policy.REJECT, Policy.UPDATE, Policy.SKIP]
FREE_BYTES = 512 * 1024
"""Less than the journal of the load takes, more than the server's own housekeeping."""


def limit_file_size() -> None:
    """What a full disk does to a report: no file of the process grows beyond 8 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, 8_192))


@pytest.mark.parametrize(("seed", "policy"), [(n, POLICIES[n % 3]) for n in range(ROUNDS)])
def test_no_room_for_the_report_interrupts_and_is_resumable(mongod, policy: Policy, seed: int) -> None:
    path = hostile_file(Path("hostile.csv"), random.Random(3000 + seed))
    with fresh_place(mongod.uri) as place:
        expected, expected_report = undisturbed(place, path, policy)
        Path("whole.csv").unlink()
        prepare(place, path)

        done = subprocess.run(
            [
                *(*CUSTIMPORT, "load", str(path), "--on-duplicate", policy.value, "--uri", place.uri, "--quiet"),
                *("--report", "whole.jsonl", "--report", "whole.csv", "--batch-size", "300"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            preexec_fn=limit_file_size,
        )

        assert done.returncode == 9
        assert "whole.jsonl" in done.stderr
        assert "custimport load --resume" in done.stderr
        assert "Traceback" not in done.stderr
        assert not Path("whole.csv").exists()
        assert place.database.imports.find_one(sort=[("_id", -1)])["status"] == "interrupted"
        assert resumed_to_the_end(place) == 3
        assert end_state(place) == expected
        assert_verified(place, path)
        assert without_ids(Path("whole.csv").read_bytes()) == expected_report


@dataclass
class SmallDisk:
    """A server whose data lie on a disk that can be filled up and cleared again."""

    server: Mongod
    is_mounted: bool

    @property
    def ballast(self) -> Path:
        return self.server.folder / "ballast"

    def fill(self) -> None:
        if self.is_mounted:
            free_bytes = shutil.disk_usage(self.server.folder).free
            with self.ballast.open("wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, free_bytes - FREE_BYTES)
            return
        # no right to mount: large files of the server cannot grow any more, the journal among them
        assert self.server.process is not None
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (FREE_BYTES, FREE_BYTES))

    def make_room(self) -> None:
        """After the server has died of it; it finds its data again."""
        assert self.server.process is not None
        self.server.process.wait(timeout=60)
        self.ballast.unlink(missing_ok=True)
        self.server.start()


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    folder = Path(tempfile.mkdtemp(prefix="ci-", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(folder)]
    is_mounted = bool(shutil.which("mount")) and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    # a journal that soon asks for another file
    server = Mongod(folder, journal_file_megabytes=1)
    try:
        server.start()
        yield SmallDisk(server, is_mounted)
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(("seed", "policy"), [(n, POLICIES[(n + 1) % 3]) for n in range(ROUNDS)])
def test_no_room_for_the_database_interrupts_and_is_resumable(small_disk, policy: Policy, seed: int) -> None:
    path = hostile_file(Path("hostile.csv"), random.Random(4000 + seed))
    with fresh_place(small_disk.server.uri) as place:
        expected, expected_report = undisturbed(place, path, policy)
        prepare(place, path)
        small_disk.fill()

        process = load(place, str(path), "--on-duplicate", policy.value, "--report", "whole.csv", "--retry-for", "1")
        _, stderr = process.communicate(timeout=120)
        small_disk.make_room()

        assert process.returncode == 8, stderr.decode()
        assert b"Traceback" not in stderr
        if place.database.imports.count_documents({}) == 2:
            assert b"custimport load --resume" in stderr
            assert resumed_to_the_end(place) == 3
        else:
            # there was no room for as much as its history document
            finish(load(place, str(path), "--on-duplicate", policy.value, "--report", "whole.csv"), 3)
        assert end_state(place) == expected
        assert_verified(place, path)
        assert without_ids(Path("whole.csv").read_bytes()) == expected_report
