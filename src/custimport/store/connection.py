"""Reaching MongoDB: where the data goes, a connected client, and what its errors mean."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
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
from pymongo.uri_parser import parse_uri

from custimport.dotenv import read_dotenv
from custimport.errors import DatabaseRefused, DatabaseUnavailable, UsageError
from custimport.settings import (
    CONNECT_TIMEOUT_MS,
    DEFAULT_DATABASE,
    ENVIRONMENT_EMBEDDED,
    ENVIRONMENT_URI,
    ENVIRONMENT_URI_FILE,
    SOCKET_TIMEOUT_MS,
)

Document = dict[str, Any]

TRANSIENT_CODES: Final = frozenset(
    # the retryable errors of the driver specification ("Retryable Writes", "Retryable Reads"), and time-outs
    {6, 7, 50, 64, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}
)
"""Codes with which a server says that it could not just now: nothing is wrong with the document."""

FORBIDDEN_IN_DATABASE_NAMES: Final = frozenset('/\\. "$\0')
LONGEST_DATABASE_NAME_BYTES: Final = 63
"""Both are the server's limits on names ("MongoDB Limits and Thresholds")."""

RIGHTS_CODES: Final = frozenset({13, 18, 8000})
"""Unauthorized, AuthenticationFailed, AtlasError."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the data goes. `uri` is None for the embedded server; `origin` says which setting named it."""

    uri: str | None = field(repr=False)
    database: str
    origin: str

    def description(self) -> str:
        """Servers and database for people; never credentials, nor the options in the URI."""
        return f"{self.server()} · database {self.database}"

    def server(self) -> str:
        """The servers, without credentials."""
        if self.uri is None:
            return "embedded MongoDB"
        scheme, _, rest = self.uri.partition("://")
        hosts = _authority(rest).rpartition("@")[2]
        return f"{scheme}://{hosts}"


@dataclass(frozen=True, slots=True)
class Store:
    """A connected database; `target` says which one it is."""

    target: Target
    client: MongoClient[Document]
    database: Database[Document]


def resolve_target(
    uri: str | None,
    database: str | None,
    environment: Mapping[str, str],
    working_folder: Path,
    configured: tuple[str, str] | None = None,
) -> Target:
    """The target that option, environment, `.env`, configuration or, with none of them, the embedded server gives.

    `configured`: the URI of a configuration file, and the origin to be shown with it.

    Raises `UsageError` for a URI or a name that cannot be one, `DatabaseUnavailable` if none is given and
    CUSTIMPORT_EMBEDDED=never forbids the embedded server.
    """
    found, origin = _find_uri(uri, environment, working_folder)
    if found is None and configured is not None:
        found, origin = configured
    if found is None:
        if environment.get(ENVIRONMENT_EMBEDDED, "").strip().lower() == "never":
            raise DatabaseUnavailable(
                f"no MongoDB is named, and {ENVIRONMENT_EMBEDDED}=never forbids the embedded one",
                hint=f"give --uri mongodb://HOST:27017, or set {ENVIRONMENT_URI[0]}",
            )
        return Target(None, _checked_name(database or DEFAULT_DATABASE), "embedded")
    of_the_uri = _database_of(found, origin)
    return Target(found, _checked_name(database or of_the_uri), origin)


def _checked_name(database: str) -> str:
    if FORBIDDEN_IN_DATABASE_NAMES & set(database) or len(database.encode()) > LONGEST_DATABASE_NAME_BYTES:
        raise UsageError(
            f"{database!r} cannot be the name of a database",
            hint=f'at most {LONGEST_DATABASE_NAME_BYTES} bytes, without / \\ . " $ and spaces',
        )
    return database


def _authority(after_scheme: str) -> str:
    """`user:password@hosts` of a URI without its scheme."""
    return after_scheme.partition("?")[0].partition("/")[0]


def _find_uri(uri: str | None, environment: Mapping[str, str], folder: Path) -> tuple[str | None, str]:
    if uri:
        return uri.strip(), "--uri"
    dotenv = read_dotenv(folder / ".env")
    for values, origin in ((environment, "environment variable {}"), (dotenv, "file .env")):
        for name in ENVIRONMENT_URI:
            if named := values.get(name, "").strip():
                return named, origin.format(name)
        if path := values.get(ENVIRONMENT_URI_FILE):
            return _content(path), f"file {path}"
    return None, ""


