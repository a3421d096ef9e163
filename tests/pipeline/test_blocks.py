"""Blocks end where the file alone says, whatever ends its lines and however it arrives."""

import io
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custimport.pipeline import blocks
from custimport.pipeline.blocks import cut_into_blocks
from custimport.pipeline.text import TextReader

WORDS = st.lists(st.sampled_from(["a", "é", "long " * 5, "\n", "\r\n", "\r", "\n\n"]), max_size=60)


def blocks_of(content: bytes, block_bytes: int, block_lines: int, max_line_bytes: int = 1_000) -> list[blocks.Block]:
    pieces = [content[at : at + block_bytes] for at in range(0, len(content), block_bytes)]
    return list(cut_into_blocks(TextReader("x", pieces, None, max_line_bytes).lines(), block_lines))


@given(WORDS.map("".join), st.integers(1, 50), st.integers(1, 9), st.integers(1, 60))
def test_a_block_ends_after_its_lines_or_after_the_line_that_makes_it_large(
    text, block_bytes, block_lines, most
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_CHARACTERS", most)
        found = blocks_of(text.encode(), block_bytes, block_lines)

    expected: list[list[str]] = []
    for line in io.StringIO(text, newline=""):
        if not expected or len(expected[-1]) == block_lines or sum(map(len, expected[-1])) >= most:
            expected.append([])
        expected[-1].append(line)
    assert [list(block.lines()) for block in found] == expected
    assert [block.line_count for block in found] == list(map(len, expected))
    assert [block.line for block in found] == [1, *accumulate(map(len, expected), initial=1)][1 : len(found) + 1]


@given(st.lists(st.integers(0, 12), max_size=20), st.integers(1, 50), st.integers(1, 5))
def test_lines_that_are_too_long_are_cut_where_they_stand(lengths, block_bytes, block_lines) -> None:
    content = b"".join(b"x" * length + b"\n" for length in lengths)

    found = blocks_of(content, block_bytes, block_lines, max_line_bytes=8)

    lines = [line for block in found for line in block.lines()]
    assert lines == ["x" * min(length, 8) + "\n" for length in lengths]
    truncated = [block.line - 1 + index for block in found for index in sorted(block.truncated)]
    assert truncated == [index for index, length in enumerate(lengths) if length > 8]
    assert [block.line_count for block in found[:-1]] == [block_lines] * len(found[:-1])
