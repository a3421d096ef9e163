"""Whoever reads what is printed may go away at any time (`| head`): nobody is told, and the outcome stays what it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminal import on_a_terminal

HEADER = "full_name,email,date_of_birth,timezone\n"
ENDING_EARLY = [
    "--help",
    "--version",
    "load --help",
    "help",
    "help cli",
    "imports list",
    "imports list --json",
    "imports show last",
    "imports rejections last",
    "imports rejections last --format html",
    "imports verify last customers.csv",
    "customers list",
    "customers list --all",
    "customers list --all --json",
    "customers show ann@example.com",
    "customers history ann@example.com",
    "customers export",
    "db status",
    "db status --json",
    "db init",
    "db uri",
    "config show",
    "config show --json",
    "--show-completion bash",
]


@pytest.fixture
def unheard(mongod, database, run):
    """Runs a command whose standard output or error nobody reads; gives its exit code and what the other one got."""
    Path("customers.csv").write_text(HEADER + "Ann,ann@example.com,1990-01-15,UTC\n,b@example.com,1990-01-15,UTC\n")
    run("load", "customers.csv", "--quiet", exit_code=3)
    uri = mongod.uri.replace("/?", f"/{database.name}?")

    def start(command: str, closed: str) -> tuple[int, str]:
        reader, writer = os.pipe()
        os.close(reader)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {closed: writer}
        # as containers often have it: every write meets the closed pipe at once, not the last one only
        environment = os.environ | {
            "CUSTIMPORT_MONGODB_URI": uri,
            "PYTHONUNBUFFERED": "1",
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        }
        words = [sys.executable, "-m", "custimport", *command.split()]
        done = subprocess.run(words, env=environment, text=True, timeout=60, check=False, **streams)
        os.close(writer)
        return done.returncode, (done.stderr or "") + (done.stdout or "")

    return start


@pytest.mark.parametrize("command", ENDING_EARLY)
def test_a_reader_that_goes_away_is_no_error(unheard, command) -> None:
    exit_code, told = unheard(command, "stdout")

    assert exit_code == 0
    assert "Traceback" not in told
    assert "error" not in told


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
@pytest.mark.parametrize(
    ("exit_code", "command"),
    [
        (3, "load customers.csv"),
        (3, "load customers.csv --json"),
        (3, "check customers.csv --json"),
        (4, "load customers.csv --max-rejections 0"),
        (3, "customers update ann@example.com --timezone nowhere --json"),
        (6, "imports show 0123456789abcdef"),
    ],
)
def test_the_exit_code_is_that_of_the_work_though_nobody_reads_of_it(unheard, exit_code, command, closed) -> None:
    assert unheard(command, closed)[0] == exit_code


def test_a_load_that_nobody_hears_is_complete(unheard, database) -> None:
    rows = "".join(f"Ann,ann{number}@example.com,1990-01-15,UTC\n" for number in range(3_000))
    Path("more.csv").write_text(HEADER.strip() + ",ignored\n" + rows.replace("UTC\n", "UTC,x\n"))

    assert unheard("load more.csv", "stderr")[0] == 0
    assert database.imports.find_one({"file.name": "more.csv"})["status"] == "completed"
    assert database.customers.count_documents({}) == 3_001


def test_a_warning_stands_on_a_line_of_its_own_beside_the_progress_bar(mongod, database) -> None:
    rows = "".join(f"Ann,ann{number}@example.com,1990-01-15,UTC,x\n" for number in range(2_000))
    Path("customers.csv").write_text("full_name,email,date_of_birth,timezone,ignored\n" + rows)

    shown = on_a_terminal([["load", "customers.csv"]], mongod.uri.replace("/?", f"/{database.name}?"), 100)

    before, _, _ = shown.partition("warning: ")
    # what is still on the line: nothing, or a bar that was wiped out by "erase the line"
    assert before.rpartition("\n")[2].rpartition("\x1b[2K")[2].removesuffix("\x1b[33m") == ""
