"""Promises about the project itself: layers, start-up, documentation."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from custimport.cli.app import app
from custimport.customer.codes import CATALOGUE, Code
from custimport.errors import ExitCode

ROOT = Path(__file__).parent.parent


def test_the_imports_point_one_way() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_need_no_driver_and_no_validator(option: str) -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "custimport", option], capture_output=True, text=True, check=True
    )

    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert not {"pymongo", "bson", "email_validator", "pydantic", "pydantic_core", "structlog", "tomllib"} & imported


def commands(command: object, words: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    found = [(words, command)]
    for name, child in getattr(command, "commands", {}).items():
        found += commands(child, (*words, name))
    return found


@pytest.mark.parametrize(("words", "command"), commands(typer.main.get_command(app)), ids=lambda value: str(value)[:40])
def test_every_command_has_help_an_example_and_its_place_in_the_docs(words, command) -> None:
    assert "Example" in command.help
    for parameter in command.params:
        assert parameter.help, f"{words}: {parameter.name} has no help"
    assert f"`{' '.join(('custimport', *words))}`" in (ROOT / "docs/cli.md").read_text()


def test_every_code_is_in_the_catalogue_and_in_the_docs() -> None:
    page = (ROOT / "docs/rejections.md").read_text()

    assert [entry.code for entry in CATALOGUE] == list(Code)
    for code in Code:
        assert f"| `{code.value}` |" in page


def test_every_exit_code_is_in_the_readme() -> None:
    rows = re.findall(r"^\| ([0-9, ]+) \|", (ROOT / "README.md").read_text(), flags=re.MULTILINE)

    documented = {int(number) for row in rows for number in row.split(",")}
    assert documented == {int(code) for code in ExitCode}


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_folder_map_names_every_module_and_no_other() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    folder_map = page.split("```")[3].partition("\ntests/")[0]

    modules = {path.name for path in (ROOT / "src").rglob("*.py")} - {"__init__.py", "__main__.py"}
    assert set(re.findall(r"\w+\.py", folder_map)) == modules
