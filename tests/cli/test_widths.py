"""What people read has colours on a terminal only, fits the terminal, however narrow, and nothing is left out; in a pipe a line is a line."""

import re
from pathlib import Path

import pytest

from tests.terminal import on_a_terminal

HEADER = "full_name,email,date_of_birth,timezone\n"


@pytest.fixture
def history(run) -> str:
    """An import of a file with a long name; gives its id."""
    Path("customers-of-the-year-2026.csv").write_text(HEADER + "Ann,ann@example.com,1990-01-15,Europe/Paris\n,,,\n")
    loaded = run("load", "customers-of-the-year-2026.csv", "--json", "--quiet", exit_code=3).json
    return loaded["imports"][0]["import_id"]


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_the_history_names_every_file_and_state_at_any_width(run, history, monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    shown = run("imports", "list").stdout

    assert max(map(len, shown.splitlines())) <= columns
    assert "…" not in shown
    for words in (history, "completed", "2", "1", "customers-of-the"):
        assert words in shown


@pytest.mark.parametrize("columns", [70, 80, 120])
@pytest.mark.parametrize("words", ["", "load", "check", "imports undo", "customers list", "customers update", "db uri"])
def test_help_names_every_option_whole_and_gives_flags_no_value(run_offline, monkeypatch, words, columns) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    shown = run_offline(*words.split(), "--help").stdout

    assert "…" not in shown
    assert "<bool>" not in shown
    assert max(map(len, shown.splitlines())) <= columns


@pytest.mark.parametrize("columns", [60, 80])
def test_a_setting_is_shown_by_its_whole_name(run_offline, monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = run_offline("config", "show").stdout.splitlines()

    assert any(line.startswith("embedded_idle_seconds ") for line in lines)


@pytest.mark.parametrize(
    "command",
    [
        "load customers-of-the-year-2026.csv",
        "imports list",
        "imports show last",
        "customers list",
        "db status",
        "config show",
    ],
)
def test_no_line_ends_with_padding(run, history, command) -> None:
    shown = run(*command.split(), exit_code=3 if command.startswith("load") else 0).stdout

    assert [line for line in shown.splitlines() if line != line.rstrip()] == []


def test_colours_are_for_terminals_and_for_those_who_want_them(run, history, mongod, database) -> None:
    uri = mongod.uri.replace("/?", f"/{database.name}?")
    commands = [["check", "customers-of-the-year-2026.csv"], ["imports", "list"], ["--help"], ["imports", "show", "no"]]
    colour = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|38|9[0-7])(?:;\d+)*m")

    coloured, plain, dumb = (
        on_a_terminal(commands, uri, 100, **variables) for variables in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"})
    )

    assert all(colour.search(shown) for shown in coloured.split("$ command ")[1:])
    assert not colour.search(plain)
    assert "\x1b" not in dumb
    assert "\x1b" not in run("imports", "list").stdout
