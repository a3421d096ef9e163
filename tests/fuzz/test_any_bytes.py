"""Arbitrary bytes as a file, under arbitrary options: no crash, no lost line, no lost row, no more than linear work.

The plain suite tries some hundred files; `make fuzz EXAMPLES=100000` as many as wanted.
"""

import bz2
import csv
import gzip
import io
import lzma
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custimport.choices import Policy, ReportFormat
from custimport.customer.codes import Code
from custimport.customer.dates import Rules
from custimport.errors import InputUnreadable, UsageError
from custimport.pipeline import quotes
from custimport.pipeline.diagnosis import Diagnosis
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.parsing import ParsedFile, parse
from custimport.pipeline.rehearsal import rehearse
from custimport.pipeline.reporting import write_rejections
from custimport.pipeline.source import Source
from custimport.pipeline.validation import validate
from custimport.records import InputOptions, ParsedRows, Rejection
from tests.pipeline.test_reporting import SUMMARY

EXAMPLES = int(os.environ.get("CUSTIMPORT_FUZZ_EXAMPLES", "300"))
RULES = Rules(date(2026, 1, 1))
MAX_RECORD_BYTES = 1_000

tokens = st.sampled_from(
    [
        *(
            "full_name",
            "email",
            "date_of_birth",
            "timezone",
            "Alice",
            "a@x.org",
            "1990-01-15",
            "15/01/1990",
            "UTC",
            "Mars",
        ),
        *(
            ",",
            ";",
            "\t",
            "|",
            '"',
            '""',
            "'",
            "\n",
            "\r",
            "\r\n",
            " ",
            "=",
            "sep=;",
            "rejection_row",
            "rejection_extra_cells",
        ),
        *("é", "\x00", "\ufeff", "\u2028", "\x0b", "\x1c", "\x85", "😀", "x" * 400, '","', '"\n"', "[]"),
    ]
)
headers = st.sampled_from(
    [
        "full_name,email,date_of_birth,timezone\n",
        "full_name;email;date_of_birth;timezone;note\r\n",
        "full_name\temail\tdate_of_birth\ttimezone\r",
        "sep=|\nfull_name|email|date_of_birth|timezone\n",
        "full_name,email,date_of_birth,timezone,rejection_row,rejection_extra_cells,rejection_import\n",
        "",
    ]
)
texts = st.lists(tokens, max_size=80).map("".join)
encodings = st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "cp1252", "utf-32", "latin-1"])
encoded = st.builds(lambda header, body, name: (header + body).encode(name, "ignore"), headers, texts, encodings)
spoilt = st.builds(
    lambda content, at, junk: content[: at % (len(content) + 1)] + junk + content[at % (len(content) + 1) :],
    encoded,
    st.integers(0, 1_000),
    st.binary(max_size=6),
)
packed = st.builds(
    lambda content, pack, cut: pack(content)[: cut or None],
    encoded,
    st.sampled_from([gzip.compress, bz2.compress, lzma.compress]),
    st.integers(0, 60),
)
files = st.one_of(encoded, spoilt, packed, st.binary(max_size=300))
options = st.builds(
    InputOptions,
    encoding=st.sampled_from([None, None, None, "utf-8", "cp1252", "utf-16", "shift_jis", "utf-7"]),
    delimiter=st.sampled_from([None, None, ",", ";", "x"]),
    quotechar=st.sampled_from(['"', '"', "'"]),
    max_record_bytes=st.just(MAX_RECORD_BYTES),
)
fuzzed = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def parsed(content: bytes, given_options: InputOptions, block_bytes: int, chunk_lines: int) -> ParsedFile:
    return parse(Source(io.BytesIO(content), "x", len(content), block_bytes), given_options, chunk_lines)


def until_damage(chunks: Iterator[ParsedRows]) -> Iterator[ParsedRows]:
    """The chunks up to where an archive is damaged."""
    with suppress(InputUnreadable):
        yield from chunks


