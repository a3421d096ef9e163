"""Bytes: opens a file or standard input, takes off the compression, counts and hashes what it takes from the disk."""

import bz2
import hashlib
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from custimport.errors import InputUnreadable
from custimport.settings import READ_BLOCK_BYTES, STANDARD_INPUT


class Decompressor(Protocol):
    """One member of an archive; bz2, lzma and zstd give it as it is."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether more output needs more input."""

    @property
    def unused_data(self) -> bytes:
        """What came after the member's end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes; call again with no data while `needs_input` is false."""


class _Gzip:
    """zlib behind the interface of the other three."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._inner.eof

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _zstd() -> Decompressor:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    decompressor: Decompressor = zstd.ZstdDecompressor()
    return decompressor


MAX_ARCHIVE_MEMORY_BYTES: Final = 256 * 1024 * 1024
"""What an xz archive may ask for to be unpacked: `xz -9` asks for 65 MiB, a hostile one for 4 GiB. zstd has a limit of
its own, 128 MiB; gzip and bzip2 need no more than some MiB."""

_MEND: Final = (
    "get the file again and resume; if that is refused, rows before the damage were spoilt: undo and load anew"
)
"""Checksums stand at the end of an archive or of a large block of it: where the damage began cannot be told."""

_FORMATS: Final[tuple[tuple[bytes, str, Callable[[], Any]], ...]] = (
    (b"\x1f\x8b", "gzip", _Gzip),
    (b"BZh", "bzip2", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", "xz", lambda: lzma.LZMADecompressor(memlimit=MAX_ARCHIVE_MEMORY_BYTES)),
    (b"\x28\xb5\x2f\xfd", "zstd", _zstd),
)
"""The first bytes of each format, as its specification says."""


class Source:
    """One input. `name` is for people; `size_bytes` of the file on disk, None for a pipe; read it once."""

    def __init__(
        self, stream: BinaryIO, name: str, size_bytes: int | None, block_bytes: int = READ_BLOCK_BYTES
    ) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self.bytes_read = 0
        self._stream = stream
        self._block_bytes = block_bytes
        self._digest = hashlib.sha256()
        self._exhausted = False

    def blocks(self) -> Iterator[bytes]:
        """The content without its compression, in blocks of bounded size; streams.

        Raises `InputUnreadable` when the disk or the archive fails; what came before is good.
        """
        first = self._read()
        begins = first
        while 0 < len(begins) < 6:
            more = self._read()
            if not more:
                break
            begins += more
        for magic, name, decompressor in _FORMATS:
            if begins.startswith(magic):
                yield from self._decompressed(begins, name, decompressor)
                return
        while begins:
            yield begins
            begins = self._read()

    def sha256(self) -> str:
        """Hex digits, of the file as it lies on disk; only after `blocks` has ended."""
        if not self._exhausted:
            raise AssertionError("the hash of a file is known when it has been read to its end")
        return self._digest.hexdigest()

    def _read(self) -> bytes:
        try:
            data = self._stream.read(self._block_bytes)
        except OSError as error:
            raise InputUnreadable(f"{self.name}: cannot be read after byte {self.bytes_read:,}: {error}") from error
        self.bytes_read += len(data)
        self._digest.update(data)
        if not data:
            self._exhausted = True
        return data

    def _decompressed(self, data: bytes, name: str, new: Callable[[], Decompressor]) -> Iterator[bytes]:
        decompressor = new()
        while True:
            try:
                content = decompressor.decompress(data, self._block_bytes)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, _zstd_error()) as error:
                raise InputUnreadable(
                    f"{self.name}: the {name} archive is damaged near byte {self.bytes_read:,}: {error}",
                    hint=_MEND,
                ) from error
            data = b""
            if content:
                yield content
            if decompressor.eof:
                # several members one after the other are one content (gzip(1), xz(1)); zeros may pad the end
                data = (decompressor.unused_data or self._read()).lstrip(b"\x00") or self._read()
                if not data:
                    return
                decompressor = new()
            elif decompressor.needs_input:
                data = self._read()
                if not data:
                    raise InputUnreadable(
                        f"{self.name}: the {name} archive ends too early, after byte {self.bytes_read:,}",
                        hint=_MEND,
                    )


def _zstd_error() -> type[Exception]:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    error: type[Exception] = zstd.ZstdError
    return error


def size_on_disk(path: str) -> int | None:
    """The size of a regular file in bytes; None of anything else, as of a pipe or of what is not there."""
    return Path(path).stat().st_size if Path(path).is_file() else None


@contextmanager
def open_source(path: str, standard_input: BinaryIO | None = None) -> Iterator[Source]:
    """The input at `path`, or standard input for `-`. Raises `InputUnreadable` if it cannot be opened."""
    if path == STANDARD_INPUT:
        yield Source(standard_input or sys.stdin.buffer, "stdin", None)
        return
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 - closed below; opening and reading fail differently
    except IsADirectoryError as error:
        hint = f"name its files: {path.rstrip('/')}/*.csv"
        raise InputUnreadable(f"{path}: is a folder", hint=hint) from error
    except OSError as error:
        raise InputUnreadable(f"{path}: cannot be opened: {error.strerror or error}") from error
    with stream:
        status = os.fstat(stream.fileno())
        yield Source(stream, path, status.st_size if stat.S_ISREG(status.st_mode) else None)
