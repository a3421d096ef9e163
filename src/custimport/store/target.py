"""Where the data goes: the target that option, environment or file names, and how much of it may be shown."""

import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from custimport.credentials import EXAMPLE, holds_secret
from custimport.dotenv import read_dotenv
from custimport.errors import DatabaseUnavailable, UsageError
from custimport.settings import DEFAULT_DATABASE, ENVIRONMENT_EMBEDDED, ENVIRONMENT_URI, ENVIRONMENT_URI_FILE

READABLE_BY_OTHERS: Final = stat.S_IRGRP | stat.S_IROTH
WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH

FORBIDDEN_IN_DATABASE_NAMES: Final = frozenset('/\\. "$\0')
LONGEST_DATABASE_NAME_BYTES: Final = 63
"""Both are the server's limits on names ("MongoDB Limits and Thresholds")."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the data goes. `uri` is None for the embedded server; `origin` says which setting named it.

    `warning` is what an operator should know of that setting; empty if there is nothing.
    """

    uri: str | None = field(repr=False)
    database: str
    origin: str
    warning: str = ""

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
class NamedUri:
    """A URI, which setting gave it, and the file that holds it, if one does."""

    uri: str = field(repr=False)
    origin: str
    file: Path | None = None


def resolve_target(
    uri: str | None,
    database: str | None,
    environment: Mapping[str, str],
    working_folder: Path,
    configured: NamedUri | None = None,
) -> Target:
    """The target that option, environment, `.env`, configuration or, with none of them, the embedded server gives.

    Raises `UsageError` for a URI or a name that cannot be one, `DatabaseUnavailable` if none is given and
    CUSTIMPORT_EMBEDDED=never forbids the embedded server.
    """
    named = _find_uri(uri, environment, working_folder) or configured
    if named is None:
        if environment.get(ENVIRONMENT_EMBEDDED, "").strip().lower() == "never":
            raise DatabaseUnavailable(
                f"no MongoDB is named, and {ENVIRONMENT_EMBEDDED}=never forbids the embedded one",
                hint=f"give --uri mongodb://HOST:27017, or set {ENVIRONMENT_URI[0]}",
            )
        return Target(None, _checked_name(database or DEFAULT_DATABASE), "embedded")
    of_the_uri = _database_of(named.uri, named.origin)
    warning = "" if named.file is None else _exposure(named.file, named.uri)
    return Target(named.uri, _checked_name(database or of_the_uri), named.origin, warning)


def names_database(uri: str) -> bool:
    """Whether the URI itself says which database to use."""
    return bool(uri.partition("://")[2].partition("?")[0].partition("/")[2])


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


def _find_uri(uri: str | None, environment: Mapping[str, str], folder: Path) -> NamedUri | None:
    if uri:
        return NamedUri(uri.strip(), "--uri")
    dotenv = folder / ".env"
    for values, origin, file in (
        (environment, "environment variable {}", None),
        (read_dotenv(dotenv), "file .env", dotenv),
    ):
        for name in ENVIRONMENT_URI:
            if named := values.get(name, "").strip():
                return NamedUri(named, origin.format(name), file)
        if path := values.get(ENVIRONMENT_URI_FILE):
            return NamedUri(_content(path), f"file {path}", Path(path))
    return None


def _content(path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{ENVIRONMENT_URI_FILE} names {path}, which cannot be read: {error}") from error
    if not text:
        raise UsageError(f"{ENVIRONMENT_URI_FILE} names {path}, which is empty")
    return text


def _exposure(file: Path, uri: str) -> str:
    """What to do about a file that holds a password and is not its owner's alone; empty if there is nothing to do."""
    mode = file.stat().st_mode
    # what is no regular file, such as a pipe from a password manager, has no rights that stay
    if not stat.S_ISREG(mode) or not mode & (READABLE_BY_OTHERS | WRITABLE_BY_OTHERS) or not holds_secret(uri):
        return ""
    what = "read" if mode & READABLE_BY_OTHERS else "change"
    return f"{file} holds a password, and others may {what} it: chmod 600 {shlex.quote(str(file))}"


def _database_of(uri: str, origin: str) -> str:
    rest = uri.partition("://")[2]
    if "@" in rest[len(_authority(rest)) :]:
        # a password with an unescaped / or ?: what seems to be the host is a part of it and would be shown
        raise unusable_uri(origin)
    try:
        # an srv name is looked up only when the client is made: here it could wait for a name server
        if uri.startswith("mongodb+srv://"):
            return rest.partition("?")[0].partition("/")[2] or DEFAULT_DATABASE
        return parse_uri(uri)["database"] or DEFAULT_DATABASE
    except OSError as error:
        raise unreadable_file(origin, error) from None
    except (PyMongoError, ValueError):
        raise unusable_uri(origin) from None


def unreadable_file(origin: str, error: OSError) -> UsageError:
    """The error for a certificate or key file that the URI names."""
    return UsageError(
        f"a file that the MongoDB URI from {origin} names cannot be read: {error}",
        hint="see tlsCAFile and tlsCertificateKeyFile in it",
    )


def unusable_uri(origin: str) -> UsageError:
    """The error for a URI that is none, which does not quote it."""
    # the driver's own words may quote the password
    return UsageError(
        f"the MongoDB URI from {origin} cannot be understood",
        hint=f"it looks like {EXAMPLE}; characters such as @ : / % in the password must be percent-encoded",
    )
