"""The files of csv-spectrum: refused for their header as they are, and read cell by cell where ours is put before it."""

import csv
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "csv_spectrum"
FILES = sorted(path.name for path in FOLDER.glob("*.csv"))
VALUES_OF_ANOTHER_EDITION = {"2095257564": "1234567890"}
"""In location_coordinates the JSON file has an older telephone number than the CSV file."""


def with_our_columns(content: str) -> str:
    """Our four columns put before the file's own, a bad time zone among the values so that the report has the cells."""
    lines = content.splitlines(keepends=True)
    reader = csv.reader(lines)
    begins = 0
    for number, _ in enumerate(reader):
        ours = f"N,n{number}@example.com,1990-01-15,Mars" if number else "full_name,email,date_of_birth,timezone"
        lines[begins] = f"{ours},{lines[begins]}"
        begins = reader.line_num
    return "".join(lines)


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_our_columns_is_refused_with_what_was_found(run_offline, name) -> None:
    result = run_offline("check", FOLDER / name, exit_code=7)

    assert "the header lacks full_name, email, date_of_birth, timezone" in result.stderr


@pytest.mark.parametrize("name", FILES)
def test_every_cell_is_read_as_it_is_meant(run_offline, name) -> None:
    Path("spectrum.csv").write_bytes(with_our_columns((FOLDER / name).read_bytes().decode()).encode())
    expected = json.loads((FOLDER / name).with_suffix(".json").read_text(encoding="utf-8"))
    expected = expected if isinstance(expected, list) else [expected]

    run_offline("check", "spectrum.csv", "--report", "r.jsonl", exit_code=3)

    found = [json.loads(line)["data"] for line in Path("r.jsonl").read_text(encoding="utf-8").splitlines()]
    own = [
        {column: VALUES_OF_ANOTHER_EDITION.get(cell, cell) for column, cell in list(data.items())[4:]} for data in found
    ]
    assert own == expected


def test_they_are_all_here() -> None:
    assert len(FILES) == 12
