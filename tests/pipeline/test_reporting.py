"""Rejections read back from every format as they were, and no spreadsheet runs a cell of them."""

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from custimport.choices import Policy, ReportFormat, Status
from custimport.customer.codes import Code, RowError
from custimport.errors import UsageError
from custimport.pipeline.reporting import REPORT_COLUMNS, neutralised, report_format, write_rejections
from custimport.pipeline.summary_json import summary_document
from custimport.records import ImportSummary, Rejection, RowCounts
from tests.pipeline.test_parsing_properties import chunks_of

COLUMNS = ("full_name", "email", "date_of_birth", "timezone")
STARTED = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SUMMARY = ImportSummary(
    import_id="00112233aabbccdd",
    file="old/customers.csv",
    bytes=120,
    sha256="ab" * 32,
    status=Status.COMPLETED,
    on_duplicate=Policy.SKIP,
    rows=RowCounts(read=3, inserted=1, rejected=2),
    rejected_by_code={"blank": 2},
    ignored_columns=("note",),
    warnings=("a warning",),
    findings=("a finding",),
    timeline=((0, 0.0), (1, 0.5), (3, 1.23456)),
    reports=("r.csv",),
    started_at=STARTED,
    finished_at=STARTED.astimezone(timezone(timedelta(hours=2))),
    elapsed_seconds=1.23456,
    rows_per_second=2.43,
)
BLANK = RowError(Code.BLANK, "email", "", "is empty")

pieces = st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n", "\r\n", "'", '"', ",", " ", "\x00", "\ufeff", "1", "é"])
texts = st.one_of(st.text(max_size=8), st.lists(pieces, max_size=6).map("".join))
optional_texts = st.none() | texts
row_errors = st.builds(
    RowError,
    code=st.sampled_from(Code),
    field=st.sampled_from([None, *COLUMNS]),
    value=optional_texts,
    message=texts,
    hint=optional_texts,
    related_row=st.none() | st.integers(1, 9),
)
errors_of_a_row = st.lists(row_errors, min_size=1, max_size=3).map(tuple)


@st.composite
def rejection_lists(draw: st.DrawFn) -> list[Rejection]:
    return [
        Rejection(row, row + 1, draw(st.lists(texts, max_size=7)), draw(errors_of_a_row), draw(optional_texts))
        for row in range(1, draw(st.integers(0, 3)) + 1)
    ]


def written(
    report: ReportFormat, rejections: Sequence[Rejection], columns: Sequence[str] = COLUMNS, summary=SUMMARY
) -> bytes:
    stream = io.BytesIO()
    write_rejections(stream, report, columns, iter(rejections), summary)
    return stream.getvalue()


def csv_rows(report: bytes) -> list[list[str]]:
    """Every row of a report, its header first, by the strictest reader there is."""
    assert report.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(report[3:].decode(), newline=""), strict=True))


def csv_row(rejection: Rejection, columns: Sequence[str] = COLUMNS) -> dict[str, str]:
    header, row = csv_rows(written(ReportFormat.CSV, [rejection], columns))
    return dict(zip(header, row, strict=True))


def exact(cell: str) -> str:
    """What a cell of a CSV report stands for, as contract.md says."""
    return cell[1:] if re.match(r"'+[=+\-@\t\r]", cell) else cell


def rejection(cells: Sequence[str] = ("a", "b", "c", "d"), *errors: RowError, raw: str | None = None) -> Rejection:
    return Rejection(7, 9, list(cells), errors or (BLANK,), raw)


@given(rejection_lists(), st.lists(texts, min_size=1, max_size=5, unique=True))
def test_csv_gives_every_cell_and_column_back(rejections: list[Rejection], columns: list[str]) -> None:
    header, *rows = csv_rows(written(ReportFormat.CSV, rejections, columns))

    assert [exact(name) for name in header] == [*columns, *REPORT_COLUMNS]
    assert len(rows) == len(rejections)
    for row, given_rejection in zip(rows, rejections, strict=True):
        cells = [exact(cell) for cell in row]
        width = len(columns)
        kept = list(given_rejection.cells[:width])
        assert cells[:width] == kept + [""] * (width - len(kept))
        line, number, codes, _reasons, extra, raw, import_id = cells[width:]
        assert import_id == SUMMARY.import_id
        assert (int(number), int(line)) == (given_rejection.row, given_rejection.line)
        assert codes.split(" ") == list(dict.fromkeys(error.code.value for error in given_rejection.errors))
        assert (json.loads(extra) if extra else []) == list(given_rejection.cells[width:])
        assert raw == (given_rejection.raw or "")


