"""`custimport customers`, through the real entry point: exit code, both streams and the database together."""

import csv
import io
import json
import os
import pwd
import socket
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

IMPORT = bytes.fromhex("018f000000000001")
LONG_AGO = datetime(2020, 5, 17, 8, 30, 0, 123_000, tzinfo=UTC)
HOSTILE_NAMES = {
    "markup": "[red]Alice[/red] [link=http://x]",
    "escape": "A\x1b[31mred\x1b]0;title\x07",
    "bidi": "Alice \u202eecilA\u2066",
    "eighth bit": "A\x9b31m\x85",
    "line ends": "A\r\nB\u2028C",
    "formula": '=HYPERLINK("http://x","y")',
    "emoji code": ":boom: \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "tag": "A\U000e0041\U000e007f",
}
SCRIPTS = (
    "José Ñandú",
    "Ελένη",
    "Борис",
    "李小龙",
    "やまだ たろう",
    "محمد",
    "שָׁלוֹם",
    "हरि",
    "ภูมิ",
    "𠮷野家",
    'O\'Brien, "Bob"',
)


def customer_id(row: int) -> str:
    return IMPORT.hex() + f"{row:08x}"


def a_customer(row: int, **values: Any) -> dict[str, Any]:
    return {
        "_id": ObjectId(customer_id(row)),
        "full_name": f"Customer {row}",
        "email": f"customer{row}@example.com",
        "date_of_birth": datetime(1990, 1, 15, tzinfo=UTC),
        "timezone": "Europe/Paris",
        "created_at": LONG_AGO,
        "updated_at": LONG_AGO,
        "created_by": {"import_id": IMPORT, "row": row},
    } | values


def as_json(row: int, **values: Any) -> dict[str, Any]:
    return {
        "id": customer_id(row),
        "full_name": f"Customer {row}",
        "email": f"customer{row}@example.com",
        "date_of_birth": "1990-01-15",
        "timezone": "Europe/Paris",
        "created_at": "2020-05-17T08:30:00.123Z",
        "updated_at": "2020-05-17T08:30:00.123Z",
        "created_by": {"import_id": IMPORT.hex(), "row": row},
        "updated_by": None,
    } | values


@pytest.fixture
def customers(database):
    database.customers.create_index("email", unique=True)
    return database.customers


@pytest.fixture
def three(customers):
    customers.insert_many(a_customer(row) for row in (1, 2, 3))
    return customers


def steering(text: str) -> set[str]:
    """The characters in the text that could steer a terminal."""
    return {
        c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u2028\u202e\u2066\U000e0041"
    }


# list ---------------------------------------------------------------------------------------------------------


def test_list_shows_a_page_of_json_newest_first(run, three):
    result = run("customers", "list", "--limit", "2", "--json")
    assert result.json == {"total": 3, "page": 1, "limit": 2, "data": [as_json(3), as_json(2)]}
    assert result.stderr == ""
    assert run("customers", "list", "--limit", "2", "--page", "2", "--format", "json").json["data"] == [as_json(1)]


def test_list_of_all_has_neither_page_nor_limit(run, three):
    result = run("customers", "list", "--all", "--json", "--sort", "email")
    assert result.json == {"total": 3, "page": None, "limit": None, "data": [as_json(1), as_json(2), as_json(3)]}


def test_list_shows_whole_provenance(run, customers):
    import_stamp = {"import_id": b"\1" * 8, "row": 7}
    customers.insert_many([a_customer(1, updated_by=import_stamp), a_customer(2, updated_by={"command": "x"})])
    for arguments in (("--json",), ("--all", "--json")):
        second, first = run("customers", "list", *arguments).json["data"]
        assert first["updated_by"] == {"import_id": "01" * 8, "row": 7}
        assert second["updated_by"] == {"command": "x"}


