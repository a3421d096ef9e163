"""Files with personal data or passwords are their owner's alone, whatever the umask."""

import gzip
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.conftest import RunCommand
from tests.mongod import Mongod
from tests.safety.conftest import SECRET, SecuredServer


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The least careful of all: whatever is not asked for is allowed to everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("names", [(), ("report.csv", "report.json", "report.jsonl")], ids=["default", "named"])
def test_reports_are_for_their_owner_only(run: RunCommand, customers_file: Path, names: tuple[str, ...]) -> None:
    # what stood there before had other rights
    for name in names:
        Path(name).touch(0o666)

    run("load", customers_file, *(word for name in names for word in ("--report", name)), exit_code=3)

    for name in names or ("customers.rejections.csv",):
        assert mode(Path(name)) == 0o600


def test_an_unfinished_report_is_for_its_owner_only(run: RunCommand, customers_file: Path) -> None:
    Path("archive.csv.gz").write_bytes(gzip.compress(customers_file.read_bytes() * 2_000)[:-100])

    run("load", "archive.csv.gz", exit_code=7)

    assert mode(Path("archive.rejections.csv.partial")) == 0o600


def test_an_export_is_for_its_owner_only(run: RunCommand, customers_file: Path) -> None:
    run("load", customers_file, exit_code=3)

    run("customers", "export", "--output", "all.csv")

    assert mode(Path("all.csv")) == 0o600


def test_the_log_of_a_load_in_the_background_is_for_its_owner_only(
    mongod: Mongod, database: Database[Any], customers_file: Path
) -> None:
    uri = mongod.uri.replace("/?", f"/{database.name}?")
    words = [sys.executable, "-m", "custimport", "load", str(customers_file), "--detach", "--uri", uri]

    subprocess.run(words, capture_output=True, check=True, timeout=20)

    assert mode(Path("customers.load.log")) == 0o600


def test_the_data_folder_of_the_embedded_server_and_all_in_it_is_for_its_owner_only(
    run_offline: RunCommand, monkeypatch: pytest.MonkeyPatch, short_folder: Path
) -> None:
    monkeypatch.delenv("CUSTIMPORT_EMBEDDED")
    monkeypatch.setenv("CUSTIMPORT_DATA_DIR", str(short_folder / "data"))
    try:
        run_offline("db", "start")
        (root,) = (short_folder / "data").iterdir()
        found = [root, *root.rglob("*")]
        assert {mode(path) for path in found if path.is_dir()} == {0o700}
        # the socket is protected by its folder
        assert {mode(path) for path in found if path.is_file()} == {0o600}
    finally:
        run_offline("db", "stop", "--force")


@pytest.fixture(params=[".env", "URI file"])
def file_with_password(
    request: pytest.FixtureRequest, secured: SecuredServer, crm: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Names the server, with a password, and is nobody's but its owner's yet."""
    uri = secured.uri("admin", crm.name)
    path = Path.cwd() / (".env" if request.param == ".env" else "the uri")
    path.touch(0o600)
    if request.param == ".env":
        path.write_text(f"CUSTIMPORT_MONGODB_URI={uri}\n")
    else:
        path.write_text(uri)
        monkeypatch.setenv("CUSTIMPORT_MONGODB_URI_FILE", str(path))
    return path


@pytest.mark.parametrize(
    ("rights", "what"),
    [(0o640, "read"), (0o604, "read"), (0o620, "change"), (0o602, "change"), (0o666, "read")],
)
def test_a_file_with_a_password_that_is_open_to_others_is_named_with_the_cure(
    run_offline: RunCommand, file_with_password: Path, customers_file: Path, rights: int, what: str
) -> None:
    file_with_password.chmod(rights)

    result = run_offline("imports", "list")

    (line,) = result.stderr.splitlines()
    assert line.startswith(f"warning: {file_with_password} holds a password, and others may {what} it: chmod 600 ")
    assert SECRET not in line
    subprocess.run(line.partition("it: ")[2], shell=True, check=True)
    assert run_offline("imports", "list").stderr == ""


def test_quiet_commands_do_not_warn_of_it_and_the_others_go_on(
    run_offline: RunCommand, file_with_password: Path, customers_file: Path
) -> None:
    file_with_password.chmod(0o644)

    told = run_offline("load", customers_file, exit_code=3).stderr
    quiet = run_offline("load", customers_file, "--quiet", exit_code=3).stderr
    exported = run_offline("customers", "export", "--output", "all.csv", "--quiet").stderr
    deleted = run_offline("customers", "delete", "ann@example.com", "--yes", "--quiet").stderr

    assert told.splitlines()[0].startswith("warning: ")
    assert quiet + exported + deleted == ""


@pytest.mark.parametrize("rights", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_no_cause_for_a_warning(
    run_offline: RunCommand, file_with_password: Path, rights: int
) -> None:
    file_with_password.chmod(rights)

    assert run_offline("imports", "list").stderr == ""


def test_a_file_without_a_password_may_be_read_by_all(run_offline: RunCommand, mongod: Mongod) -> None:
    Path(".env").write_text(f"MONGODB_URI={mongod.uri}\n")

    assert run_offline("db", "status").stderr == ""
