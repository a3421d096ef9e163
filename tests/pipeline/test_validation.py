"""The loop over rows gives what the fields' own functions give, one by one, and loses no row."""

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custimport.customer import emails
from custimport.customer.codes import Code, RowError
from custimport.customer.dates import Rules, stored_date_of_birth
from custimport.customer.emails import stored_email
from custimport.customer.names import stored_full_name
from custimport.customer.timezones import stored_timezone
from custimport.pipeline import validation
from custimport.pipeline.validation import validate
from custimport.records import Header, ParsedRows, Position, Rejection, ValidatedRows

RULES = Rules(date(2026, 11, 23))
HEADER = Header(("timezone", "note", "email", "full_name", "date_of_birth"), (3, 2, 4, 0), ",", ("note",))
POSITION = Position(row=9, line=12)

space = st.sampled_from(["", "", " ", "\t ", "\u00a0", "\x1f"])
names = st.one_of(
    st.sampled_from(["Ann", "Zoë", "e\u0301", "", "a" * 200, "a" * 201, "a\tb", "\u200b", "\ud800"]),
    st.text(max_size=8),
)
addresses = st.one_of(
    st.sampled_from(
        [
            "A@Example.com",
            "a@x.org",
            "a@ÖÄ.com",
            "a" * 64 + "@x.org",
            "a" * 65 + "@x.org",
            "a@",
            "@x.org",
            "a@x.org@x.org",
            "a.@x.org",
            "é@x.org",
            "x.org",
            "a@x.org.",
            "a\n@x.org",
            "",
        ]
    ),
    st.text("aA.@é x", max_size=9).map(lambda text: text + "@x.org"),
    st.builds(
        "{}@{}.com".format,
        st.text("a.", min_size=1, max_size=64),
        st.sampled_from([".".join(["b" * 45] * n) for n in (3, 4, 5)]),
    ),
)
days = st.sampled_from(["1990-01-15", "1990-02-30", "2026-11-23", "1899-12-31", "", "x" * 70, "1990-01-15\n"])
zones = st.sampled_from(["UTC", "Europe/Paris", "europe/paris", "", "Factory", "x" * 70, "UTC\t"])


def row_of(values: Sequence[str]) -> list[str]:
    name, email, day, zone = values
    return [zone, "note", email, name, day]


padded = [st.builds("{}{}{}".format, space, values, space) for values in (names, addresses, days, zones)]
rows = st.lists(st.tuples(*padded).map(row_of), max_size=12)


def judged(rows: Sequence[list[str]], rejections: Sequence[Rejection] = (), rules: Rules = RULES) -> ValidatedRows:
    numbers = [
        number for number in range(1, len(rows) + len(rejections) + 1) if number not in {r.row for r in rejections}
    ]
    chunk = ParsedRows(numbers, [number + 1 for number in numbers], rows, rejections, POSITION)
    # twice: the second time, verdicts come from the caches
    first, second = validate([chunk, chunk], HEADER, rules)
    assert first == second
    return second


@settings(max_examples=400, deadline=None)
@given(rows)
def test_every_row_is_valid_or_rejected_as_the_fields_functions_say(rows: list[list[str]]) -> None:
    found = judged(rows)

    valid = {row.row: row for row in found.valid}
    rejected = {rejection.row: rejection for rejection in found.rejections}
    assert sorted([*valid, *rejected]) == list(range(1, len(rows) + 1))
    assert found.row_count == len(rows)
    for number, cells in enumerate(rows, start=1):
        verdicts = (
            stored_full_name(cells[3]),
            stored_email(cells[2]),
            stored_date_of_birth(cells[4], RULES),
            stored_timezone(cells[0]),
        )
        errors = tuple(verdict for verdict in verdicts if isinstance(verdict, RowError))
        if errors:
            assert rejected[number] == Rejection(number, number + 1, cells, errors)
        else:
            assert valid[number] == (number, number + 1, *verdicts, cells)
    assert found.position == POSITION


def test_rejections_of_the_parser_and_of_the_rules_stand_in_file_order() -> None:
    unparsed = [
        Rejection(row, row + 1, (), (RowError(Code.UNCLOSED_QUOTE, None, None, ""),), raw='"') for row in (1, 3)
    ]
    bad, good = row_of(["", "", "", ""]), row_of(["Ann", "a@x.org", "1990-01-15", "UTC"])

    found = judged([bad, good, bad], unparsed)

    assert [(r.row, [e.code.value for e in r.errors]) for r in found.rejections] == [
        (1, ["unclosed-quote"]),
        (2, ["blank"] * 4),
        (3, ["unclosed-quote"]),
        (5, ["blank"] * 4),
    ]
    assert [row.row for row in found.valid] == [4]


def test_verdicts_do_not_outlive_their_rules() -> None:
    rows = [row_of(["Ann", "a@x.org", "15/01/1990", "UTC"])]

    assert not judged(rows).valid
    assert judged(rows, rules=Rules(RULES.today, date_formats=("%d/%m/%Y",))).valid


def test_forgotten_verdicts_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "MAX_CACHED_VERDICTS", 1)
    monkeypatch.setattr(emails, "MAX_CACHED_DOMAINS", 1)
    rows = [row_of(["Ann", f"a@x{n}.org", f"1990-01-{n:02}", "UTC"]) for n in range(1, 20)]

    assert len(judged(rows).valid) == 19