def _content(path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{ENVIRONMENT_URI_FILE} names {path}, which cannot be read: {error}") from error
    if not text:
        raise UsageError(f"{ENVIRONMENT_URI_FILE} names {path}, which is empty")
    return text


def _database_of(uri: str, origin: str) -> str:
    rest = uri.partition("://")[2]
    if "@" in rest[len(_authority(rest)) :]:
        # a password with an unescaped / or ?: what seems to be the host is a part of it and would be shown
        raise _unusable_uri(origin)
    try:
        # an srv name is looked up only when the client is made: here it could wait for a name server
        if uri.startswith("mongodb+srv://"):
            return rest.partition("?")[0].partition("/")[2] or DEFAULT_DATABASE
        return parse_uri(uri)["database"] or DEFAULT_DATABASE
    except OSError as error:
        raise _unreadable_file(origin, error) from None
    except (PyMongoError, ValueError):
        raise _unusable_uri(origin) from None


def _unreadable_file(origin: str, error: OSError) -> UsageError:
    return UsageError(
        f"a file that the MongoDB URI from {origin} names cannot be read: {error}",
        hint="see tlsCAFile and tlsCertificateKeyFile in it",
    )


def names_database(uri: str) -> bool:
    """Whether the URI itself says which database to use."""
    return bool(uri.partition("://")[2].partition("?")[0].partition("/")[2])


def _unusable_uri(origin: str) -> UsageError:
    # the driver's own words may quote the password
    return UsageError(
        f"the MongoDB URI from {origin} cannot be understood",
        hint="it looks like mongodb://USER:PASSWORD@HOST:27017/DATABASE; characters such as @ : / % in the password "
        "must be percent-encoded",
    )


def masked_uri(uri: str) -> str:
    """The URI with `***` for its password and for every option that holds a secret."""
    scheme, separator, rest = uri.partition("://")
    place, question_mark, options = rest.partition("?")
    credentials, at_sign, hosts = place.rpartition("@")
    user, colon, _ = credentials.partition(":")
    shown = "&".join(map(_masked_option, options.split("&")))
    return f"{scheme}{separator}{user}{':***' if colon else ''}{at_sign}{hosts}{question_mark}{shown}"


def _masked_option(option: str) -> str:
    name, equals, value = option.partition("=")
    secret = "password" in name.lower() or name.lower() == "authmechanismproperties"
    return f"{name}{equals}{'***' if secret else value}"


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
        raise _unreadable_file(target.origin, error) from None
    except InvalidURI:
        raise _unusable_uri(target.origin) from None
    except ConfigurationError as error:
        if uri.startswith("mongodb+srv://"):
            # the look-up of the name is made here, and its failure has no class of its own
            raise DatabaseUnavailable(
                f"{target.description()}: the servers cannot be found: {error}",
                hint="is the name right, and the name server reachable?",
            ) from None
        raise _unusable_uri(target.origin) from None
    except ValueError:
        raise _unusable_uri(target.origin) from None
    with client:
        if not client.write_concern.acknowledged:
            raise UsageError(
                f"the MongoDB URI from {target.origin} has w=0: the server would not say what it stored",
                hint="leave w out, for the majority, or give w=1",
            )
        # the first look for a server may take longer than a later one; TLS over a long way takes a second
        with timeout(None if _says(uri, "serverselectiontimeoutms") else CONNECT_TIMEOUT_MS / 1000):
            client.admin.command("ping")
        # each option by itself: the w=majority of a copied URI must not take the journal away
        asked: dict[str, Any] = {"w": "majority", "j": True} | client.write_concern.document
        database = client.get_database(
            target.database,
            write_concern=WriteConcern(**asked),
            read_concern=None if _says(uri, "readconcernlevel") else ReadConcern("majority"),
        )
        yield Store(target, client, database)


def _defaults(uri: str, server_wait_ms: int) -> dict[str, Any]:
    """Client options for what the URI leaves open."""
    defaults: dict[str, int] = {
        "serverSelectionTimeoutMS": server_wait_ms,
        "connectTimeoutMS": CONNECT_TIMEOUT_MS,
        "socketTimeoutMS": SOCKET_TIMEOUT_MS,
    }
    return {name: value for name, value in defaults.items() if not _says(uri, name.lower())}


def _says(uri: str, *names: str) -> bool:
    options = {pair.partition("=")[0].lower() for pair in uri.partition("?")[2].split("&")}
    return any(name in options for name in names)


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
        words = (error.details or {}).get("errmsg") or type(error).__name__
        hint = "check the user's rights and password" if error.code in RIGHTS_CODES else ""
        raise DatabaseRefused(f"{target_description}: the database refused: {words}", hint=hint) from None
    except (ConnectionFailure, ExecutionTimeout) as error:
        raise _unavailable(target_description, error) from None


def _unavailable(target_description: str, error: PyMongoError) -> DatabaseUnavailable:
    cause = str(error).partition(", Timeout:")[0].partition(" (configured timeouts")[0]
    return DatabaseUnavailable(
        f"{target_description}: not reachable: {cause}", hint="is the server running, and the address right?"
    )
