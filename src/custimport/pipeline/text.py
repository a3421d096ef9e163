"""Text: decodes blocks of bytes and cuts them into physical lines."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from custimport.errors import InputUnreadable, UsageError

UNDECODABLE: Final = "custimport-undecodable"
"""Name of the error handler that turns each bad byte into a half of a surrogate pair, U+DC00 plus the byte."""

_BYTE_ORDER_MARKS: Final = (
    # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
LONGEST_MARK_BYTES: Final = 4
_BYTE_ORDER_MARK: Final = "\ufeff"
FIRST_UNDECODABLE: Final = "\udc00"
LAST_UNDECODABLE: Final = "\udcff"
_FOREIGN_CHARACTER: Final = re.compile(f"[^\x00-\x7f{_BYTE_ORDER_MARK}{FIRST_UNDECODABLE}-{LAST_UNDECODABLE}]")
_UNDECODABLE_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_CODECS_THAT_GIVE_HALVES: Final = frozenset({"utf-7", "unicode-escape", "raw-unicode-escape"})
"""Their input can spell one half of a surrogate pair, which is no text and cannot be stored."""


@dataclass(frozen=True, slots=True)
class Text:
    """Physical lines one after another, with their ends; or, `is_truncated`, one that was too long, ended by a LF."""

    text: str
    is_truncated: bool = False


class TextReader:
    """Decodes a content and cuts it into lines: LF, CRLF and CR end a line, nothing else.

    `encoding` is known after the first lines; `double_mark` says that a second byte order mark was dropped,
    `has_undecodable` that some block so far may have held bytes that are no text, `has_foreign_text` that some held
    text beyond ASCII that is.
    """

    def __init__(self, file: str, blocks: Iterable[bytes], encoding: str | None, max_line_bytes: int) -> None:
        self._file = file
        codecs.register_error(UNDECODABLE, _keep_undecodable)
        self.encoding = known_encoding(encoding) if encoding else ""
        self.double_mark = False
        self.has_undecodable = False
        self.has_foreign_text = False
        self._blocks = iter(blocks)
        self._max_line_bytes = max_line_bytes

    def lines(self) -> Iterator[Text]:
        """The lines, some at a time; streams. A line over the limit is cut, and the rest of it is passed over."""
        rest = ""
        passing_over = False
        for text in self._texts():
            searched = max(len(rest) - 1, 0)
            rest += text
            if passing_over:
                end = _first_line_end(rest)
                if end < 0:
                    rest = "\r" if rest.endswith("\r") else ""
                    continue
                rest = rest[end:]
                passing_over, searched = False, 0
            cut = _last_line_end(rest, searched)
            if cut:
                yield from self._limited(rest[:cut])
                rest = rest[cut:]
            # a carriage return may be half of a line end
            if len(rest) - rest.endswith("\r") > self._max_line_bytes:
                yield self._truncated(rest)
                rest, passing_over = "\r" if rest.endswith("\r") else "", True
        if rest and not passing_over:
            yield from self._limited(rest)

    def _limited(self, text: str) -> Iterator[Text]:
        # no character takes more than four bytes: almost always there is nothing to measure
        if len(text) <= self._max_line_bytes // 4:
            yield Text(text)
            return
        for is_long, lines in groupby(io.StringIO(text, newline=""), lambda line: self._is_long(line.rstrip("\r\n"))):
            if is_long:
                yield from map(self._truncated, lines)
            else:
                yield Text("".join(lines))

    def _truncated(self, line: str) -> Text:
        return Text(line.rstrip("\r\n")[: self._max_line_bytes] + "\n", is_truncated=True)

    def _is_long(self, line: str) -> bool:
        limit = self._max_line_bytes
        return len(line) > limit or (4 * len(line) > limit and len(line.encode("utf-8", "surrogatepass")) > limit)

    def _texts(self) -> Iterator[str]:
        """The decoded content without byte order marks."""
        block = next(self._blocks, b"")
        while len(block) < LONGEST_MARK_BYTES:
            more = next(self._blocks, b"")
            if not more:
                break
            block += more
        self.encoding = _effective_encoding(self.encoding, block, self._file)
        self.has_undecodable = self.encoding.replace("_", "-") in _CODECS_THAT_GIVE_HALVES
        decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        begun, marks = False, 0
        while True:
            # not one block ahead: what was read before an archive's damage is good
            text = self._decoded(decoder, block, final=not block)
            if not begun and text:
                bare = text.lstrip(_BYTE_ORDER_MARK)
                marks += len(text) - len(bare)
                self.double_mark = marks > 1
                begun = bool(bare)
                text = bare
            if text:
                yield text
            if not block:
                return
            block = next(filter(None, self._blocks), b"")

    def _decoded(self, decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool) -> str:
        """The text of a block; where it fails, its bad bytes are kept as halves of surrogate pairs."""
        state = decoder.getstate()
        try:
            text = decoder.decode(block, final)
        except UnicodeDecodeError:
            self.has_undecodable = True
            decoder.setstate(state)
            # for UTF-8 Python has the same in C: a file of another encoding is bad in every second byte
            decoder.errors = "surrogateescape" if self.encoding == "utf-8" else UNDECODABLE
            try:
                text = decoder.decode(block, final)
            finally:
                decoder.errors = "strict"
        if not self.has_foreign_text and not text.isascii():
            self.has_foreign_text = _FOREIGN_CHARACTER.search(text) is not None
        return text


def _effective_encoding(asked_for: str, beginning: bytes, file: str) -> str:
    """What the operator says; else what a byte order mark says; else UTF-8."""
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if beginning.startswith(mark)), "")
    # "utf-16" and "utf-32" leave the byte order to the mark
    if asked_for in {"utf-16", "utf-32"} and not marked and beginning:
        raise InputUnreadable(
            f"{file}: --encoding {asked_for}, but no byte order mark says which byte comes first",
            hint=f"name the byte order: --encoding {asked_for}-le (Windows) or {asked_for}-be",
        )
    if asked_for in {"", "utf-16", "utf-32"}:
        return marked or asked_for or "utf-8"
    return asked_for


def _keep_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(ord(FIRST_UNDECODABLE) + byte) for byte in bad), error.end


def known_encoding(name: str) -> str:
    """The codec's own name; raises `UsageError` for one that Python has not, or that gives no text."""
    try:
        codec = codecs.lookup(name)
        "".encode(name)
        # some have a way of their own with bytes that are no text: nothing to read files with
        b"\xff".decode(name, UNDECODABLE)
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"--encoding {name!r} is not known", hint="for example utf-8, cp1252, latin-1, utf-16"
        ) from error
    return codec.name


