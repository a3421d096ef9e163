"""`--max-rejections`: what it takes, and the row at which it stops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custimport.errors import UsageError
from custimport.pipeline.limit import RejectionLimit


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1.5", "101%", "-1%", "nan%", "inf%", "%", "5%%", "9" * 5000, str(2**63)]
)
def test_what_is_no_limit_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--max-rejections"):
        RejectionLimit.parse(text)


@pytest.mark.parametrize("text", ["0", "10", "0%", "100%", "33.33333333%", "0.57%"])
def test_a_limit_says_itself_so_that_a_resumed_import_has_the_same(text: str) -> None:
    limit = RejectionLimit.parse(text)

    assert str(limit) == text
    assert RejectionLimit.parse(str(limit)) == limit


def test_no_limit_allows_everything() -> None:
    limit = RejectionLimit.parse(None)

    assert limit.allows(10, 10, at_end=True)
    assert limit.first_row_over(0, range(1, 100)) is None
    assert not limit.may_trip(0, 0, 10**9)


@pytest.mark.parametrize(
    ("text", "read", "rejected", "at_end", "allowed"),
    [
        ("0", 1, 0, False, True),
        ("0", 1, 1, False, False),
        ("3", 3, 3, True, True),
        ("3", 4, 4, True, False),
        ("10%", 999, 999, False, True),
        ("10%", 999, 999, True, False),
        ("10%", 1000, 100, False, True),
        ("10%", 1000, 101, False, False),
        ("100%", 1000, 1000, True, True),
        ("0%", 5, 1, True, False),
        ("0.57%", 10_000, 57, True, True),
        ("0.57%", 10_000, 58, True, False),
        ("10%", 0, 0, True, True),
    ],
)
def test_a_limit_is_exact(text: str, read: int, rejected: int, at_end: bool, allowed: bool) -> None:
    assert RejectionLimit.parse(text).allows(read, rejected, at_end=at_end) is allowed


@given(st.sampled_from(["0", "3", "5%", "50%", "0%"]), st.lists(st.booleans(), max_size=40), st.integers(980, 1010))
def test_the_row_over_the_limit_is_the_first_that_is_not_allowed(text: str, bad: list[bool], before: int) -> None:
    limit = RejectionLimit.parse(text)
    rejected_rows = [before + place for place, is_bad in enumerate(bad, start=1) if is_bad]

    found = limit.first_row_over(0, rejected_rows)

    expected = next((row for count, row in enumerate(rejected_rows, start=1) if not limit.allows(row, count)), None)
    assert found == expected
    if found is not None:
        assert limit.may_trip(before, 0, len(bad))