def test_list_as_json_lines(run, three):
    lines = run("customers", "list", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [as_json(3), as_json(2), as_json(1)]


def test_list_as_csv(run, three):
    result = run("customers", "list", "--format", "csv", "--limit", "1")
    assert result.stdout == (
        "id,full_name,email,date_of_birth,timezone,created_at,updated_at\n"
        f"{customer_id(3)},Customer 3,customer3@example.com,1990-01-15,Europe/Paris,"
        "2020-05-17T08:30:00.123Z,2020-05-17T08:30:00.123Z\n"
    )


def test_list_as_table(run, three):
    assert run("customers", "list", "--limit", "2").stdout == (
        "id                        full_name   email                  date_of_birth  timezone\n"
        f"{customer_id(3)}  Customer 3  customer3@example.com  1990-01-15     Europe/Paris\n"
        f"{customer_id(2)}  Customer 2  customer2@example.com  1990-01-15     Europe/Paris\n"
        "page 1 of 2 · 3 customers\n"
    )


def test_a_narrow_table_loses_nothing(run, customers, monkeypatch):
    customers.insert_one(a_customer(1, full_name="x" * 200, email=f"{'y' * 60}@{'z' * 60}.example.com"))
    for columns in (20, 40, 80, 100, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = run("customers", "list").stdout.splitlines()
        assert max(map(len, lines)) <= max(columns, 30)
        text = "".join(lines)
        assert (text.count("x"), text.count("y"), text.count("z")) == (201, 60, 60 + text.count("timezone"))


def test_a_table_in_a_pipe_has_one_line_a_customer(run, customers, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    customers.insert_one(a_customer(1, full_name="x" * 200))
    assert len(run("customers", "list").stdout.splitlines()) == 3


def test_a_long_table_is_streamed_in_parts(run, customers):
    customers.insert_many(a_customer(row) for row in range(1_001))
    lines = run("customers", "list", "--all").stdout.splitlines()
    assert len([line for line in lines if "@example.com" in line]) == 1_001
    assert lines[-1] == "1,001 customers"


@pytest.mark.parametrize("arguments", [(), ("--all",)])
def test_nobody_is_no_error(run, database, arguments):
    assert run("customers", "list", *arguments).stdout == "no customers\n"
    assert run("customers", "list", "--json", *arguments).json["data"] == []
    assert run("customers", "list", "--format", "jsonl", *arguments).stdout == ""


def test_a_page_past_the_end_is_empty(run, three):
    result = run("customers", "list", "--page", "7")
    assert result.stdout == "no customers on page 7; the last page is 1 · 3 customers\n"
    assert run("customers", "list", "--page", "7", "--json").json == {"total": 3, "page": 7, "limit": 20, "data": []}


def test_sort_takes_a_minus_as_its_own_word(run, three):
    assert run("customers", "list", "--sort", "-email", "--json").json["data"][0] == as_json(3)
    assert run("customers", "list", "--sort=email", "--json").json["data"][0] == as_json(1)


def test_the_email_is_normalised_before_it_is_looked_up(run, three):
    assert run("customers", "list", "--email", " Customer2@EXAMPLE.com", "--json").json["data"] == [as_json(2)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--page", "0"),
        ("--limit", "0"),
        ("--limit", "99999999999999999999"),
        ("--all", "--page", "2"),
        ("--all", "--limit", "2"),
        ("--sort", "name"),
        ("--born-after", "15/01/1990"),
        ("--born-after", "19900115"),
        ("--born-before", "1990-02-30"),
        ("--born-before", ""),
        ("--name", ""),
        ("--name", "\udcff"),
        ("--timezone", ""),
        ("--timezone", "\udcff"),
        ("--email", "not an e-mail"),
        ("--email", "\udcff"),
        ("--json", "--format", "csv"),
        ("--format", "xml"),
    ],
)
def test_what_cannot_mean_anything_is_wrong_usage(run, arguments):
    result = run("customers", "list", *arguments, exit_code=2)
    assert result.stdout == ""
    assert arguments[0] in result.stderr


def test_an_unknown_import_is_not_found(run, three):
    result = run("customers", "list", "--import", "last", exit_code=6)
    assert (result.stdout, "no import" in result.stderr) == ("", True)
    run("customers", "export", "--import", "0123456789abcdef", exit_code=6)
    run("customers", "export", "--import", "xyz", exit_code=6)


@pytest.mark.parametrize("operator", ['{"$ne": null}', "$where", ".*", "^", "("])
def test_what_a_user_types_is_never_an_operator(run, three, operator):
    for option in ("--name", "--timezone"):
        assert run("customers", "list", option, operator, "--json").json["total"] == 0


# hostile and foreign text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES.keys())
def test_hostile_names_reach_no_terminal_but_every_program(run, customers, name):
    customers.insert_one(a_customer(1, full_name=name))
    for arguments in (("list",), ("list", "--json"), ("list", "--format", "jsonl"), ("show", customer_id(1))):
        output = run("customers", *arguments).stdout
        assert not steering(output), arguments
        if "json" in " ".join(arguments):
            assert name in {
                json.loads(output).get("full_name"),
                json.loads(output).get("data", [{}])[0].get("full_name"),
            }
    refused = run("customers", "delete", customer_id(1), exit_code=5)
    assert not steering(refused.stderr)
    run("customers", "export", "--output", "out.csv")
    with Path("out.csv").open(encoding="utf-8", newline="") as exported:
        assert next(csv.DictReader(exported))["full_name"] == name


def test_markup_is_shown_as_it_is(run, customers):
    customers.insert_one(a_customer(1, full_name="[red]Alice[/red] :boom:"))
    assert "[red]Alice[/red] :boom:" in run("customers", "list").stdout
    assert "[red]Alice[/red] :boom:" in run("customers", "show", customer_id(1)).stdout


def test_names_of_every_script_survive(run, customers):
    customers.insert_many(a_customer(row, full_name=name) for row, name in enumerate(SCRIPTS))
    listed = run("customers", "list", "--sort", "email", "--json").json["data"]
    assert {customer["full_name"] for customer in listed} == set(SCRIPTS)
    for command in (("list", "--format", "csv"), ("export",)):
        rows = csv.DictReader(io.StringIO(run("customers", *command).stdout, newline=""))
        assert {row["full_name"] for row in rows} == set(SCRIPTS)
    table = run("customers", "list").stdout
    assert all(name in table for name in SCRIPTS)


def test_customers_of_other_software_are_shown_as_far_as_they_go(run, customers):
    customers.insert_one({"_id": "text id", "email": "legacy@example.com", "date_of_birth": "1990"})
    shown = run("customers", "show", "legacy@example.com", "--json").json
    assert shown == dict.fromkeys(as_json(1)) | {
        "id": "text id",
        "email": "legacy@example.com",
        "date_of_birth": "1990",
    }
    run("customers", "list")
    assert run("customers", "export").stdout.splitlines()[1] == "text id,,legacy@example.com,1990,,,"


# show ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [customer_id(2), customer_id(2).upper(), "customer2@example.com", "Customer2@Example.COM"]
)
def test_show_finds_by_id_and_email(run, three, name):
    assert run("customers", "show", name, "--json").json == as_json(2)


def test_show_for_people(run, three):
    assert run("customers", "show", customer_id(2)).stdout == (
        f"id             {customer_id(2)}\n"
        "full_name      Customer 2\n"
        "email          customer2@example.com\n"
        "date_of_birth  1990-01-15\n"
        "timezone       Europe/Paris\n"
        "created_at     2020-05-17T08:30:00.123Z\n"
        "updated_at     2020-05-17T08:30:00.123Z\n"
        f"created_by     import {IMPORT.hex()}, row 2\n"
        "updated_by\n"
    )


@pytest.mark.parametrize("name", ["0" * 24, "nobody@example.com", "nobody", "", "\udcff", "a\x1b[31m", "\0"])
def test_nobody_is_not_found(run, three, name):
    result = run("customers", "show", name, "--json", exit_code=6)
    assert result.stdout == ""
    assert result.stderr.startswith("error: no customer")
    assert not steering(result.stderr)


# update -------------------------------------------------------------------------------------------------------


def test_update_changes_what_is_given(run, three):
    result = run("customers", "update", "customer2@example.com", "--full-name", "  Zoe\u0308 ", "--json")
    after = three.find_one({"_id": ObjectId(customer_id(2))})
    shown = result.json
    assert shown.pop("updated_at") > "2026"
    author = {"command": "customers update", "user": pwd.getpwuid(os.getuid()).pw_name, "host": socket.gethostname()}
    expected = as_json(2, full_name="Zoë", updated_by=author)
    del expected["updated_at"]
    assert shown == expected
    assert after["full_name"] == "Zoë"
    assert after["updated_by"] == author
    assert "changed: full_name" in result.stderr


def test_update_changes_all_four(run, three):
    run(
        *("customers", "update", customer_id(2), "--full-name", "B", "--email", "B@Example.com"),
        *("--date-of-birth", "2000-02-29", "--timezone", "Asia/Tokyo"),
    )
    after = three.find_one({"_id": ObjectId(customer_id(2))})
    assert (after["full_name"], after["email"], after["timezone"]) == ("B", "b@example.com", "Asia/Tokyo")
    assert after["date_of_birth"] == datetime(2000, 2, 29, tzinfo=UTC)


def test_an_update_that_changes_nothing_writes_nothing(run, three):
    before = three.find_one({"_id": ObjectId(customer_id(2))})
    result = run("customers", "update", customer_id(2), "--email", "CUSTOMER2@example.com")
    assert "unchanged" in result.stderr
    assert three.find_one({"_id": ObjectId(customer_id(2))}) == before


def test_a_quiet_update_says_nothing_but_what_json_asks_for(run, three):
    silent = run("customers", "update", "customer1@example.com", "--full-name", "Alice Quiet", "--quiet")
    asked = run("customers", "update", "customer1@example.com", "--full-name", "Alice Still", "--quiet", "--json")

    assert (silent.stdout, silent.stderr, asked.stderr) == ("", "", "")
    assert asked.json["full_name"] == "Alice Still"


def test_all_errors_of_an_update_are_told_at_once(run, three):
    before = list(three.find())
    tomorrow = str(date.today() + timedelta(days=2))
    arguments = ("--full-name", " ", "--email", "x", "--date-of-birth", tomorrow, "--timezone", "CEST")
    result = run("customers", "update", customer_id(2), *arguments, "--json", exit_code=3)
    errors = [(error["field"], error["code"]) for error in result.json["errors"]]
    assert errors == [
        ("full_name", "blank"),
        ("email", "email-invalid"),
        ("date_of_birth", "date-not-in-past"),
        ("timezone", "timezone-unknown"),
    ]
    assert all(error["message"] for error in result.json["errors"])
    for _, code in errors:
        assert f"[{code}]" in result.stderr
    assert list(three.find()) == before
    assert run("customers", "update", customer_id(2), *arguments, exit_code=3).stdout == ""


def test_an_email_that_another_customer_has_is_rejected(run, three):
    result = run("customers", "update", customer_id(2), "--email", "Customer3@example.com", "--json", exit_code=3)
    (error,) = result.json["errors"]
    assert (error["code"], error["field"]) == ("duplicate-in-database", "email")
    assert error["related"] == {"customer_id": customer_id(3)}
    assert customer_id(3) in result.stderr
    assert three.find_one({"_id": ObjectId(customer_id(2))})["email"] == "customer2@example.com"


def test_update_of_nobody_is_not_found(run, three):
    run("customers", "update", "nobody@example.com", "--full-name", "B", exit_code=6)


@pytest.mark.parametrize(
    "arguments", [(), ("--replace", "-", "--full-name", "B"), ("--full-name", "B", "--json", "--format", "table")]
)
def test_an_update_with_nothing_or_both_is_wrong_usage(run, three, arguments):
    run("customers", "update", customer_id(2), *arguments, exit_code=2, stdin="{}")


ALICE = {"full_name": "Alice", "email": "alice@example.com", "date_of_birth": "1991-02-03", "timezone": "UTC"}


def test_replace_gives_all_four_values(run, three):
    Path("alice.json").write_text("\ufeff" + json.dumps(ALICE), encoding="utf-8")
    shown = run("customers", "update", customer_id(2), "--replace", "alice.json", "--json").json
    assert {field: shown[field] for field in ALICE} == ALICE
    again = run("customers", "update", customer_id(2), "--replace", "-", stdin=json.dumps(ALICE))
    assert "unchanged" in again.stderr


def test_replace_reports_all_errors(run, three):
    values = json.dumps(ALICE | {"email": "x", "timezone": ""})
    result = run("customers", "update", customer_id(2), "--replace", "-", "--json", stdin=values, exit_code=3)
    assert [error["code"] for error in result.json["errors"]] == ["email-invalid", "blank"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{",
        json.dumps(ALICE)[:-1] + ', "email": "b@example.com"}',
        b"\xff\xfe\xff",
        "[" * 100_000,
        " " * 2_000_000,
    ],
)
def test_what_is_not_one_customer_cannot_replace_one(run, three, content):
    before = list(three.find())
    result = run("customers", "update", customer_id(2), "--replace", "-", stdin=content, exit_code=7)
    assert "standard input does not hold one customer" in result.stderr
    assert list(three.find()) == before


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ({}, ["blank"] * 4),
        (ALICE | {"timezone": None}, ["blank"]),
        (ALICE | {"full_name": 5, "date_of_birth": ["1990-01-01"]}, ["invalid-character", "date-invalid"]),
        (ALICE | {"full_name": "\ud800", "email": "\ud800@example.com"}, ["invalid-character", "email-invalid"]),
        (ALICE | {"full_name": "x" * 201}, ["too-long"]),
    ],
)
def test_a_replacement_with_missing_or_wrong_values_is_rejected(run, three, values, codes):
    before = list(three.find())
    arguments = ("customers", "update", customer_id(2), "--replace", "-", "--json")
    result = run(*arguments, stdin=json.dumps(values), exit_code=3)
    assert [error["code"] for error in result.json["errors"]] == codes
    assert list(three.find()) == before


