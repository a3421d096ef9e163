"""The Big List of Naughty Strings, in every column: stored as they are or rejected, and reported exactly."""

import csv
import json
import unicodedata
from pathlib import Path

import pytest

from custimport.customer import FIELDS

STRINGS = json.loads((Path(__file__).parent / "naughty_strings" / "blns.json").read_text(encoding="utf-8"))


def write_file(column: str) -> Path:
    path = Path(f"{column}.csv")
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        for number, text in enumerate(STRINGS):
            usual = {
                "full_name": "N",
                "email": f"n{number}@example.com",
                "date_of_birth": "1990-01-15",
                "timezone": "UTC",
            }
            writer.writerow(usual | {column: text})
    return path


@pytest.mark.parametrize("column", FIELDS)
def test_every_string_is_stored_or_rejected_and_the_report_is_exact(run, database, column) -> None:
    path = write_file(column)

    totals = run("load", path, "--json", "--report", "r.csv", "--report", "r.jsonl", exit_code=3).json["totals"]

    assert totals["read"] == len(STRINGS) == totals["inserted"] + totals["rejected"]
    assert database.customers.count_documents({}) == totals["inserted"]
    rejected = [json.loads(line) for line in Path("r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rejected) == totals["rejected"]
    for rejection in rejected:
        assert rejection["data"][column] == STRINGS[rejection["row"] - 1]

    # the report, loaded again, says the same of the same cells
    again = run("load", "r.csv", "--json", "--report", "again.jsonl", exit_code=3)
    assert again.json["totals"]["rejected"] == totals["rejected"]
    data = [json.loads(line)["data"] for line in Path("again.jsonl").read_text(encoding="utf-8").splitlines()]
    assert data == [rejection["data"] for rejection in rejected]


def test_stored_names_are_the_trimmed_text_in_nfc(run, database) -> None:
    run("load", write_file("full_name"), "--json", "--report", "r.jsonl", exit_code=3)
    rejected = {json.loads(line)["row"] for line in Path("r.jsonl").read_text(encoding="utf-8").splitlines()}

    expected = {
        f"n{number}@example.com": unicodedata.normalize("NFC", text.strip())
        for number, text in enumerate(STRINGS)
        if number + 1 not in rejected
    }
    assert {c["email"]: c["full_name"] for c in database.customers.find()} == expected
    assert len(expected) > 400


@pytest.mark.parametrize("command", [("customers", "list", "--all"), ("customers", "list", "--all", "--json")])
def test_what_is_stored_can_be_listed_without_anything_raw(run, command) -> None:
    run("load", write_file("full_name"), "-q", exit_code=3)

    listed = run(*command).stdout

    assert not [
        character for character in listed if unicodedata.category(character) in {"Cc", "Cf"} and character != "\n"
    ]
