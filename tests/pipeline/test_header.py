"""Headers are understood, or refused with what to do."""

from dataclasses import replace
from time import perf_counter

import pytest

from custimport.errors import InputUnreadable, UsageError
from custimport.pipeline.header import separator_of, understand, without_neutraliser
from custimport.pipeline.parsing import parse
from custimport.records import InputOptions
from tests.pipeline.test_parsing_properties import Blocks, chunks_of, outcomes

PLAIN = "full_name,email,date_of_birth,timezone"


def header_of(line: str, delimiter: str | None = None, **column_map: str):
    return understand([line], "x.csv", column_map, delimiter, '"').header


@pytest.mark.parametrize(
    "line",
    [
        PLAIN,
        "Full Name,E-Mail,date-of-birth,TIMEZONE".replace("E-Mail", "EMAIL"),
        " full name ; email ; Date of Birth ; timezone ",
        "timezone|date_of_birth|email|full_name",
        "full_name\temail\tdate_of_birth\ttimezone",
        '"full_name","email","date_of_birth","timezone"',
    ],
)
def test_a_header_is_matched_whatever_its_spelling_order_and_delimiter(line: str) -> None:
    assert sorted(header_of(line).field_positions) == [0, 1, 2, 3]


def test_columns_nobody_asked_for_are_ignored_by_name() -> None:
    header = header_of(PLAIN + ",note,note,rejection_note")

    assert header.ignored == ("note", "note#2")
    assert header.columns == ("full_name", "email", "date_of_birth", "timezone", "note", "note#2")


def test_map_names_a_column_and_wins_over_one_that_matches_by_itself() -> None:
    header = header_of("full_name,email,Work Mail,date_of_birth,timezone", **{"Work Mail": "email"})

    assert header.field_positions[1] == 2
    assert header.ignored == ("email",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "name,mail,dob,tz",
            ['--map "name=full_name"', '--map "mail=email"', '--map "dob=date_of_birth"', "found: name, mail"],
        ),
        ("full_name,emial,date_of_birth,timezone", ["lacks email", '--map "emial=email"']),
        ("full_name,email,email,date_of_birth,timezone", ["email twice", "column 2", "column 3"]),
        ("Alice,alice@example.com,1990-01-15,UTC", ["is the first line a header at all?"]),
        ("full_name,Email,E-mail,date_of_birth,timezone,email", ["email twice"]),
    ],
)
def test_a_refused_header_says_what_was_found_and_what_to_write(line: str, words: list[str]) -> None:
    with pytest.raises(InputUnreadable) as refused:
        header_of(line)

    told = refused.value.message + "\n" + refused.value.hint
    for word in words:
        assert word in told


def test_a_map_to_an_unknown_field_or_from_an_unknown_column_is_refused() -> None:
    with pytest.raises(UsageError, match="no field"):
        header_of(PLAIN, note="age")
    with pytest.raises(InputUnreadable, match="does not have"):
        header_of(PLAIN, Mail="email")


@pytest.mark.parametrize(
    ("line", "expected"), [("sep=;\r\n", ";"), ('"sep=,"\n', ","), ("SEP=\t", "\t"), ("sep=", None), ("a", None)]
)
def test_a_first_line_may_name_the_separator(line: str, expected: str | None) -> None:
    assert separator_of(line) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("'=1", "=1"), ("''=1", "'=1"), ("'a", "'a"), ("=1", "=1"), ("'-", "-"), ("'", "'"), ("'\t", "\t")],
)
def test_exactly_one_neutralising_quote_is_taken_off(cell: str, expected: str) -> None:
    assert without_neutraliser(cell) == expected


def records(text: str, **options: object) -> list[tuple[object, ...]]:
    return outcomes(chunks_of(text.encode(), **options))


def test_a_report_gives_back_the_files_own_cells() -> None:
    report = PLAIN + ',rejection_line,rejection_extra_cells\n\'=A,\'+b,c,d,7,\nA,b,c,d,8,"[""e""]"\nA,b,c,d,9,typed\n'

    assert records(report) == [
        (1, 2, ("=A", "+b", "c", "d")),
        (2, 3, "too-many-cells", None, ("A", "b", "c", "d", "e")),
        (3, 4, "too-many-cells", None, ("A", "b", "c", "d", "typed")),
    ]


def test_a_file_that_is_no_report_keeps_its_quotes() -> None:
    assert records(PLAIN + "\n'=A,b,c,d\n") == [(1, 2, ("'=A", "b", "c", "d"))]


def test_lines_are_physical_and_rows_are_records() -> None:
    text = "sep=,\n\n" + PLAIN + '\n\n"a\r\nb",b,c,d\r  \na,b,c,d\n'

    assert [(record[0], record[1]) for record in records(text)] == [(1, 5), (2, 8)]


