"""What the user may do in the database: asked before anything is written, so that nothing is left half done."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import OperationFailure

from custimport.choices import Policy
from custimport.errors import DatabaseRefused
from custimport.store.connection import is_outage
from custimport.store.documents import CHANGES, CUSTOMERS, IMPORTS, REJECTIONS
from custimport.store.refusals import granting_hint

Rights = Mapping[str, frozenset[str]]
"""Privilege actions for each collection."""

LOAD: Final[Rights] = {
    CUSTOMERS: frozenset({"find", "insert", "listIndexes"}),
    IMPORTS: frozenset({"find", "insert", "update"}),
    REJECTIONS: frozenset({"find", "insert"}),
}
"""createIndex is only needed where the index is not there yet; it is the first thing to be made."""
UNDO: Final[Rights] = {
    CUSTOMERS: frozenset({"find", "remove", "update"}),
    IMPORTS: frozenset({"find", "update"}),
}
_LOG: Final = frozenset({"insert", "update", "remove", "listIndexes"})
CHANGING: Final[Rights] = {
    CUSTOMERS: frozenset({"find", "update"}),
    IMPORTS: frozenset({"find"}),
    CHANGES: _LOG,
}
DELETING: Final[Rights] = {
    CUSTOMERS: frozenset({"find", "remove"}),
    IMPORTS: frozenset({"find"}),
    CHANGES: _LOG,
}


def load_rights(policy: Policy) -> Rights:
    """What an import of that policy needs."""
    if policy is Policy.UPDATE:
        return {**LOAD, CUSTOMERS: LOAD[CUSTOMERS] | {"update"}}
    return LOAD


def require_rights(database: Database[dict[str, Any]], needed: Rights) -> None:
    """Returns if the user has the rights, or if that cannot be told: then the server will say so by itself.

    Raises `DatabaseRefused`, naming every right that is missing.
    """
    try:
        info = database.command("connectionStatus", showPrivileges=True)["authInfo"]
    except OperationFailure as error:
        if is_outage(error):
            raise
        return
    # without authentication there is no user; what imitates MongoDB may name a user and no privileges
    if not info.get("authenticatedUsers") or not info.get("authenticatedUserPrivileges"):
        return
    missing = {
        collection: actions - _granted(info["authenticatedUserPrivileges"], database.name, collection)
        for collection, actions in needed.items()
    }
    words = [f"{', '.join(sorted(actions))} on {collection}" for collection, actions in missing.items() if actions]
    if words:
        user = info["authenticatedUsers"][0]
        raise DatabaseRefused(
            f"database {database.name}: the user {user['user']} has no right to {'; '.join(words)}",
            hint=granting_hint(database.name, frozenset().union(*missing.values()), user["user"], user["db"]),
        )


def _granted(privileges: Iterable[Mapping[str, Any]], database: str, collection: str) -> frozenset[str]:
    """The actions on a collection; an empty name in a privilege's resource stands for all."""
    granted: set[str] = set()
    for privilege in privileges:
        resource = privilege["resource"]
        named = "db" in resource and "collection" in resource
        if resource.get("anyResource") or (
            named and resource["db"] in {"", database} and resource["collection"] in {"", collection}
        ):
            granted.update(privilege["actions"])
    return frozenset(granted)
