"""Interrupted imports go on where they were, and end as if nothing had happened."""

import bz2
import csv
import gzip
import io
import itertools
import json
import lzma
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from backports import zstd

from custimport.choices import Policy
from custimport.cli import importing
from tests.faults.undisturbed import without_ids

HEADER = "full_name,email,date_of_birth,timezone\n"


def a_file(rows: int, name: str = "customers.csv") -> Path:
    """Every eleventh row is invalid, every seventh repeats an earlier e-mail with another name."""
    lines = [HEADER]
    for number in range(1, rows + 1):
        email = f"c{number if number % 7 else number - 6}@example.com"
        zone = "Mars/Base" if number % 11 == 0 else "UTC"
        lines.append(f"Customer {number},{email},1990-01-15,{zone}\n")
    path = Path(name)
    path.write_text("".join(lines))
    return path


def state(database) -> dict[str, object]:
    """Everything an import leaves that does not depend on when it ran and under which id."""
    customers = [
        (c["email"], c["full_name"], c["created_by"]["row"], c.get("updated_by", {}).get("row"))
        for c in database.customers.find().sort("email")
    ]
    rejections = [
        (r["_id"]["row"], r["line"], r["cells"], [error["code"] for error in r["errors"]])
        for r in database.rejections.find().sort("_id")
    ]
    (document,) = database.imports.find()
    return {
        "customers": customers,
        "rejections": rejections,
        "rows": document["rows"],
        "by_code": document["rejected_by_code"],
        "status": document["status"],
    }


def stop_after_chunks(monkeypatch: pytest.MonkeyPatch, chunks: int) -> None:
    """The signal comes while the given chunk is being counted."""
    original = importing.ImportReports.write
    seen = itertools.count()

    def write(self, rejections):
        original(self, rejections)
        if next(seen) == chunks:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(importing.ImportReports, "write", write)


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("chunks", [1, 2, 4])
def test_a_stopped_import_goes_on_and_ends_as_an_undisturbed_one(
    run, database, client, monkeypatch, policy, chunks
) -> None:
    path = a_file(420)
    with monkeypatch.context() as patched:
        stop_after_chunks(patched, chunks)
        stopped = run("load", path, "--batch-size", "15", "--on-duplicate", policy.value, "-q", exit_code=130)
    assert "custimport load --resume" in stopped.stderr
    assert Path("customers.rejections.csv.partial").exists()
    assert database.imports.find_one()["status"] == "interrupted"

    run("load", "--resume", "last", "-q", exit_code=3)

    resumed, report = state(database), without_ids(Path("customers.rejections.csv").read_bytes())
    assert not Path("customers.rejections.csv.partial").exists()
    for name in ("customers", "imports", "rejections"):
        database[name].delete_many({})
    run("load", path, "--on-duplicate", policy.value, "-q", exit_code=3)
    assert resumed == state(database)
    if policy is not Policy.REJECT:
        assert report == without_ids(Path("customers.rejections.csv").read_bytes())


def test_resume_refuses_a_file_that_changed_before_the_checkpoint(run, database, monkeypatch) -> None:
    path = a_file(420)
    with monkeypatch.context() as patched:
        stop_after_chunks(patched, 2)
        run("load", path, "--batch-size", "15", "-q", exit_code=130)
    before = state(database)
    path.write_text(path.read_text().replace("Customer 3,", "Customer X,"))

    refused = run("load", "--resume", "last", exit_code=5)

    assert "has changed" in refused.stderr
    assert state(database) == before


def test_resume_refuses_a_file_whose_header_changed(run, database, monkeypatch) -> None:
    path = a_file(420)
    with monkeypatch.context() as patched:
        stop_after_chunks(patched, 0)
        run("load", path, "--batch-size", "15", "-q", exit_code=130)
    path.write_text(path.read_text().replace("full_name,email", "email,full_name"))

    refused = run("load", "--resume", "last", exit_code=5)

    assert "its header has changed" in refused.stderr
    assert database.imports.find_one()["status"] == "interrupted"


def test_resume_warns_of_a_file_that_changed_after_the_checkpoint(run, database, monkeypatch) -> None:
    path = a_file(420)
    with monkeypatch.context() as patched:
        stop_after_chunks(patched, 2)
        run("load", path, "--batch-size", "15", "-q", exit_code=130)
    path.write_text(path.read_text() + "New,new@example.com,1990-01-15,UTC\n")

    resumed = run("load", "--resume", "last", exit_code=3)

    assert "has changed since the import began" in resumed.stderr
    assert database.imports.find_one()["rows"]["read"] == 421


def test_a_stopped_import_goes_on_after_its_limit_was_raised(run, database) -> None:
    path = a_file(300)
    run("load", path, "--max-rejections", "5", "--report", "r.jsonl", "-q", exit_code=4)
    rows_before = database.imports.find_one()["rows"]["read"]
    assert len(Path("r.jsonl").read_text().splitlines()) == 6

    again = run("load", "--resume", "last", "--max-rejections", "100%", "--json", "-q", exit_code=3)

    assert rows_before < 300
    assert again.json["totals"]["read"] == 300
    rows = [json.loads(line)["row"] for line in Path("r.jsonl").read_text().splitlines()]
    assert rows == sorted(set(rows))
    assert len(rows) == again.json["totals"]["rejected"]


def test_resuming_a_completed_import_repeats_its_summary(run) -> None:
    path = a_file(50)
    first = run("load", path, "--json", "-q", exit_code=3)

    again = run("load", "--resume", "last", "--json", "-q", exit_code=3)

    assert again.json["totals"] == first.json["totals"]


