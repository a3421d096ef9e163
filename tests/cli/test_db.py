"""`custimport db`: what it shows, makes, starts and stops."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.database import Database

from custimport.store import embedded
from tests.conftest import RunCommand


@pytest.fixture
def embedded_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The embedded server is allowed, in a short folder of the test's own; it is stopped afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cd-", dir="/tmp"))
    monkeypatch.delenv("CUSTIMPORT_EMBEDDED")
    monkeypatch.setenv("CUSTIMPORT_DATA_DIR", str(folder))
    monkeypatch.setenv("CUSTIMPORT_EMBEDDED_IDLE_SECONDS", "0.5")
    yield folder
    embedded.stop({"CUSTIMPORT_DATA_DIR": str(folder)}, force=True)
    shutil.rmtree(folder, ignore_errors=True)


def test_init_makes_the_indexes_once_and_status_shows_them(run: RunCommand) -> None:
    before = run("db", "status", "--json").json
    made = run("db", "init", "--json").json
    again = run("db", "init", "--json").json
    after = run("db", "status", "--json").json

    assert before["indexes"] == []
    assert made == again
    assert made["indexes"] == after["indexes"] == ["_id_", "email_1"]
    assert made["change_indexes"] == after["change_indexes"] == ["_id_", "customer_id_1", "email_1"]
    assert made["database"] == after["database"]
    assert not after["embedded"]
    assert after["origin"] == "environment variable CUSTIMPORT_MONGODB_URI"
    assert after["version"].startswith("6.")
    assert (after["customers"], after["imports"]) == (0, 0)


def test_status_counts_what_a_load_left(run: RunCommand, tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(
        "full_name,email,date_of_birth,timezone\n"
        "Ann Lee,ann@example.com,1990-01-15,Europe/Paris\n"
        "Bob Lee,not an address,1985-03-22,Europe/Paris\n"
    )
    run("load", file, exit_code=3)

    counts = run("db", "status", "--json").json

    assert (counts["customers"], counts["imports"], counts["rejections"], counts["changes"]) == (1, 1, 1, 0)
    assert counts["change_indexes"] == []
    run("customers", "update", "ann@example.com", "--full-name", "Ann Leeds")
    assert run("db", "status", "--json").json["changes"] == 1
    assert "customers" in run("db", "status").stdout


def test_status_tells_how_much_there_is(run: RunCommand, database: Database[dict[str, Any]]) -> None:
    empty = run("db", "status", "--json").json
    assert (empty["data_bytes"], empty["disk_bytes"]) == (0, 0)
    documents = [{"_id": number, "full_name": "x" * 1_000} for number in range(2_000)]
    database.customers.insert_many(documents)

    facts = run("db", "status", "--json").json

    assert facts["data_bytes"] == sum(len(bson.encode(document)) for document in documents)
    assert facts["disk_bytes"] > 0
    assert f"data bytes  {facts['data_bytes']:,}" in re.sub(" {2,}", "  ", run("db", "status").stdout)


def test_the_password_is_shown_only_when_asked_for(run_offline: RunCommand) -> None:
    uri = "mongodb://ann:s3cret@db1:27017/crm?replicaSet=rs0"

    masked = run_offline("db", "uri", "--uri", uri)
    shown = run_offline("db", "uri", "--uri", uri, "--show-password", "--json")

    assert masked.stdout == "mongodb://ann:***@db1:27017/crm?replicaSet=rs0\n"
    assert shown.json == {"uri": uri}


def test_without_a_uri_and_an_embedded_server_it_ends_with_exit_8(run_offline: RunCommand) -> None:
    assert "CUSTIMPORT_EMBEDDED=never" in run_offline("db", "status", exit_code=8).stderr


def test_a_machine_without_a_usable_mongod_is_told_the_ways_out(
    run_offline: RunCommand, embedded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTIMPORT_MONGOD", "/bin/false")

    told = run_offline("db", "status", exit_code=8)

    lines = told.stderr.splitlines()
    assert lines[0].startswith("error: no usable embedded MongoDB: mongod ended with exit code 1")
    assert [line.split(":")[0].strip() for line in lines[1:4]] == [
        "use a server",
        "or install one",
        "or point to yours",
    ]
    assert told.stdout == ""


def test_the_uri_of_the_embedded_server_starts_nothing(run_offline: RunCommand, embedded_home: Path) -> None:
    uri = run_offline("db", "uri").stdout.strip()

    assert uri.startswith("mongodb://%2Ftmp%2F")
    assert uri.endswith("mongod.sock/?directConnection=true")
    assert not embedded.state({"CUSTIMPORT_DATA_DIR": str(embedded_home)}).running


def test_start_keeps_the_server_until_stop(run_offline: RunCommand, embedded_home: Path) -> None:
    started = run_offline("db", "start", "--json").json
    assert started["running"]
    assert started["kept_running"]
    assert Path(started["folder"]).parent == embedded_home
    facts = run_offline("db", "status", "--json").json
    assert (facts["embedded"], facts["folder"], facts["kept_running"]) == (True, started["folder"], True)

    assert run_offline("db", "stop").stdout == "stopped\n"
    assert run_offline("db", "stop", "--json").json == {"stopped": False}


def test_a_server_in_use_is_stopped_only_by_force(run_offline: RunCommand, embedded_home: Path) -> None:
    code = (
        "import os, sys\n"
        "from custimport.store.embedded import embedded_server\n"
        "with embedded_server(os.environ):\n"
        "    print('up', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "up\n"

        refused = run_offline("db", "stop", exit_code=5)
        forced = run_offline("db", "stop", "--force", "--json")

        user.communicate("")
    assert "--force" in refused.stderr
    assert forced.json == {"stopped": True}


def test_help_does_not_load_the_driver() -> None:
    code = (
        "import sys\n"
        "from custimport.cli.app import app\n"
        "try:\n    app(['db', '--help'])\nexcept SystemExit: pass\n"
        "sys.stderr.write(str([name for name in ('pymongo', 'bson') if name in sys.modules]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stderr == json.dumps([])
    assert "status" in ended.stdout
