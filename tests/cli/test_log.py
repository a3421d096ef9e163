"""The log: which events, which keys, where they go, and what never appears in them."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from custimport.cli import importing

HEADER = "full_name,email,date_of_birth,timezone\n"
SECRETS = ["Annabella", "Bertholdt", "annabella@example.com", "bertholdt", "1987-06-05", "31/12/1990", "Mars/Base"]
"""Every cell of the files below, or the part of one that is easily recognised."""
FILE = (
    f"{HEADER}Annabella,annabella@example.com,1987-06-05,UTC\n"
    "Bertholdt,bertholdt,31/12/1990,Mars/Base\n"
    "Annabella,annabella@example.com,1987-06-05,UTC\n"
)
COUNTS = {"read", "inserted", "updated", "unchanged", "skipped", "rejected"}
OF_IMPORT = {"timestamp", "level", "event", "import_id", "file"}


def events(path: str | Path = "load.log") -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def names(found: list[dict[str, object]]) -> list[object]:
    return [event["event"] for event in found]


@pytest.fixture
def log(run):
    """Runs a command with a JSON log of its own and gives the events that it wrote."""

    def logged(*arguments: str, exit_code: int = 0) -> list[dict[str, object]]:
        Path("load.log").unlink(missing_ok=True)
        run(*arguments, "--log-file", "load.log", "--log-format", "json", exit_code=exit_code)
        return events()

    return logged


def test_a_load_writes_its_events_with_stable_keys(log, database) -> None:
    Path("customers.csv").write_text(FILE)

    found = log("load", "customers.csv", "--log-level", "debug", exit_code=3)

    connected, started, first, second, checkpoint, finished, ended = found
    import_id = database.imports.find_one()["_id"].hex()
    assert set(connected) == {"timestamp", "level", "event", "target", "database"}
    assert connected["event"] == "connected"
    assert set(started) == OF_IMPORT | {"on_duplicate", "rehearsal"}
    assert (started["event"], started["level"], started["rehearsal"]) == ("import started", "info", False)
    assert set(first) == OF_IMPORT | {"row", "line", "codes"}
    assert (first["event"], first["level"], first["row"], first["line"]) == ("row rejected", "debug", 2, 3)
    assert first["codes"] == ["email-invalid", "date-invalid", "timezone-unknown"]
    assert second["codes"] == ["duplicate-in-file"]
    assert set(checkpoint) == OF_IMPORT | COUNTS | {"row", "elapsed_seconds"}
    assert checkpoint["row"] == 3
    assert set(finished) == OF_IMPORT | COUNTS | {
        *("status", "exit_code", "rejected_by_code", "reports", "elapsed_seconds", "rows_per_second")
    }
    assert finished["event"] == "import finished"
    assert (finished["read"], finished["inserted"], finished["rejected"], finished["exit_code"]) == (3, 1, 2, 3)
    assert set(ended) == {"timestamp", "level", "event", "command", "exit_code", "elapsed_seconds"}
    assert (ended["command"], ended["exit_code"]) == ("custimport load", 3)
    assert all(event["import_id"] == import_id and event["file"] == "customers.csv" for event in found[1:-1])
    assert all(datetime.fromisoformat(str(event["timestamp"])).utcoffset() is not None for event in found)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("command", ["load", "check"])
def test_no_value_of_the_file_is_in_the_log_unless_asked_for(run, command, log_format) -> None:
    Path("customers.csv").write_text(FILE)
    # a file without a header: its first row is in the message of the error
    Path("headless.csv").write_text(FILE.removeprefix(HEADER))
    arguments = ("--log-level", "debug", "--log-format", log_format, "--log-file")

    run(command, "customers.csv", "headless.csv", *arguments, "silent.log", exit_code=7)
    run(command, "customers.csv", "headless.csv", *arguments, "open.log", "--log-values", exit_code=7)

    silent, said = Path("silent.log").read_text(), Path("open.log").read_text()
    assert "row rejected" in silent
    assert "InputUnreadable" in silent
    assert [secret for secret in SECRETS if secret.lower() in silent.lower()] == []
    assert all(secret in said for secret in ("bertholdt", "31/12/1990", "Mars/Base", "Annabella"))


def test_commands_on_customers_and_imports_log_ids_and_counts_only(run, log, database) -> None:
    Path("customers.csv").write_text(FILE)
    run("load", "customers.csv", exit_code=3)
    customer_id = str(database.customers.find_one()["_id"])

    verified, _ = log("imports", "verify", "last", "customers.csv")
    updated, _ = log("customers", "update", "annabella@example.com", "--full-name", "Annabella B")
    refused = log("customers", "update", "annabella@example.com", "--email", "bertholdt", exit_code=3)
    missing = log("customers", "delete", "--yes", "bertholdt@example.com", exit_code=6)
    undone, ended = log("imports", "undo", "last", "--yes", exit_code=5)
    deleted, _ = log("customers", "delete", "--yes", "annabella@example.com")

    assert (verified["event"], verified["rows"], verified["differences"]) == ("import verified", 3, 0)
    assert (updated["event"], updated["customer_id"]) == ("customer updated", customer_id)
    assert updated["fields"] == ["full_name"]
    assert [(event["event"], event["exit_code"]) for event in refused] == [("command finished", 3)]
    assert names(missing) == ["error", "command finished"]
    assert missing[0]["error"] == "NotFound"
    assert (undone["event"], undone["deleted"], undone["restored"], undone["left"]) == ("import undone", 0, 0, 1)
    assert ended["exit_code"] == 5
    assert (deleted["event"], deleted["customer_ids"]) == ("customers deleted", [customer_id])
    everything = json.dumps([verified, updated, refused, missing, undone, deleted]).lower()
    assert [secret for secret in SECRETS if secret.lower() in everything] == []


def test_without_an_option_there_is_no_log_and_no_structlog(run, mongod, database) -> None:
    Path("customers.csv").write_text(FILE)
    uri = mongod.uri.replace("/?", f"/{database.name}?")
    words = [sys.executable, "-X", "importtime", "-m", "custimport", "load", "customers.csv", "--uri", uri]

    result = subprocess.run(words, capture_output=True, text=True, check=False)

    assert result.returncode == 3
    assert "structlog" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if not line.startswith("import time:")]
    assert lines == [f"target: {lines[0].removeprefix('target: ')}"]
    assert sorted(map(str, Path().iterdir())) == ["customers.csv", "customers.rejections.csv"]


def test_on_standard_error_the_log_replaces_notes_and_warnings(run) -> None:
    Path("customers.csv").write_text(FILE.replace("timezone\n", "timezone,shoe size\n").replace("UTC\n", "UTC,44\n"))

    plain = run("load", "customers.csv", exit_code=3)
    logged = run("load", "customers.csv", "--log-format", "json", exit_code=3)
    text = run("check", "customers.csv", "--log-level", "info", exit_code=3)

    assert "warning: customers.csv: ignored columns" in plain.stderr
    lines = [json.loads(line) for line in logged.stderr.splitlines()]
    messages = [line["message"] for line in lines if line["event"] == "warning"]
    assert "ignored columns: shoe size" in messages
    assert "was loaded already" in messages[0]
    assert ["read", "3"] == plain.stdout.split()[4:6] == logged.stdout.split()[4:6]
    assert "import finished" in text.stderr
    assert "target: " not in text.stderr


def test_the_log_is_appended_to_a_file_for_the_owner_alone(run) -> None:
    Path("customers.csv").write_text(HEADER)

    run("check", "customers.csv", "--log-file", "load.log")
    once = Path("load.log").read_text()
    run("check", "customers.csv", "--log-file", "load.log")

    assert stat.S_IMODE(Path("load.log").stat().st_mode) == 0o600
    assert Path("load.log").read_text().startswith(once)
    assert Path("load.log").read_text().count("command finished") == 2


def test_a_level_leaves_out_what_is_less_grave(log) -> None:
    Path("customers.csv").write_text(FILE)

    assert names(log("load", "customers.csv", "--log-level", "error", exit_code=3)) == []
    assert names(log("load", "customers.csv", "--log-level", "warning", "--max-rejections", "0", exit_code=4)) == [
        "warning",
        "import stopped",
        "error",
    ]


def test_a_log_that_cannot_be_written_is_refused_before_anything_is_done(run, database) -> None:
    Path("customers.csv").write_text(FILE)
    Path("folder").mkdir()

    refused = run("load", "customers.csv", "--log-file", "folder", exit_code=9)

    assert "--log-file folder: cannot be written" in refused.stderr
    assert database.imports.count_documents({}) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_disk_that_is_full_ends_the_log_and_not_the_load(run, database) -> None:
    Path("customers.csv").write_text(FILE)

    result = run("load", "customers.csv", "--log-file", "/dev/full", exit_code=3)

    assert result.stderr.count("--log-file /dev/full: cannot be written any more: No space left") == 1
    assert database.customers.count_documents({}) == 1


def test_a_stopped_import_and_its_resume_are_told(log, monkeypatch) -> None:
    rows = "".join(f"Ann,ann{number}@example.com,1990-01-15,UTC\n" for number in range(200))
    Path("customers.csv").write_text(HEADER + rows)
    original = importing.ImportReports.write

    def write(self, rejections) -> None:
        original(self, rejections)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(importing.ImportReports, "write", write)
        stopped = log("load", "customers.csv", "--batch-size", "10", exit_code=143)
    resumed = log("load", "--resume", "last")

    # the signal may come before the first rows are settled
    assert [name for name in names(stopped) if name != "checkpoint"] == [
        *("connected", "import started", "import stopped", "error", "command finished")
    ]
    by_name = {event["event"]: event for event in stopped}
    assert (by_name["import stopped"]["status"], by_name["import stopped"]["exit_code"]) == ("interrupted", 143)
    assert "stopped by SIGTERM" in by_name["error"]["message"]
    assert names(resumed) == ["connected", "import resumed", "checkpoint", "import finished", "command finished"]
    assert resumed[1]["read"] == by_name["import stopped"]["read"]
    assert resumed[3]["read"] == 200


def test_an_outage_is_told_with_its_length(log, client) -> None:
    Path("customers.csv").write_text(FILE)
    data = {"failCommands": ["createIndexes"], "closeConnection": True, "appName": "custimport"}
    client.admin.command("configureFailPoint", "failCommand", mode={"times": 3}, data=data)

    found = log("load", "customers.csv", exit_code=3)

    begun, over = (event for event in found if str(event["event"]).startswith("outage"))
    assert (begun["event"], begun["level"], begun["cause"]) == ("outage begun", "warning", "AutoReconnect")
    assert over["event"] == "outage over"
    assert 0 < over["elapsed_seconds"] < 10


def test_a_server_that_is_not_there_is_told_without_the_password(log) -> None:
    Path("customers.csv").write_text(FILE)
    uri = "mongodb://me:s3cret-w0rd@127.0.0.1:1/crm?serverSelectionTimeoutMS=100"

    error, ended = log("load", "customers.csv", "--uri", uri, exit_code=8)

    assert (error["error"], error["exit_code"], ended["exit_code"]) == ("DatabaseUnavailable", 8, 8)
    assert "not reachable" in error["message"]
    assert "s3cret" not in Path("load.log").read_text()


def test_a_bug_is_told_by_its_kind(run_offline, monkeypatch) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("Annabella")

    monkeypatch.setattr("custimport.cli.importing.run_files", broken)
    Path("customers.csv").write_text(FILE)

    with pytest.raises(ZeroDivisionError):
        run_offline("check", "customers.csv", "--log-file", "load.log", "--log-format", "json")

    error, ended = events()
    assert (error["error"], error["exit_code"], ended["exit_code"]) == ("ZeroDivisionError", 1, 1)
    assert "message" not in error


def test_the_log_goes_on_in_the_background(mongod, database) -> None:
    Path("customers.csv").write_text(FILE)
    environment = os.environ | {"CUSTIMPORT_MONGODB_URI": mongod.uri.replace("/?", f"/{database.name}?")}

    def command(*arguments: str) -> int:
        words = [sys.executable, "-m", "custimport", *arguments]
        return subprocess.run(words, capture_output=True, check=False, timeout=60, env=environment).returncode

    assert command("load", "customers.csv", "--detach", "--log-file", "load.log", "--log-format", "json") == 0
    assert command("imports", "show", "last", "--watch") == 3
    deadline = time.monotonic() + 10
    # its last words may come after the history's
    while "command finished" not in Path("load.log").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)

    assert names(events()) == ["connected", "import started", "checkpoint", "import finished", "command finished"]


def test_a_configured_log_is_written_and_an_option_can_hide_values(run) -> None:
    Path("customers.csv").write_text(FILE)
    Path("custimport.toml").write_text(
        'log_file = "load.log"\nlog_format = "json"\nlog_level = "debug"\nlog_values = true\n'
    )

    run("check", "customers.csv", exit_code=3)
    shown = events()
    Path("load.log").unlink()
    run("check", "customers.csv", "--no-log-values", exit_code=3)

    assert shown[1]["cells"] == ["Bertholdt", "bertholdt", "31/12/1990", "Mars/Base"]
    assert "cells" not in events()[1]