def test_a_line_with_a_delimiter_is_not_blank() -> None:
    assert [record[2] for record in records("full_name\temail\tdate_of_birth\ttimezone\n\t\t\t\n \n")] == [
        ("", "", "", "")
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_names_the_encoding(encoding: str) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b"\xfe\xff" if encoding == "utf-16-be" else b""
    content = mark + (PLAIN + "\nZoë,b,c,d\n").encode(encoding)

    for block_bytes in (1, 5, 1000):
        assert outcomes(chunks_of(content, block_bytes=block_bytes)) == [(1, 2, ("Zoë", "b", "c", "d"))]


def test_one_bad_byte_costs_one_row_and_the_summary_suggests_an_encoding() -> None:
    content = (PLAIN + "\na,b,c,d\n").encode() + "Bob Müller,b,c,d\nZoë,b,c,d\n".encode("cp1252") + b"e,f,g,h\n"
    parsed = parse(Blocks(content, 3), InputOptions(), 10)

    found = outcomes(list(parsed.chunks))

    assert [record[2] for record in found] == [
        ("a", "b", "c", "d"),
        "encoding-error",
        "encoding-error",
        ("e", "f", "g", "h"),
    ]
    assert found[1][3] == r"Bob M\xFCller,b,c,d"
    assert parsed.encoding_advice() == "likely cp1252: add --encoding cp1252"
    assert outcomes(chunks_of(content, encoding="cp1252"))[2][2] == ("Zoë", "b", "c", "d")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_an_encoding_that_leaves_the_byte_order_to_a_mark_needs_one(encoding: str) -> None:
    text = PLAIN + "\na,b,c,d\n"

    assert outcomes(chunks_of(text.encode(encoding), encoding=encoding))[0][2] == ("a", "b", "c", "d")
    with pytest.raises(InputUnreadable) as refused:
        chunks_of(text.encode(f"{encoding}-le"), encoding=encoding)
    assert f"--encoding {encoding}-le" in refused.value.hint
    assert outcomes(chunks_of(text.encode(f"{encoding}-le"), encoding=f"{encoding}-le"))[0][2] == ("a", "b", "c", "d")


def test_a_header_in_another_encoding_is_refused_with_the_option() -> None:
    with pytest.raises(InputUnreadable) as refused:
        chunks_of((PLAIN + ",größe\n").encode("cp1252"))

    assert "--encoding cp1252" in refused.value.hint


def test_a_line_beyond_any_record_is_one_rejection() -> None:
    for end in ("\n", "\r\n", "\r"):
        text = (PLAIN + "\na,b,c,d\n" + "x" * 5000 + "\ne,f,g,h\n").replace("\n", end)
        for block_bytes in (1, 64, 10_000):
            source = Blocks(text.encode(), block_bytes)
            found = outcomes(list(parse(source, InputOptions(max_record_bytes=100), 10).chunks))
            assert [(record[0], record[1]) for record in found] == [(1, 2), (2, 3), (3, 4)], (end, block_bytes)
            assert found[1][2] == "cell-too-large"


def test_a_cell_over_the_limit_is_kept_whole_in_its_rejection() -> None:
    cell = "x" * 131_073
    ((_, _, code, _, cells),) = records(f"{PLAIN}\n{cell},b,c,d\n")

    assert code == "cell-too-large"
    assert cells == (cell, "b", "c", "d")
    assert records(f"{PLAIN}\n{cell[1:]},b,c,d\n")[0][2] == (cell[1:], "b", "c", "d")


def test_a_quote_within_a_column_name_does_not_take_the_first_row_along() -> None:
    assert [record[2] for record in records(PLAIN + ',height 5"\na,b,c,d,6"\ne,f,g,h,i\n')] == [
        ("a", "b", "c", "d", '6"'),
        ("e", "f", "g", "h", "i"),
    ]


def test_a_column_name_may_hold_a_line_break() -> None:
    assert records(PLAIN + ',"two\nlines"\na,b,c,d,e\n') == [(1, 3, ("a", "b", "c", "d", "e"))]


def test_a_separator_that_is_the_quote_character_is_not_taken() -> None:
    assert [record[2] for record in records('sep="\n' + PLAIN + "\na,b,c,d\n")] == [("a", "b", "c", "d")]


def test_a_header_beyond_any_line_is_refused() -> None:
    content = (PLAIN + "," + "x" * 100 + "\na,b,c,d,e\n").encode()

    with pytest.raises(InputUnreadable, match="the header has more than 100 bytes"):
        chunks_of(content, max_record_bytes=100)


@pytest.mark.parametrize(("letters", "code"), [(47, None), (48, "cell-too-large")])
def test_a_line_is_measured_in_bytes_whatever_its_encoding(letters: int, code: str | None) -> None:
    text = f"{PLAIN}\na,b,c,{'é' * letters}\n"

    for encoding in ("utf-8", "cp1252"):
        ((_, _, found, *_),) = outcomes(chunks_of(text.encode(encoding), encoding=encoding, max_record_bytes=100))
        assert found == (code or ("a", "b", "c", "é" * letters))


def test_a_record_of_several_lines_is_no_longer_than_a_line_may_be() -> None:
    text = f'{PLAIN}\na,b,c,"{"x" * 60}\n{"y" * 60}"\ne,f,g,h\n'

    assert [record[2] for record in outcomes(chunks_of(text.encode()))][1] == ("e", "f", "g", "h")
    assert outcomes(chunks_of(text.encode(), max_record_bytes=100))[0][2] == "unclosed-quote"


@pytest.mark.parametrize("columns", ["a," * 50_000, "".join(f"{n}," for n in range(50_000))])
def test_a_header_of_very_many_columns_is_understood_or_refused_in_time(columns: str) -> None:
    begun = perf_counter()

    assert len(header_of(columns + PLAIN).columns) == 50_004
    with pytest.raises(InputUnreadable):
        header_of(columns + "email")
    assert perf_counter() - begun < 5


def test_names_made_unique_do_not_meet_names_of_the_file() -> None:
    assert header_of(PLAIN + ",a,a,a#2,a,a#2").columns[4:] == ("a", "a#3", "a#2", "a#4", "a#2#2")


@pytest.mark.parametrize("typed", ["[" * 100_000, "[1]", "{}", '["a", 1]', "[]", "null", "9" * 5000])
def test_whatever_stands_in_the_extra_cells_costs_only_its_row(typed: str) -> None:
    cell = '"' + typed.replace('"', '""') + '"'
    found = records(PLAIN + f",rejection_extra_cells\na,b,c,d,{cell}\ne,f,g,h,\n")

    assert [record[2] for record in found] == ["too-many-cells", ("e", "f", "g", "h")]


@pytest.mark.parametrize("encoding", ["nosuch", "rot13", "idna", "punycode", "undefined", "base64", "a\0b", "é"])
def test_an_encoding_that_gives_no_text_is_wrong_usage(encoding: str) -> None:
    with pytest.raises(UsageError, match="--encoding"):
        records(PLAIN, encoding=encoding)


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 4, 100])
def test_two_byte_order_marks_are_dropped_with_a_warning(block_bytes: int) -> None:
    parsed = parse(Blocks(b"\xef\xbb\xbf" * 2 + (PLAIN + "\na,b,c,d\n").encode(), block_bytes), InputOptions(), 10)

    assert parsed.header.columns[0] == "full_name"
    assert any("two byte order marks" in warning for warning in parsed.warnings)


