"""`customers history`, through the real entry point, and what `update` and `delete` leave for it."""

import contextlib
import os
import pwd
import re
import socket
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from custimport.records import Position, RowCounts

HEADER = "full_name,email,date_of_birth,timezone\n"
USER = pwd.getpwuid(os.getuid()).pw_name
HOST = socket.gethostname()
UPDATE = {"command": "customers update", "user": USER, "host": HOST}
DELETE = {"command": "customers delete", "user": USER, "host": HOST}


def load(run, *rows: str, name: str = "c.csv", policy: str = "update") -> str:
    """The id of the import of a file with these rows."""
    Path(name).write_text(HEADER + "".join(row + "\n" for row in rows))
    return run("load", name, "--on-duplicate", policy, "--json").json["imports"][0]["import_id"]


def told(run, name: str) -> list[tuple[Any, ...]]:
    """Kind, author, outcome and changes of each event, as JSON tells them; their times only have to be in order."""
    history = run("customers", "history", name, "--json").json
    moments = [event["at"] for event in history["events"]]
    assert moments == sorted(moments)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment) for moment in moments)
    return [(event["event"], event["by"], event["outcome"], event["changes"]) for event in history["events"]]


def changed(**fields: tuple[str | None, str | None]) -> dict[str, Any]:
    return {field: {"before": before, "after": after} for field, (before, after) in fields.items()}


