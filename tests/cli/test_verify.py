"""`imports verify` agrees with an honest database and finds every row that is not as it should be."""

from pathlib import Path

import pytest

from custimport.choices import Policy

HEADER = "full_name,email,date_of_birth,timezone\n"


def a_file(rows: int = 60) -> Path:
    lines = [HEADER]
    for number in range(1, rows + 1):
        email = f"c{number if number % 7 else number - 6}@example.com"
        zone = "Mars/Base" if number % 11 == 0 else "UTC"
        lines.append(f"Customer {number},{email},1990-01-15,{zone}\n")
    path = Path("customers.csv")
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize("policy", Policy)
def test_an_undisturbed_import_verifies(run, policy: Policy) -> None:
    earlier = Path("earlier.csv")
    earlier.write_text(HEADER + "Old,c2@example.com,1980-01-01,UTC\nCustomer 3,c3@example.com,1990-01-15,UTC\n")
    run("load", earlier)
    path = a_file()
    run("load", path, "--on-duplicate", policy.value, exit_code=3)

    result = run("imports", "verify", "last", path, "--json")

    assert result.json["rows"] == 60
    assert sum(result.json["outcomes"].values()) == 60
    assert result.json["differences"] == []
    assert result.json["changed_since"] == []


def test_deleted_altered_and_surplus_customers_are_found(run, database) -> None:
    path = a_file()
    run("load", path, exit_code=3)
    first, second, third = database.customers.find(sort=[("_id", 1)], limit=3)
    database.customers.delete_one({"_id": first["_id"]})
    database.customers.update_one({"_id": second["_id"]}, {"$set": {"full_name": "Altered"}})
    twin = {**third, "_id": type(third["_id"])(third["_id"].binary[:8] + (999).to_bytes(4, "big")), "email": "t@x.org"}
    database.customers.insert_one(twin)
    database.rejections.delete_one({"_id.row": 11})

    result = run("imports", "verify", "last", path, "--json", exit_code=3)

    rows = [difference["row"] for difference in result.json["differences"]]
    assert rows == [11, 1, 2, None]


def test_what_others_changed_is_listed_and_no_difference(run) -> None:
    path = a_file()
    run("load", path, exit_code=3)
    run("customers", "update", "c2@example.com", "--full-name", "By Hand")
    run("customers", "update", "c3@example.com", "--email", "renamed@example.com")

    result = run("imports", "verify", "last", path, "--json")

    assert len(result.json["changed_since"]) == 2


def test_another_file_is_no_match(run) -> None:
    path = a_file()
    run("load", path, exit_code=3)
    path.write_text(path.read_text().replace("Customer 5,", "Customer X,"))

    result = run("imports", "verify", "last", path, exit_code=3)

    assert "its SHA-256 differs" in result.stdout
    assert "row 5, line 6" in result.stdout


def test_an_undone_import_cannot_be_verified(run) -> None:
    path = a_file()
    run("load", path, exit_code=3)
    run("imports", "undo", "last", "--yes")

    run("imports", "verify", "last", path, exit_code=5)
