"""Fixtures: a real server, a database of one's own, and the program run through its real entry point."""

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.mongod import Mongod, running_mongod

DATABASE_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def mongod() -> Iterator[Mongod]:
    """One standalone server per test process. A machine without one fails the run; it never skips it."""
    with running_mongod() as server:
        yield server


@pytest.fixture(scope="session")
def client(mongod: Mongod) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient(mongod.uri, tz_aware=True) as connected:
        yield connected


@pytest.fixture
def database(client: MongoClient[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    """An empty database of the test's own, dropped afterwards."""
    fresh = client[f"test_{os.getpid()}_{next(DATABASE_NUMBERS)}"]
    yield fresh
    client.drop_database(fresh.name)


@dataclass(frozen=True)
class CliResult:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str
    stdout_bytes: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


RunCommand = Callable[..., CliResult]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the developer's settings, nor writes outside its own folder."""
    for name in list(os.environ):
        if name.startswith("CUSTIMPORT_") or name == "MONGODB_URI":
            monkeypatch.delenv(name)
    monkeypatch.setenv("CUSTIMPORT_EMBEDDED", "never")
    monkeypatch.setenv("CUSTIMPORT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


def invoke(arguments: tuple[str, ...], stdin: str | bytes | None, environment: Mapping[str, str]) -> CliResult:
    """The program as installed, in this process; an exception that is not an exit is a bug and fails the test."""
    from typer.testing import CliRunner

    from custimport.cli.app import app

    outcome = CliRunner().invoke(app, list(arguments), input=stdin, env=dict(environment), prog_name="custimport")
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return CliResult(outcome.exit_code, outcome.stdout, outcome.stderr, outcome.stdout_bytes)


@pytest.fixture
def run_offline() -> RunCommand:
    """Runs `custimport ARGUMENTS` without any database; fails unless it exits with `exit_code`."""

    def run(*arguments: str | Path, exit_code: int = 0, stdin: str | bytes | None = None) -> CliResult:
        result = invoke(tuple(map(str, arguments)), stdin, {})
        assert result.exit_code == exit_code, f"exit {result.exit_code}\n{result.stdout}\n{result.stderr}"
        return result

    return run


@pytest.fixture
def run(mongod: Mongod, database: Database[dict[str, Any]]) -> RunCommand:
    """Runs `custimport ARGUMENTS` against the test's own database; fails unless it exits with `exit_code`."""

    def run(*arguments: str | Path, exit_code: int = 0, stdin: str | bytes | None = None) -> CliResult:
        environment = {"CUSTIMPORT_MONGODB_URI": mongod.uri.replace("/?", f"/{database.name}?")}
        result = invoke(tuple(map(str, arguments)), stdin, environment)
        assert result.exit_code == exit_code, f"exit {result.exit_code}\n{result.stdout}\n{result.stderr}"
        return result

    return run
