"""The roles of docs/operations.md: each command works with them, and none of their rights is superfluous."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.conftest import RunCommand, invoke
from tests.safety.commands import COMMANDS, READING, write_files
from tests.safety.conftest import SecuredServer

PAGE = Path(__file__).parent.parent.parent / "docs/operations.md"


def documented_roles() -> dict[str, list[dict[str, Any]]]:
    """Name and privileges of each role that the page makes."""
    scripts = re.findall(r"db\.createRole\((\{.*?^\})\)", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    # names without quotes and commas at the end are JavaScript, not JSON
    roles = [json.loads(re.sub(r",(\s*[\]}])", r"\1", re.sub(r"(\w+):", r'"\1":', script))) for script in scripts]
    return {role["role"]: role["privileges"] for role in roles}


ROLES = documented_roles()
RIGHTS = [
    (name, privilege["resource"]["collection"], action)
    for name, privileges in ROLES.items()
    for privilege in privileges
    for action in privilege["actions"]
]


@pytest.fixture
def user_in(secured: SecuredServer, crm: Database[Any]) -> Iterator[Callable[..., str]]:
    """Makes a role of the page in the test's database, but for one right, and gives the URI of a user who has it."""
    made: list[str] = []

    def make(name: str, without: tuple[str, str] = ("", "")) -> str:
        privileges = []
        for privilege in ROLES[name]:
            collection = privilege["resource"]["collection"]
            actions = [action for action in privilege["actions"] if (collection, action) != without]
            if actions:
                privileges.append({"resource": {"db": crm.name, "collection": collection}, "actions": actions})
        crm.command("createRole", name, privileges=privileges, roles=[])
        made.append(name)
        return secured.uri(secured.new_user({"role": name, "db": crm.name}), crm.name)

    yield make
    for name in made:
        crm.command("dropRole", name)


def test_the_page_documents_both_roles_on_all_collections() -> None:
    assert list(ROLES) == ["custimport", "custimportReader"]
    for privileges in ROLES.values():
        assert [privilege["resource"] for privilege in privileges] == [
            {"db": "crm", "collection": name} for name in ("customers", "imports", "rejections", "changes")
        ]


def test_every_command_works_with_the_role(run_offline: RunCommand, user_in: Callable[..., str]) -> None:
    write_files()
    uri = user_in("custimport")

    for exit_code, command in COMMANDS:
        run_offline(*command.split(), *(() if command.startswith("check") else ("--uri", uri)), exit_code=exit_code)


def test_the_reader_can_look_at_everything_and_change_nothing(
    run_offline: RunCommand, user_in: Callable[..., str], secured: SecuredServer, crm: Database[Any]
) -> None:
    write_files()
    run_offline("load", "customers.csv", "--uri", secured.uri("admin", crm.name), exit_code=3)
    before = {name: list(crm[name].find()) for name in ("customers", "imports", "rejections")}
    uri = user_in("custimportReader")

    for _, command in COMMANDS:
        result = invoke((*command.split(), "--uri", uri), None, {})
        if command.startswith(READING):
            assert result.exit_code in {0, 3, 6}, f"{command}: {result.stderr}"
    run_offline("imports", "verify", "last", "customers.csv", "--uri", uri)

    assert {name: list(crm[name].find()) for name in before} == before


@pytest.mark.parametrize(("role", "collection", "action"), RIGHTS)
def test_without_any_one_of_its_rights_a_role_is_not_enough(
    user_in: Callable[..., str],
    secured: SecuredServer,
    crm: Database[Any],
    monkeypatch: pytest.MonkeyPatch,
    role: str,
    collection: str,
    action: str,
) -> None:
    # what a load asks for beforehand proves nothing: the server must refuse
    for module in ("journal", "undo", "editing"):
        monkeypatch.setattr(f"custimport.store.{module}.require_rights", lambda *_: None)
    write_files()
    Path("changed.csv").write_text(Path("customers.csv").read_text().replace("1990", "1991"))
    Path("more.csv").write_text(Path("customers.csv").read_text().replace("ann@", "cid@"))
    uri = user_in(role, (collection, action))
    if role == "custimportReader":
        invoke(("load", "customers.csv"), None, {"MONGODB_URI": secured.uri("admin", crm.name)})
        commands = ["customers list", "db status", "imports list", "imports rejections last"]
        commands += ["customers history ann@example.com"]
    else:
        commands = ["load customers.csv", "load changed.csv --on-duplicate update"]
        commands += ["imports rejections last", "load more.csv", "customers history ann@example.com"]
        # an address that is taken: the log's entry is taken back
        commands += ["customers update ann@example.com --email cid@example.com"]
        commands += ["customers update ann@example.com --full-name Anna"]
        commands += ["customers delete --yes --force ann@example.com"]

    codes = [invoke((*command.split(), "--uri", uri), None, dict(os.environ)).exit_code for command in commands]

    assert 8 in codes
    assert set(codes) <= {0, 3, 6, 8}
