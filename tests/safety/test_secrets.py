"""A password that the program was given is in nothing that it leaves behind or shows."""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from custimport.cli.process_title import hidden, hide_credentials
from tests.conftest import RunCommand, invoke
from tests.safety.commands import COMMANDS, write_files
from tests.safety.conftest import SECRET, SecuredServer


@pytest.fixture(params=["--uri", "environment", ".env", "URI file", "custimport.toml"])
def named_server(
    request: pytest.FixtureRequest,
    secured: SecuredServer,
    crm: Database[Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> tuple[str, ...]:
    """A URI with a password, given in each way there is; what to add to a command."""
    uri = secured.uri(secured.new_user({"role": "readWrite", "db": crm.name}), crm.name)
    assert SECRET in uri
    match request.param:
        case "--uri":
            return ("--uri", uri)
        case "environment":
            monkeypatch.setenv("MONGODB_URI", uri)
        case ".env":
            Path(".env").write_text(f'CUSTIMPORT_MONGODB_URI="{uri}"\n')
        case "custimport.toml":
            Path("custimport.toml").write_text(f'[profiles.prod]\nuri = "{uri}"\n')
            return ("--profile", "prod")
        case "URI file":
            (tmp_path / "uri").write_text(uri)
            monkeypatch.setenv("CUSTIMPORT_MONGODB_URI_FILE", str(tmp_path / "uri"))
    return ()


def test_no_command_shows_or_keeps_the_password(
    run_offline: RunCommand, named_server: tuple[str, ...], crm: Database[Any]
) -> None:
    write_files()

    outputs = {
        command: run_offline(*command.split(), *(() if command.startswith("check") else named_server), exit_code=code)
        for code, command in COMMANDS
    }

    assert [command for command, result in outputs.items() if SECRET in result.stdout + result.stderr] == []
    assert crm.imports.count_documents({}) > 5
    if "--uri" not in named_server:
        shown = (
            run_offline("config", "show", *named_server).stdout
            + run_offline("config", "show", "--json", *named_server).stdout
        )
        assert ":***@" in shown
        assert SECRET not in shown
    assert {"page.html", "load.log", "exported.jsonl"} <= {path.name for path in Path().iterdir()}
    assert found_in_files() == []
    assert found_in_documents(crm) == []


def found_in_files() -> list[Path]:
    return [
        path
        for path in Path().iterdir()
        if path.is_file() and path.name not in {".env", "custimport.toml"} and SECRET in path.read_text()
    ]


def found_in_documents(database: Database[Any]) -> list[str]:
    raw = database.with_options(database.codec_options.with_options(document_class=RawBSONDocument))
    names = database.list_collection_names()
    assert {"customers", "imports"} <= set(names)
    return [name for name in names for document in raw[name].find() if SECRET.encode() in document.raw]


@pytest.mark.parametrize(
    "arguments",
    [
        ("imports", "list", "URI"),
        ("--database=URI", "imports", "list"),
        ("URI",),
        ("load", "URI"),
        ("load", "customers.csv", "--report", "URI"),
        ("load", "customers.csv", "--resume", "URI"),
        ("load", "customers.csv", "--on-duplicate", "URI"),
        ("imports", "show", "URI"),
        ("customers", "show", "URI"),
        ("customers", "list", "--email", "URI"),
        ("customers", "list", "--sort", "URI"),
        ("db", "status", "--database", "URI"),
    ],
    ids=" ".join,
)
def test_a_uri_in_the_wrong_place_is_quoted_without_its_password(
    secured: SecuredServer, arguments: tuple[str, ...]
) -> None:
    uri = secured.uri("ann", "crm")
    write_files()

    words = tuple(word.replace("URI", uri) for word in arguments)
    result = invoke(words, None, {"CUSTIMPORT_MONGODB_URI": secured.uri("admin", "crm"), "COLUMNS": "500"})

    assert result.exit_code in {2, 6, 7}, result.stderr
    assert SECRET not in result.stdout + result.stderr


@pytest.fixture
def program(secured: SecuredServer, crm: Database[Any]):
    """Starts the program in a process of its own, with --uri and a password on its command line."""
    uri = secured.uri(secured.new_user({"role": "readWrite", "db": crm.name}), crm.name)
    started: list[subprocess.Popen[str]] = []

    def start(
        *arguments: str, option: tuple[str, ...] = ("--uri", "URI"), code: str | None = None
    ) -> subprocess.Popen[str]:
        words = [word.replace("URI", uri) for word in option]
        how = ["-m", "custimport"] if code is None else ["-c", code]
        process = subprocess.Popen(
            [sys.executable, *how, *arguments, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_bug_is_shown_with_its_traceback_but_without_the_password(program) -> None:
    code = (
        "import sys\n"
        "from custimport.__main__ import main\n"
        "from custimport.store import history\n"
        "def broken(*_): raise RuntimeError('\\x1b[31m' + sys.argv[-1])\n"
        "history.list_imports = broken\n"
        "main()\n"
    )

    process = program("imports", "list", code=code)
    stdout, stderr = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "Traceback (most recent call last)" in stderr
    assert r"RuntimeError: \x1b[31mmongodb://" in stderr
    assert ":***@" in stderr
    assert SECRET not in stdout + stderr


@pytest.mark.parametrize("option", [("--uri", "URI"), ("--uri=URI",)], ids=" ".join)
def test_the_process_does_not_show_the_password_of_its_arguments(
    program, crm: Database[Any], option: tuple[str, ...]
) -> None:
    os.mkfifo("slow.csv")
    load = program("load", "slow.csv", "--quiet", option=option)

    # opened when the load opens it, which is after the first look at the database
    with Path("slow.csv").open("w") as pipe:
        pipe.write("full_name,email,date_of_birth,timezone\n")
        seen = what_others_see(load.pid)
        arguments = Path(f"/proc/{load.pid}/cmdline").read_text().rstrip("\0").split("\0")
    load.wait(20)

    assert load.returncode == 0
    assert SECRET not in seen
    assert arguments[-4:-1] == ["load", "slow.csv", "--quiet"] or arguments[-5:-2] == ["load", "slow.csv", "--quiet"]
    assert ":***@" in seen


def test_a_load_in_the_background_does_not_show_it_either_nor_does_its_log(program, crm: Database[Any]) -> None:
    rows = "".join(f"Ann,ann{number}@example.com,1990-01-15,UTC\n" for number in range(5_000))
    Path("customers.csv").write_text("full_name,email,date_of_birth,timezone\n" + rows)

    stdout, stderr = program("load", "customers.csv", "--detach", "--json", "--batch-size", "50").communicate(
        timeout=20
    )
    process = json.loads(stdout)["process"]
    seen = what_others_see(process)
    deadline = time.monotonic() + 20
    while readable(Path(f"/proc/{process}/cmdline")):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert ":***@" in seen
    assert SECRET not in seen
    assert SECRET not in stdout + stderr
    assert crm.imports.find_one()["status"] == "completed"
    assert Path("customers.load.log").exists()
    assert found_in_files() == []
    assert found_in_documents(crm) == []


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("load\0--uri\0mongodb://u:secret@h/d\0x\0", "load\0--uri\0mongodb://u:***@h/d\0x\0\0\0\0"),
        ("load\0--uri=mongodb://u:s/e?c@et@h\0", "load\0--uri=mongodb://u:***@h\0\0\0\0\0\0"),
        ("load\0mongodb://h/?proxyPassword=secret\0", "load\0mongodb://h/?proxyPassword=***\0\0\0\0"),
        # shorter than its mask: the last NUL stays, or the environment would be shown as well
        ("mongodb://u:p@h\0", "mongodb://u:***\0"),
        ("\udcff\0mongodb://h\0", "\udcff\0mongodb://h\0"),
    ],
)
def test_arguments_are_overwritten_in_their_place(arguments: str, shown: str) -> None:
    assert hidden(os.fsencode(arguments)) == os.fsencode(shown)


def test_where_the_arguments_cannot_be_overwritten_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["custimport", "db", "status", "--uri", f"mongodb://ann:{SECRET}@h"])

    hide_credentials(tmp_path / "no such system")

    told = capsys.readouterr().err
    assert told.startswith("warning: the password in the arguments can be seen by others")
    assert "CUSTIMPORT_MONGODB_URI" in told
    assert SECRET not in told


def what_others_see(process: int) -> str:
    """What anybody may read of a process and its threads."""
    folder = Path(f"/proc/{process}")
    files = [
        folder / "cmdline",
        folder / "comm",
        folder / "status",
        *folder.glob("task/*/comm"),
        *folder.glob("task/*/cmdline"),
    ]
    return "\0".join(path.read_text() for path in files)


def test_the_embedded_server_and_its_guard_know_nothing_of_a_password_in_the_environment(
    run_offline: RunCommand, monkeypatch: pytest.MonkeyPatch, short_folder: Path
) -> None:
    monkeypatch.setenv("CUSTIMPORT_DATA_DIR", str(short_folder))
    monkeypatch.setenv("MONGODB_URI", f"mongodb://ann:{SECRET}@elsewhere/crm")
    try:
        run_offline("db", "start")
        ours = [
            path
            for path in Path("/proc").iterdir()
            if path.name.isdigit() and path.name != str(os.getpid()) and str(short_folder) in readable(path / "cmdline")
        ]
        assert len(ours) == 2
        for process, name in itertools.product(ours, ("cmdline", "environ", "comm")):
            assert SECRET not in readable(process / name)
    finally:
        run_offline("db", "stop", "--force")


def readable(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
