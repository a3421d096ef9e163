"""What fault tests have in common: a hostile file, the program in a process of its own, the end state to compare."""

import itertools
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from custimport.choices import Policy

ROUNDS = int(os.environ.get("CUSTIMPORT_FAULT_ROUNDS", "1"))
"""How often every fault is tried; `make test-faults` sets it."""
ROWS = 8_000
HEADER = "full_name,email,date_of_birth,timezone\n"
CUSTIMPORT = (sys.executable, "-m", "custimport")


@dataclass(frozen=True)
class Place:
    """A database of the test's own, and the URI by which the program reaches it."""

    database: Database[dict[str, Any]]
    uri: str


@contextmanager
def fresh_place(server_uri: str) -> Iterator[Place]:
    """An empty database on the server, dropped afterwards."""
    name = f"fault_{os.getpid()}_{time.monotonic_ns()}"
    with MongoClient[dict[str, Any]](server_uri, tz_aware=True, heartbeatFrequencyMS=500) as client:
        yield Place(client[name], server_uri.replace("/?", f"/{name}?heartbeatFrequencyMS=500&"))
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


def prepare(place: Place, path: Path) -> None:
    """Some of the file's customers are stored already, with other names."""
    other = path.with_name("earlier.csv")
    other.write_text(HEADER + "".join(f"Old,c{n}@example.com,1980-01-01,UTC\n" for n in range(1, ROWS, 9)))
    finish(load(place, str(other)), 0)


WORKERS = itertools.cycle(("1", "2", "3"))
"""Every load has another number of them: what comes out may not depend on it."""


def load(place: Place, *arguments: str) -> subprocess.Popen[bytes]:
    words = ("--uri", place.uri, "--quiet", "--batch-size", "300", "--workers", next(WORKERS))
    return subprocess.Popen(
        [*CUSTIMPORT, "load", *arguments, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=Path.cwd(),
    )


def finish(process: subprocess.Popen[bytes], exit_code: int) -> None:
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == exit_code, stderr.decode()


def end_state(place: Place) -> dict[str, object]:
    newest = place.database.imports.find_one(sort=[("_id", -1)])
    assert newest is not None

    def row_of(stamp: dict[str, Any] | None) -> object:
        return stamp["row"] if stamp and stamp["import_id"] == newest["_id"] else "earlier" if stamp else None

    return {
        "customers": [
            (c["email"], c["full_name"], row_of(c["created_by"]), row_of(c.get("updated_by")))
            for c in place.database.customers.find().sort("email")
        ],
        "rejections": [
            (r["_id"]["row"], r["line"], [(e["code"], e.get("related_row")) for e in r["errors"]])
            for r in place.database.rejections.find({"_id.import_id": newest["_id"]}).sort("_id")
        ],
        "rows": newest["rows"],
        "by_code": newest["rejected_by_code"],
        "status": newest["status"],
    }


def undisturbed(place: Place, path: Path, policy: Policy) -> tuple[dict[str, object], bytes]:
    prepare(place, path)
    finish(load(place, str(path), "--on-duplicate", policy.value, "--report", "whole.csv"), 3)
    state = end_state(place)
    for name in ("customers", "imports", "rejections"):
        place.database[name].delete_many({})
    return state, without_ids(Path("whole.csv").read_bytes())


def assert_verified(place: Place, path: Path) -> None:
    """`imports verify` agrees that nothing is lost, doubled or altered."""
    command = [*CUSTIMPORT, "imports", "verify", "last", str(path), "--uri", place.uri]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def without_ids(report: bytes) -> bytes:
    """The report without the ids of customers and of the import, which differ from run to run."""
    report = re.sub(rb",[0-9a-f]{16}\r\n", b",ID\r\n", report)
    return re.sub(rb"customer [0-9a-f]{24}", b"customer ID", report)


def resumed_to_the_end(place: Place) -> int:
    """Resume until the import is complete."""
    for _ in range(40):
        process = load(place, "--resume", "last")
        _, stderr = process.communicate(timeout=120)
        if process.returncode in {0, 3}:
            return process.returncode
        time.sleep(0.1)
    raise AssertionError(stderr.decode())
