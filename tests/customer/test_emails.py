"""The short cut gives email-validator's verdict and normal form, for every input."""

import unicodedata
from pathlib import Path
from time import perf_counter

import pytest
from email_validator import EmailNotValidError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custimport.customer import emails
from custimport.customer.codes import Code, RowError
from custimport.customer.emails import judged_email, stored_email, stored_emails

pieces = st.sampled_from(
    [
        *"abAB019.-_+'\"@<>()[] \\,;:!#%&*/=?^`{|}~",
        *("é", "ü", "ß", "İ", "ı", "Å", "\u0301", "\u0338", "\u200d", "\u00ad", "。", "＠", "日本", "אב", "١"),
        *("example.com", "EXAMPLE.org", ".test", ".local", "localhost", ".invalid", ".onion", ".arpa", ".example"),
        *(
            "xn--4ca9at",
            "xn--a",
            "xn--",
            "XN--4CA9AT.com",
            "öäü.com",
            "a" * 63,
            "a" * 64,
            "b" * 61 + ".",
            "[127.0.0.1]",
        ),
        *("\x00", "\t", "\n", "\x7f", "\ud800", "postmaster", "INFO"),
    ]
)
plain_local = st.text("abcXYZ019.+-_'", min_size=1, max_size=66)
domains = st.lists(pieces, max_size=6).map("".join)
addresses = st.one_of(
    st.lists(pieces, max_size=10).map("".join),
    st.builds("{}@{}".format, plain_local, domains),
    st.builds("{}@{}.com".format, plain_local, st.text("abc-.", min_size=1, max_size=250)),
    st.builds("{}@{}".format, plain_local, st.sampled_from(["example.com", "öäü.com", "xn--4ca9at.com", "a.co"])),
    st.emails(),
)


def judged(text: str) -> str | None:
    try:
        return judged_email(text.strip()) if text.strip() else None
    except EmailNotValidError:
        return None


@settings(max_examples=1500, deadline=None)
@given(addresses)
@example("a@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + "." + "e" * 57 + ".com")
@example("a@\u0338example.com")
@example("a@example.com\u0301")
@example("A.b@Exämple.COM")
@example("a" * 64 + "@" + "ö" * 40 + ".com")
@example('"a"@example.com')
@example("a\ud800@example.com")
def test_the_short_cut_agrees_with_the_judge(text: str) -> None:
    found = stored_email(text)

    expected = judged(text)
    if expected is None:
        assert isinstance(found, RowError)
    else:
        assert found == expected


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(addresses, st.builds("{}@example.com".format, plain_local)), max_size=8))
@example(["a\nb@example.com", "c@example.com"])
@example([".a@example.com", "b.@example.com", "c..d@example.com"])
@example(["@example.com", "a@example.com"])
@example(["a" * 65 + "@example.com", "B@EXAMPLE.com"])
def test_many_together_are_judged_as_one_by_one(texts: list[str]) -> None:
    expected = [stored_email(text) for text in texts]

    # now every domain that is accepted is known
    assert stored_emails(texts) == expected


@settings(max_examples=500, deadline=None)
@given(addresses)
def test_a_stored_address_is_in_nfc_and_judged_the_same_again(text: str) -> None:
    found = stored_email(text)

    if isinstance(found, str):
        assert unicodedata.is_normalized("NFC", found)
        again = stored_email(found)
        # the one letter that lower case makes longer: an address at the limit of 64 may not be one any more
        assert again == found or "İ" in text


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (" Foo@Example.COM ", "foo@example.com"),
        ("me@öäü.com", "me@öäü.com"),
        ("me@xn--4ca9at.com", "me@öäü.com"),
        ("me@ÖA\u0308Ü.com", "me@öäü.com"),
        ("o'neil+tag@example.org", "o'neil+tag@example.org"),
    ],
)
def test_the_stored_form_is_the_whole_address_in_lower_case(text: str, stored: str) -> None:
    assert stored_email(text) == stored


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.BLANK),
        (" \t ", Code.BLANK),
        ("alice", Code.EMAIL_INVALID),
        ("alice@example", Code.EMAIL_INVALID),
        ("Alice <alice@example.com>", Code.EMAIL_INVALID),
        ("<alice@example.com>", Code.EMAIL_INVALID),
        ("a@b@example.com", Code.EMAIL_INVALID),
        ("a..b@example.com", Code.EMAIL_INVALID),
        ("a" * 65 + "@example.com", Code.EMAIL_INVALID),
        ("a@[127.0.0.1]", Code.EMAIL_INVALID),
        ("a@example.com, b@example.com", Code.EMAIL_INVALID),
    ],
)
def test_what_is_no_bare_address_is_refused(text: str, code: Code) -> None:
    found = stored_email(text)

    assert isinstance(found, RowError)
    assert (found.code, found.field, found.value) == (code, "email", text)


@pytest.mark.parametrize("name", ["huge_email.csv", "combining_email.csv"])
def test_a_hostile_address_is_judged_at_once(name: str) -> None:
    folder = Path(__file__).parent.parent / "scenarios" / "testdata"
    cell = max((folder / name).read_text(encoding="utf-8").replace("\n", ",").split(","), key=len)
    begun = perf_counter()

    found = stored_email(cell)

    assert isinstance(found, RowError)
    assert len(found.message) < 1_000
    assert perf_counter() - begun < 1


def test_the_cache_of_domains_does_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emails, "MAX_CACHED_DOMAINS", 10)
    for number in range(50):
        stored_email(f"a@domain{number}.com")

    assert len(emails.accepted_domains) <= 10