def without_times(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", text)


def test_a_whole_life_is_told_oldest_first(run, database):
    first = load(run, "Ann,a@x.org,1990-01-15,UTC", name="january.csv")
    identifier = run("customers", "show", "a@x.org", "--json").json["id"]
    second = load(run, "Bob,b@x.org,1990-01-15,UTC", "Anna,a@x.org,1990-01-16,UTC", name="february.csv")
    run("customers", "update", "a@x.org", "--email", "anna@x.org", "--timezone", "Asia/Tokyo")
    run("customers", "update", "anna@x.org", "--date-of-birth", "1990-01-17")
    third = load(run, "Annie,anna@x.org,1990-01-17,Asia/Tokyo", name="march.csv")

    whole = [
        ("created", {"import_id": first, "row": 1, "file": "january.csv"}, "done", None),
        (
            "updated",
            {"import_id": second, "row": 2, "file": "february.csv"},
            "done",
            changed(full_name=("Ann", "Anna"), date_of_birth=("1990-01-15", "1990-01-16")),
        ),
        ("updated", UPDATE, "done", changed(email=("a@x.org", "anna@x.org"), timezone=("UTC", "Asia/Tokyo"))),
        ("updated", UPDATE, "done", changed(date_of_birth=("1990-01-16", "1990-01-17"))),
        (
            "updated",
            {"import_id": third, "row": 1, "file": "march.csv"},
            "done",
            changed(full_name=("Anna", "Annie")),
        ),
    ]
    for name in (identifier, identifier.upper(), "anna@x.org", "a@x.org", "A@X.org"):
        assert told(run, name) == whole

    run("customers", "delete", "--yes", identifier)

    whole.append(
        (
            "deleted",
            DELETE,
            "done",
            changed(
                full_name=("Annie", None),
                email=("anna@x.org", None),
                date_of_birth=("1990-01-17", None),
                timezone=("Asia/Tokyo", None),
            ),
        )
    )
    for name in (identifier, "anna@x.org", "a@x.org"):
        assert told(run, name) == whole
    assert run("customers", "history", "a@x.org", "--json").json["customer"] is None
    assert database.changes.count_documents({}) == 3


def test_people_read_a_line_an_event_and_one_a_value(run):
    first = load(run, "Ann,a@x.org,1990-01-15,UTC", name="january.csv")
    identifier = run("customers", "show", "a@x.org", "--json").json["id"]
    run("customers", "update", "a@x.org", "--full-name", "Anna")
    shown = (
        f"TIME  created  import {first}, row 1 (january.csv)\n"
        f"TIME  updated  customers update by {USER} on {HOST}\n"
        "  full_name: Ann → Anna\n"
    )
    result = run("customers", "history", "a@x.org")
    assert without_times(result.stdout) == f"Anna <a@x.org>, {identifier}\n{shown}"
    assert result.stderr == ""

    run("customers", "delete", "--yes", "a@x.org")

    assert without_times(run("customers", "history", identifier).stdout) == (
        f"Anna <a@x.org>, {identifier} · not stored any more\n{shown}"
        f"TIME  deleted  customers delete by {USER} on {HOST}\n"
        "  full_name: Anna\n"
        "  email: a@x.org\n"
        "  date_of_birth: 1990-01-15\n"
        "  timezone: UTC\n"
    )


def test_the_customer_itself_tells_who_and_when(run):
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    run("customers", "update", "a@x.org", "--full-name", "Anna")
    customer = run("customers", "show", "a@x.org", "--json").json
    (_, event) = run("customers", "history", "a@x.org", "--json").json["events"]
    assert (customer["updated_by"], customer["updated_at"]) == (UPDATE, event["at"])
    assert f"updated_by     customers update by {USER} on {HOST}\n" in run("customers", "show", "a@x.org").stdout


def test_a_customer_that_never_changed_has_a_beginning(run):
    first = load(run, "Ann,a@x.org,1990-01-15,UTC")
    assert told(run, "a@x.org") == [("created", {"import_id": first, "row": 1, "file": "c.csv"}, "done", None)]
    run("customers", "update", "a@x.org", "--full-name", "Ann")
    assert len(told(run, "a@x.org")) == 1


def test_values_that_nobody_kept_are_said_to_be_missing(run, database):
    """Two imports in turn: the customer keeps the values from before the newest one only."""
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    second = load(run, "Anna,a@x.org,1990-01-15,UTC")
    load(run, "Annie,a@x.org,1990-01-15,UTC")
    events = told(run, "a@x.org")
    assert [event[3] for event in events] == [None, None, changed(full_name=("Anna", "Annie"))]
    assert events[1][1]["import_id"] == second
    assert "the values before it are not kept\n" in run("customers", "history", "a@x.org").stdout


def test_an_import_that_was_taken_back_is_told_no_more_and_what_came_before_it_is(run):
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    run("customers", "update", "a@x.org", "--full-name", "Anna")
    load(run, "Annie,a@x.org,1990-01-15,UTC")
    run("imports", "undo", "last", "--yes")
    assert [event[1].get("command") for event in told(run, "a@x.org")] == [None, "customers update"]


def test_undo_leaves_what_a_command_changed(run):
    import_id = load(run, "Ann,a@x.org,1990-01-15,UTC", "Bob,b@x.org,1990-01-15,UTC")
    run("customers", "update", "a@x.org", "--full-name", "Anna")
    undone = run("imports", "undo", import_id, "--yes", "--json", exit_code=5).json
    assert [customer["email"] for customer in undone["left"]] == ["a@x.org"]
    run("customers", "history", "b@x.org", exit_code=6)
    assert len(told(run, "a@x.org")) == 2


def test_verify_lists_what_a_command_changed_and_finds_no_difference(run):
    import_id = load(run, "Ann,a@x.org,1990-01-15,UTC")
    run("customers", "update", "a@x.org", "--full-name", "Anna")
    verified = run("imports", "verify", import_id, "c.csv", "--json").json
    assert (len(verified["changed_since"]), verified["differences"]) == (1, [])


def test_an_email_that_two_customers_had_names_the_other_one(run):
    load(run, "Ann,a@x.org,1990-01-15,UTC", "Bob,b@x.org,1990-01-15,UTC")
    first = run("customers", "show", "a@x.org", "--json").json["id"]
    second = run("customers", "show", "b@x.org", "--json").json["id"]
    run("customers", "update", first, "--email", "c@x.org")
    run("customers", "update", second, "--email", "a@x.org")

    result = run("customers", "history", "a@x.org")

    assert result.stdout.startswith(f"Bob <a@x.org>, {second}\n")
    assert result.stderr == f"another customer had this e-mail: custimport customers history {first}\n"
    assert run("customers", "history", "a@x.org", "--json").json["other_ids"] == [first]
    run("customers", "delete", "--yes", second)
    # of two that had it, the one that a command took it from last
    assert run("customers", "history", "a@x.org", "--json").json["id"] == second


def test_a_customer_that_its_import_stored_again_has_two_beginnings(run, database):
    """`--force` deletes a customer of an unfinished import, which goes on and stores the row again, under the same id."""
    Path("c.csv").write_text(HEADER + "Ann,a@x.org,1990-01-15,UTC\nBob,bad,1990-01-15,UTC\n")
    run("load", "c.csv", "--max-rejections", "0", exit_code=4)
    identifier = run("customers", "show", "a@x.org", "--json").json["id"]
    # as if it had been killed before its first checkpoint
    fresh = {"checkpoint": asdict(Position()), "rows": asdict(RowCounts()), "rejected_by_code": {}}
    database.imports.update_one({}, {"$set": fresh})
    database.rejections.delete_many({})
    run("customers", "delete", "--yes", "--force", identifier)
    run("load", "--resume", "last", "--max-rejections", "5", exit_code=3)
    assert run("customers", "show", "a@x.org", "--json").json["id"] == identifier
    assert [event[0] for event in told(run, identifier)] == ["created", "deleted", "created"]


@pytest.mark.parametrize("name", ["0" * 24, "nobody@x.org", "nobody", "", "\udcff", "a\x1b[31m", "\0"])
def test_of_nobody_nothing_is_known(run, name):
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    for options in ((), ("--json",)):
        result = run("customers", "history", name, *options, exit_code=6)
        assert result.stdout == ""
        assert result.stderr.startswith("error: nothing is known of a customer")
        assert "\x1b" not in result.stderr


def test_hostile_values_reach_no_terminal(run, database):
    hostile = "A\x1b[31m\u202eB\n[red]"
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    database.customers.update_one({}, {"$set": {"full_name": hostile}})
    database.imports.update_one({}, {"$set": {"file.name": hostile}})
    run("customers", "update", "a@x.org", "--full-name", "Anna")
    database.changes.update_one({}, {"$set": {"by.user": hostile, "by.host": hostile}})
    database.customers.update_one({}, {"$set": {"updated_by.user": hostile, "updated_by.host": hostile}})
    for arguments in (("history", "a@x.org"), ("history", "a@x.org", "--json"), ("show", "a@x.org")):
        result = run("customers", *arguments)
        assert not {"\x1b", "\u202e"} & set(result.stdout + result.stderr), arguments
    assert "  full_name: A\\x1b[31m\\u202eB\\n[red] → Anna\n" in run("customers", "history", "a@x.org").stdout
    assert told(run, "a@x.org")[1][3] == changed(full_name=(hostile, "Anna"))


def test_customers_of_other_software_are_told_of_as_far_as_they_go(run, database):
    born = datetime(1990, 1, 15, tzinfo=UTC)
    database.customers.insert_many(
        [
            {"_id": "text id", "email": "a@x.org"},
            {"_id": 7, "email": "b@x.org", "created_at": "long ago", "updated_at": born},
        ]
    )
    assert run("customers", "history", "a@x.org").stdout == " <a@x.org>, text id\n"
    run("customers", "history", "b@x.org", exit_code=0)
    run("customers", "update", "a@x.org", "--full-name", "Ann")
    assert "  full_name: (none) → Ann\n" in run("customers", "history", "a@x.org").stdout
    run("customers", "delete", "--yes", "b@x.org")
    assert "deleted" in run("customers", "history", "b@x.org").stdout


# cut off ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def failing(client, command: str, namespace: str) -> Iterator[None]:
    """The connection breaks whenever the program sends this command to this collection, before the server does it."""
    data = {"failCommands": [command], "namespace": namespace, "closeConnection": True, "appName": "custimport"}
    client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
    try:
        yield
    finally:
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def test_without_its_entry_nothing_is_changed(run, client, database):
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    before = database.customers.find_one()
    with failing(client, "insert", f"{database.name}.changes"):
        run("customers", "update", "a@x.org", "--full-name", "Anna", exit_code=8)
        run("customers", "delete", "--yes", "a@x.org", exit_code=8)
    assert database.customers.find_one() == before
    assert database.changes.count_documents({}) == 0


def test_a_change_that_never_reached_the_customer_is_told_as_that(run, client, database):
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    with failing(client, "update", f"{database.name}.customers"):
        run("customers", "update", "a@x.org", "--full-name", "Anna", exit_code=8)
    with failing(client, "delete", f"{database.name}.customers"):
        run("customers", "delete", "--yes", "a@x.org", exit_code=8)

    assert [event[2] for event in told(run, "a@x.org")] == ["done", "not-done", "not-done"]
    assert run("customers", "history", "a@x.org").stdout.count("announced, but never done") == 2

    run("customers", "update", "a@x.org", "--full-name", "Anna")
    run("customers", "delete", "--yes", "a@x.org")

    assert [event[2] for event in told(run, "a@x.org")] == ["done", "not-done", "not-done", "done", "done"]


def test_a_change_whose_entry_was_not_confirmed_is_told_as_done(run, client, database):
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    with failing(client, "update", f"{database.name}.changes"):
        run("customers", "update", "a@x.org", "--full-name", "Anna", exit_code=8)
    assert database.changes.find_one()["unconfirmed"]
    expected = [("created", "done"), ("updated", "done")]

    assert [(event[0], event[2]) for event in told(run, "a@x.org")] == expected
    assert "unchanged" in run("customers", "update", "a@x.org", "--full-name", "Anna").stderr
    assert database.changes.count_documents({}) == 1
    # two imports later the customer bears no other trace of it
    load(run, "Annie,a@x.org,1990-01-15,UTC")
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    assert [event[2] for event in told(run, "a@x.org")] == ["done"] * 4
    run("customers", "delete", "--yes", "a@x.org")
    assert [event[2] for event in told(run, "a@x.org")] == ["done"] * 5
    assert database.changes.count_documents({"unconfirmed": True}) == 0


def test_a_deletion_of_which_nothing_tells_whether_it_was_ours_is_told_as_that(run, client, database):
    load(run, "Ann,a@x.org,1990-01-15,UTC")
    with failing(client, "update", f"{database.name}.changes"):
        run("customers", "delete", "--yes", "a@x.org", exit_code=8)
    assert database.customers.count_documents({}) == 0
    assert [event[2] for event in told(run, "a@x.org")] == ["done", "unknown"]
    assert "nothing tells whether it was done" in run("customers", "history", "a@x.org").stdout


def test_of_several_customers_each_deletion_has_its_entry(run, client, database):
    load(run, *(f"Ann,a{number}@x.org,1990-01-15,UTC" for number in range(4)))
    identifiers = [str(document["_id"]) for document in database.customers.find().sort("_id", 1)]
    run("customers", "delete", "--yes", identifiers[2], "a0@x.org", identifiers[0])
    assert {entry["customer_id"] for entry in database.changes.find()} == {
        ObjectId(identifiers[0]),
        ObjectId(identifiers[2]),
    }
    assert database.changes.count_documents({}) == 2