@pytest.mark.parametrize("extra", range(4))
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_where_a_line_is_cut_does_not_depend_on_blocks_and_neighbours(extra: int, end: str) -> None:
    text = "\n".join([PLAIN, "a,b,c," + "d" * (94 + extra), "x" * 500, "e,f,g,h", ""]).replace("\n", end).encode()

    expected = [
        (1, ("cell-too-large" if extra else ("a", "b", "c", "d" * 94))),
        (2, "cell-too-large"),
        (3, ("e", "f", "g", "h")),
    ]
    for block_bytes in (1, 7, 101, 102, 10_000):
        found = outcomes(list(parse(Blocks(text, block_bytes), InputOptions(max_record_bytes=100), 10).chunks))
        assert [(record[0], record[2]) for record in found] == expected


def test_halves_of_surrogate_pairs_are_no_text_whatever_codec_gives_them() -> None:
    content = (PLAIN + "\n").encode() + b"+2AA-,b,c,d\ne,f,g,h\n"

    assert [record[2:4] for record in outcomes(chunks_of(content, encoding="utf-7"))] == [
        ("encoding-error", r"\uD800,b,c,d"),
        (("e", "f", "g", "h"),),
    ]
    for encoding in ("unicode_escape", "raw_unicode_escape"):
        content = (PLAIN + "\n").encode() + rb"\ud800,b,c,d" + b"\n"
        assert outcomes(chunks_of(content, encoding=encoding))[0][2] == "encoding-error"


def test_what_a_report_added_is_not_measured_as_a_cell_of_the_file() -> None:
    longest = "=" + "x" * 131_071
    report = PLAIN + ",rejection_raw\n'" + longest + ",b,c,d," + "y" * 200_000 + "\n"

    assert records(report) == [(1, 2, (longest, "b", "c", "d"))]


def test_very_long_rows_make_short_chunks_that_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custimport.pipeline.blocks.BLOCK_CHARACTERS", 1_000)
    monkeypatch.setattr("custimport.pipeline.record_parser.WINDOW_CHARACTERS", 150)
    body = "".join(f"{'n' * (number % 90)},b,c,d\n" for number in range(400))
    content = (PLAIN + "\n" + body).encode()

    expected = [chunk.position for chunk in chunks_of(content, chunk_lines=100)]

    assert len(expected) > 15
    for block_bytes in (1, 7, 100, 1_000):
        found = [chunk.position for chunk in chunks_of(content, chunk_lines=100, block_bytes=block_bytes)]
        assert [replace(position, source_bytes=0) for position in found] == [
            replace(position, source_bytes=0) for position in expected
        ]
    assert [record[0] for record in outcomes(chunks_of(content, chunk_lines=100))] == list(range(1, 401))
