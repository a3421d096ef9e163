"""On a terminal nothing that came from a file, an argument or the database steers it."""

from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from tests.mongod import Mongod
from tests.terminal import on_a_terminal

STEERING = {
    "\x1b]0;owned\x07": "sets the title",
    "\x9b31m": "a colour, in one byte of Latin-1",
    "\u202e": "turns the text around",
    "\u2066": "isolates its direction",
    "\x08": "goes back over what stood there",
    "\u2028": "a line of its own",
    "\rerror: ": "begins the line anew",
    "\x1b[7A": "goes up, further than a progress bar does",
}
MARKUP = "[red]x[/red][link=http://e.org]y[/link]:boom:"
HOSTILE = MARKUP + "".join(STEERING)


def named(name: str) -> dict[str, object]:
    return {
        "_id": ObjectId(),
        "full_name": name,
        "email": f"{name}@example.com",
        "date_of_birth": name,
        "timezone": name,
    }


@pytest.fixture
def uri(mongod: Mongod, database: Database[Any]) -> str:
    """A database in which other software has left all that steers."""
    stamp = {"created_by": {"command": HOSTILE}, "updated_by": {"import_id": b"12345678", "row": HOSTILE}}
    database.customers.insert_many([named(HOSTILE) | stamp, named("plain") | {"_id": HOSTILE}])
    return mongod.uri.replace("/?", f"/{database.name}?")


@pytest.mark.parametrize("columns", [80, 200])
def test_customers_that_other_software_stored_are_shown_harmless(
    uri: str, database: Database[Any], columns: int
) -> None:
    customer_id = str(database.customers.find_one({"full_name": HOSTILE})["_id"])
    commands = [
        ["customers", "list"],
        *(["customers", "list", "--all", "--format", name] for name in ("table", "json", "jsonl", "csv")),
        *(["customers", "show", customer_id, "--format", name] for name in ("table", "json", "jsonl", "csv")),
        *(["customers", "export", "--format", name] for name in ("json", "jsonl", "csv")),
        ["customers", "delete", customer_id],
        ["customers", "history", customer_id],
        ["customers", "history", customer_id, "--json"],
        ["customers", "update", customer_id, "--timezone", "Europe/Paris"],
        ["customers", "update", customer_id, "--timezone", "Europe/Rome", "--json"],
        ["customers", "history", customer_id],
        ["db", "status"],
    ]

    shown = on_a_terminal(commands, uri, columns)

    assert_harmless(shown)
    assert shown.count("exit 0") == len(commands) - 1
    assert shown.count("exit 5") == 1
    assert "? [y/N]: " in shown
    assert MARKUP in shown


def test_files_columns_and_rows_are_shown_harmless(uri: str) -> None:
    name = HOSTILE.replace("/", "|")
    header = f'full_name,email,date_of_birth,timezone,"{HOSTILE}"\n'
    rows = "".join(f"Ann,ann{number}@example.com,1990-01-15,UTC,x\n" for number in range(20_000))
    bad = f'"{HOSTILE}","{HOSTILE}","{HOSTILE}","{HOSTILE}",x\n'
    Path(name + ".csv").write_text(header + bad + f'Zoe \u202e,zoe@example.com,1990-01-15,UTC,"{HOSTILE}"\n' + rows)
    Path(name + "2.csv").write_text(f'"{HOSTILE}",name{HOSTILE!r},b,c\n')
    commands = [
        ["load", name + ".csv"],
        ["load", name + ".csv", "--max-rejections", "0", "--report", name + ".json"],
        ["load", "--resume", "last", "--max-rejections", "1", "--report", name + ".csv.rejected.jsonl"],
        ["check", name + ".csv", "--max-rejections", "0"],
        ["check", name + "2.csv"],
        ["check", name + "3.csv"],
        ["imports", "list"],
        ["imports", "show", "last"],
        *(["imports", "rejections", "last", "--format", form] for form in ("csv", "json", "jsonl", "html")),
        ["check", name + ".csv", "--log-format", "text", "--log-level", "debug", "--log-values"],
        ["check", name + ".csv", "--log-format", "json", "--log-level", "debug", "--log-values"],
        ["imports", "verify", "last", name + "2.csv"],
        ["imports", "undo", "last"],
        ["customers", "list", "--name", "Zoe"],
    ]

    shown = on_a_terminal(commands, uri, 200)

    assert_harmless(shown)
    assert "rejected" in shown
    assert "Traceback" not in shown
    assert "exit 1\r" not in shown


def test_arguments_are_quoted_harmless(uri: str) -> None:
    Path("good.csv").write_text("full_name,email,date_of_birth,timezone\n")
    text = HOSTILE
    commands = [
        [text],
        [f"--{text}"],
        ["load", "good.csv", f"--{text}"],
        ["load", "good.csv", "--on-duplicate", text],
        ["load", "good.csv", "--map", text],
        ["load", "good.csv", "--map", f"{text}=email"],
        ["load", "good.csv", "--map", f"x={text}"],
        ["load", "good.csv", "--delimiter", text],
        ["load", "good.csv", "--encoding", text],
        ["load", "good.csv", "--date-format", text],
        ["load", "good.csv", "--min-date-of-birth", text],
        ["load", "good.csv", "--max-rejections", text],
        ["load", "good.csv", "--report", text],
        ["load", "good.csv", "--database", text],
        ["load", "good.csv", "--uri", f"mongodb://{text}"],
        ["load", "--resume", text],
        ["imports", "show", text],
        ["imports", "list", text],
        ["customers", "show", text],
        ["customers", "list", "--timezone", text],
        ["customers", "list", "--email", text],
        ["customers", "list", "--sort", text],
        ["customers", "list", "--born-after", text],
        ["customers", "update", "x@example.com", "--email", text, "--full-name", text, "--timezone", text],
        ["customers", "update", "x@example.com", "--replace", text.replace("/", "|")],
        ["customers", "export", "--output", f"missing/{text}"],
        ["db", "uri", "--uri", f"mongodb://h/?appName={text}"],
    ]

    shown = on_a_terminal(commands, uri, 200)

    assert_harmless(shown)
    assert "Traceback" not in shown
    # a zone that this machine does not know may be stored all the same
    assert shown.count("exit 0") == 1


def assert_harmless(shown: str) -> None:
    found = {what: at for what in STEERING if (at := shown.find(what)) >= 0}
    assert not found, {what: shown[max(0, at - 200) : at + 50] for what, at in found.items()}
    # what does it instead can be read; JSON has its own way to write it
    assert r"\x1b]0;owned" in shown or r"\u001b]0;owned" in shown
    assert r"\u202e" in shown
