"""`customers list --all` and `export` stream: their memory does not grow, and a reader that has enough ends them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.memory import peak_megabytes
from custimport.store.customers import STREAM_BATCH_ROWS
from tests.cli.test_customers import a_customer

CUSTIMPORT = str(Path(sys.executable).with_name("custimport"))
FEW, MANY = 3 * STREAM_BATCH_ROWS, 8 * STREAM_BATCH_ROWS
"""Both more than is ever on its way; as objects, the difference would take some 50 MB."""
Command = Callable[..., list[str]]


@pytest.fixture(scope="module")
def command(mongod, client) -> Iterator[Command]:
    """The words of a command on a database of so many customers."""
    for count in (FEW, MANY):
        client[f"test_streamed_{count}"].customers.insert_many([a_customer(row) for row in range(count)])

    def words(count: int, *arguments: str) -> list[str]:
        where = ("--uri", mongod.uri, "--database", f"test_streamed_{count}")
        return [CUSTIMPORT, "customers", *arguments, *where]

    yield words
    for count in (FEW, MANY):
        client.drop_database(f"test_streamed_{count}")


@pytest.mark.parametrize(
    "arguments",
    [("list", "--all", "--json"), ("export",), ("export", "--format", "jsonl", "--sort", "full_name")],
    ids=" ".join,
)
def test_memory_does_not_grow_with_the_number_of_customers(command, arguments, tmp_path):
    (few, ended, said), (many, *ending) = (
        peak_megabytes(command(count, *arguments), str(tmp_path)) for count in (FEW, MANY)
    )
    assert (ended, said) == (0, "")
    assert ending == [0, ""]
    assert many < few * 1.1


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--all"),
        ("list", "--all", "--json"),
        ("list", "--all", "--format", "jsonl"),
        ("export",),
        ("export", "--json"),
        ("export", "--output", "-", "--format", "jsonl"),
    ],
    ids=" ".join,
)
def test_a_reader_that_has_enough_ends_it_quietly_before_everything_is_read(command, client, arguments):
    database = client[f"test_streamed_{MANY}"]
    database.command("profile", 2)
    try:
        with subprocess.Popen(command(MANY, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            begun = process.stdout.read(1_000)
            process.stdout.close()
            said = process.stderr.read()
    finally:
        database.command("profile", 0)
    read = [entry["nreturned"] for entry in database["system.profile"].find({"ns": f"{database.name}.customers"})]
    database["system.profile"].drop()
    assert (process.returncode, said, len(begun)) == (0, b"", 1_000)
    assert 0 < sum(read) <= 2 * STREAM_BATCH_ROWS


def test_a_shell_sees_a_pipeline_that_ended_well(command):
    line = f"set -o pipefail; {' '.join(map(repr, command(MANY, 'list', '--all')))} | head -2"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [text.split()[0] for text in done.stdout.splitlines()] == ["id", f"018f000000000001{MANY - 1:08x}"]


def test_a_sort_larger_than_the_memory_of_the_server_goes_to_disk(command, client):
    """As on a server before 6.0, which does not do so unless it is told to."""
    tight = {"internalQueryMaxBlockingSortMemoryUsageBytes": 2**20, "allowDiskUseByDefault": False}
    usual = client.admin.command({"getParameter": 1, **dict.fromkeys(tight, 1)})
    client.admin.command({"setParameter": 1, **tight})
    try:
        for arguments in (("export", "--sort", "full_name"), ("list", "--sort=-full_name", "--page", str(MANY // 50))):
            done = subprocess.run(command(MANY, *arguments), capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), arguments
            assert len(done.stdout.splitlines()) == (MANY + 1 if "export" in arguments else 22)
    finally:
        client.admin.command({"setParameter": 1, **{name: usual[name] for name in tight}})
