"""Rejections as CSV, JSON or JSONL: the formats, row by row. Where the files lie is for `reports` to know."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import PurePath
from typing import Any, BinaryIO, Final, Protocol, TextIO

from custimport.choices import ReportFormat
from custimport.customer.codes import RowError
from custimport.errors import UsageError
from custimport.pipeline.summary_json import summary_document
from custimport.records import ImportSummary, Rejection
from custimport.settings import MAX_SHOWN_VALUE_CHARACTERS

SCHEMA_VERSION: Final = 1
REPORT_COLUMNS: Final = (
    "rejection_line",
    "rejection_row",
    "rejection_codes",
    "rejection_reasons",
    "rejection_extra_cells",
    "rejection_raw",
    "rejection_import",
)
_DANGEROUS: Final = re.compile(r"'*[=+\-@\t\r]")
_DANGEROUS_FIRST: Final = frozenset("'=+-@\t\r")
_RISKY: Final = re.compile(r",['=+\-@]")
"""Among printable cells with commas before them: what a spreadsheet could run, or what looks as if made safe."""
LINES_AT_ONCE: Final = 1_000
_FURTHER_LINE_ENDS: Final = re.compile("[\x85\u2028\u2029]")
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)


class ReportWriter(Protocol):
    """Writes one report to an open stream."""

    def begin(self) -> None:
        """What comes before the first rejection."""

    def write(self, rejections: Iterable[Rejection]) -> None:
        """Rejections, in file order; streams."""

    def end(self, summary: ImportSummary) -> None:
        """What comes after the last one."""


def report_format(path: str) -> ReportFormat:
    """The format that a path's extension says; raises `UsageError` for any other."""
    extension = PurePath(path).suffix.lower().removeprefix(".")
    try:
        return ReportFormat(extension)
    except ValueError:
        raise UsageError(
            f"--report {path}: the extension does not say a format", hint="it must be .csv, .json, .jsonl or .html"
        ) from None


def report_writer(
    report_format: ReportFormat,
    stream: TextIO,
    columns: Sequence[str],
    import_id: str | None,
    field_positions: Sequence[int] = (),
) -> ReportWriter:
    """A writer of that format. The stream must encode UTF-8, leave line ends alone, and take any text.

    `field_positions`: which columns (0-based) are the four fields, in the order of `FIELDS`; empty if nobody knows.
    """
    match report_format:
        case ReportFormat.CSV:
            return _CsvReport(stream, columns, import_id)
        case ReportFormat.JSON:
            return _JsonReport(stream, columns)
        case ReportFormat.JSONL:
            return _JsonLines(stream, columns)
        case ReportFormat.HTML:
            # only who wants a page reads its style
            from custimport.pipeline.html_report import HtmlReport

            return HtmlReport(stream, columns, field_positions)


def neutralised(cell: str) -> str:
    """The cell as no spreadsheet takes it for a formula; loading the report gives the cell back exactly."""
    return "'" + cell if _DANGEROUS.match(cell) else cell


class _CsvReport:
    """The file's own columns and cells, then what is wrong with them; UTF-8 with BOM, comma, CRLF.

    The import stands in every row, so that whoever loads a part of the report links it nevertheless.
    """

    def __init__(self, stream: TextIO, columns: Sequence[str], import_id: str | None) -> None:
        self._end = f"{import_id or ''}\r\n"
        self._stream = stream
        self._columns = columns
        self._width = len(columns)

    def begin(self) -> None:
        names = map(_cell, [*self._columns, *REPORT_COLUMNS])
        self._stream.write("\ufeff" + ",".join(names) + "\r\n")

    def write(self, rejections: Iterable[Rejection]) -> None:
        remaining = iter(rejections)
        # one call of the stream for many lines: it costs as much as a line
        while lines := list(map(self._line, islice(remaining, LINES_AT_ONCE))):
            self._stream.write("".join(lines))

    def end(self, summary: ImportSummary) -> None:
        pass

    def _line(self, rejection: Rejection) -> str:
        row, line, cells, errors, raw = rejection
        extra = ""
        if len(cells) != self._width:
            if len(cells) > self._width:
                extra = _cell(_json(list(cells[self._width :])))
            cells = [*cells[: self._width], *[""] * (self._width - len(cells))]
        if len(errors) == 1:
            codes: str = errors[0].code
            reasons = _sentence(errors[0])
        else:
            codes = " ".join(dict.fromkeys([error.code for error in errors]))
            reasons = "; ".join(map(_sentence, errors))
        if not reasons.isprintable():
            # a line break more could make a long record longer than a record may be when the report is loaded
            reasons = " ".join(reasons.splitlines())
        text = ",".join(["", *cells])
        # looking at all cells together spares almost every one the look of its own
        if text.count(",") != len(cells) or not text.isprintable() or '"' in text or _RISKY.search(text):
            text = "," + ",".join(map(_cell, cells))
        if '"' in reasons or "," in reasons or reasons[:1] in _DANGEROUS_FIRST:
            reasons = _cell(reasons)
        if raw is not None:
            raw = _cell(raw)
        return ",".join((text[1:], str(line), str(row), codes, reasons, extra, raw or "", self._end))


