"""Completion as bash, zsh and fish ask for it, in processes of its own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

HEADER = "full_name,email,date_of_birth,timezone\n"
SHELLS = ["bash", "zsh", "fish"]
COMMAND = Path(sys.executable).with_name("custimport")

Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ask(mongod, database) -> Ask:
    """What the shell gets for a line that ends where TAB is pressed."""

    def asked(shell: str, line: str, *python: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = line.split(" ")
        variables = {
            "_CUSTIMPORT_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "CUSTIMPORT_MONGODB_URI": mongod.uri.replace("/?", f"/{database.name}?"),
        }
        return subprocess.run(
            [sys.executable, *python, "-m", "custimport"],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env=os.environ | variables | environment,
        )

    return asked


def offered(shell: str, output: str) -> list[str]:
    """The values without their descriptions."""
    if shell == "zsh":
        if output.strip() == "_files":
            return []
        inside = output.strip().removeprefix("_arguments '*: :((").removesuffix("))'")
        return [line.split('"')[1] for line in inside.splitlines()]
    return [line.partition("\t")[0] for line in output.splitlines() if line]


@pytest.fixture
def three_imports(run, database) -> list[str]:
    """Their ids, newest first: interrupted, stopped, completed."""
    Path("customers.csv").write_text(HEADER + "Ann,ann@example.com,1990-01-15,UTC\n")
    Path("bad.csv").write_text(HEADER + ",,,\n")
    run("load", "customers.csv", "-q")
    run("load", "bad.csv", "-q", "--max-rejections", "0", exit_code=4)
    run("load", "bad.csv", "-q", exit_code=3)
    ids = [document["_id"].hex() for document in database.imports.find().sort("_id", -1)]
    database.imports.update_one({"_id": bytes.fromhex(ids[0])}, {"$set": {"status": "interrupted"}})
    return ids


@pytest.mark.parametrize("shell", SHELLS)
def test_ids_of_imports_are_offered_newest_first_and_described(ask, three_imports, shell) -> None:
    found = ask(shell, "custimport imports show ")
    resumable = ask(shell, "custimport load --resume ")

    assert offered(shell, found.stdout) == ["last", *three_imports]
    assert offered(shell, resumable.stdout) == three_imports[:2]
    if shell != "bash":
        assert "bad.csv · interrupted · " in resumable.stdout


def test_every_place_for_an_import_offers_ids(ask, three_imports) -> None:
    for line in ("imports rejections ", "imports undo ", "imports verify ", "customers list --import "):
        assert offered("bash", ask("bash", f"custimport {line}").stdout) == ["last", *three_imports]
    some = offered("bash", ask("bash", f"custimport imports show {three_imports[0]}").stdout)
    assert some == three_imports[:1]


@pytest.mark.parametrize("shell", SHELLS)
def test_time_zones_are_offered_without_the_driver(ask, shell) -> None:
    for line in ("customers list --timezone Europe/Be", "customers update a@example.com --timezone Europe/Be"):
        result = ask(shell, f"custimport {line}", "-X", "importtime")

        assert offered(shell, result.stdout) == ["Europe/Belfast", "Europe/Belgrade", "Europe/Berlin"]
        assert "pymongo" not in result.stderr


def test_commands_options_and_choices_are_offered_without_the_driver(ask) -> None:
    lines = {
        "custimport im": ["imports"],
        "custimport imports ver": ["verify"],
        "custimport load --on-d": ["--on-duplicate"],
        "custimport load --on-duplicate ": ["reject", "skip", "update"],
        "custimport load --log-format j": ["json"],
        "custimport --prof": ["--profile"],
        "custimport help from-": ["from-mongoimport", "from-the-rest-service"],
        "custimport help cust": ["customers"],
    }
    for line, expected in lines.items():
        result = ask("bash", line, "-X", "importtime")
        assert offered("bash", result.stdout) == expected, line
        assert "pymongo" not in result.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_where_a_file_belongs_the_shell_completes_file_names(ask, shell) -> None:
    for line in ("load ", "load --report ", "imports verify last "):
        assert offered(shell, ask(shell, f"custimport {line}").stdout) == [], line


def test_a_description_is_one_line(ask) -> None:
    lines = ask("fish", "custimport load --", COLUMNS="40").stdout.splitlines()

    assert len(lines) > 20
    assert all(line.startswith("--") and "\t" in line for line in lines)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_name_cannot_reach_the_shell(ask, run, shell) -> None:
    name = "x\\$(touch pwned)`touch pwned`'\"[red]\n;.csv"
    Path(name).write_text(HEADER)
    run("load", name, "-q")

    output = ask(shell, "custimport imports show ").stdout

    assert "last" in output
    descriptions = output.replace("_arguments '*: :((", "").replace("))'", "").replace('":"', "").replace('"\n"', "")
    assert not set("\\$`;[]'()") & set(descriptions)


@pytest.mark.parametrize(
    "environment",
    [
        {"CUSTIMPORT_MONGODB_URI": "mongodb://127.0.0.1:1/"},
        {"CUSTIMPORT_MONGODB_URI": "mongodb://10.255.255.1/"},
        {"CUSTIMPORT_MONGODB_URI": "nonsense"},
        {"CUSTIMPORT_PROFILE": "missing"},
        {"CUSTIMPORT_MONGODB_URI": "", "CUSTIMPORT_EMBEDDED": "never"},
    ],
    ids=str,
)
def test_whatever_is_wrong_nothing_is_said_and_nobody_waits(ask, environment) -> None:
    begun = time.monotonic()

    result = ask("bash", "custimport imports show ", **environment)

    assert (result.stdout.strip(), result.stderr) == ("", "")
    assert time.monotonic() - begun < 5


def test_the_embedded_server_is_not_started_for_it(ask, tmp_path) -> None:
    result = ask("bash", "custimport imports show ", CUSTIMPORT_MONGODB_URI="", CUSTIMPORT_EMBEDDED="auto")

    assert (result.stdout.strip(), result.stderr) == ("", "")
    assert [path for path in (tmp_path / "data").rglob("*") if not path.is_dir()] == []


def test_the_embedded_server_is_asked_while_it_runs(ask, run_offline, monkeypatch) -> None:
    monkeypatch.setenv("CUSTIMPORT_EMBEDDED", "auto")
    Path("customers.csv").write_text(HEADER)
    run_offline("db", "start")
    try:
        run_offline("load", "customers.csv")
        result = ask("bash", "custimport imports show ", CUSTIMPORT_MONGODB_URI="")
    finally:
        run_offline("db", "stop", "--force")

    assert len(offered("bash", result.stdout)) == 2


def test_options_before_the_cursor_choose_the_database(ask, three_imports, mongod, database) -> None:
    uri = mongod.uri.replace("/?", f"/{database.name}?")
    Path("custimport.toml").write_text(f'[profiles.test]\nuri = "{uri}"\n')

    by_option = ask("bash", f"custimport imports show --uri {uri} ", CUSTIMPORT_MONGODB_URI="")
    by_profile = ask("bash", "custimport imports show --profile test ", CUSTIMPORT_MONGODB_URI="")
    by_root = ask("bash", "custimport --profile test imports show ", CUSTIMPORT_MONGODB_URI="")

    for result in (by_option, by_profile, by_root):
        assert offered("bash", result.stdout) == ["last", *three_imports]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_can_be_installed(tmp_path, shell) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}

    def command(option: str) -> str:
        words = [str(COMMAND), option, shell]
        return subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout

    assert "_CUSTIMPORT_COMPLETE=complete_" + shell in command("--show-completion")
    command("--install-completion")
    places = {"bash": ".bash_completions/custimport.sh", "zsh": ".zfunc/_custimport"}
    assert (tmp_path / places.get(shell, ".config/fish/completions/custimport.fish")).exists()


@pytest.mark.skipif(shutil.which("bash") is None, reason="this is about bash")
def test_bash_itself_gets_the_words(tmp_path) -> None:
    environment = os.environ | {
        "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    script = (
        'eval "$(custimport --show-completion bash)"; COMP_WORDS=(custimport imports ""); COMP_CWORD=2; '
        '_custimport_completion custimport; echo "${COMPREPLY[@]}"'
    )

    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=environment)

    assert result.stdout.split() == ["list", "show", "rejections", "undo", "verify"]
