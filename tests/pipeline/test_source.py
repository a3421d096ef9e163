"""Inputs are read as they are: compression by content, whole rows before any damage, bounded memory."""

import bz2
import gzip
import hashlib
import io
import lzma
import tracemalloc
from pathlib import Path

import pytest
from backports import zstd

from custimport.errors import InputUnreadable
from custimport.pipeline.source import Source, open_source

TEXT = b"".join(b"line %d of some text that repeats\n" % number for number in range(20_000))
COMPRESS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: True}),
}


def source_of(content: bytes, block_bytes: int = 1000) -> Source:
    return Source(io.BytesIO(content), "x", len(content), block_bytes)


@pytest.mark.parametrize("name", COMPRESS)
@pytest.mark.parametrize("block_bytes", [1, 7, 100_000])
def test_an_archive_is_known_by_its_content(name: str, block_bytes: int) -> None:
    content = COMPRESS[name](TEXT[:5000])
    source = source_of(content, block_bytes)

    assert b"".join(source.blocks()) == TEXT[:5000]
    assert source.sha256() == hashlib.sha256(content).hexdigest()
    assert source.bytes_read == len(content)


@pytest.mark.parametrize("name", COMPRESS)
def test_several_members_are_one_content(name: str) -> None:
    content = COMPRESS[name](TEXT) + COMPRESS[name](b"and more\n")

    assert b"".join(source_of(content).blocks()) == TEXT + b"and more\n"


@pytest.mark.parametrize("name", COMPRESS)
def test_an_archive_that_ends_too_early_gives_what_it_has_and_says_so(name: str) -> None:
    content = COMPRESS[name](TEXT)
    found = b""

    with pytest.raises(InputUnreadable, match="ends too early"):
        for block in source_of(content[: len(content) * 2 // 3], 50).blocks():
            found += block
    assert TEXT.startswith(found)


@pytest.mark.parametrize("name", COMPRESS)
def test_a_damaged_archive_is_named_with_the_place(name: str) -> None:
    content = bytearray(COMPRESS[name](TEXT))
    middle = len(content) // 2
    content[middle : middle + 20] = b"\xff" * 20

    with pytest.raises(InputUnreadable, match=r"damaged near byte|ends too early"):
        list(source_of(bytes(content), 50).blocks())


@pytest.mark.parametrize("name", COMPRESS)
def test_a_bomb_does_not_fill_the_memory(name: str) -> None:
    content = COMPRESS[name](bytes(64 * 1024 * 1024))
    source = source_of(content, 64 * 1024)
    tracemalloc.start()

    sizes = [len(block) for block in source.blocks()]

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sizes) == 64 * 1024 * 1024
    assert max(sizes) <= 64 * 1024
    assert peak_bytes < 16 * 1024 * 1024


@pytest.mark.parametrize("content", [b"", b"a", b"\x1f", b"BZ", b"plain text\n" * 500])
def test_what_is_no_archive_is_read_as_it_is(content: bytes) -> None:
    source = source_of(content, 3)

    assert b"".join(source.blocks()) == content
    assert source.sha256() == hashlib.sha256(content).hexdigest()


def test_the_hash_is_not_known_before_the_end() -> None:
    with pytest.raises(AssertionError):
        source_of(TEXT).sha256()


@pytest.mark.parametrize("path", ["missing.csv", "."])
def test_what_cannot_be_opened_is_named(path: str) -> None:
    with pytest.raises(InputUnreadable, match=r"missing\.csv|folder"), open_source(path):
        raise AssertionError("unreachable")


def test_standard_input_has_no_size() -> None:
    with open_source("-", io.BytesIO(b"abc")) as source:
        assert (source.name, source.size_bytes, b"".join(source.blocks())) == ("stdin", None, b"abc")


def test_a_file_has_its_size() -> None:
    Path("a.csv").write_bytes(b"abc")
    with open_source("a.csv") as source:
        assert (source.name, source.size_bytes) == ("a.csv", 3)


def test_an_archive_that_asks_for_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = lzma.compress(TEXT, preset=9)
    assert b"".join(source_of(content).blocks()) == TEXT
    monkeypatch.setattr("custimport.pipeline.source.MAX_ARCHIVE_MEMORY_BYTES", 1024 * 1024)

    with pytest.raises(InputUnreadable, match="Memory usage limit"):
        list(source_of(content).blocks())