def _first_line_end(text: str) -> int:
    """The index after the first line end; -1 if there is none, or if it may be half of one."""
    found = min((at for at in (text.find("\n"), text.find("\r")) if at >= 0), default=-1)
    if found < 0 or (found == len(text) - 1 and text[found] == "\r"):
        return -1
    return found + (2 if text.startswith("\r\n", found) else 1)


def _last_line_end(text: str, start: int) -> int:
    """The index after the last line end from `start` on that is surely whole; 0 if there is none."""
    return max(text.rfind("\n", start), text.rfind("\r", start, len(text) - 1)) + 1


def has_undecodable(text: str) -> bool:
    """Whether the text holds bytes that are no text."""
    return not text.isascii() and _UNDECODABLE_CHARACTER.search(text) is not None


def escaped(text: str) -> str:
    r"""The text with its undecodable bytes written as \xNN, other halves of surrogate pairs as \uNNNN."""
    return "".join(
        f"\\x{ord(character) - ord(FIRST_UNDECODABLE):02X}"
        if FIRST_UNDECODABLE <= character <= LAST_UNDECODABLE
        else f"\\u{ord(character):04X}"
        if _UNDECODABLE_CHARACTER.match(character)
        else character
        for character in text
    )


def original_bytes(text: str, encoding: str) -> bytes:
    """The bytes that were decoded to a text, its undecodable ones included."""
    return b"".join(
        bytes([ord(character) - ord(FIRST_UNDECODABLE)])
        if FIRST_UNDECODABLE <= character <= LAST_UNDECODABLE
        else character.encode(encoding, "ignore")
        for character in text
    )
