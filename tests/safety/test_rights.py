"""Users who lack a right: which one is said before anything is written."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.conftest import RunCommand
from tests.safety.conftest import SecuredServer

ROWS, ROWS_BEFORE = 10_000, 9_000
"""The first are more than is read at a time; the rest fits into a pipe that nobody reads any more."""
ALL = {
    "customers": {"find", "insert", "update", "remove", "listIndexes", "createIndex"},
    "imports": {"find", "insert", "update"},
    "rejections": {"find", "insert"},
    "changes": {"find", "insert", "update", "remove", "listIndexes", "createIndex"},
}


def all_but(collection: str, *actions: str) -> dict[str, set[str]]:
    return {**ALL, collection: ALL[collection] - set(actions)}


def errors(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if not line.startswith("target: ")]
    assert len(lines) == 2, stderr
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("collection", "action", "arguments"),
    [
        ("customers", "insert", ()),
        ("customers", "update", ("--on-duplicate", "update")),
        ("customers", "listIndexes", ()),
        ("customers", "createIndex", ()),
        ("imports", "insert", ()),
        ("imports", "update", ()),
        ("rejections", "insert", ()),
        ("customers", "find", ("--dry-run",)),
        ("imports", "find", ()),
    ],
)
def test_a_load_that_lacks_a_right_writes_nothing_and_names_it(
    run_offline: RunCommand,
    secured: SecuredServer,
    crm: Database[Any],
    customers_file: Path,
    collection: str,
    action: str,
    arguments: tuple[str, ...],
) -> None:
    user = secured.new_user_with(crm.name, all_but(collection, action))

    result = run_offline("load", customers_file, *arguments, "--uri", secured.uri(user, crm.name), exit_code=8)

    told = errors(result.stderr)
    assert re.search(rf"has no right to {action} on ({re.escape(crm.name)}\.)?{collection}\b", told), told
    assert "grantRolesToUser" in told
    assert all(crm[name].count_documents({}) == 0 for name in ALL)
    assert list(Path().iterdir()) == [customers_file]


def test_all_that_is_missing_is_named_together_with_a_command_that_grants_it(
    run_offline: RunCommand, secured: SecuredServer, crm: Database[Any], customers_file: Path
) -> None:
    user = secured.new_user({"role": "read", "db": crm.name})
    uri = secured.uri(user, crm.name)

    told = errors(run_offline("load", customers_file, "--uri", uri, exit_code=8).stderr)
    grant = re.search(
        r'db\.getSiblingDB\("(\w+)"\)\.grantRolesToUser\("(\w+)", \[\{ role: "(\w+)", db: "(\w+)" \}\]\)', told
    )

    assert (
        f"the user {user} has no right to insert on customers; insert, update on imports; insert on rejections" in told
    )
    assert grant is not None
    place, named, role, database = grant.groups()
    secured.admin[place].command("grantRolesToUser", named, roles=[{"role": role, "db": database}])
    run_offline("load", customers_file, "--uri", uri, exit_code=3)
    assert crm.customers.count_documents({}) == 2


def test_a_user_without_the_right_to_make_indexes_loads_where_an_administrator_made_them(
    run_offline: RunCommand, secured: SecuredServer, crm: Database[Any], customers_file: Path
) -> None:
    user = secured.new_user_with(crm.name, all_but("customers", "createIndex"))
    run_offline("load", customers_file, "--uri", secured.uri(user, crm.name), exit_code=8)

    run_offline("db", "init", "--uri", secured.uri("admin", crm.name))
    run_offline("load", customers_file, "--uri", secured.uri(user, crm.name), exit_code=3)

    assert crm.customers.count_documents({}) == 2


@pytest.mark.parametrize(
    ("collection", "action", "arguments"),
    [
        ("customers", "remove", ("imports", "undo", "last", "--yes")),
        ("customers", "update", ("imports", "undo", "last", "--yes")),
        ("imports", "update", ("imports", "undo", "last", "--yes")),
        ("customers", "remove", ("customers", "delete", "ann@example.com", "--yes")),
        ("customers", "update", ("customers", "update", "ann@example.com", "--full-name", "Ann May")),
        ("customers", "find", ("customers", "list", "--email", "ann@example.com")),
        ("imports", "find", ("customers", "delete", "ann@example.com", "--yes")),
        ("changes", "insert", ("customers", "update", "ann@example.com", "--full-name", "Ann May")),
        ("changes", "update", ("customers", "delete", "ann@example.com", "--yes")),
        ("changes", "createIndex", ("customers", "delete", "ann@example.com", "--yes")),
        ("changes", "find", ("customers", "history", "ann@example.com")),
        ("rejections", "find", ("imports", "rejections", "last")),
        ("customers", "listIndexes", ("db", "status")),
    ],
)
def test_a_command_that_lacks_a_right_changes_nothing_names_it_and_quotes_nobodys_data(
    run_offline: RunCommand,
    secured: SecuredServer,
    crm: Database[Any],
    customers_file: Path,
    collection: str,
    action: str,
    arguments: tuple[str, ...],
) -> None:
    run_offline("load", customers_file, "--uri", secured.uri("admin", crm.name), exit_code=3)
    before = [list(crm[name].find()) for name in ALL]
    user = secured.new_user_with(crm.name, all_but(collection, action))

    result = run_offline(*arguments, "--uri", secured.uri(user, crm.name), exit_code=8)

    told = errors(result.stderr)
    assert re.search(rf"has no right to {action} on ({re.escape(crm.name)}\.)?{collection}\b", told), told
    assert "example.com" not in told
    assert [list(crm[name].find()) for name in ALL] == before


def test_rights_that_are_taken_away_end_a_load_at_once_and_it_can_be_resumed_with_them(
    run_offline: RunCommand, secured: SecuredServer, crm: Database[Any]
) -> None:
    user = secured.new_user({"role": "readWrite", "db": crm.name})
    os.mkfifo("slow.csv")
    arguments = ["load", "slow.csv", "--retry-for", "30", "--batch-size", "500", "--uri", secured.uri(user, crm.name)]
    rows = [f"Ann,ann{number}@example.com,1990-01-15,UTC\n" for number in range(ROWS)]
    header = "full_name,email,date_of_birth,timezone\n"
    with subprocess.Popen([sys.executable, "-m", "custimport", *arguments], stderr=subprocess.PIPE, text=True) as load:
        assert load.stderr is not None
        # opened for both: the load may open and close it
        with os.fdopen(os.open("slow.csv", os.O_RDWR), "w") as pipe:
            pipe.write(header + "".join(rows[:ROWS_BEFORE]))
            pipe.flush()
            deadline = time.monotonic() + 20
            while not crm.customers.count_documents({}):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            secured.admin.admin.command("updateUser", user, roles=[])
            began = time.monotonic()
            pipe.write("".join(rows[ROWS_BEFORE:]))
            pipe.flush()
        told = load.stderr.read()
    assert load.returncode == 8, told
    assert time.monotonic() - began < 5
    assert "has no right to" in told
    assert "custimport load --resume" in told
    assert "Traceback" not in told

    Path("slow.csv").unlink()
    Path("slow.csv").write_text(header + "".join(rows))
    secured.admin.admin.command("updateUser", user, roles=[{"role": "readWrite", "db": crm.name}])
    run_offline("load", "--resume", "last", "slow.csv", "--uri", secured.uri(user, crm.name))
    assert crm.customers.count_documents({}) == ROWS