@given(rejection_lists(), st.lists(texts, min_size=1, max_size=5, unique=True))
def test_no_cell_of_a_csv_report_is_a_formula(rejections: list[Rejection], columns: list[str]) -> None:
    for row in csv_rows(written(ReportFormat.CSV, rejections, columns)):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


@given(st.lists(st.lists(texts, min_size=4, max_size=4), min_size=1, max_size=4))
@example([["=1+1", "'=1", "''-", "'plain"], ["'", '"', "\r", "\t"]])
def test_the_parser_takes_the_cells_of_a_csv_report_as_they_were(rows: list[list[str]]) -> None:
    report = written(ReportFormat.CSV, [Rejection(at, at, cells, (BLANK,)) for at, cells in enumerate(rows, 1)])

    (chunk,) = chunks_of(report)

    assert list(chunk.cells) == rows


@given(rejection_lists())
def test_json_and_jsonl_hold_the_same_rejections_whole(rejections: list[Rejection]) -> None:
    lines = written(ReportFormat.JSONL, rejections).decode().splitlines()
    document = json.loads(written(ReportFormat.JSON, rejections))

    found = [json.loads(line) for line in lines]
    assert document["rejections"] == found
    assert len(found) == len(rejections)
    for entry, given_rejection in zip(found, rejections, strict=True):
        assert [*entry["data"].values(), *entry.get("extra_cells", [])] == list(given_rejection.cells)
        assert entry.get("raw") == given_rejection.raw
        assert (entry["row"], entry["line"]) == (given_rejection.row, given_rejection.line)
        assert [error["message"] for error in entry["errors"]] == [error.message for error in given_rejection.errors]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "\ta", "\ra", "'=1", "'''@"])
def test_one_quote_goes_before_what_a_spreadsheet_would_run(cell: str) -> None:
    assert neutralised(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "'", "O'Neil", "'quoted'", " =1", "a=1", "''", "1-2"])
def test_any_other_cell_is_left_as_it_is(cell: str) -> None:
    assert neutralised(cell) == cell


def test_reasons_and_raw_text_are_neutralised_like_cells() -> None:
    row = csv_row(rejection([], RowError(Code.UNCLOSED_QUOTE, None, None, "=cmd"), raw="@SUM(A1)"))

    assert row["rejection_reasons"] == "'=cmd"
    assert row["rejection_raw"] == "'@SUM(A1)"


def test_csv_is_utf8_with_a_mark_commas_and_crlf() -> None:
    report = written(ReportFormat.CSV, [rejection(["é", "x,y", 'a"b', ""])])

    assert report.decode("utf-8") == (
        "\ufefffull_name,email,date_of_birth,timezone,rejection_line,rejection_row,rejection_codes,"
        "rejection_reasons,rejection_extra_cells,rejection_raw,rejection_import\r\n"
        'é,"x,y","a""b",,9,7,blank,email: is empty,,,00112233aabbccdd\r\n'
    )


def test_csv_names_each_code_once_in_the_order_of_the_reasons() -> None:
    errors = [RowError(code, None, "", code.value) for code in (Code.DATE_INVALID, Code.BLANK, Code.DATE_INVALID)]

    row = csv_row(rejection(["a"], *errors))

    assert row["rejection_codes"] == "date-invalid blank"
    assert row["rejection_reasons"] == "date-invalid; blank; date-invalid"


def test_a_reason_stays_on_one_line_so_that_a_long_record_can_be_loaded_again() -> None:
    row = csv_row(rejection(["a"], RowError(Code.WRITE_REFUSED, None, None, "the server says\r\nno\nway")))

    assert row["rejection_reasons"] == "the server says no way"


def test_columns_made_unique_keep_their_number_in_the_report() -> None:
    assert csv_row(rejection(["1", "2"]), ["note", "note#2"])["note#2"] == "2"


def test_cells_beyond_the_header_are_kept_in_every_format() -> None:
    too_many = rejection(["a", "b", "c", "d", "é", ""])

    assert csv_row(too_many)["rejection_extra_cells"] == '["é", ""]'
    assert json.loads(written(ReportFormat.JSONL, [too_many]))["extra_cells"] == ["é", ""]


def test_too_few_cells_are_padded_in_csv_and_absent_in_json() -> None:
    too_few = rejection(["a", "b"])

    assert csv_row(too_few)["timezone"] == ""
    assert json.loads(written(ReportFormat.JSONL, [too_few]))["data"] == {"full_name": "a", "email": "b"}


