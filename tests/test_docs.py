"""The pages hold what works: shell blocks are run, commands elsewhere at least have the options that are shown."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from custimport.cli.app import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = {"cli.md", "configuration.md"}
SHELLS = {"sh", "bash", "shell", "console", "crontab", "ini", "yaml", ""}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NOT_RUN = {
    "$ make demo\n$ make test\n": "runs this very suite",
    "$ pip install '.[embedded]'\n": "installs; tests/test_packaging.py installs the wheel",
    "$ export CUSTIMPORT_MONGODB_URI=mongodb://user:password@db1.example.com:27017/crm\n": "a server that is not there",
}


def blocks(*languages: str) -> list[tuple[str, str]]:
    """Page and text of every block in one of the languages."""
    return [
        (page.name, text)
        for page in PAGES
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language in languages
    ]


def commands() -> list[tuple[str, str]]:
    """Every command line of custimport that stands in a block or between backticks, with its page."""
    found: set[tuple[str, str]] = set()
    for page in PAGES:
        if page.name in GENERATED:
            continue
        text = page.read_text(encoding="utf-8")
        lines = [line for _, block in BLOCK.findall(text) for line in block.splitlines()]
        lines += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", BLOCK.sub("", text))
        shown = (re.findall(r"(?:^|[\s$(>|&;=])(custimport [a-z-][^|;&>)]*)", line) for line in lines)
        found |= {(page.name, command.partition("  #")[0].strip()) for commands in shown for command in commands}
    return sorted(found)


@pytest.fixture
def shell(mongod, database, monkeypatch):
    """Runs a script in a folder with the sample files, against the test's database; gives its exit code and output."""
    for file in (ROOT / "sample_data").glob("*.csv"):
        shutil.copy(file, file.name)
    monkeypatch.setenv("CUSTIMPORT_MONGODB_URI", mongod.uri.replace("/?", f"/{database.name}?"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["/bin/sh", "-euc", script], capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.mark.parametrize(("page", "script"), blocks("sh", "bash", "shell"))
def test_a_script_runs(shell, database, page, script) -> None:
    if "imports show" not in script and "load clean.csv" not in script:
        shell("custimport load clean.csv --quiet")

    done = shell(script)

    assert done.returncode == 0, f"{page}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    assert database.customers.count_documents({}) > 0


def test_the_crontab_runs(shell, database) -> None:
    ((_, text),) = blocks("crontab")
    *settings, line = text.splitlines()
    assert all(re.fullmatch(r"[A-Z_]+=\S+", setting) for setting in settings)
    schedule = re.match(r"(?:[\d*/,-]+\s+){5}", line)
    assert schedule is not None

    done = shell(line[schedule.end() :].replace("/srv/exports", "."))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert '"event"' in Path("load.log").read_text()
    assert database.customers.count_documents({}) == 7


def test_the_systemd_units_are_units_and_their_command_runs(shell) -> None:
    service, timer = (configparser.ConfigParser(strict=True, interpolation=None) for _ in range(2))
    for parser in (service, timer):
        parser.optionxform = str  # type: ignore[assignment, method-assign]
    (_, first), (_, second) = blocks("ini")
    service.read_string(first)
    timer.read_string(second)

    assert service["Service"]["SuccessExitStatus"] == "3"
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d", timer["Timer"]["OnCalendar"])
    assert shell(service["Service"]["ExecStart"]).returncode == 0


def test_the_steps_of_ci_run(shell) -> None:
    ((_, text),) = blocks("yaml")
    steps = re.findall(r"^  - run: (.*)$", text, flags=re.MULTILINE)

    assert [shell(step).returncode for step in steps] == [0, 0]
    assert Path("rejected.html").exists()


def test_every_shell_block_is_run_or_is_a_transcript_or_has_a_reason() -> None:
    for page, text in blocks("console"):
        assert text.startswith("$ ")
        # tests/test_readme.py types what is about this file
        assert text in NOT_RUN or (page == "README.md" and "customers.csv" in text), f"{page}: {text}"
    for page, text in blocks(""):
        # transcripts of what goes wrong: their commands are looked at below
        assert not text.startswith("$ ") or "custimport " in text, f"{page}: {text}"
    for page in PAGES:
        assert {language for language, _ in BLOCK.findall(page.read_text(encoding="utf-8"))} <= SHELLS | {
            "js",
            "toml",
            "json",
            "text",
        }


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_that_is_shown_exists_with_its_options(page, command) -> None:
    try:
        words = shlex.split(command, comments=True)[1:]
    except ValueError:
        pytest.fail(f"{page}: {command}")
    node = typer.main.get_command(app)
    options: set[str] = set()
    while True:
        options |= {name for parameter in node.params for name in (*parameter.opts, *parameter.secondary_opts)}
        names = getattr(node, "commands", {})
        if not names or not words or words[0].startswith("-"):
            break
        # the README lists several of a group in one line
        word = words.pop(0).split("|")[0]
        if word.isupper():
            break
        assert word in names, f"{page}: {command}"
        node = names[word]
    for word in words:
        if word.startswith("--") and len(word) > 2:
            assert word.partition("=")[0].rstrip("`,.:") in options | {"--help"}, f"{page}: {command}: {word}"


def test_there_is_something_to_look_at() -> None:
    assert len(commands()) > 60
    assert len(blocks("sh")) >= 7


@pytest.mark.parametrize("topic", ["rejections", "scripts", "from-mongoimport", "cli"])
def test_help_shows_a_page_as_it_is_written(run_offline, topic) -> None:
    shown = run_offline("help", topic).stdout

    assert shown.startswith("# ")
    assert "cog" not in shown
    written = (ROOT / "docs" / f"{topic}.md").read_text(encoding="utf-8")
    assert [line for line in shown.splitlines() if line.startswith("## ")] == [
        line for line in written.splitlines() if line.startswith("## ")
    ]


def test_help_lists_its_topics_and_knows_near_misses(run_offline) -> None:
    listed = run_offline("help").stdout
    assert re.search(r"^rejections +Rejections$", listed, flags=re.MULTILINE)
    for line in listed.splitlines():
        assert run_offline("help", line.split()[0]).stdout

    assert "custimport help rejections" in run_offline("help", "rejection", exit_code=2).stderr
    assert "the topics are rejections, " in run_offline("help", "xyz", exit_code=2).stderr
    assert "custimport help logs\n" in run_offline("help", "logs", "now", exit_code=2).stderr


@pytest.mark.parametrize("words", ["load", "imports", "customers update"])
def test_help_shows_a_command_as_its_own_help_does(run_offline, words) -> None:
    assert run_offline("help", *words.split()).stdout.strip() == run_offline(*words.split(), "--help").stdout.strip()


def test_help_knows_near_misses_of_commands(run_offline) -> None:
    assert "custimport help customers\n" in run_offline("help", "customrs", exit_code=2).stderr
    assert "custimport help imports verify\n" in run_offline("help", "imports", "verfy", exit_code=2).stderr
    assert "  custimport help load\n" in run_offline("help", "load", "x", exit_code=2).stderr
