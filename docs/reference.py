"""Writes the generated parts of the docs: cog calls it (`make docs`), and `make lint` checks that nothing changed."""

from collections.abc import Iterator
from typing import Any

import typer.main
from typer.testing import CliRunner

from custimport.cli.app import app
from custimport.cli.configurable import SETTINGS
from custimport.customer.codes import CATALOGUE


def commands() -> Iterator[tuple[str, ...]]:
    """Every command as the words after `custimport`, groups before their commands."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, (*words, name))

    yield from below(typer.main.get_command(app), ())


def help_of(words: tuple[str, ...]) -> str:
    """The command's --help as it looks 100 columns wide, without colours."""
    environment = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    result = CliRunner().invoke(app, [*words, "--help"], prog_name="custimport", env=environment)
    return "\n".join(line.rstrip() for line in result.stdout.strip().splitlines())


def command_reference() -> str:
    """docs/cli.md, below its heading."""
    parts = []
    for words in commands():
        title = " ".join(("custimport", *words))
        parts.append(f"## `{title}`\n\n```text\n{help_of(words)}\n```\n")
    return "\n".join(parts)


def settings_reference() -> str:
    """The table of docs/configuration.md."""
    rows = ["| key | option | variable | holds |", "|---|---|---|---|"]
    for setting in SETTINGS:
        option = f"`{setting.option}`" if setting.option else ""
        variables = ", ".join(f"`{name}`" for name in setting.environment)
        choices = f": {', '.join(f'`{choice}`' for choice in setting.choices)}" if setting.choices else ""
        rows.append(f"| `{setting.name}` | {option} | {variables} | {_cell(setting.meaning)}{choices} |")
    return "\n".join(rows)


def rejection_reference() -> str:
    """docs/rejections.md, below its heading: one table for each group of codes."""
    parts = []
    for group in dict.fromkeys(entry.group for entry in CATALOGUE):
        rows = [entry for entry in CATALOGUE if entry.group == group]
        parts.append(f"## {_HEADINGS[group]}\n\n| code | what is wrong | for example | what to do |\n|---|---|---|---|")
        parts += [
            f"| `{entry.code}` | {_cell(entry.title)} | `{_cell(entry.example)}` | {_cell(entry.cure)} |"
            for entry in rows
        ]
        parts.append("")
    return "\n".join(parts)


_HEADINGS = {
    "value": "Values",
    "structure": "Structure of the row",
    "duplicate": "Duplicates",
    "database": "The database",
}


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
