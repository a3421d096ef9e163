"""Where the data goes, and what is shown of it."""

import traceback
from pathlib import Path

import pytest

from custimport.credentials import masked_uri
from custimport.errors import DatabaseUnavailable, UsageError
from custimport.store.target import Target, resolve_target

A, B, C, D, E = (f"mongodb://{name}:27017/of_{name}" for name in "abcde")
SECRET = "s3cret"
"""For the tests of tracebacks, which quote the lines of the test too."""


def test_the_nearest_setting_wins(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(D + "\n")
    (tmp_path / ".env").write_text(f"# settings\nexport OTHER=1\nMONGODB_URI='{E}'\n")
    environment = {"CUSTIMPORT_MONGODB_URI": B, "MONGODB_URI": C, "CUSTIMPORT_MONGODB_URI_FILE": str(secret)}

    found = [resolve_target(A, None, environment, tmp_path)]
    for name in environment:
        found.append(resolve_target(None, None, environment, tmp_path))
        environment = {key: value for key, value in environment.items() if key != name}
    found.append(resolve_target(None, None, environment, tmp_path))

    assert [target.uri for target in found] == [A, B, C, D, E]
    assert [target.database for target in found] == ["of_a", "of_b", "of_c", "of_d", "of_e"]
    assert found[0].origin == "--uri"
    assert found[1].origin == "environment variable CUSTIMPORT_MONGODB_URI"
    assert found[4].origin == "file .env"


def test_without_any_setting_the_embedded_server_is_used_unless_forbidden(tmp_path: Path) -> None:
    target = resolve_target(None, None, {}, tmp_path)
    assert (target.uri, target.database, target.server()) == (None, "custimport", "embedded MongoDB")

    with pytest.raises(DatabaseUnavailable, match="never forbids"):
        resolve_target(None, None, {"CUSTIMPORT_EMBEDDED": "Never"}, tmp_path)


@pytest.mark.parametrize(
    ("uri", "database", "expected"),
    [
        ("mongodb://h", None, "custimport"),
        ("mongodb://h/", None, "custimport"),
        ("mongodb://h/crm?w=1", None, "crm"),
        ("mongodb://h/crm", "other", "other"),
        ("mongodb+srv://nowhere.invalid/crm?w=1", None, "crm"),
        ("mongodb+srv://nowhere.invalid", None, "custimport"),
    ],
)
def test_the_database_is_the_options_or_the_uris(uri: str, database: str | None, expected: str, tmp_path: Path) -> None:
    assert resolve_target(uri, database, {}, tmp_path).database == expected


@pytest.mark.parametrize("database", [None, "crm"])
@pytest.mark.parametrize(
    "uri",
    [
        "localhost:27017",
        "http://user:s3cret@host",
        "mongodb://user:s3cret@host:99999/",
        "mongodb://user:s3@cret@host/",
        "mongodb://user:x/s3cret@host/",
        "mongodb://user:x?s3cret@host/",
        "mongodb://user:x@s3cret/y@host/",
        "mongodb+srv://user:x/s3cret@host.example.org/",
        "mongodb+srv://user:x?s3cret@host.example.org/",
        "mongodb+srv://user:x@s3cret/y@host.example.org/",
        "mongodb://user:s3cret@host/?tls=true&tlsCAFile=/nonexistent",
    ],
)
def test_an_unusable_uri_is_refused_without_showing_it(uri: str, database: str | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        resolve_target(uri, database, {}, tmp_path)

    assert "--uri" in refused.value.message
    assert "s3" not in refused.value.message + refused.value.hint


def test_an_unreadable_or_empty_settings_file_is_a_usage_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for path, words in ((empty, "is empty"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(UsageError, match=words):
            resolve_target(None, None, {"CUSTIMPORT_MONGODB_URI_FILE": str(path)}, tmp_path)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://h:27017/crm", "mongodb://h:27017/crm"),
        ("mongodb://u:s3cret@h,i/crm?w=1", "mongodb://u:***@h,i/crm?w=1"),
        ("mongodb+srv://u:s3cret@h/", "mongodb+srv://u:***@h/"),
        ("mongodb://u@h/", "mongodb://u@h/"),
        ("mongodb://h/?tls=true&tlsCertificateKeyFilePassword=s3cret", None),
        ("mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:s3cret", None),
    ],
)
def test_no_secret_of_a_uri_is_shown(uri: str, shown: str | None) -> None:
    masked = masked_uri(uri)

    assert "s3cret" not in masked + Target(uri, "crm", "--uri").description()
    assert masked == (shown or uri.replace("s3cret", "***").replace("AWS_SESSION_TOKEN:", ""))


@pytest.mark.parametrize(
    "line",
    [
        "\ufeffMONGODB_URI=mongodb://h/crm",
        "MONGODB_URI = mongodb://h/crm # production",
        'export MONGODB_URI="mongodb://h/crm" # production',
    ],
)
def test_a_settings_file_as_editors_and_people_write_it_names_the_server(line: str, tmp_path: Path) -> None:
    """Were the name missed, the data would go to the embedded server without a word."""
    (tmp_path / ".env").write_text(line + "\n", encoding="utf-8")

    assert resolve_target(None, None, {}, tmp_path).uri == "mongodb://h/crm"


def test_spaces_around_a_uri_do_no_harm(tmp_path: Path) -> None:
    assert resolve_target(None, None, {"MONGODB_URI": " mongodb://h/crm\n"}, tmp_path).uri == "mongodb://h/crm"


@pytest.mark.parametrize("name", ["a.b", "a b", "a/b", "a$b", "ü" * 32])
def test_an_impossible_name_of_a_database_is_a_usage_error(name: str, tmp_path: Path) -> None:
    for uri in (None, "mongodb://h"):
        with pytest.raises(UsageError, match="name of a database"):
            resolve_target(uri, name, {}, tmp_path)


def test_neither_the_target_nor_the_trail_of_an_error_shows_a_secret(tmp_path: Path) -> None:
    assert SECRET not in repr(resolve_target(f"mongodb://u:{SECRET}@h/", None, {}, tmp_path))

    with pytest.raises(UsageError) as refused:
        resolve_target(f"mongodb://u:p@h/?readPreferenceTags={SECRET}", None, {}, tmp_path)

    assert SECRET not in "".join(traceback.format_exception(refused.value))
