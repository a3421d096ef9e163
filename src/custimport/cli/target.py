"""Which server and database a command uses, of all that options, environment and files say."""

import os
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING

from custimport.cli import invocation
from custimport.cli.configuration import Configured, Rank
from custimport.credentials import masked_uri
from custimport.settings import ENVIRONMENT_EMBEDDED

if TYPE_CHECKING:
    from custimport.store.target import Target


def configured_target() -> dict[str, tuple[str | None, str]]:
    """URI, its secrets masked, and database that a command would use without options, each with its origin.

    The URI is None for the embedded server. Raises `UsageError` for a URI that cannot be understood.
    """
    from custimport.store.target import names_database

    # a URI that is missing is a thing to show here
    target = chosen_target(None, None, forgiven={ENVIRONMENT_EMBEDDED})
    configured = invocation.current().configured().values.get("database")
    if target.uri is None:
        return {"uri": (None, "default"), "database": (target.database, configured.origin if configured else "default")}
    of_the_database = "uri" if names_database(target.uri) else "default"
    if configured is not None and configured.value == target.database:
        of_the_database = configured.origin
    return {
        "uri": (masked_uri(target.uri), target.origin),
        "database": (target.database, of_the_database),
    }


def chosen_target(uri: str | None, database: str | None, forgiven: AbstractSet[str] = frozenset()) -> "Target":
    """Where the data goes; `forgiven`: variables that do not count.

    A configured database is that of the URI beside it: a URI that comes first and names one itself is followed.
    """
    from custimport.store.target import NamedUri, names_database, resolve_target

    configuration = invocation.current().configured()
    variables = {name: value for name, value in environment().items() if name not in forgiven}
    named = configuration.values.get("uri")
    of_file = None if named is None else NamedUri(named.value, named.origin, configuration.file)
    target = resolve_target(uri, database, variables, Path.cwd(), of_file)
    configured = configuration.values.get("database")
    if database or configured is None:
        return target
    if target.uri and names_database(target.uri) and _rank(target, named) < configured.rank:
        return target
    return resolve_target(uri, configured.value, variables, Path.cwd(), of_file)


def _rank(target: "Target", of_file: Configured | None) -> Rank:
    """Who names the target's URI."""
    if of_file is not None and target.origin == of_file.origin:
        return of_file.rank
    return {"--uri": Rank.OPTION, "file .env": Rank.DOTENV}.get(target.origin, Rank.ENVIRONMENT)


def environment() -> dict[str, str]:
    """The environment, and what is configured elsewhere for the embedded server."""
    return invocation.current().configured().environment(os.environ)
