"""Hints name what was probably meant, always something that would be taken, and stay cheap."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custimport.customer.codes import RowError
from custimport.customer.emails import stored_email
from custimport.customer.hints import ABBREVIATIONS
from custimport.customer.timezones import stored_timezone, timezone_names


def hint_of(found: object) -> str | None:
    assert isinstance(found, RowError)
    return found.hint


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("w. europe standard time", "Europe/Berlin"),
        ("Europe/Londn", "Europe/London"),
        ("europe/london", "Europe/London"),
        ("America/New York", "America/New_York"),
        ("Amercia/New_York", "America/New_York"),
        ("PST", "America/Los_Angeles"),
        ("cest", "CET"),
        ("UTC+2", "Etc/GMT-2"),
        ("+02:00", "Etc/GMT-2"),
        ("-0500", "Etc/GMT+5"),
        ("GMT -11", "Etc/GMT+11"),
        ("UTC-0", "Etc/UTC"),
        ("UTC+5:30", None),
        ("UTC-13", None),
        ("IST", None),
        ("Mars/Base", None),
        ("x" * 1_000_000, None),
    ],
)
def test_a_zone_is_suggested(text: str, meant: str | None) -> None:
    assert hint_of(stored_timezone(text)) == (f"perhaps {meant}" if meant else None)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Ann <ann@x.org>", "ann@x.org"),
        ("<ann@x.org>", "ann@x.org"),
        ("Ann <ann@gmial.com>", "ann@gmail.com"),
        ("Ann <ann@gmail.com>", "ann@gmail.com"),
        ("Ann <ann@x>", None),
        ("ann@gmail.con.", None),
        ("ann@gmail,com", "ann@gmail.com"),
        ("ann@hotmailcom", "ann@hotmail.com"),
        ("ann", None),
        ("<" * 100_000, None),
    ],
)
def test_an_address_is_suggested(text: str, meant: str | None) -> None:
    assert hint_of(stored_email(text)) == (f"perhaps {meant}" if meant else None)


def test_every_abbreviation_stands_for_a_zone_and_is_none_itself() -> None:
    assert set(ABBREVIATIONS.values()) <= timezone_names()
    assert not {abbreviation.upper() for abbreviation in ABBREVIATIONS} & timezone_names()


near_zones = st.builds(
    lambda name, at, letter: name[:at] + letter + name[at + 1 :],
    st.sampled_from(sorted(timezone_names())),
    st.integers(0, 20),
    st.sampled_from(["", "x", "É"]),
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(near_zones, st.text(max_size=40)))
def test_a_suggested_zone_is_one(text: str) -> None:
    found = stored_timezone(text)
    if isinstance(found, RowError) and found.hint is not None:
        assert found.hint.removeprefix("perhaps ") in timezone_names()


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=30), st.builds("{} <{}>".format, st.text(max_size=5), st.emails())))
def test_a_suggested_address_is_taken(text: str) -> None:
    found = stored_email(text)
    if isinstance(found, RowError) and found.hint is not None:
        assert isinstance(stored_email(found.hint.removeprefix("perhaps ")), str)


def test_the_hint_is_in_every_report(run_offline, tmp_path) -> None:
    path = tmp_path / "legacy.csv"
    path.write_text("full_name,email,date_of_birth,timezone\nAnn,Ann <ann@x.org>,1990-01-15,Pacific Standard Time\n")

    run_offline("check", path, "--report", "r.csv", "--report", "r.json", exit_code=3)

    for report in ("r.csv", "r.json"):
        text = Path(report).read_text(encoding="utf-8-sig")
        assert "perhaps ann@x.org" in text
        assert "perhaps America/Los_Angeles" in text
