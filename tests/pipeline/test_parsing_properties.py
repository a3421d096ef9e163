"""What must hold for every file: no bytes crash the parser, and every record becomes one row or one rejection."""

import csv
import io
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custimport.errors import InputUnreadable
from custimport.pipeline import quotes, record_parser
from custimport.pipeline.parsing import parse
from custimport.records import InputOptions, ParsedRows

HEADER = "full_name,email,date_of_birth,timezone\n"


class Blocks:
    """A content in memory, handed out in blocks of any size."""

    name = "test.csv"

    def __init__(self, content: bytes, block_bytes: int = 1 << 20) -> None:
        self._content = content
        self._block_bytes = block_bytes
        self.bytes_read = 0

    def blocks(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), self._block_bytes):
            block = self._content[start : start + self._block_bytes]
            self.bytes_read += len(block)
            yield block


def chunks_of(
    content: bytes, *, block_bytes: int = 1 << 20, chunk_lines: int = 100, **options: object
) -> list[ParsedRows]:
    return list(parse(Blocks(content, block_bytes), InputOptions(**options), chunk_lines).chunks)


def outcomes(chunks: Sequence[ParsedRows]) -> list[tuple[object, ...]]:
    """Every record in file order: number, line, then its cells or its code and raw text."""
    found: list[tuple[object, ...]] = []
    for chunk in chunks:
        found += [
            (n, line, tuple(cells)) for n, line, cells in zip(chunk.numbers, chunk.lines, chunk.cells, strict=True)
        ]
        found += [(r.row, r.line, r.errors[0].code.value, r.raw, tuple(r.cells)) for r in chunk.rejections]
    return sorted(found, key=lambda record: record[0])


pieces = st.sampled_from(
    [
        "a",
        ",",
        '"',
        '""',
        "\n",
        "\r",
        "\r\n",
        "'",
        " ",
        ";",
        "\t",
        "x@y.org",
        "é",
        "\x00",
        "\u2028",
        "\x0b",
        "=",
        'z","\n',
    ]
)
texts = st.lists(pieces, max_size=60).map("".join)
bodies = st.one_of(
    texts.map(str.encode),
    st.binary(max_size=80),
    st.lists(st.one_of(texts.map(str.encode), st.sampled_from([b"\xff", b"\xe9", b"\xc3"]))).map(b"".join),
)


@settings(max_examples=400, deadline=None)
@given(bodies)
@example(b'"')
@example(b"a,b,c,d\r")
@example(b'"a\r')
def test_every_record_is_one_row_or_one_rejection(body: bytes) -> None:
    chunks = chunks_of(HEADER.encode() + body, chunk_lines=7)

    found = outcomes(chunks)
    assert [record[0] for record in found] == list(range(1, len(found) + 1))
    lines = [record[1] for record in found]
    assert lines == sorted(set(lines))
    assert all(chunk.numbers or chunk.rejections for chunk in chunks)
    for chunk in chunks:
        assert all(len(cells) == 4 for cells in chunk.cells)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_no_bytes_crash_the_parser(content: bytes) -> None:
    with suppress(InputUnreadable):
        chunks_of(content)


@settings(max_examples=300, deadline=None)
@given(bodies, st.integers(1, 40), st.integers(1, 9))
def test_blocks_never_change_the_result(body: bytes, block_bytes: int, chunk_lines: int) -> None:
    content = HEADER.encode() + body
    whole = chunks_of(content, chunk_lines=chunk_lines)
    cut = chunks_of(content, block_bytes=block_bytes, chunk_lines=chunk_lines)

    assert outcomes(cut) == outcomes(whole)
    positions = [(c.position.row, c.position.line, c.position.content_bytes, c.position.content_sha256) for c in whole]
    assert positions == [
        (c.position.row, c.position.line, c.position.content_bytes, c.position.content_sha256) for c in cut
    ]


@settings(max_examples=300, deadline=None)
@given(bodies)
def test_looking_at_each_line_gives_what_the_short_way_gives(body: bytes) -> None:
    content = HEADER.encode() + body
    expected = outcomes(chunks_of(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_parser, "WINDOW_LINES", 1)
        assert outcomes(chunks_of(content)) == expected


@settings(max_examples=300, deadline=None)
@given(bodies, st.integers(1, 9))
def test_a_chunk_holds_the_records_that_begin_in_its_lines(body: bytes, chunk_lines: int) -> None:
    for chunk in chunks_of(HEADER.encode() + body, chunk_lines=chunk_lines):
        begins = sorted([*chunk.lines, *(rejection.line for rejection in chunk.rejections)])
        # blocks are counted from the file's first line on; blank ones have no chunk of their own
        assert {(line - 1) // chunk_lines for line in begins} == {(begins[-1] - 1) // chunk_lines}


cells = st.text(st.sampled_from("ab ,;\"'\r\n\x00é\u2028=+"), max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(cells, cells, cells, cells), max_size=12))
def test_what_the_csv_module_writes_is_read_back(rows: list[tuple[str, ...]]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows(rows)

    found = outcomes(chunks_of((HEADER + stream.getvalue()).encode()))

    assert [record[2] for record in found] == rows


@pytest.mark.parametrize(
    "line",
    [
        '"opens a quote\n',
        'z","\n',
        'a,b,c,"d\n',
        '"""\n',
        '"a\n"b\n',
        '"a\n' + "b\n" * 98 + 'c",d\n',
        'x,"\n',
    ],
)
def test_hostile_quotes_cost_linear_time(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Counted in characters handed to the csv module: under four times the file's."""
    content = HEADER + line * (20_000 // line.count("\n"))
    characters = 0
    original = quotes.Dialect.reader

    def counting(self: quotes.Dialect, lines: Sequence[str]) -> object:
        def counted() -> Iterator[str]:
            nonlocal characters
            for text in lines:
                characters += len(text) if text != '"\n' or len(lines) > 3 else 0
                yield text

        return original(self, counted())  # type: ignore[arg-type]

    monkeypatch.setattr(quotes.Dialect, "reader", counting)

    found = outcomes(chunks_of(content.encode(), chunk_lines=4_000))

    assert found[-1][0] == len(found)
    assert characters < 4 * len(content) + 10_000


def test_memory_is_flat_however_long_the_rows_are() -> None:
    class Endless:
        name = "test.csv"
        bytes_read = 0

        def blocks(self) -> Iterator[bytes]:
            yield (HEADER.strip() + ",a" * 15 + "\n").encode()
            for _ in range(60):
                yield b"A,a@x.org,1990-01-15,UTC"
                for _ in range(15):
                    yield b"," + b"x" * 120_000
                yield b"\n"

    tracemalloc.start()
    rows = sum(len(chunk.numbers) for chunk in parse(Endless(), InputOptions(), 4_000).chunks)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert rows == 60
    assert peak_bytes < 50 * 1024 * 1024
