"""docs/indexes.md: what it says of each command is what the server explains of the very commands that it sent."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import monitoring

from custimport.store.selection import SORT_FIELDS
from tests.cli.test_customers import IMPORT, a_customer, customer_id
from tests.conftest import RunCommand, invoke

PAGE = Path(__file__).parents[2] / "docs/indexes.md"
CUSTOMERS = 300
ROW = re.compile(r"^\| `(customers .*?)` \| (.*?) \| (.*?) \|$", flags=re.MULTILINE)


class Commands(monitoring.CommandListener):
    """The reads that clients of this process send, while somebody listens."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] | None = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.heard is not None and event.command_name in {"find", "aggregate", "count", "distinct"}:
            self.heard.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to do."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to do."""

    @contextmanager
    def listening(self) -> Iterator[list[dict[str, Any]]]:
        self.heard = []
        try:
            yield self.heard
        finally:
            self.heard = None


COMMANDS = Commands()
# every client that is made from here on, the program's among them
monitoring.register(COMMANDS)


@pytest.fixture(scope="module")
def filled(client) -> Iterator[Any]:
    """A database with the usual indexes; every filter but the e-mail finds more than a page."""
    database = client["test_indexes"]
    database.customers.create_index("email", name="email_1", unique=True)
    zones = ("Europe/Paris", "UTC", "Asia/Tokyo")
    database.customers.insert_many(
        a_customer(row, full_name=f"{'Alice' if row % 4 == 1 else 'Bob'} {row}", timezone=zones[row % 3])
        for row in range(CUSTOMERS)
    )
    database.customers.update_one({"full_name": "Alice 5"}, {"$set": {"email": "alice@example.com"}})
    database.imports.insert_one({"_id": IMPORT, "status": "completed", "file": {"name": "c.csv"}})
    yield database
    client.drop_database(database.name)


@pytest.fixture
def ask(mongod, filled) -> RunCommand:
    """Runs a command on that database; gives the reads that it sent."""

    def ask(*arguments: str, exit_code: int = 0) -> list[dict[str, Any]]:
        environment = {"CUSTIMPORT_MONGODB_URI": mongod.uri.replace("/?", f"/{filled.name}?")}
        with COMMANDS.listening() as heard:
            result = invoke(arguments, None, environment)
        assert result.exit_code == exit_code, result.stderr
        return heard

    return ask


def stages(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    below = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return [plan, *(stage for child in below for stage in stages(child))]


def explained(database, command: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stages of the plan by which the server would serve a command that a client sent, the first one last."""
    of_the_session = {"lsid", "txnNumber", "readConcern"}
    plain = {name: value for name, value in command.items() if name[0] != "$" and name not in of_the_session}
    reply = database.command({"explain": plain, "verbosity": "queryPlanner"})
    planner = reply.get("queryPlanner") or reply["stages"][0]["$cursor"]["queryPlanner"]
    plan = planner["winningPlan"]
    return stages(plan.get("queryPlan", plan))


def in_words(plan: list[Mapping[str, Any]]) -> str:
    """The plan as the page words it."""
    leaf = plan[-1]
    match leaf["stage"]:
        case "COLLSCAN":
            words = ["scan"]
        case "IXSCAN":
            (bounds,) = leaf["indexBounds"].values()
            is_whole = bounds in (["[MinKey, MaxKey]"], ["[MaxKey, MinKey]"])
            words = [f"`{leaf['indexName']}` {'walk' if is_whole else 'range'}"]
        case "COUNT_SCAN":
            (lowest,) = leaf["indexBounds"]["startKey"].values()
            words = [f"`{leaf['indexName']}` {'walk' if str(lowest) == 'MinKey()' else 'range'}", "keys alone"]
        case other:
            raise AssertionError(other)
    if any(stage.get("filter") for stage in plan):
        words.append("filter")
    if any(stage["stage"] == "SORT" for stage in plan):
        words.append("sort")
    return ", ".join(words)


DOCUMENTED = ROW.findall(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("command", "read", "counted"), DOCUMENTED, ids=[row[0] for row in DOCUMENTED])
def test_the_command_is_served_as_the_page_says(ask, filled, command, read, counted):
    pages = {"LAST": str(CUSTOMERS // 20), "MIDDLE": "4"}
    sent = ask(*(pages.get(word, word) for word in command.split()))

    of_customers = [one for one in sent if next(iter(one.values())) == "customers"]
    plans = {next(iter(one)): in_words(explained(filled, one)) for one in of_customers}
    assert len(of_customers) == len(plans)
    assert plans.pop("find") == read
    assert plans.pop("aggregate", "–") == counted
    assert plans == {}


def test_the_page_has_every_filter_and_every_order_in_both_directions():
    commands = [row[0].removeprefix("customers ") for row in DOCUMENTED]

    assert {"list", "list --page LAST", "list --all", "export"} <= set(commands)
    for option in ("--email", "--name", "--timezone", "--born-after", "--born-before", "--import"):
        assert any(re.fullmatch(rf"list {option} \S+", command) for command in commands), option
    for field in SORT_FIELDS:
        assert {f"list --sort {field}", f"list --sort=-{field}"} <= set(commands)


def test_single_customers_and_their_history_are_looked_up(ask, filled):
    ask("customers", "update", customer_id(7), "--email", "former@example.com")
    for arguments in (
        ("show", customer_id(5)),
        ("show", "alice@example.com"),
        ("update", "alice@example.com", "--full-name", "Alice"),
        ("history", customer_id(7)),
        ("history", "customer7@example.com"),
        ("delete", "--yes", "--force", "customer7@example.com"),
        ("delete", "--yes", customer_id(7)),
        ("history", "former@example.com"),
    ):
        sent = ask("customers", *arguments, exit_code=6 if "--force" in arguments else 0)
        assert sent
        for command in sent:
            for stage in explained(filled, command):
                if stage["stage"] == "IXSCAN":
                    (bounds,) = stage["indexBounds"].values()
                    assert bounds not in (["[MinKey, MaxKey]"], ["[MaxKey, MinKey]"]), (arguments, command)
                assert stage["stage"] != "COLLSCAN", (arguments, command)


def test_a_load_makes_no_further_index_and_none_of_the_changes(run, database):
    Path("c.csv").write_text("full_name,email,date_of_birth,timezone\nAnn,a@x.org,1990-01-15,UTC\n")
    run("load", "c.csv")
    assert sorted(database.customers.index_information()) == ["_id_", "email_1"]
    assert "changes" not in database.list_collection_names()