def test_a_replacement_with_other_fields_is_wrong_usage(run, three):
    arguments = ("customers", "update", customer_id(2), "--replace", "-")
    assert "created_at" in run(*arguments, stdin=json.dumps(ALICE | {"created_at": "x"}), exit_code=2).stderr


def test_long_values_are_cut_where_errors_quote_them(run, three):
    result = run("customers", "update", customer_id(2), "--full-name", "x" * 5_000, "--json", exit_code=3)
    (error,) = result.json["errors"]
    assert error["value"] == "x" * 200 + "… (cut; 5,000 characters)"
    assert len(result.stderr) < 1_000


def test_a_zone_that_nobody_knows_is_warned_of(run, three):
    result = run("customers", "list", "--timezone", "europe/paris", "--json")
    assert result.json["total"] == 0
    assert result.stderr.startswith("warning: --timezone 'europe/paris'")


def test_a_missing_replacement_cannot_be_read(run, three):
    assert "none.json" in run("customers", "update", customer_id(2), "--replace", "none.json", exit_code=7).stderr


# delete -------------------------------------------------------------------------------------------------------


def test_delete_with_yes(run, three):
    result = run("customers", "delete", "--yes", customer_id(1), "customer3@example.com")
    assert [document["email"] for document in three.find()] == ["customer2@example.com"]
    assert (result.stdout, result.stderr) == ("", "deleted 2 customers\n")


