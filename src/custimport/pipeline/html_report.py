"""Rejections as a page for people: one file without any network, safe to open whatever the customers' data holds."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from itertools import pairwise
from typing import Final, TextIO

from custimport.customer import FIELDS
from custimport.customer.codes import CATALOGUE, RowError
from custimport.pipeline.timeline import Sample
from custimport.records import ImportSummary, Rejection
from custimport.settings import MAX_SHOWN_VALUE_CHARACTERS

MAX_SHOWN_ROWS: Final = 2_000
"""Rows in the table: a phone still searches them at once. The full list is in the other formats."""
MAX_SHOWN_COLUMNS: Final = 50

_COUNTS: Final = ("read", "inserted", "updated", "unchanged", "skipped", "rejected")
_ENTRIES: Final = {entry.code: entry for entry in CATALOGUE}


class HtmlReport:
    """Writes the page row by row; the balance comes last, and is shown first by the style.

    `field_positions`: of the four fields' columns, 0-based, in the order of `FIELDS`; empty where they are not known.
    """

    def __init__(self, stream: TextIO, columns: Sequence[str], field_positions: Sequence[int]) -> None:
        self._stream = stream
        self._columns = columns[:MAX_SHOWN_COLUMNS]
        self._column_of = dict(zip(FIELDS, field_positions, strict=False))
        self._written = 0

    def begin(self) -> None:
        style, script = _part("css"), _part("js")
        # whatever gets into the page: nothing is fetched, and no other script or style runs (CSP level 3)
        policy = f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'"
        columns = "".join(f"<th>{shown(name)}</th>" for name in self._columns)
        self._stream.write(
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}; form-action \'none\'">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>Rejected rows</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
            '<section id="rejections">\n<h2>Rejected rows</h2>\n<div class="search" hidden>'
            '<input id="words" type="search" placeholder="search" aria-label="search">'
            f'<select id="code" aria-label="reason"><option value="">every reason</option>{_code_options()}</select>'
            '<span id="found" class="dim"></span></div>\n<div class="scroll"><table>\n'
            f"<thead><tr><th>row</th><th>line</th><th>reasons</th>{columns}</tr></thead>\n<tbody>\n"
        )

    def write(self, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            self._written += 1
            if self._written <= MAX_SHOWN_ROWS:
                self._stream.write(self._row(rejection))

    def end(self, summary: ImportSummary) -> None:
        rows_shown = min(self._written, MAX_SHOWN_ROWS)
        extent = f"{self._written:,} rows were rejected."
        if not self._written:
            extent = "No row was rejected."
        elif self._written > rows_shown:
            extent = f"The first {rows_shown:,} of {self._written:,} rejected rows. All of them: {_full_list(summary)}"
        self._stream.write(
            f'</tbody>\n</table></div>\n<p class="extent dim">{extent}</p>\n</section>\n{_summary(summary)}</main>\n'
            f"<script>{_part('js')}</script>\n</body>\n</html>\n"
        )

    def _row(self, rejection: Rejection) -> str:
        codes = " ".join(dict.fromkeys(str(error.code) for error in rejection.errors))
        why = "".join(map(_reason, rejection.errors))
        if rejection.raw is not None:
            cells = f'<td class="raw bad" colspan="{max(len(self._columns), 1)}">{shown(rejection.raw)}</td>'
        else:
            bad = {self._column_of.get(error.field) for error in rejection.errors if error.field}
            cells = "".join(
                _cell(name, cell, is_bad=at in bad)
                for at, (name, cell) in enumerate(zip(self._columns, rejection.cells, strict=False))
            )
            extra = rejection.cells[len(self._columns) :]
            cells += "".join(_cell("beyond the header", cell, is_bad=True) for cell in extra[:MAX_SHOWN_COLUMNS])
        number = '<td class="number" data-column="{}">{:,}</td>'
        return (
            f'<tr data-codes="{codes}">{number.format("row", rejection.row)}{number.format("line", rejection.line)}'
            f'<td class="why">{why}</td>{cells}</tr>\n'
        )


def shown(text: str) -> str:
    """The text as HTML: nothing in it is markup, long ones are cut, and what does not print is spelled out."""
    if len(text) > MAX_SHOWN_VALUE_CHARACTERS:
        return f"{shown(text[:MAX_SHOWN_VALUE_CHARACTERS])}… (cut; {len(text):,} characters)"
    if text.isprintable():
        return escape(text)
    # controls, bidirectional overrides and invisible marks could show another text than there is
    return "".join(
        escape(character) if character.isprintable() else f'<i class="sign">U+{ord(character):04X}</i>'
        for character in text
    )


def _cell(column: str, text: str, *, is_bad: bool) -> str:
    mark = ' class="bad"' if is_bad else ""
    return f'<td{mark} data-column="{escape(_one_line(column))}">{shown(text)}</td>'


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:60])


def _reason(error: RowError) -> str:
    field = f"{error.field}: " if error.field else ""
    hint = f" ({error.hint})" if error.hint else ""
    return f"<p><code>{error.code}</code> {shown(f'{field}{error.message}{hint}')}</p>"


def _summary(summary: ImportSummary) -> str:
    rows = {name: getattr(summary.rows, name) for name in _COUNTS}
    counts = "".join(f"<li><b>{rows[name]:,}</b>{name}</li>" for name in _COUNTS if rows[name] or name == "read")
    facts = {
        "import": summary.import_id or "none: nothing was written",
        "status": summary.status.value,
        "started": f"{summary.started_at:%Y-%m-%d %H:%M:%S} UTC",
        "duration": f"{summary.elapsed_seconds:,.1f} s, {summary.rows_per_second:,.0f} rows a second",
        "duplicates": f"--on-duplicate {summary.on_duplicate.value}",
        "size": "" if summary.bytes is None else f"{summary.bytes:,} bytes",
        "SHA-256": summary.sha256 or "",
        "ignored columns": ", ".join(summary.ignored_columns),
    }
    told = "".join(f"<dt>{name}</dt><dd>{shown(value)}</dd>" for name, value in facts.items() if value)
    sentences = "".join(f"<li>{shown_whole(text)}</li>" for text in [*summary.findings, *summary.warnings])
    findings = f'<ul class="findings">{sentences}</ul>' if sentences else ""
    return (
        f'<section id="summary">\n<h1>{shown(summary.file)}</h1>\n<ul class="counts">{counts}</ul>\n'
        f'{findings}\n<dl class="facts">{told}</dl>\n{_reasons(summary)}{_timeline(summary.timeline)}</section>\n'
    )


def shown_whole(text: str) -> str:
    """Like `shown`, but for long texts of our own, which are not cut."""
    parts = (text[at : at + MAX_SHOWN_VALUE_CHARACTERS] for at in range(0, len(text), MAX_SHOWN_VALUE_CHARACTERS))
    return "".join(map(shown, parts))


def _reasons(summary: ImportSummary) -> str:
    if not summary.rejected_by_code:
        return ""
    most = max(summary.rejected_by_code.values())
    bars = []
    for code, rows in sorted(summary.rejected_by_code.items(), key=lambda item: (-item[1], item[0])):
        entry = next((entry for known, entry in _ENTRIES.items() if known == code), None)
        meaning = f'<span class="dim">{escape(entry.title)} {escape(entry.cure)}</span>' if entry else ""
        bars.append(
            f"<li><code>{escape(code)}</code> {rows:,}"
            '<svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect width="{max(1000 * rows // most, 2)}" height="10" rx="3"/></svg>{meaning}</li>'
        )
    return f'<h2>Reasons</h2>\n<ul class="reasons">{"".join(bars)}</ul>\n'


def _timeline(samples: Sequence[Sample]) -> str:
    """Bars of rows a second, as wide as the time that they took."""
    spans = [
        (begun, ended - begun, (rows_after - rows_before) / (ended - begun))
        for (rows_before, begun), (rows_after, ended) in pairwise(samples)
        if ended > begun
    ]
    if len(spans) < 2:
        return ""
    total_seconds, fastest = samples[-1][1], max(rate for _, _, rate in spans) or 1.0
    bars = "".join(
        f'<rect x="{1000 * begun / total_seconds:.1f}" y="{100 - 100 * rate / fastest:.1f}" '
        f'width="{max(1000 * seconds / total_seconds - 0.5, 0.5):.1f}" height="{100 * rate / fastest:.1f}">'
        f"<title>{rate:,.0f} rows a second after {begun:,.1f} s</title></rect>"
        for begun, seconds, rate in spans
    )
    return (
        f'<h2>Rows a second</h2>\n<div class="timeline"><svg viewBox="0 0 1000 100" preserveAspectRatio="none" '
        f'role="img" aria-label="rows a second over the time of the import">{bars}</svg>'
        f'<p class="dim">0 to {total_seconds:,.1f} s; at most {fastest:,.0f} rows a second</p></div>\n'
    )


def _full_list(summary: ImportSummary) -> str:
    if summary.import_id:
        return f"<code>custimport imports rejections {summary.import_id}</code>"
    return "in a report of another kind, such as <code>--report FILE.csv</code>"


def _code_options() -> str:
    return "".join(f'<option value="{code}">{code}</option>' for code in _ENTRIES)


def _part(kind: str) -> str:
    """The style or the script, as it stands in the page."""
    return "\n" + files("custimport.pipeline").joinpath(f"html_report.{kind}").read_text(encoding="utf-8")


def _digest(part: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