def _cell(text: str) -> str:
    """The cell as it stands in a line: no formula, and in quotes where it must be (RFC 4180, section 2)."""
    if text[:1] in _DANGEROUS_FIRST:
        text = neutralised(text)
    return _quoted(text)


def _quoted(text: str) -> str:
    """The text in quotes where it must be (RFC 4180, section 2)."""
    if '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return f'"{text}"' if "," in text or "\r" in text or "\n" in text else text


class _JsonLines:
    """One rejection a line."""

    def __init__(self, stream: TextIO, columns: Sequence[str]) -> None:
        self._stream = stream
        self._columns = columns

    def begin(self) -> None:
        pass

    def write(self, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            self._stream.write(_json(rejection_document(rejection, self._columns)) + "\n")

    def end(self, summary: ImportSummary) -> None:
        pass


class _JsonReport:
    """One document. `import` stands after the rejections: the file's hash is only known when it has been read."""

    def __init__(self, stream: TextIO, columns: Sequence[str]) -> None:
        self._stream = stream
        self._columns = columns
        self._separator = "\n"

    def begin(self) -> None:
        self._stream.write(f'{{\n"schema_version": {SCHEMA_VERSION},\n"rejections": [')

    def write(self, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            self._stream.write(self._separator + _json(rejection_document(rejection, self._columns)))
            self._separator = ",\n"

    def end(self, summary: ImportSummary) -> None:
        identity = {"id": summary.import_id, "file": summary.file, "sha256": summary.sha256}
        self._stream.write(f'\n],\n"import": {_json(identity)},\n"summary": {_json(summary_document(summary))}\n}}\n')


def rejection_document(rejection: Rejection, columns: Sequence[str]) -> dict[str, Any]:
    """One rejection for scripts; `data` holds whole cells, `extra_cells` those beyond the header's columns."""
    document: dict[str, Any] = {
        "row": rejection.row,
        "line": rejection.line,
        "data": dict(zip(columns, rejection.cells, strict=False)),
    }
    extra = rejection.cells[len(columns) :]
    if extra:
        document["extra_cells"] = list(extra)
    if rejection.raw is not None:
        document["raw"] = rejection.raw
    document["errors"] = [error_document(error) for error in rejection.errors]
    return document


def write_rejections(
    stream: BinaryIO,
    report_format: ReportFormat,
    columns: Sequence[str],
    rejections: Iterable[Rejection],
    summary: ImportSummary,
    field_positions: Sequence[int] = (),
) -> None:
    """A whole report on an open stream of bytes, which stays open; streams. The stream's own errors pass through."""
    with _text_on(stream) as text:
        writer = report_writer(report_format, text, columns, summary.import_id, field_positions)
        writer.begin()
        writer.write(rejections)
        writer.end(summary)


@contextmanager
def _text_on(stream: BinaryIO) -> Iterator[TextIO]:
    text = text_stream(stream)
    try:
        yield text
        text.flush()
    finally:
        # a wrapper that is dropped would close the stream, which belongs to the caller
        with suppress(OSError):
            text.detach()


def text_stream(stream: BinaryIO) -> io.TextIOWrapper:
    """Text on a stream of bytes as reports want it: a lone surrogate is escaped, line ends are left alone."""
    return io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", newline="")


def error_document(error: RowError) -> dict[str, Any]:
    """One reason for scripts: `{code, field, value, message, hint?, related?}`, a long value cut, saying so."""
    document: dict[str, Any] = {
        "code": error.code.value,
        "field": error.field,
        "value": _cut(error.value),
        "message": error.message,
    }
    if error.hint is not None:
        document["hint"] = error.hint
    if error.related_row is not None:
        document["related"] = {"row": error.related_row}
    elif error.related_customer_id is not None:
        document["related"] = {"customer_id": error.related_customer_id}
    return document


def _cut(value: str | None) -> str | None:
    if value is None or len(value) <= MAX_SHOWN_VALUE_CHARACTERS:
        return value
    return f"{value[:MAX_SHOWN_VALUE_CHARACTERS]}… (cut; {len(value):,} characters)"


def _sentence(error: RowError) -> str:
    _, field, _, message, hint, _, _ = error
    sentence = f"{field}: {message}" if field else message
    return f"{sentence} ({hint})" if hint else sentence


def _json(document: Any) -> str:
    """The document on one line, whatever a reader takes for a line end."""
    text = _ENCODER.encode(document)
    return text if text.isascii() else _FURTHER_LINE_ENDS.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
