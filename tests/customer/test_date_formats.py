"""In which format refused dates were probably written."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custimport.customer.date_formats import diagnose
from custimport.customer.dates import Rules, stored_date_of_birth


@pytest.mark.parametrize(
    ("texts", "formats"),
    [
        (["15/01/1990", "03/04/1985", "31/12/2000"], ("%d/%m/%Y",)),
        (["01/15/1990", "03/04/1985"], ("%m/%d/%Y",)),
        (["15.01.1990", "3.4.1985"], ("%d.%m.%Y",)),
        (["15-01-1990"], ("%d-%m-%Y",)),
        (["1990/01/15"], ("%Y/%m/%d",)),
        (["1990-01-15"], ("%Y-%m-%d",)),
        (["15/01/90", "31/12/85"], ("%d/%m/%y",)),
        (["19900115", "19851231"], ("%Y%m%d",)),
        (["15011990", "31121985"], ("%d%m%Y",)),
        (["15 Jan 1990", "3 Mar 1985"], ("%d %b %Y",)),
        (["15-Jan-1990"], ("%d-%b-%Y",)),
        (["15-JAN-90", "03-FEB-85"], ("%d-%b-%y",)),
        (["15/01/1990 00:00", "31/12/1985 00:00"], ("%d/%m/%Y 00:00",)),
        (["01/15/1990 12:00:00 AM", "12/31/1985 12:00:00 AM"], ("%m/%d/%Y 12:00:00 AM",)),
        (["15.01.1990 0:00:00"], ("%d.%m.%Y 0:00:00",)),
        (["Jan 15 1990 12:00AM"], ("%b %d %Y 12:00AM",)),
        (["15 January 1990", "3 March 1985"], ("%d %B %Y",)),
        (["January 15, 1990"], ("%B %d, %Y",)),
        (["Jan 15 1990"], ("%b %d %Y",)),
        (["1990-05-15T00:00:00.000Z", "1985-01-01 00:00:00"], ("iso-datetime",)),
    ],
)
def test_a_format_that_reads_every_date_is_named(texts: list[str], formats: tuple[str, ...]) -> None:
    diagnosis = diagnose(texts)

    assert diagnosis is not None
    assert diagnosis.formats == formats
    assert f"{len(texts)} of {len(texts)} refused dates look like" in diagnosis.text
    assert "none contradicts it" in diagnosis.text


def test_what_is_suggested_reads_the_dates() -> None:
    diagnosis = diagnose(["15/01/1990", "31/12/1985"])

    assert diagnosis is not None
    rules = Rules(date(2026, 1, 1), date_formats=diagnosis.formats)
    assert stored_date_of_birth("15/01/1990", rules) == date(1990, 1, 15)


def test_where_day_and_month_cannot_be_told_apart_no_format_is_named() -> None:
    diagnosis = diagnose(["03/04/1985", "01/02/1990"])

    assert diagnosis is not None
    assert diagnosis.formats == ()
    assert "DD/MM/YYYY or MM/DD/YYYY, day and month cannot be told apart" in diagnosis.text
    assert "--date-format '%d/%m/%Y' or --date-format '%m/%d/%Y'" in diagnosis.text


def test_dates_that_contradict_the_format_are_counted() -> None:
    diagnosis = diagnose(["15/01/1990", "16/01/1990", "17/01/1990", "01/18/1990"])

    assert diagnosis is not None
    assert diagnosis.formats == ("%d/%m/%Y",)
    assert "3 of 4 refused dates look like DD/MM/YYYY; 1 contradict it" in diagnosis.text


def test_days_as_spreadsheets_count_them_are_told() -> None:
    diagnosis = diagnose(["32874", "9862", "33000"])

    assert diagnosis is not None
    assert "3 of 3 refused dates are plain numbers, as spreadsheets count days" in diagnosis.text


@pytest.mark.parametrize(
    "texts", [[], ["unknown", "n/a", "-"], ["1990-13-41x"], ["99/99/9999"], ["x", "y", "1.2.1990"]]
)
def test_what_has_nothing_in_common_is_left_alone(texts: list[str]) -> None:
    assert diagnose(texts) is None


@given(st.lists(st.text(max_size=20) | st.from_regex(r"\A[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}\Z"), max_size=20))
def test_no_text_breaks_it_and_what_it_names_is_a_usable_option(texts: list[str]) -> None:
    diagnosis = diagnose(texts)

    if diagnosis is not None:
        Rules(date(2026, 1, 1), date_formats=diagnosis.formats)
