"""What it means when the server says no: in words that name the cure, and nobody's data.

The server's own words quote the command that it refused, and with it e-mail addresses of a filter.
"""

import json
import re
from typing import Final

from pymongo.errors import OperationFailure, PyMongoError

from custimport.credentials import EXAMPLE

UNAUTHORIZED: Final = 13
USER_NOT_FOUND: Final = 11
NOT_AUTHENTICATED: Final = frozenset({USER_NOT_FOUND, 18, 334, 391, 8000})
"""UserNotFound, AuthenticationFailed, MechanismUnavailable, ReauthenticationRequired, AtlasError."""

ACTIONS: Final = {
    "find": "find",
    "getMore": "find",
    "aggregate": "find",
    "insert": "insert",
    "update": "update",
    "delete": "remove",
    "createIndexes": "createIndex",
    "listIndexes": "listIndexes",
}
"""Commands that custimport sends, and the right that each needs ("Privilege Actions" in the server's manual)."""
READING: Final = frozenset({"find", "listIndexes"})

_REFUSED_COMMAND: Final = re.compile(r'not authorized on (\S+) to execute command \{ (\w+): "([^"]*)"')
_COMMAND: Final = re.compile(r" to execute command.*", re.DOTALL)


def is_denial(error: PyMongoError) -> bool:
    """Whether the server does not let this user do it: no outage, and waiting does not help."""
    return isinstance(error, OperationFailure) and error.code in {UNAUTHORIZED, *NOT_AUTHENTICATED}


def refusal_words(error: OperationFailure) -> tuple[str, str]:
    """What the server refused, and what to do about it; the second is empty where nobody can say."""
    words = (error.details or {}).get("errmsg") or type(error).__name__
    if error.code == UNAUTHORIZED:
        return _unauthorized(words)
    if error.code in NOT_AUTHENTICATED:
        return f"the server does not let us in: {words}", _way_in(words, error.code)
    return f"the database refused: {words}", ""


def granting_hint(database: str, actions: frozenset[str], user: str = "USER", user_database: str = "admin") -> str:
    """The mongosh command with which an administrator grants rights on all collections of a database."""
    role = "read" if actions <= READING else "readWrite"
    place = f"db.getSiblingDB({json.dumps(user_database)})"
    grant = (
        f"{place}.grantRolesToUser({json.dumps(user)}, [{{ role: {json.dumps(role)}, db: {json.dumps(database)} }}])"
    )
    return f'an administrator can grant it: {grant}; less will do: custimport help operations, "Rights"'


def _unauthorized(words: str) -> tuple[str, str]:
    if found := _REFUSED_COMMAND.search(words):
        database, command, collection = found.groups()
        action = ACTIONS.get(command, command)
        hint = granting_hint(database, frozenset({action}))
        return f"the user has no right to {action} on {database}.{collection}", hint
    if "requires authentication" in words:
        return (
            "the server wants to know who we are",
            f"give a user in the URI: {EXAMPLE}?authSource=admin",
        )
    return f"the user has no right to do this: {_COMMAND.sub('', words)}", 'see custimport help operations, "Rights"'


def _way_in(words: str, code: int | None) -> str:
    if "subject name" in words:
        return "tlsCertificateKeyFile=FILE in the URI names the file with the client's certificate and key"
    if code == USER_NOT_FOUND:
        return 'an administrator can make it: db.getSiblingDB("$external").createUser({ user: SUBJECT, roles: [...] })'
    return (
        "check user, password and authSource in the URI; without authSource the user is looked for in the URI's "
        "database, or in admin"
    )
