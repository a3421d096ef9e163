"""Dates of birth and time zones, code by code."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custimport.customer.codes import Code, RowError
from custimport.customer.dates import Rules, stored_date_of_birth
from custimport.customer.model import Customer, validate_customer, validate_fields
from custimport.customer.timezones import stored_timezone, timezone_names
from custimport.errors import UsageError

TODAY = date(2026, 11, 23)
RULES = Rules(TODAY)


@given(st.dates(date(1900, 1, 1), TODAY - timedelta(days=1)))
def test_every_day_in_the_past_is_read_back(day: date) -> None:
    assert stored_date_of_birth(f" {day.isoformat()} ", RULES) == day


@given(st.text(max_size=12))
def test_no_text_crashes_the_date(text: str) -> None:
    found = stored_date_of_birth(text, RULES)
    assert isinstance(found, date | RowError)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.BLANK),
        ("31/12/1990", Code.DATE_INVALID),
        ("1990-1-5", Code.DATE_INVALID),
        ("1991-02-29", Code.DATE_INVALID),
        ("19900115", Code.DATE_INVALID),
        ("1990-01-15T00:00:00", Code.DATE_INVALID),
        ("١٩٩٠-٠١-١٥", Code.DATE_INVALID),
        ("0000-01-01", Code.DATE_INVALID),
        ("2026-11-23", Code.DATE_NOT_IN_PAST),
        ("2999-01-01", Code.DATE_NOT_IN_PAST),
        ("1899-12-31", Code.DATE_TOO_EARLY),
        ("0001-01-01", Code.DATE_TOO_EARLY),
    ],
)
def test_what_is_no_date_of_birth_is_refused(text: str, code: Code) -> None:
    found = stored_date_of_birth(text, RULES)

    assert isinstance(found, RowError)
    assert (found.code, found.field, found.value) == (code, "date_of_birth", text)


def with_formats(*formats: str) -> Rules:
    return Rules(TODAY, date_formats=formats)


def test_formats_replace_the_default() -> None:
    rules = with_formats("%d/%m/%Y")

    assert stored_date_of_birth("15/01/1990", rules) == date(1990, 1, 15)
    assert isinstance(stored_date_of_birth("1990-01-15", rules), RowError)


def test_a_value_that_formats_read_differently_is_invalid() -> None:
    rules = with_formats("%d/%m/%Y", "%m/%d/%Y")

    assert stored_date_of_birth("15/01/1990", rules) == date(1990, 1, 15)
    assert stored_date_of_birth("05/05/1990", rules) == date(1990, 5, 5)
    found = stored_date_of_birth("03/04/1990", rules)
    assert isinstance(found, RowError)
    assert "1990-03-04 or 1990-04-03" in found.message


@pytest.mark.parametrize(
    "text",
    [
        "1990-05-15T00:00:00.000Z",
        "1990-05-15T00:00:00Z",
        "1990-05-15 00:00:00",
        "1990-05-15T00:00",
        "1990-05-15T00:00:00+00:00",
    ],
)
def test_iso_datetime_takes_midnight(text: str) -> None:
    assert stored_date_of_birth(text, with_formats("iso-datetime")) == date(1990, 5, 15)


@pytest.mark.parametrize(
    "text", ["1990-05-15T12:00:00Z", "1990-05-15T00:00:00+02:00", "1990-05-15T00:00:01Z", "1990-05-15"]
)
def test_iso_datetime_takes_nothing_else(text: str) -> None:
    assert isinstance(stored_date_of_birth(text, with_formats("iso-datetime")), RowError)


@pytest.mark.parametrize("pattern", ["%d/%m", "%H:%M", "", "%Q", "year"])
def test_a_pattern_without_a_day_is_wrong_usage(pattern: str) -> None:
    with pytest.raises(UsageError):
        with_formats(pattern)


def test_digits_of_other_scripts_are_no_date() -> None:
    assert isinstance(stored_date_of_birth("١٥/٠١/١٩٩٠", with_formats("%d/%m/%Y")), RowError)


@pytest.mark.parametrize("name", ["Europe/Paris", "UTC", "America/Argentina/Buenos_Aires", "US/Pacific", "Etc/GMT+5"])
def test_zones_and_links_are_time_zones(name: str) -> None:
    assert stored_timezone(f" {name} ") == name


@pytest.mark.parametrize(
    "name", ["Factory", "europe/paris", "CEST", "Mars/Base", "../etc/passwd", "posix/Europe/Paris", "Europe"]
)
def test_other_names_are_not(name: str) -> None:
    found = stored_timezone(name)

    assert isinstance(found, RowError)
    assert found.code is Code.TIMEZONE_UNKNOWN


def test_a_missing_zone_is_blank() -> None:
    found = stored_timezone("  ")

    assert isinstance(found, RowError)
    assert found.code is Code.BLANK


def test_the_zones_are_the_packages_own() -> None:
    assert len(timezone_names()) > 550


GOOD = {"full_name": "Ann", "email": "Ann@x.org", "date_of_birth": "1990-01-15", "timezone": "UTC"}


def test_the_model_gives_stored_values() -> None:
    found = validate_customer(GOOD, RULES)

    assert isinstance(found, Customer)
    assert (found.email, found.date_of_birth) == ("ann@x.org", date(1990, 1, 15))


def test_the_model_tells_every_reason_in_field_order() -> None:
    found = validate_customer({"email": None, "date_of_birth": 19900115, "timezone": "Mars"}, RULES)

    assert [(error.field, error.code.value) for error in found] == [
        ("full_name", "blank"),
        ("email", "blank"),
        ("date_of_birth", "date-invalid"),
        ("timezone", "timezone-unknown"),
    ]


def test_the_model_refuses_an_unknown_field() -> None:
    with pytest.raises(UsageError, match="no field 'age'"):
        validate_customer({**GOOD, "age": "3"}, RULES)


def test_some_fields_are_judged_alone() -> None:
    assert validate_fields({"email": "B@x.org"}, RULES) == {"email": "b@x.org"}
    assert [error.field for error in validate_fields({"email": "x", "timezone": "y"}, RULES)] == ["email", "timezone"]
