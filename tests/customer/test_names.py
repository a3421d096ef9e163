"""Names: NFC, 1 to 200 code points, nothing that steers a terminal, something to see."""

import unicodedata
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custimport.customer.codes import Code, RowError
from custimport.customer.names import stored_full_name, stored_full_names


@given(st.text())
def test_a_stored_name_is_what_the_rule_says(text: str) -> None:
    found = stored_full_name(text)

    if isinstance(found, str):
        assert found == unicodedata.normalize("NFC", text.strip())
        assert 1 <= len(found) <= 200
        assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in found)
        assert stored_full_name(found) == found


@given(st.lists(st.one_of(st.text(), st.sampled_from(["Ann", " Bob ", "", "x" * 201])), max_size=6))
def test_many_together_are_judged_as_one_by_one(texts: list[str]) -> None:
    assert stored_full_names(texts) == [stored_full_name(text) for text in texts]


@pytest.mark.parametrize(
    "name", ["A", "x" * 200, "Zoë", "李小龙", "José", "e\u0301", "👩‍👩‍👧", "O'Connor-Smith, Jr.", "\u200bA"]
)
def test_names_of_every_script_are_stored(name: str) -> None:
    assert stored_full_name(f" {name}\t") == unicodedata.normalize("NFC", name.strip())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.BLANK),
        ("   ", Code.BLANK),
        ("\u200b", Code.BLANK),
        ("\u3164\u2800", Code.BLANK),
        ("\ufe0f\u200d", Code.BLANK),
        ("x" * 201, Code.TOO_LONG),
        ("e\u0301" * 201, Code.TOO_LONG),
        ("Al\x00ice", Code.INVALID_CHARACTER),
        ("Al\nice", Code.INVALID_CHARACTER),
        ("Al\x85ice", Code.INVALID_CHARACTER),
        ("Al\u2028ice", Code.INVALID_CHARACTER),
        ("Al\udc80ice", Code.INVALID_CHARACTER),
        ("Al\x1b[31mice", Code.INVALID_CHARACTER),
    ],
)
def test_other_names_are_refused_with_their_code(text: str, code: Code) -> None:
    found = stored_full_name(text)

    assert isinstance(found, RowError)
    assert (found.code, found.field, found.value) == (code, "full_name", text)


def test_a_name_that_shrinks_under_nfc_counts_as_it_is_stored() -> None:
    assert stored_full_name("e\u0301" * 200) == "é" * 200


def test_the_message_names_the_character_and_its_place() -> None:
    found = stored_full_name("  Al\x00ice")

    assert isinstance(found, RowError)
    assert "U+0000 at position 5" in found.message


def test_the_place_counts_from_the_cells_own_beginning() -> None:
    found = stored_full_name("\x1f Al\x1fice")

    assert isinstance(found, RowError)
    assert "U+001F at position 5" in found.message


@pytest.mark.parametrize("text", ["a" + "\u0301\u0323" * 60_000, "\u0323\u0301" * 60_000, "\u1100\u1161" * 60_000])
def test_a_name_of_piled_up_marks_is_refused_at_once(text: str) -> None:
    begun = perf_counter()

    found = stored_full_name(text)

    assert isinstance(found, RowError)
    assert found.code is Code.TOO_LONG
    assert perf_counter() - begun < 0.5


def test_no_code_point_shrinks_to_less_than_a_quarter_under_nfc() -> None:
    """What makes it safe to refuse very long names without normalising them."""
    longest = max(len(unicodedata.normalize("NFD", chr(point))) for point in range(0x110000))

    assert longest == 4