def test_delete_tells_programs_whom(run, three):
    assert run("customers", "delete", "-y", customer_id(1), "--json").json == {"deleted": 1, "data": [as_json(1)]}


def test_delete_without_a_terminal_names_whom_and_refuses(run, three):
    result = run("customers", "delete", customer_id(1), customer_id(2), exit_code=5)
    assert "2 customers" in result.stderr
    assert "Customer 1 <customer1@example.com>" in result.stderr
    assert "--yes" in result.stderr
    assert three.count_documents({}) == 3


@pytest.mark.parametrize(("answer", "exit_code", "left"), [("y\n", 0, 2), ("n\n", 5, 3)])
def test_delete_asks_at_a_terminal(run, three, monkeypatch, answer, exit_code, left):
    monkeypatch.setattr("custimport.cli.session._is_terminal", lambda: True)
    result = run("customers", "delete", customer_id(1), stdin=answer, exit_code=exit_code)
    assert "delete 1 customer (Customer 1 <customer1@example.com>" in result.stderr
    assert three.count_documents({}) == left


def test_one_missing_customer_and_nobody_is_deleted(run, three):
    result = run("customers", "delete", "--yes", customer_id(1), "nobody@example.com", "0" * 24, exit_code=6)
    assert "nobody@example.com" in result.stderr
    assert "0" * 24 in result.stderr
    assert three.count_documents({}) == 3


