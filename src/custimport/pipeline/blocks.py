"""Blocks of lines: where they end depends on the file alone, so that any process can read them, and again later."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from custimport.errors import InputUnreadable
from custimport.pipeline.text import Lines
from custimport.settings import BLOCK_CHARACTERS


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines from line number `line` (1-based) on; `truncated` are indexes (0-based) of too long ones.

    `is_whole`: it ends where it always would; not where the input failed.
    """

    line: int
    texts: list[str]
    truncated: frozenset[int] = frozenset()
    is_whole: bool = True


class BlockQueue:
    """The blocks of a file, in order, for the parser; somebody else may look at those to come before it takes them."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._looked_at: deque[Block] = deque()
        self._failure: InputUnreadable | None = None

    def __iter__(self) -> Iterator[Block]:
        return self

    def __next__(self) -> Block:
        if self._looked_at:
            return self._looked_at.popleft()
        if self._failure is not None:
            raise self._failure
        return next(self._blocks)

    def look_ahead(self) -> Block | None:
        """The first block that nobody has seen; None at the end, and where the input fails: the parser is told then."""
        try:
            block = next(self._blocks, None)
        except InputUnreadable as failure:
            self._failure = failure
            return None
        if block is not None:
            self._looked_at.append(block)
        return block


def cut_into_blocks(batches: Iterable[Lines], block_lines: int) -> Iterator[Block]:
    """Blocks of `block_lines` lines, fewer where they are very long and at the end; streams.

    Where the input fails, what was read of the last block comes first, and then the error.
    """
    texts: list[str] = []
    truncated: set[int] = set()
    line, characters = 1, 0
    try:
        for batch in batches:
            at = 0
            while at < len(batch.texts):
                part = batch.texts[at : at + block_lines - len(texts)]
                if characters + sum(map(len, part)) >= BLOCK_CHARACTERS:
                    ends = list(accumulate(map(len, part), initial=characters))
                    part = part[: bisect_left(ends, BLOCK_CHARACTERS)]
                truncated.update(len(texts) + index - at for index in batch.truncated if 0 <= index - at < len(part))
                texts += part
                at += len(part)
                characters += sum(map(len, part))
                if len(texts) == block_lines or characters >= BLOCK_CHARACTERS:
                    yield Block(line, texts, frozenset(truncated))
                    line += len(texts)
                    texts, truncated, characters = [], set(), 0
    except InputUnreadable:
        if texts:
            yield Block(line, texts, frozenset(truncated), is_whole=False)
        raise
    if texts:
        yield Block(line, texts, frozenset(truncated))
