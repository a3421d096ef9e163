"""Where words go: results to standard output, everything else to standard error, UTF-8 whatever the locale."""

import codecs
import io
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from custimport.credentials import without_credentials

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STEERING: Final = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
"""What could steer a terminal (controls, bidirectional overrides, invisible marks) and JSON leaves as it is."""
_encoded: Final = json.JSONEncoder(ensure_ascii=False).encode
"""json.dumps would build this encoder anew for every customer."""


PIPE_COLUMNS: Final = 1_000


def use_utf8() -> None:
    """Make both standard streams speak UTF-8; a character that cannot be written never ends the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def output() -> Console:
    """The console of results. Nothing in customers' data is read as markup, emoji or links."""
    return _console(sys.stdout)


def messages() -> Console:
    """The console of warnings, progress and errors."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    # in a file or a pipe a line is as long as it must be: what reads it cuts by line
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return _Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


class _Console(Console):
    """A console whose reader may go away: the command goes on to its end and its exit code, unheard."""

    def on_broken_pipe(self) -> None:
        _write_nowhere(self.file)


def _write_nowhere(stream: IO[str]) -> None:
    """What is still buffered, and what the interpreter flushes at exit, goes to the null device."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def note(text: str, *, quiet: bool = False, console: Console | None = None) -> None:
    """Lines for a person on standard error, unless `quiet`. Line feeds in it are ours: values need `shown_value`."""
    if not quiet:
        (console or messages()).print(Text(message_words(text)), soft_wrap=True)


def warning(text: str, *, quiet: bool = False, console: Console | None = None) -> None:
    """One warning on standard error, unless `quiet`."""
    if not quiet:
        words = shown_value(without_credentials(text))
        (console or messages()).print(Text.assemble(("warning: ", "yellow"), words), soft_wrap=True)


def message_words(text: str) -> str:
    """`text` as a message may show it: nothing that steers a terminal, and no password of a MongoDB URI."""
    return shown(without_credentials(text))


def print_json(document: Any) -> None:
    """One JSON document and a line end on standard output."""
    print_text(json_text(document, indent=2))


def print_text(text: str) -> None:
    """The text and a line end on standard output; where its reader has gone away the command goes on."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _write_nowhere(sys.stdout)


def print_table(table: RenderableType) -> None:
    """The table on standard output, without the padding at the end of its lines."""
    console = output()
    with console.capture() as captured:
        console.print(table, crop=False)
    print_text("\n".join(line.rstrip() for line in captured.get().removesuffix("\n").split("\n")))


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON in readable UTF-8, but whatever could steer a terminal is escaped, which any reader undoes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent) if indent else _encoded(value)
    if text.isascii() and "\x7f" not in text:
        return text
    return _STEERING.sub(lambda found: json.dumps(found[0])[1:-1] if found[0] != "\x7f" else "\\u007f", text)


def binary_output() -> BinaryIO:
    """Standard output for what must leave byte by byte; on a terminal what could steer it is made visible."""
    sys.stdout.flush()
    return _VisibleBytes(sys.stdout) if sys.stdout.isatty() else sys.stdout.buffer


def exact_output() -> TextIO:
    """Standard output for text that must leave as it is; on a terminal what could steer it is made visible."""
    if not sys.stdout.isatty():
        return sys.stdout
    visible = _VisibleBytes(sys.stdout)
    return io.TextIOWrapper(visible, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)


class _VisibleBytes(io.BytesIO):
    """UTF-8 on its way to a terminal: a byte order mark is dropped, every line end is a line feed."""

    def __init__(self, terminal: TextIO) -> None:
        super().__init__()
        self._terminal = terminal
        utf8 = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._decoder = io.IncrementalNewlineDecoder(utf8, translate=True)

    def write(self, content: "ReadableBuffer", /) -> int:
        data = bytes(content)
        self._terminal.write(shown(self._decoder.decode(data)))
        return len(data)


def shown(text: str) -> str:
    """`text` with every character that could steer a terminal made visible: controls, bidirectional overrides.

    Line feeds stay: they are ours. Values from files must go through `shown_value`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) if character != "\n" else character for character in text)


def shown_value(text: str) -> str:
    """As `shown`, for text that came from a file or the database: line feeds are made visible too."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    # joiners build emoji and the letters of several scripts; every other format character can deceive
    if category in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in "\u200c\u200d":
        return character.encode("unicode_escape").decode("ascii")
    return character


@contextmanager
def quiet_when_pipe_closes() -> Iterator[None]:
    """A reader that goes away (`| head`) ends the output, without a message."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _write_nowhere(sys.stdout)
    except SystemExit as ending:
        # so ends the console with which Typer shows help
        if not isinstance(ending.__context__, BrokenPipeError):
            raise