def test_customers_of_an_unfinished_import_need_force(run, three, database):
    database.imports.insert_one({"_id": IMPORT, "status": "interrupted"})
    result = run("customers", "delete", "--yes", customer_id(1), customer_id(2), exit_code=5)
    assert f"--resume {IMPORT.hex()}" in result.stderr
    assert "--force" in result.stderr
    assert three.count_documents({}) == 3
    run("customers", "delete", "--yes", "--force", customer_id(1))
    assert three.count_documents({}) == 2


# export -------------------------------------------------------------------------------------------------------


def test_export_streams_every_match_as_csv(run, three):
    rows = list(csv.DictReader(io.StringIO(run("customers", "export").stdout)))
    assert [row["id"] for row in rows] == [customer_id(3), customer_id(2), customer_id(1)]
    assert run("customers", "export", "--name", "mer 2").stdout.count("\n") == 2


def test_export_into_a_file_that_only_its_owner_reads(run, three):
    Path("out.csv").write_text("before")
    Path("out.csv").chmod(0o644)
    result = run("customers", "export", "--output", "out.csv")
    assert result.stdout == ""
    assert result.stderr == "3 customers written to out.csv\n"
    assert Path("out.csv").read_text() == run("customers", "export", "--quiet").stdout
    assert stat.S_IMODE(Path("out.csv").stat().st_mode) == 0o600
    assert not Path("out.csv.partial").exists()


