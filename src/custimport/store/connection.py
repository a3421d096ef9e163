"""A connected client, and what the driver's errors mean."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pymongo import MongoClient, WriteConcern, timeout
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern

from custimport.errors import DatabaseRefused, DatabaseUnavailable, UsageError
from custimport.settings import CONNECT_TIMEOUT_MS, SOCKET_TIMEOUT_MS
from custimport.store.refusals import refusal_words
from custimport.store.target import Target, unreadable_file, unusable_uri
from custimport.store.tls_refusals import hint_for_silence, tls_refusal

Document = dict[str, Any]

TRANSIENT_CODES: Final = frozenset(
    # the retryable errors of the driver specification ("Retryable Writes", "Retryable Reads"), and time-outs
    {6, 7, 50, 64, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
)
"""Codes with which a server says that it could not just now: nothing is wrong with the document."""

FIRST_LOOK_SECONDS: Final = 1.0
"""Then the servers' errors are looked at: what is set wrong about TLS does not become right by waiting."""


@dataclass(frozen=True, slots=True)
class Store:
    """A connected database; `target` says which one it is."""

    target: Target
    client: MongoClient[Document]
    database: Database[Document]


@contextmanager
def open_store(
    target: Target, environment: Mapping[str, str] = os.environ, server_wait_ms: int = CONNECT_TIMEOUT_MS
) -> Iterator[Store]:
    """A connected store that answered a ping. Writes are journaled and by majority unless the URI says otherwise.

    `server_wait_ms`: how long one operation looks for a server that is away, before it fails as an outage.

    Errors of the driver leave as they are: `translated_errors` belongs around it.
    """
    if target.uri is None:
        from custimport.store.embedded import embedded_server

        with embedded_server(environment) as uri, _connected(target, uri, server_wait_ms) as store:
            yield store
    else:
        with _connected(target, target.uri, server_wait_ms) as store:
            yield store


@contextmanager
def _connected(target: Target, uri: str, server_wait_ms: int) -> Iterator[Store]:
    try:
        client: MongoClient[Document] = MongoClient(
            uri, tz_aware=True, appname="custimport", **_defaults(uri, server_wait_ms)
        )
    except OSError as error:
        raise unreadable_file(target.origin, error) from None
    except InvalidURI:
        raise unusable_uri(target.origin) from None
    except ConfigurationError as error:
        if uri.startswith("mongodb+srv://"):
            # the look-up of the name is made here, and its failure has no class of its own
            raise DatabaseUnavailable(
                f"{target.description()}: the servers cannot be found: {error}",
                hint="is the name right, and the name server reachable?",
            ) from None
        raise unusable_uri(target.origin) from None
    except ValueError:
        raise unusable_uri(target.origin) from None
    with client:
        if not client.write_concern.acknowledged:
            raise UsageError(
                f"the MongoDB URI from {target.origin} has w=0: the server would not say what it stored",
                hint="leave w out, for the majority, or give w=1",
            )
        _reach(client, target, uri)
        # each option by itself: the w=majority of a copied URI must not take the journal away
        asked: dict[str, Any] = {"w": "majority", "j": True} | client.write_concern.document
        database = client.get_database(
            target.database,
            write_concern=WriteConcern(**asked),
            read_concern=None if _says(uri, "readconcernlevel") else ReadConcern("majority"),
        )
        yield Store(target, client, database)


def _reach(client: MongoClient[Document], target: Target, uri: str) -> None:
    """Returns when a server has answered. Raises `DatabaseRefused` for TLS that can never work, soon."""
    first_look = None if _says(uri, "serverselectiontimeoutms") else FIRST_LOOK_SECONDS
    try:
        _ping(client, first_look)
    except PyMongoError as error:
        if not is_outage(error):
            raise
        refusal = tls_refusal(client, target.description(), with_tls=_with_tls(uri))
        if refusal is not None:
            raise refusal from None
        if first_look is None:
            raise
        # longer than a later look for a server: TLS over a long way takes a second
        _ping(client, CONNECT_TIMEOUT_MS / 1000 - first_look)


def _ping(client: MongoClient[Document], seconds: float | None) -> None:
    with timeout(seconds):
        client.admin.command("ping")


def _defaults(uri: str, server_wait_ms: int) -> dict[str, Any]:
    """Client options for what the URI leaves open."""
    defaults: dict[str, int] = {
        "serverSelectionTimeoutMS": server_wait_ms,
        "connectTimeoutMS": CONNECT_TIMEOUT_MS,
        "socketTimeoutMS": SOCKET_TIMEOUT_MS,
    }
    return {name: value for name, value in defaults.items() if not _says(uri, name.lower())}


def _says(uri: str, name: str) -> bool:
    return name in _options(uri)


def _with_tls(uri: str) -> bool:
    options = _options(uri)
    default = "true" if uri.startswith("mongodb+srv://") else "false"
    return options.get("tls", options.get("ssl", default)) == "true"


def _options(uri: str) -> dict[str, str]:
    """The options of the URI; names and values in lower case."""
    pairs = (pair.lower().partition("=") for pair in uri.partition("?")[2].split("&"))
    return {name: value for name, _, value in pairs}


def is_outage(error: PyMongoError) -> bool:
    """Whether the write's outcome is unknown and it should be tried again; False if the server said no."""
    if isinstance(error, BulkWriteError):
        details = error.details
        # a write concern error may come without any write error: the batch may be lost although it was taken
        return bool(details.get("writeConcernErrors")) or any(
            reply.get("code") in TRANSIENT_CODES for reply in details.get("writeErrors", ())
        )
    if isinstance(error, (AutoReconnect, ConnectionFailure, ExecutionTimeout, WTimeoutError, WriteConcernError)):
        return True
    return (
        error.has_error_label("RetryableWriteError")
        or error.timeout
        or (isinstance(error, OperationFailure) and error.code in TRANSIENT_CODES)
    )


@contextmanager
def translated_errors(target_description: str) -> Iterator[None]:
    """What the driver raises inside leaves as a `DatabaseError`, without the driver's traceback or any secret."""
    try:
        yield
    except OperationFailure as error:
        if is_outage(error):
            raise _unavailable(target_description, error) from None
        words, hint = refusal_words(error)
        raise DatabaseRefused(f"{target_description}: {words}", hint=hint) from None
    except (ConnectionFailure, ExecutionTimeout) as error:
        raise _unavailable(target_description, error) from None


def _unavailable(target_description: str, error: PyMongoError) -> DatabaseUnavailable:
    cause = str(error).partition(", Timeout:")[0].partition(" (configured timeouts")[0]
    return DatabaseUnavailable(f"{target_description}: not reachable: {cause}", hint=hint_for_silence(cause))
