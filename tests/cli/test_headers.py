"""Headers that are refused: what the error says to write can be copied to the command line, and then the file loads."""

import re
import shlex
from pathlib import Path

import pytest

ROW = "Alice Martin,alice@example.com,1990-01-15,UTC"


def maps_of(stderr: str) -> list[list[str]]:
    """Every `--map` of an error, as a shell takes it."""
    return [shlex.split(found) for found in re.findall(r"--map (?:\"[^\"]*\"|'[^']*')", stderr)]


@pytest.mark.parametrize(
    "header",
    [
        "Name,E-Mail Address,DOB,TZ",
        "ful_name,emial,date_of_brith,timezon",
        "customer name,e-mail$,birth date,zone",
        "nom,e mail=,birthday,tzid",
        "Kundenname,E-Mail-Adresse,Geburtsdatum,Zeitzone",
    ],
)
def test_the_maps_of_the_error_make_the_file_load(run_offline, header) -> None:
    Path("old.csv").write_text(f"{header}\n{ROW}\n")

    maps = maps_of(run_offline("check", "old.csv", exit_code=7).stderr)

    options = [argument for option in maps for argument in option]
    assert len(maps) == 4
    assert run_offline("check", "old.csv", *options, "--json").json["totals"]["inserted"] == 1


@pytest.mark.parametrize("header", ["email,email", "E-Mail=x,email,Email", " email,email", "email#2,email,email"])
def test_of_several_columns_for_one_field_each_can_be_named(run_offline, header) -> None:
    count = header.count(",") + 1
    cells = ",".join(f"a{number}@example.com" for number in range(count))
    Path("old.csv").write_text(f"full_name,{header},date_of_birth,timezone\nAlice,{cells},1990-01-15,x\n")

    error = run_offline("check", "old.csv", exit_code=7).stderr

    assert "the header has email twice" in error
    choices = maps_of(error)
    assert len(choices) == 2
    found = set()
    for option in choices:
        (summary,) = run_offline("check", "old.csv", *option, "--json", exit_code=3).json["imports"]
        found.add(tuple(summary["ignored_columns"]))
    assert len(found) == 2


def test_no_column_is_suggested_for_two_fields(run_offline) -> None:
    Path("old.csv").write_text(f"name,mailzone,birth_date,note\n{ROW}\n")

    error = run_offline("check", "old.csv", exit_code=7).stderr

    columns = [option[1].rpartition("=")[0] for option in maps_of(error)]
    assert columns == ["name", "mailzone", "birth_date", "COLUMN"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_byte_order_mark_is_recognised(run_offline, encoding) -> None:
    Path("old.csv").write_bytes(f"full_name,email,date_of_birth,timezone\r\n{ROW}\r\n".encode(encoding))

    error = run_offline("check", "old.csv", exit_code=7).stderr

    assert f"name the encoding: --encoding {encoding}\n" in error
    assert run_offline("check", "old.csv", "--encoding", encoding, "--json").json["totals"]["inserted"] == 1