def test_the_extension_names_the_format(run, three):
    run("customers", "export", "--output", "out.jsonl")
    assert json.loads(Path("out.jsonl").read_text().splitlines()[0]) == as_json(3)
    run("customers", "export", "--output", "out.json")
    assert json.loads(Path("out.json").read_text())["total"] == 3
    run("customers", "export", "--output", "other.json", "--format", "csv", "--quiet")
    assert Path("other.json").read_text().startswith("id,full_name")


def test_export_as_json(run, three):
    assert run("customers", "export", "--json").json == {
        "page": None,
        "limit": None,
        "data": [as_json(3), as_json(2), as_json(1)],
        "total": 3,
    }


def test_a_link_is_followed_and_a_device_is_written(run, three):
    Path("real.csv").write_text("before")
    Path("link.csv").symlink_to("real.csv")
    run("customers", "export", "--output", "link.csv")
    assert Path("link.csv").is_symlink()
    assert Path("real.csv").read_text().startswith("id,")
    run("customers", "export", "--output", "/dev/null")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("target", ["no folder/out.csv", "/proc/out.csv", "."])
def test_an_output_that_cannot_be_written(run, three, target):
    result = run("customers", "export", "--output", target, exit_code=9)
    assert "--output" in result.stderr
    assert [path.name for path in Path().iterdir()] == []


def test_a_failed_export_leaves_what_was_there(run, three):
    Path("out.csv").write_text("before")
    run("customers", "export", "--output", "out.csv", "--import", "last", exit_code=6)
    assert [path.name for path in Path().iterdir()] == ["out.csv"]
    assert Path("out.csv").read_text() == "before"


def test_a_table_is_no_export(run, three):
    run("customers", "export", "--format", "table", exit_code=2)