@fuzzed
@given(files, options, st.integers(1, 300), st.integers(1, 40), st.sampled_from(Policy))
def test_every_row_is_stored_or_rejected(content, given_options, block_bytes, chunk_lines, policy) -> None:
    try:
        file = parsed(content, given_options, block_bytes, chunk_lines)
    except (InputUnreadable, UsageError):
        return
    seen: list[ParsedRows] = []

    def watched() -> Iterator[ParsedRows]:
        for chunk in until_damage(file.chunks):
            seen.append(chunk)
            yield chunk

    diagnosis = Diagnosis(file.header, RULES, file.encoding_advice)
    rejections: list[Rejection] = []
    read = inserted = 0
    validated = validate(watched(), file.header, RULES)
    for settled in rehearse(validated, policy, None, RejectionLimit(), threading.Event()):
        assert settled.counts.balanced
        read += settled.counts.read
        inserted += settled.counts.inserted
        diagnosis.watch(settled.rejections)
        rejections += settled.rejections
    rows = sorted(number for chunk in seen for number in [*chunk.numbers, *(r.row for r in chunk.rejections)])
    assert rows == list(range(1, read + 1))
    assert [rejection.row for rejection in rejections] == sorted({rejection.row for rejection in rejections})
    assert inserted <= read - len(rejections)
    by_code = Counter(error.code.value for rejection in rejections for error in rejection.errors)
    assert all(diagnosis.findings(read, by_code))
    diagnosis.findings(read, {code.value: read for code in Code})
    for report_format in ReportFormat:
        write_rejections(io.BytesIO(), report_format, file.header.columns, rejections, SUMMARY)


@fuzzed
@given(st.one_of(encoded, spoilt), st.integers(1, 300), st.integers(1, 40))
def test_every_line_belongs_to_one_record_or_is_blank(content, block_bytes, chunk_lines) -> None:
    """A record takes as many lines as its cells have line ends, and one more; what lies between is blank."""
    try:
        file = parsed(
            content, InputOptions(encoding="latin-1", max_record_bytes=MAX_RECORD_BYTES), block_bytes, chunk_lines
        )
    except (InputUnreadable, UsageError):
        return
    if file.header.is_report:
        # a report's own columns are not in the cells
        return
    lines = list(io.StringIO(content.decode("latin-1"), newline=""))
    taken: set[int] = set()
    for chunk in file.chunks:
        for line, cells in zip(chunk.lines, chunk.cells, strict=True):
            ends = sum(len(list(io.StringIO(cell + "x", newline=""))) - 1 for cell in cells)
            taken |= set(range(line, line + ends + 1))
        taken |= {
            line
            for rejection in chunk.rejections
            for line in range(
                rejection.line,
                rejection.line
                + 1
                + sum(len(list(io.StringIO(cell + "x", newline=""))) - 1 for cell in rejection.cells),
            )
        }
    before_records = min(taken, default=len(lines) + 1)
    untaken = [lines[number - 1] for number in range(before_records, len(lines) + 1) if number not in taken]
    assert not [line for line in untaken if line.strip() or file.header.delimiter in line]


@fuzzed
@given(texts.filter(bool), st.integers(1, 40))
def test_work_is_linear_whatever_repeats(body, chunk_lines) -> None:
    """Characters handed to the csv module stay under four times the file's."""
    content = "full_name,email,date_of_birth,timezone\n" + body * (8_000 // len(body) + 1)
    characters = 0
    original = quotes.Dialect.reader

    def counting(self: quotes.Dialect, handed: Sequence[str]) -> object:
        def counted() -> Iterator[str]:
            nonlocal characters
            for text in handed:
                characters += len(text) if text != '"\n' else 0
                yield text

        return original(self, counted())  # type: ignore[arg-type]

    quotes.Dialect.reader = counting  # type: ignore[assignment, method-assign]
    try:
        for _ in parsed(content.encode(), InputOptions(), 4_096, chunk_lines).chunks:
            pass
    finally:
        quotes.Dialect.reader = original  # type: ignore[method-assign]
    assert characters < 4 * len(content) + 10_000


@fuzzed
@given(st.lists(st.lists(texts, min_size=4, max_size=4), max_size=10), st.sampled_from(",;\t|"))
def test_what_a_spreadsheet_writes_is_read(rows, delimiter) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(("full_name", "email", "date_of_birth", "timezone"))
    writer.writerows(rows)

    file = parsed(stream.getvalue().encode("utf-8-sig"), InputOptions(), 100, 3)

    found = sorted(
        (number, list(cells)) for chunk in file.chunks for number, cells in zip(chunk.numbers, chunk.cells, strict=True)
    )
    assert [cells for _, cells in found] == rows
