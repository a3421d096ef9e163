"""The exit codes of the contract, as a table."""

from pathlib import Path

import pytest

from custimport.errors import GRAVEST_FIRST, CustimportError, ExitCode, gravest

GOOD = "full_name,email,date_of_birth,timezone\nAlice,alice@example.com,1990-01-15,UTC\n"
BAD = GOOD + ",x,y,z\n"

WITH_DATABASE = [
    (0, ["load", "good.csv"]),
    (0, ["check", "good.csv"]),
    (0, ["imports", "list"]),
    (0, ["db", "status"]),
    (0, ["--version"]),
    (2, ["load"]),
    (2, ["load", "good.csv", "--report", "r.xlsx"]),
    (2, ["load", "good.csv", "--report", "good.csv"]),
    (2, ["load", "good.csv", "bad.csv", "--report", "r.csv"]),
    (2, ["load", "good.csv", "--max-rejections", "many"]),
    (2, ["load", "good.csv", "--on-duplicate", "perhaps"]),
    (2, ["load", "good.csv", "--delimiter", "ab"]),
    (2, ["load", "good.csv", "--encoding", "klingon"]),
    (2, ["load", "good.csv", "--date-format", "%Q"]),
    (2, ["load", "good.csv", "--map", "nonsense"]),
    (3, ["load", "bad.csv"]),
    (3, ["check", "bad.csv"]),
    (4, ["load", "bad.csv", "--max-rejections", "0"]),
    (4, ["check", "bad.csv", "--max-rejections", "0"]),
    (5, ["customers", "delete", "alice@example.com"]),
    (6, ["imports", "show", "0123456789abcdef"]),
    (6, ["imports", "show", "last"]),
    (6, ["imports", "rejections", "nonsense"]),
    (6, ["customers", "show", "nobody@example.com"]),
    (6, ["customers", "history", "nobody@example.com"]),
    (7, ["load", "missing.csv"]),
    (7, ["load", "empty.csv"]),
    (7, ["load", "header.csv"]),
    (7, ["load", "."]),
    (7, ["check", "missing.csv"]),
    (8, ["load", "good.csv", "--uri", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"]),
    (9, ["load", "bad.csv", "--report", "taken.csv"]),
]


@pytest.mark.parametrize(("exit_code", "arguments"), WITH_DATABASE, ids=lambda value: str(value))
def test_the_command_leaves_with_the_code_of_the_contract(run, exit_code, arguments) -> None:
    Path("good.csv").write_text(GOOD)
    Path("bad.csv").write_text(BAD)
    Path("empty.csv").write_text("")
    Path("header.csv").write_text("a,b,c\n1,2,3\n")
    Path("taken.csv.partial").mkdir()
    if arguments[:2] == ["customers", "delete"]:
        run("load", "good.csv")

    result = run(*arguments, exit_code=exit_code)

    if exit_code in {4, 5, 6, 7, 8, 9}:
        lines = result.stderr.splitlines()
        assert any(line.startswith("error: ") for line in lines), result.stderr
        assert "Traceback" not in result.stderr


def test_without_a_uri_and_with_the_embedded_server_forbidden_nothing_is_loaded(run_offline) -> None:
    Path("good.csv").write_text(GOOD)

    result = run_offline("load", "good.csv", exit_code=8)

    assert "CUSTIMPORT_MONGODB_URI" in result.stderr


def test_every_expected_error_has_a_code_of_its_own_kind() -> None:
    def leaves(kind: type[CustimportError]) -> list[type[CustimportError]]:
        return [leaf for child in kind.__subclasses__() for leaf in leaves(child)] or [kind]

    for leaf in leaves(CustimportError):
        assert leaf.exit_code not in {ExitCode.DONE, ExitCode.BUG}


def test_the_gravest_of_several_codes_wins_in_the_order_of_the_contract() -> None:
    assert set(GRAVEST_FIRST) == set(ExitCode)
    assert gravest([ExitCode.DATA_REJECTED, ExitCode.INPUT_UNREADABLE, ExitCode.DONE]) is ExitCode.INPUT_UNREADABLE
    assert gravest([ExitCode.DATABASE, ExitCode.SIGTERM]) is ExitCode.SIGTERM
    assert gravest([]) is ExitCode.DONE


def test_a_bug_is_shown_with_its_traceback(run_offline, monkeypatch) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("custimport.cli.importing.run_files", broken)
    Path("good.csv").write_text(GOOD)

    with pytest.raises(ZeroDivisionError):
        run_offline("check", "good.csv")
