"""Going on after a checkpoint gives exactly the rows that are left, whatever cut the first run short."""

import gzip
import io
from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custimport.customer.dates import Rules
from custimport.errors import InputUnreadable, Refused
from custimport.pipeline.parsing import ParsedFile, parse
from custimport.pipeline.resuming import rest_after, up_to_row
from custimport.pipeline.source import Source
from custimport.pipeline.validation import validate
from custimport.records import InputOptions, ParsedRows, Position, ValidatedRows
from tests.pipeline.test_parsing_properties import HEADER, Blocks, chunks_of, outcomes

LINES = st.sampled_from(
    [
        "a,a@x.org,1990-01-15,UTC\n",
        "b,b,c,d\n",
        "\n",
        '"two\nlines",c@x.org,1990-01-15,UTC\r\n',
        '"open\n',
        "few\r",
        'a"b"c\n',
    ]
)
BODIES = st.lists(LINES, min_size=1, max_size=25).map("".join)
RULES = Rules(date(2026, 11, 23))


def after_checkpoint(parsed: ParsedFile, checkpoint: Position) -> Iterator[ParsedRows]:
    """The rows after the checkpoint."""
    rest = rest_after(parsed.chunks, checkpoint)
    if rest is not None:
        yield rest
    yield from parsed.chunks


def parsed_of(content: str, chunk_lines: int) -> ParsedFile:
    return parse(Blocks(content.encode()), InputOptions(), chunk_lines)


def validated(content: str, checkpoint: Position, chunk_lines: int) -> Iterator[ValidatedRows]:
    parsed = parse(Blocks(content.encode()), InputOptions(), chunk_lines)
    return validate(after_checkpoint(parsed, checkpoint), parsed.header, RULES)


def numbers(chunks: list[ValidatedRows]) -> list[int]:
    return sorted(
        number for chunk in chunks for number in (*(v.row for v in chunk.valid), *(r.row for r in chunk.rejections))
    )


@settings(max_examples=150, deadline=None)
@given(BODIES, st.integers(1, 7))
def test_after_a_whole_chunk_exactly_the_other_rows_follow(body: str, chunk_lines: int) -> None:
    content = HEADER + body
    chunks = chunks_of(content.encode(), chunk_lines=chunk_lines)

    for place, chunk in enumerate(chunks):
        rest = after_checkpoint(parsed_of(content, chunk_lines), chunk.position)
        assert outcomes(list(rest)) == outcomes(chunks[place + 1 :])


@settings(max_examples=100, deadline=None)
@given(BODIES, st.integers(1, 7), st.data())
def test_a_run_may_stop_at_any_row_any_number_of_times(body: str, chunk_lines: int, data: st.DataObject) -> None:
    content = HEADER + body
    everything = numbers(list(validated(content, Position(), chunk_lines)))
    seen: list[int] = []
    position = Position()
    while len(seen) < len(everything):
        last_row = data.draw(st.integers(len(seen) + 1, len(everything)), label="stops after row")
        previous = position
        for chunk in validated(content, position, chunk_lines):
            cut = up_to_row(chunk, last_row, previous) if chunk.position.row > last_row else chunk
            seen += numbers([cut])
            previous = position = cut.position
            if position.row >= last_row:
                break
    assert seen == everything


@settings(max_examples=150, deadline=None)
@given(BODIES, st.integers(1, 5), st.data())
def test_a_changed_character_before_the_checkpoint_is_refused(body: str, chunk_lines: int, data: st.DataObject) -> None:
    content = HEADER + body
    chunks = chunks_of(content.encode(), chunk_lines=chunk_lines)
    if not chunks:
        return
    position = data.draw(st.sampled_from(chunks)).position
    place = data.draw(st.integers(len(HEADER), position.content_bytes - 1))
    changed = content[:place] + ("x" if content[place] != "x" else "y") + content[place + 1 :]

    with pytest.raises(Refused, match="has changed"):
        list(after_checkpoint(parsed_of(changed, chunk_lines), position))


def test_a_change_after_the_checkpoint_is_not_seen() -> None:
    rows = "".join(f"n{n},c,d,e\n" for n in range(20))
    position = chunks_of((HEADER + rows).encode(), chunk_lines=5)[1].position

    rest = after_checkpoint(parsed_of(HEADER + rows.replace("n15", "m15"), 5), position)

    assert (16, 17, ("m15", "c", "d", "e")) in outcomes(list(rest))


def test_a_file_that_is_shorter_than_the_checkpoint_is_refused() -> None:
    rows = "".join(f"n{n},c,d,e\n" for n in range(20))
    position = chunks_of((HEADER + rows).encode(), chunk_lines=5)[2].position

    with pytest.raises(Refused):
        list(after_checkpoint(parsed_of(HEADER + rows[:40], 5), position))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_every_whole_row_before_the_damage_comes_out_and_a_mended_file_goes_on_there(share: float) -> None:
    rows = "".join(f'n{n},"{n * n * 7919 % 10007}\n",d,e\n' for n in range(3000))
    content = (HEADER + rows).encode()
    archive = gzip.compress(content)
    damaged = Source(io.BytesIO(archive[: int(len(archive) * share)]), "x.gz", None, 100)
    readable = b""
    before: list[ParsedRows] = []

    with pytest.raises(InputUnreadable):
        for chunk in parse(damaged, InputOptions(), 500).chunks:
            before.append(chunk)  # noqa: PERF402 - what came before the error is what counts
    with pytest.raises(InputUnreadable):
        for block in Source(io.BytesIO(archive[: int(len(archive) * share)]), "x.gz", None, 100).blocks():
            readable += block

    # a carriage return could still follow, but no line of this file ends with one
    whole = readable.count(b'",d,e\n')
    assert [record[0] for record in outcomes(before)] == list(range(1, whole + 1))
    assert all("unclosed-quote" not in record for record in outcomes(before))
    mended = parse(Source(io.BytesIO(archive), "x.gz", None, 100), InputOptions(), 500)
    rest = list(after_checkpoint(mended, before[-1].position))
    assert [record[0] for record in outcomes(rest)] == list(range(whole + 1, 3001))