def test_resume_keeps_the_options_of_the_beginning(run, monkeypatch) -> None:
    path = a_file(420)
    with monkeypatch.context() as patched:
        stop_after_chunks(patched, 0)
        run("load", path, "--batch-size", "15", "-q", exit_code=130)

    refused = run("load", "--resume", "last", "--on-duplicate", "skip", exit_code=2)

    assert "--on-duplicate cannot change" in refused.stderr


def test_a_compressed_import_goes_on_and_a_moved_file_is_found(run, database, monkeypatch) -> None:
    path = Path("old.csv.gz")
    path.write_bytes(gzip.compress(a_file(300, "plain.csv").read_bytes()))
    with monkeypatch.context() as patched:
        stop_after_chunks(patched, 2)
        run("load", path, "--batch-size", "15", "-q", exit_code=130)
    path.rename("moved.csv.gz")

    missing = run("load", "--resume", "last", exit_code=7)
    run("load", "--resume", "last", "moved.csv.gz", "-q", exit_code=3)

    assert "old.csv.gz" in missing.stderr
    assert database.imports.find_one()["rows"]["read"] == 300


ARCHIVES = {
    ".gz": gzip.compress,
    # blocks as small as they can be: a block that is cut off gives nothing
    ".bz2": lambda content: bz2.compress(content, 1),
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}


@pytest.mark.parametrize(
    ("suffix", "damage"),
    # overwritten gzip may be decoded to wrong text for a while, see below
    [
        (suffix, damage)
        for suffix in ARCHIVES
        for damage in ("cut off", "overwritten")
        if suffix + damage != ".gzoverwritten"
    ],
)
def test_a_damaged_archive_ends_after_its_last_whole_row_and_goes_on_when_mended(run, database, suffix, damage) -> None:
    plain = a_file(20_000, "plain.csv").read_bytes()
    whole = ARCHIVES[suffix](plain)
    half = whole[: len(whole) * 2 // 3]
    path = Path(f"a.csv{suffix}")
    path.write_bytes(half if damage == "cut off" else half + b"\xff" * (len(whole) - len(half)))

    broken = run("load", path, "--batch-size", "100", exit_code=7)

    assert re.search(r"ends too early|is damaged near byte [0-9,]+", broken.stderr)
    assert "custimport load --resume" in broken.stderr
    counts = database.imports.find_one()["rows"]
    assert 0 < counts["read"] < 20_000
    assert database.customers.count_documents({}) == counts["inserted"]
    assert database.rejections.count_documents({}) == counts["rejected"]

    path.write_bytes(whole)
    run("load", "--resume", "last", "-q", exit_code=3)

    assert database.imports.find_one()["rows"]["read"] == 20_000


def test_wrong_text_from_a_damaged_gzip_archive_is_told_when_the_mended_one_comes(run, database) -> None:
    """Only at its end has gzip a checksum: what is decoded before it fails may be wrong, and was stored or rejected."""
    whole = gzip.compress(a_file(20_000, "plain.csv").read_bytes())
    half = whole[: len(whole) * 2 // 3]
    path = Path("a.csv.gz")
    path.write_bytes(half + b"\xff" * (len(whole) - len(half)))
    broken = run("load", path, "--batch-size", "100", exit_code=7)
    assert "if that is refused, rows before the damage were spoilt: undo and load anew" in broken.stderr
    path.write_bytes(whole)

    refused = run("load", "--resume", "last", exit_code=5)

    assert "its content has changed" in refused.stderr
    assert "undo the import and load the new file" in refused.stderr
    run("imports", "undo", "last", "--yes")
    run("load", path, "-q", exit_code=3)
    assert database.customers.count_documents({}) == database.imports.find_one(sort=[("_id", -1)])["rows"]["inserted"]


def command(mongod, database, *arguments: str) -> subprocess.Popen[str]:
    uri = mongod.uri.replace("/?", f"/{database.name}?")
    return subprocess.Popen(
        [sys.executable, "-m", "custimport", *arguments, "--uri", uri, "--no-progress"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_rows(database, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and database.customers.estimated_document_count() == 0:
        time.sleep(0.005)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_program_within_two_seconds(mongod, database, number, exit_code) -> None:
    path = a_file(200_000)
    process = command(mongod, database, "load", str(path))
    wait_for_rows(database, process)

    process.send_signal(number)
    begun = time.monotonic()
    _, stderr = process.communicate(timeout=20)

    assert process.returncode == exit_code
    assert time.monotonic() - begun < 2
    assert "custimport load --resume" in stderr
    assert "Traceback" not in stderr
    document = database.imports.find_one()
    assert document["status"] == "interrupted"
    assert document["checkpoint"]["row"] == document["rows"]["read"] > 0


def test_a_killed_import_is_taken_over_at_once_on_the_same_host(mongod, database, run) -> None:
    path = a_file(60_000)
    process = command(mongod, database, "load", str(path))
    wait_for_rows(database, process)

    held = run("load", "--resume", "last", exit_code=5)
    process.kill()
    process.communicate()
    assert database.imports.find_one()["status"] == "running"
    run("load", "--resume", "last", "-q", exit_code=3)

    assert "is held by process" in held.stderr
    document = database.imports.find_one()
    assert document["rows"]["read"] == 60_000
    assert database.customers.count_documents({}) == document["rows"]["inserted"]
    assert database.rejections.count_documents({}) == document["rows"]["rejected"]
    report = Path("customers.rejections.csv").read_bytes().decode("utf-8-sig")
    rows = [int(row["rejection_row"]) for row in csv.DictReader(io.StringIO(report, newline=""))]
    assert rows == sorted(set(rows))
    assert len(rows) == document["rows"]["rejected"]