@pytest.mark.parametrize("report", ReportFormat)
def test_a_lone_surrogate_does_not_end_a_report(report: ReportFormat) -> None:
    shown = b"U+DC80" if report is ReportFormat.HTML else b"\\udc80"
    assert shown in written(report, [rejection(["\udc80"])])


def test_every_reader_of_lines_sees_one_rejection_a_line() -> None:
    cells = ["a\x85b", "c\u2028d", "e\u2029f", "g\nh"]

    report = written(ReportFormat.JSONL, [rejection(cells)])

    (line,) = report.decode().splitlines()
    assert list(json.loads(line)["data"].values()) == cells


def test_shown_values_are_cut_and_say_so_while_data_is_whole() -> None:
    long = "x" * 100_000

    entry = json.loads(written(ReportFormat.JSONL, [rejection([long], RowError(Code.TOO_LONG, "email", long, "long"))]))

    assert entry["errors"][0]["value"] == "x" * 200 + "… (cut; 100,000 characters)"
    assert entry["data"]["full_name"] == long


def test_an_error_has_only_the_keys_that_say_something() -> None:
    related_row = RowError(Code.DUPLICATE_IN_FILE, "email", "a", "twice", related_row=3)
    related_customer = RowError(Code.DUPLICATE_IN_DATABASE, "email", "a", "there", "a hint", None, "0" * 24)

    entry = json.loads(written(ReportFormat.JSONL, [rejection(["a"], related_row, related_customer)]))

    assert list(entry) == ["row", "line", "data", "errors"]
    assert entry["errors"] == [
        {"code": "duplicate-in-file", "field": "email", "value": "a", "message": "twice", "related": {"row": 3}},
        {
            "code": "duplicate-in-database",
            "field": "email",
            "value": "a",
            "message": "there",
            "hint": "a hint",
            "related": {"customer_id": "0" * 24},
        },
    ]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_json_document_has_its_envelope_however_many_rejections(count: int) -> None:
    document = json.loads(written(ReportFormat.JSON, [rejection()] * count))

    assert document["schema_version"] == 1
    assert len(document["rejections"]) == count
    assert document["import"] == {"id": "00112233aabbccdd", "file": "old/customers.csv", "sha256": "ab" * 32}
    assert document["summary"] == json.loads(json.dumps(summary_document(SUMMARY)))


def test_a_summary_has_the_keys_and_the_order_of_the_contract() -> None:
    assert list(summary_document(SUMMARY).items()) == [
        ("import_id", "00112233aabbccdd"),
        ("file", "old/customers.csv"),
        ("bytes", 120),
        ("sha256", "ab" * 32),
        ("status", "completed"),
        ("on_duplicate", "skip"),
        ("rows", {"read": 3, "inserted": 1, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 2}),
        ("rejected_by_code", {"blank": 2}),
        ("ignored_columns", ["note"]),
        ("warnings", ["a warning"]),
        ("findings", ["a finding"]),
        ("reports", ["r.csv"]),
        ("started_at", "2026-03-01T12:00:00.123Z"),
        ("finished_at", "2026-03-01T12:00:00.123Z"),
        ("elapsed_seconds", 1.235),
        ("rows_per_second", 2.4),
    ]


@pytest.mark.parametrize("report", ReportFormat)
def test_the_callers_stream_stays_open_when_the_rejections_end_in_an_error(report: ReportFormat) -> None:
    def rejections():
        yield rejection()
        raise RuntimeError("the database went away")

    stream = io.BytesIO()
    with pytest.raises(RuntimeError):
        write_rejections(stream, report, COLUMNS, rejections(), SUMMARY)

    assert not stream.closed


@pytest.mark.parametrize(
    ("path", "expected"), [("r.csv", "csv"), ("R.CSV", "csv"), ("a.b/c.Json", "json"), ("{name}.jsonl", "jsonl")]
)
def test_the_extension_says_the_format(path: str, expected: str) -> None:
    assert report_format(path) is ReportFormat(expected)


@pytest.mark.parametrize("path", ["r", "r.xlsx", "r.csv.gz", ".csv", "csv", "r.csv.partial"])
def test_any_other_extension_is_refused_with_the_three_there_are(path: str) -> None:
    with pytest.raises(UsageError) as refused:
        report_format(path)

    assert all(extension in refused.value.hint for extension in (".csv", ".json", ".jsonl"))
