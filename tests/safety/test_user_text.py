"""What a user types or a file holds is text: never an operator of the database, a field path or a pattern."""

import json
import string
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.conftest import RunCommand

OPERATORS = [
    '{"$ne": null}',
    '{"$gt": ""}',
    "$where",
    "$$ROOT",
    "$email",
    "$$NOW",
    ".*",
    "^",
    "$",
    "/a/i",
    "[red]",
    "a|b",
    "(?i)",
]
NAMES = [*OPERATORS, "Ann", "Ann.May", "AnnxMay", "a\\b", "a\\Qb\\E", "100%", "{$set: 1}"]


@pytest.fixture
def customers(run: RunCommand, database: Database[Any]) -> Database[Any]:
    """A customer for each of the names, loaded from a file."""
    rows = [
        f'"{name.replace(chr(34), chr(34) * 2)}",c{number}@example.com,1990-01-15,UTC'
        for number, name in enumerate(NAMES)
    ]
    Path("names.csv").write_text("\n".join(["full_name,email,date_of_birth,timezone", *rows]) + "\n")
    run("load", "names.csv")
    return database


def listed(run: RunCommand, *arguments: str) -> list[str]:
    return sorted(
        customer["full_name"] for customer in run("customers", "list", "--all", "--json", *arguments).json["data"]
    )


def test_names_are_stored_as_they_are_and_found_by_every_part_of_them(
    run: RunCommand, customers: Database[Any]
) -> None:
    assert sorted(customers.customers.distinct("full_name")) == sorted(NAMES)
    for part in [*OPERATORS, ".", *string.punctuation, "\\Q", "ANN.may"]:
        found = listed(run, f"--name={part}")
        assert found == sorted(name for name in NAMES if part.lower() in name.lower()), part


@pytest.mark.parametrize("text", OPERATORS)
def test_an_operator_matches_no_customer_and_no_import(run: RunCommand, customers: Database[Any], text: str) -> None:
    run("customers", "list", f"--email={text}", exit_code=2)
    assert listed(run, f"--timezone={text}") == []
    run("customers", "list", f"--import={text}", exit_code=6)
    run("customers", "list", f"--sort={text}", exit_code=2)
    run("customers", "list", f"--born-after={text}", exit_code=2)
    for command in ("show", "delete"):
        run("customers", command, *(["--yes"] if command == "delete" else []), "--", text, exit_code=6)
    for command in ("show", "rejections", "undo"):
        run("imports", command, text, exit_code=6)
    run("customers", "update", "--full-name", "Zoe", "--", text, exit_code=6)
    run("load", f"--resume={text}", exit_code=6)

    assert customers.customers.count_documents({}) == len(NAMES)
    assert sorted(customers.customers.distinct("full_name")) == sorted(NAMES)


@pytest.mark.parametrize("text", OPERATORS)
def test_a_new_value_is_stored_as_it_is_typed_or_refused(run: RunCommand, customers: Database[Any], text: str) -> None:
    run("customers", "update", "c0@example.com", f"--full-name={text}")
    for option in ("--email", "--timezone", "--date-of-birth"):
        run("customers", "update", "c0@example.com", f"{option}={text}", exit_code=3)

    stored = customers.customers.find_one({"email": "c0@example.com"})
    assert (stored["full_name"], stored["timezone"]) == (text, "UTC")
    assert stored["date_of_birth"].replace(tzinfo=UTC) == datetime(1990, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize("value", [{"$ne": None}, ["$email"], {"$set": {"email": "x"}}, None, 1, True], ids=json.dumps)
def test_a_replacement_takes_nothing_but_text(run: RunCommand, customers: Database[Any], value: object) -> None:
    good = {"full_name": "Zoe", "email": "zoe@example.com", "date_of_birth": "1990-01-15", "timezone": "UTC"}
    before = list(customers.customers.find())

    for field in good:
        Path("new.json").write_text(json.dumps(good | {field: value}))
        run("customers", "update", "c0@example.com", "--replace", "new.json", exit_code=3)
    Path("new.json").write_text(json.dumps(good | {"$set": {"email": "x"}}))
    run("customers", "update", "c0@example.com", "--replace", "new.json", exit_code=2)

    assert list(customers.customers.find()) == before


def test_an_email_may_begin_with_a_dollar_sign(run: RunCommand, database: Database[Any]) -> None:
    Path("dollars.csv").write_text(
        "full_name,email,date_of_birth,timezone\n"
        "Ann,$ne@example.com,1990-01-15,UTC\n"
        "Bob,$gt@example.com,1990-01-15,UTC\n"
        "Ann,$ne@example.com,1991-01-15,UTC\n"
    )

    run("load", "dollars.csv", exit_code=3)
    run("load", "dollars.csv", "--on-duplicate", "update")

    assert listed(run, "--email=$ne@example.com") == ["Ann"]
    assert run("customers", "show", "$gt@example.com", "--json").json["full_name"] == "Bob"
    run("customers", "delete", "--yes", "$gt@example.com")
    assert database.customers.count_documents({}) == 1


def test_columns_may_be_named_like_operators_and_paths(run: RunCommand, database: Database[Any]) -> None:
    Path("columns.csv").write_text(
        "$set,email,date_of_birth,timezone,$where,a.b,__proto__,_id\n"
        "$unset,ann@example.com,1990-01-15,UTC,$x,1,2,3\n"
        "Bob,nonsense,1990-01-15,UTC,$x,1,2,3\n"
    )

    run("load", "columns.csv", "--map", "$set=full_name", exit_code=3)
    report = Path("columns.rejections.csv").read_text(encoding="utf-8-sig").splitlines()
    again = run("imports", "rejections", "last").stdout.lstrip("\ufeff").splitlines()

    assert database.customers.find_one({}, {"full_name": 1})["full_name"] == "$unset"
    assert report == again
    assert report[0].startswith("$set,email,date_of_birth,timezone,$where,a.b,__proto__,_id,rejection_line")


@pytest.mark.parametrize("name", ["$external", "a.b", "admin\0", "crm$"])
def test_a_database_cannot_be_named_like_an_operator(run: RunCommand, database: Database[Any], name: str) -> None:
    run("db", "status", "--database", name, exit_code=2)
