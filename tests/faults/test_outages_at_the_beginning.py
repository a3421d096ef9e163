"""Outages before the first row, and while a resume reads what was rejected before, are waited out as well."""

from pathlib import Path

import pytest

HEADER = "full_name,email,date_of_birth,timezone\n"


@pytest.fixture
def failing(client):
    """Makes the next commands of these kinds that custimport sends fail; turned off afterwards."""

    def fail(command: str, mode: dict[str, float]) -> None:
        data = {"failCommands": [command], "closeConnection": True, "appName": "custimport"}
        client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)

    yield fail
    client.admin.command("configureFailPoint", "failCommand", mode="off")


@pytest.mark.parametrize("command", ["find", "createIndexes", "insert"])
def test_a_load_waits_out_an_outage_at_its_beginning(run, database, failing, command: str) -> None:
    Path("customers.csv").write_text(HEADER + "Ann,ann@example.com,1990-01-15,UTC\n")
    if command == "find":
        run("load", "customers.csv")
    # the driver itself tries a read or an insert twice
    failing(command, {"times": 3})

    result = run("load", "customers.csv", "--on-duplicate", "skip")

    assert "the database is away (" in result.stderr
    assert "the database is back" in result.stderr
    assert database.customers.count_documents({}) == 1
    assert database.imports.find_one(sort=[("_id", -1)])["status"] == "completed"


def test_a_resume_reads_what_was_rejected_before_through_an_outage(run, database, failing) -> None:
    good = "".join(f"Ann,ann{n}@example.com,1990-01-15,UTC\n" for n in range(10))
    bad = "".join(f"Ann,,1990-01-15,UTC{n}\n" for n in range(250))
    Path("customers.csv").write_text(HEADER + bad + good)
    run("load", "customers.csv", "--max-rejections", "249", "--report", "stopped.csv", exit_code=4)
    Path("stopped.csv").unlink()
    # every second find: that of the import itself, those of three pages, that of the settled rows
    failing("find", {"activationProbability": 0.4})

    run("load", "--resume", "last", "--max-rejections", "1000", exit_code=3)

    assert Path("stopped.csv").read_text("utf-8-sig").count("timezone-unknown") == 250
