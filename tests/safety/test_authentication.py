"""A server that asks for a user, a password, TLS or a certificate: what goes in, and what is said of what does not."""

import time
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.conftest import CliResult, RunCommand
from tests.safety.conftest import PASSWORD, SECRET, Certificates, SecuredServer

SOON_SECONDS = 4.0
"""An outage is waited out for ten seconds at the beginning, and for a minute later: neither helps here."""


@pytest.fixture
def refused(run_offline: RunCommand):
    """Runs a command that the server refuses; gives the error and the hint."""

    def run(*arguments: str | Path) -> tuple[str, str]:
        began = time.monotonic()
        result = run_offline(*arguments, exit_code=8)
        assert time.monotonic() - began < SOON_SECONDS
        return error_and_hint(result)

    return run


def error_and_hint(result: CliResult) -> tuple[str, str]:
    """The two lines of an error; there must be nothing else but the target."""
    assert SECRET not in result.stdout + result.stderr
    error, hint = [line for line in result.stderr.splitlines() if not line.startswith("target: ")]
    assert error.startswith("error: ")
    assert hint.startswith("  ")
    return error.removeprefix("error: "), hint.strip()


def test_the_right_password_loads(
    run_offline: RunCommand, secured: SecuredServer, crm: Database[Any], customers_file: Path
) -> None:
    user = secured.new_user({"role": "readWrite", "db": crm.name})

    run_offline("load", customers_file, "--uri", secured.uri(user, crm.name), exit_code=3)

    assert crm.customers.count_documents({}) == 2


@pytest.mark.parametrize(
    "command",
    [
        ("load", "customers.csv"),
        ("load", "customers.csv", "--dry-run"),
        ("imports", "list"),
        ("customers", "list"),
        ("db", "status"),
    ],
    ids=" ".join,
)
def test_a_wrong_password_is_told_at_once(
    refused, secured: SecuredServer, crm: Database[Any], customers_file: Path, command: tuple[str, ...]
) -> None:
    user = secured.new_user({"role": "readWrite", "db": crm.name})

    error, hint = refused(*command, "--uri", secured.uri(user, crm.name, password="wrong-" + PASSWORD))

    assert "the server does not let us in: Authentication failed" in error
    assert hint.startswith("check user, password and authSource in the URI")
    assert crm.list_collection_names() == []


@pytest.mark.parametrize("options", [{}, {"authSource": "elsewhere"}])
def test_a_user_that_the_server_does_not_know_is_told_at_once(
    refused, secured: SecuredServer, crm: Database[Any], options: dict[str, str]
) -> None:
    user = "nobody" if not options else secured.new_user({"role": "readWrite", "db": crm.name})

    error, hint = refused("db", "status", "--uri", secured.uri(user, crm.name, **options))

    assert "the server does not let us in" in error
    assert "authSource" in hint


@pytest.mark.parametrize(
    "command", [("load", "customers.csv"), ("customers", "list"), ("db", "status"), ("db", "init")], ids=" ".join
)
def test_a_server_that_wants_a_user_says_so_when_there_is_none(
    refused, secured: SecuredServer, crm: Database[Any], customers_file: Path, command: tuple[str, ...]
) -> None:
    error, hint = refused(*command, "--uri", secured.uri(None, crm.name))

    assert "the server wants to know who we are" in error
    assert "mongodb://USER:PASSWORD@HOST:27017/DATABASE" in hint
    assert crm.list_collection_names() == []


def test_tls_with_the_right_authority_and_password_loads(
    run_offline: RunCommand, tls_server: SecuredServer, customers_file: Path
) -> None:
    user = tls_server.new_user({"role": "readWrite", "db": "by_password"})

    run_offline("load", customers_file, "--uri", tls_server.uri(user, "by_password"), exit_code=3)

    assert tls_server.admin.by_password.customers.count_documents({}) == 2


def test_a_server_that_wants_tls_is_told_from_one_that_is_away(
    refused, tls_server: SecuredServer, customers_file: Path
) -> None:
    error, hint = refused("load", customers_file, "--uri", f"mongodb://ann:{SECRET}@{tls_server.place}/crm")

    assert error == f"mongodb://{tls_server.place} · database crm: the server wants TLS"
    assert hint.startswith("add tls=true to the options of the URI")


def test_a_certificate_that_nobody_known_has_signed_is_refused(
    refused, tls_server: SecuredServer, certificates: Certificates, customers_file: Path
) -> None:
    uri = tls_server.uri("ann", "crm", tlsCAFile=str(certificates.stranger.file))

    error, hint = refused("load", customers_file, "--uri", uri)

    assert "the server's certificate is not trusted: self-signed certificate in certificate chain" in error
    assert hint == "tlsCAFile=FILE in the URI names the certificate of the authority that signed it"


def test_a_certificate_for_another_host_is_refused(refused, tls_server: SecuredServer, customers_file: Path) -> None:
    uri = tls_server.uri("ann", "crm").replace("127.0.0.1", "localhost")

    error, hint = refused("load", customers_file, "--uri", uri)

    assert "the server's certificate is for another host: Hostname mismatch" in error
    assert hint == "name the server in the URI as its certificate does"


def test_a_user_may_be_a_certificate(
    run_offline: RunCommand, tls_server: SecuredServer, certificates: Certificates, customers_file: Path
) -> None:
    uri = x509_uri(tls_server, "by_certificate", certificates.loader)

    run_offline("load", customers_file, "--uri", uri, exit_code=3)

    assert tls_server.admin.by_certificate.customers.count_documents({}) == 2


def test_a_certificate_that_is_no_user_is_refused(
    refused, tls_server: SecuredServer, certificates: Certificates, customers_file: Path
) -> None:
    error, hint = refused("load", customers_file, "--uri", x509_uri(tls_server, "crm", certificates.unknown))

    assert 'Could not find user "CN=unknown,OU=clients,O=custimport tests" for db "$external"' in error
    assert 'db.getSiblingDB("$external").createUser(' in hint


def test_x509_without_a_certificate_says_which_option_names_it(
    refused, tls_server: SecuredServer, customers_file: Path
) -> None:
    error, hint = refused("load", customers_file, "--uri", x509_uri(tls_server, "crm", None))

    assert "No verified subject name available from client" in error
    assert hint.startswith("tlsCertificateKeyFile=FILE in the URI")


@pytest.mark.parametrize("option", ["tlsCertificateKeyFile", "tlsCAFile"])
def test_a_file_of_certificates_that_cannot_be_read_is_wrong_usage(
    run_offline: RunCommand, tls_server: SecuredServer, option: str
) -> None:
    result = run_offline("db", "status", "--uri", tls_server.uri("ann", "crm", **{option: "missing.pem"}), exit_code=2)

    _, hint = error_and_hint(result)
    assert option in hint


def test_a_client_certificate_of_another_authority_is_named_as_a_cause(
    run_offline: RunCommand, tls_server: SecuredServer, certificates: Certificates
) -> None:
    """The server closes the connection without a word, as one that is starting does: this one is waited for."""
    uri = x509_uri(tls_server, "crm", certificates.foreign) + "&serverSelectionTimeoutMS=300"

    _, hint = error_and_hint(run_offline("db", "status", "--uri", uri, exit_code=8))

    assert "tlsCertificateKeyFile" in hint


def x509_uri(server: SecuredServer, database: str, certificate: Path | None) -> str:
    named = {} if certificate is None else {"tlsCertificateKeyFile": str(certificate)}
    return server.uri(None, database, authMechanism="MONGODB-X509", **named)
