"""What a connection is set to, and what the driver's errors become."""

from pathlib import Path

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)

from custimport.errors import CustimportError, DatabaseRefused, DatabaseUnavailable, UsageError
from custimport.store.connection import is_outage, open_store, translated_errors
from custimport.store.target import resolve_target
from tests.mongod import Mongod


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("mongodb://u:s3cret@127.0.0.1:1/?serverSelectionTimeoutMS=200", "not reachable: 127.0.0.1:1"),
        ("mongodb+srv://u:s3cret@nowhere.invalid/", "servers cannot be found"),
    ],
)
def test_a_server_that_is_not_there_is_unavailable(uri: str, words: str, tmp_path: Path) -> None:
    failure = _failure_of(uri, tmp_path)

    assert isinstance(failure, DatabaseUnavailable)
    assert words in failure.message
    assert "s3cret" not in failure.message + failure.hint


def test_a_wrong_password_is_a_refusal(mongod: Mongod, tmp_path: Path) -> None:
    failure = _failure_of(mongod.uri.replace("mongodb://", "mongodb://u:s3cret@"), tmp_path)

    assert isinstance(failure, DatabaseRefused)
    assert "password" in failure.hint
    assert "s3cret" not in failure.message + failure.hint


def _failure_of(uri: str, folder: Path) -> CustimportError:
    target = resolve_target(uri, None, {}, folder)
    with (
        pytest.raises(CustimportError) as failure,
        translated_errors(target.description()),
        open_store(target, {}),
    ):
        raise AssertionError("unreachable")
    return failure.value


def test_writes_are_journaled_and_by_majority_unless_the_uri_says_otherwise(mongod: Mongod, tmp_path: Path) -> None:
    with open_store(resolve_target(mongod.uri, "crm", {}, tmp_path), {}) as store:
        assert store.database.name == "crm"
        assert store.database.write_concern.document == {"w": "majority", "j": True}
        assert store.database.read_concern.level == "majority"
        assert store.client.codec_options.tz_aware
    with open_store(resolve_target(mongod.uri + "&w=1&readConcernLevel=local", "crm", {}, tmp_path), {}) as store:
        assert store.database.write_concern.document == {"w": 1, "j": True}
        assert store.database.read_concern.level == "local"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("&w=majority", {"w": "majority", "j": True}),
        ("&wtimeoutMS=5000", {"w": "majority", "j": True, "wtimeout": 5000}),
        ("&journal=false", {"w": "majority", "j": False}),
    ],
)
def test_an_option_for_writes_replaces_that_default_alone(
    mongod: Mongod, option: str, expected: dict[str, object], tmp_path: Path
) -> None:
    with open_store(resolve_target(mongod.uri + option, None, {}, tmp_path), {}) as store:
        assert store.database.write_concern.document == expected


def test_writes_that_nobody_acknowledges_are_refused(mongod: Mongod, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="w=0"),
        open_store(resolve_target(mongod.uri + "&w=0", None, {}, tmp_path), {}),
    ):
        raise AssertionError("unreachable")


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64}]}), True),
        (BulkWriteError({"writeErrors": [{"code": 11000}], "writeConcernErrors": [{"code": 91}]}), True),
        (BulkWriteError({"writeErrors": [{"code": 11000}], "writeConcernErrors": []}), False),
        (AutoReconnect("gone"), True),
        (NetworkTimeout("late"), True),
        (NotPrimaryError("elected"), True),
        (ServerSelectionTimeoutError("nobody"), True),
        (ExecutionTimeout("late", 50), True),
        (WTimeoutError("late", 64), True),
        (OperationFailure("elected", 10107), True),
        (OperationFailure("new", 1, {"errorLabels": ["RetryableWriteError"]}), True),
        (OperationFailure("rights", 13), False),
        (OperationFailure("password", 18), False),
        (OperationFailure("rule", 121), False),
        (DuplicateKeyError("twice", 11000), False),
    ],
    ids=repr,
)
def test_only_an_unknown_outcome_is_an_outage(error: PyMongoError, *, outage: bool) -> None:
    assert is_outage(error) is outage
