"""Servers that let nobody in without a password, or without TLS and a certificate."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.mongod import free_port, running_mongod
from tests.safety.certificates import Authority, new_authority, subject_of

NUMBERS = itertools.count(1)
SECRET = "unmistakable-Xq7"
"""What no text but a password holds."""
PASSWORD = f"a/b@c:{SECRET}%"


@dataclass(frozen=True)
class SecuredServer:
    """`place` is the server's part of a URI; `options` are those that every URI of it needs."""

    place: str
    admin: MongoClient[dict[str, Any]]
    options: Mapping[str, str] = field(default_factory=dict)

    def uri(self, user: str | None, database: str = "", password: str = PASSWORD, **options: str) -> str:
        credentials = "" if user is None else f"{user}:{quote_plus(password)}@"
        given = {**self.options, **({} if user is None else {"authSource": "admin"}), **options}
        return f"mongodb://{credentials}{self.place}/{database}?{urlencode(given)}"

    def new_user(self, *roles: object) -> str:
        name = f"user{next(NUMBERS)}"
        self.admin.admin.command("createUser", name, pwd=PASSWORD, roles=list(roles))
        return name

    def new_user_with(self, database: str, rights: Mapping[str, Sequence[str]]) -> str:
        """A user who may do these actions on these collections, and nothing else."""
        role = f"role{next(NUMBERS)}"
        privileges = [
            {"resource": {"db": database, "collection": collection}, "actions": list(actions)}
            for collection, actions in rights.items()
        ]
        self.admin.admin.command("createRole", role, privileges=privileges, roles=[])
        return self.new_user(role)


@pytest.fixture(scope="session")
def secured() -> Iterator[SecuredServer]:
    """A server with authentication."""
    quick = ("--setParameter", "scramSHA256IterationCount=5000")
    with running_mongod("--auth", *quick) as server:
        place = quote_plus(str(server.socket_path))
        # the first user may be made without one, from this machine
        with MongoClient[dict[str, Any]](server.uri) as nobody:
            nobody.admin.command("createUser", "admin", pwd=PASSWORD, roles=["root"])
        with MongoClient[dict[str, Any]](server.uri, username="admin", password=PASSWORD) as admin:
            yield SecuredServer(place, admin, {"directConnection": "true"})


@pytest.fixture
def crm(secured: SecuredServer) -> Iterator[Database[dict[str, Any]]]:
    """An empty database of the test's own on the server with authentication, as its administrator sees it."""
    fresh = secured.admin[f"crm_{os.getpid()}_{next(NUMBERS)}"]
    yield fresh
    secured.admin.drop_database(fresh.name)


@dataclass(frozen=True)
class Certificates:
    """The server's certificate is for 127.0.0.1 alone; `loader` is a user's, `unknown` nobody's."""

    authority: Authority
    stranger: Authority
    server: Path
    loader: Path
    unknown: Path
    foreign: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority, stranger = new_authority(folder, "authority"), new_authority(folder, "stranger")
    return Certificates(
        authority,
        stranger,
        server=authority.issue("server", unit="servers", addresses=("127.0.0.1",)),
        loader=authority.issue("loader", unit="clients"),
        unknown=authority.issue("unknown", unit="clients"),
        foreign=stranger.issue("foreign", unit="clients"),
    )


@pytest.fixture(scope="session")
def tls_server(certificates: Certificates) -> Iterator[SecuredServer]:
    """A server with authentication that speaks nothing but TLS; the certificate `loader` is a user who may do all."""
    port = free_port()
    options = {"tls": "true", "tlsCAFile": str(certificates.authority.file), "directConnection": "true"}
    with running_mongod(
        *("--auth", "--tlsMode", "requireTLS", "--tlsAllowConnectionsWithoutCertificates"),
        *("--tlsCertificateKeyFile", str(certificates.server), "--tlsCAFile", str(certificates.authority.file)),
        *("--setParameter", "authenticationMechanisms=SCRAM-SHA-256,MONGODB-X509"),
        *("--setParameter", "scramSHA256IterationCount=5000"),
        port=port,
    ):
        uri = f"mongodb://127.0.0.1:{port}/?{urlencode(options)}"
        with MongoClient[dict[str, Any]](uri) as nobody:
            nobody.admin.command("createUser", "admin", pwd=PASSWORD, roles=["root"])
        with MongoClient[dict[str, Any]](uri, username="admin", password=PASSWORD) as admin:
            roles = ["readWriteAnyDatabase"]
            admin["$external"].command(
                "createUser", subject_of(certificates.loader), roles=[{"role": role, "db": "admin"} for role in roles]
            )
            yield SecuredServer(f"127.0.0.1:{port}", admin, options)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """For the embedded server: the path of a socket may have some hundred bytes only."""
    folder = Path(tempfile.mkdtemp(prefix="cd-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def customers_file() -> Path:
    """Two good rows and a bad one, in the working directory."""
    path = Path("customers.csv")
    path.write_text(
        "full_name,email,date_of_birth,timezone\n"
        "Ann Lee,ann@example.com,1990-01-15,Europe/Paris\n"
        "Bob Lee,not an address,1985-03-22,Europe/Paris\n"
        "Zoe Lee,zoe@example.com,2000-02-29,UTC\n"
    )
    return path
