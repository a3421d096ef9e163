"""Report files: where they lie, who may read them, and what is left when something fails."""

import json
import os
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from custimport.errors import OutputUnwritable, UsageError
from custimport.pipeline.reports import ImportReports, ReportFile, check_report_paths, plain_name
from custimport.records import Header, Rejection
from tests.pipeline.test_reporting import BLANK, COLUMNS, SUMMARY

HEADER = Header(COLUMNS, (0, 1, 2, 3), ",")
REJECTION = Rejection(1, 2, ["a", "b", "c", "d"], (BLANK,))
IMPORT_ID = "00112233aabbccdd"


def reports(*asked_for: str, import_id: str | None = IMPORT_ID) -> ImportReports:
    opened = ImportReports("old/customers.csv.gz", asked_for, Path.cwd())
    opened.open(HEADER, import_id)
    return opened


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def mode(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("customers.csv", "customers"),
        ("old/customers.csv.gz", "customers"),
        ("customers.2024.csv", "customers.2024"),
        ("CUSTOMERS.CSV.XZ", "CUSTOMERS"),
        ("customers", "customers"),
        ("-", "stdin"),
    ],
)
def test_a_report_is_named_after_its_file_without_extensions(file: str, name: str) -> None:
    assert plain_name(file) == name


# What is left, and when ---------------------------------------------------------------------------------


def test_a_default_report_is_made_at_the_first_rejection_only() -> None:
    unneeded = reports()
    unneeded.write([])
    unneeded.finish(SUMMARY)
    assert files() == []
    assert list(unneeded.paths) == []

    needed = reports()
    needed.write([REJECTION])
    assert files() == ["customers.rejections.csv.partial"]
    assert list(needed.paths) == ["customers.rejections.csv"]
    needed.finish(SUMMARY)
    assert files() == ["customers.rejections.csv"]


def test_a_default_report_lies_in_the_folder_given(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    report = ImportReports("x.csv", [], elsewhere)
    report.open(HEADER, None)
    report.write([REJECTION])
    report.finish(SUMMARY)

    assert (elsewhere / "x.rejections.csv").exists()
    assert list(report.paths) == ["../elsewhere/x.rejections.csv"]


def test_reports_that_were_asked_for_are_there_even_empty() -> None:
    empty = reports("{name}.csv", "{name}.json", "{name}.jsonl")
    empty.finish(SUMMARY)

    assert files() == ["customers.csv", "customers.json", "customers.jsonl"]
    assert json.loads(Path("customers.json").read_text())["rejections"] == []
    assert Path("customers.jsonl").read_bytes() == b""


def test_an_existing_file_is_whole_until_the_report_is_finished() -> None:
    Path("r.jsonl").write_text("from before")
    report = reports("r.jsonl")
    report.write([REJECTION])
    assert Path("r.jsonl").read_text() == "from before"

    report.finish(SUMMARY)
    assert json.loads(Path("r.jsonl").read_text())["row"] == 1
    assert files() == ["r.jsonl"]


def test_an_interruption_leaves_the_rows_written_so_far_under_the_partial_name() -> None:
    Path("r.jsonl").write_text("from before")
    report = reports("r.jsonl")
    report.write([REJECTION])
    report.abandon()
    report.abandon()

    assert Path("r.jsonl").read_text() == "from before"
    assert json.loads(Path("r.jsonl.partial").read_text())["row"] == 1


def test_the_second_try_replaces_what_an_interruption_left() -> None:
    first = reports("r.jsonl")
    first.write([REJECTION] * 3)
    first.abandon()
    second = reports("r.jsonl")
    second.finish(SUMMARY)

    assert files() == ["r.jsonl"]
    assert Path("r.jsonl").read_bytes() == b""


# Who may read it ----------------------------------------------------------------------------------------


def test_only_the_owner_may_read_a_report_from_its_first_byte() -> None:
    Path("r.csv").touch(mode=0o644)
    Path("r.csv.partial").touch(mode=0o666)
    before = os.umask(0)
    try:
        report = reports("r.csv")
        assert mode("r.csv.partial") == 0o600
        report.finish(SUMMARY)
    finally:
        os.umask(before)

    assert mode("r.csv") == 0o600


def test_a_link_in_the_place_of_the_partial_file_is_not_written_through() -> None:
    Path("precious").write_text("precious")
    Path("r.csv.partial").symlink_to("precious")
    report = reports("r.csv")
    report.write([REJECTION])
    report.finish(SUMMARY)

    assert Path("precious").read_text() == "precious"
    assert not Path("r.csv").is_symlink()


def test_a_second_import_cannot_take_a_report_that_is_being_written() -> None:
    first = reports("r.jsonl")
    first.write([REJECTION])

    with pytest.raises(OutputUnwritable, match="another import is writing"):
        reports("r.jsonl")

    first.write([REJECTION])
    first.finish(SUMMARY)
    assert len(Path("r.jsonl").read_text().splitlines()) == 2


# Failures -----------------------------------------------------------------------------------------------


def test_a_report_without_a_folder_says_where_and_how_to_make_it_again() -> None:
    with pytest.raises(OutputUnwritable) as refused:
        ReportFile(Path("nowhere/r.json"), HEADER, IMPORT_ID)

    assert refused.value.message == "nowhere/r.json: the report cannot be written: No such file or directory"
    assert f"custimport imports rejections {IMPORT_ID} --format json" in refused.value.hint


def test_without_a_history_the_same_command_makes_the_report_again() -> None:
    with pytest.raises(OutputUnwritable) as refused:
        ReportFile(Path("nowhere/r.csv"), HEADER, None)

    assert "the same command" in refused.value.hint
    assert "imports rejections" not in refused.value.hint


def test_reports_that_cannot_all_be_begun_leave_nothing() -> None:
    Path("b.csv.partial").mkdir()

    with pytest.raises(OutputUnwritable, match=r"b\.csv"):
        reports("a.csv", "b.csv")

    assert files() == ["b.csv.partial"]


def test_one_report_that_cannot_be_put_in_place_does_not_keep_the_others_from_it() -> None:
    three = reports("a.jsonl", "b.jsonl", "c.jsonl")
    three.write([REJECTION])
    Path("a.jsonl").mkdir()

    with pytest.raises(OutputUnwritable, match=r"a\.jsonl"):
        three.finish(SUMMARY)

    assert files() == ["a.jsonl", "a.jsonl.partial", "b.jsonl", "c.jsonl"]
    assert json.loads(Path("a.jsonl.partial").read_text())["row"] == 1


DISK_FULL = """
import resource, sys
from pathlib import Path
from tests.pipeline.test_reports import HEADER, REJECTION, SUMMARY, ImportReports, OutputUnwritable

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
report = ImportReports("x.csv", [sys.argv[1]], Path.cwd())
report.open(HEADER, "00112233aabbccdd")
try:
    report.write(REJECTION for _ in range(int(sys.argv[3])))
    report.finish(SUMMARY)
except OutputUnwritable as error:
    print(error.message, error.hint, sep="|")
    report.abandon()
"""


@pytest.mark.parametrize("report", ["r.csv", "r.json", "r.jsonl"])
@pytest.mark.parametrize(
    ("size_bytes", "rejections"), [(50_000, 5_000), (10, 3)], ids=["while writing", "while finishing"]
)
def test_a_full_disk_is_told_and_leaves_no_report_under_its_name(report: str, size_bytes: int, rejections: int) -> None:
    repository = Path(__file__).parents[2]
    outcome = subprocess.run(
        [sys.executable, "-W", "error", "-c", DISK_FULL, report, str(size_bytes), str(rejections)],
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert outcome.stderr == ""
    message, hint = outcome.stdout.split("|")
    assert message == f"{report}: the report cannot be written: File too large"
    assert f"custimport imports rejections {IMPORT_ID}" in hint
    assert files() == [report + ".partial"]
    assert Path(report + ".partial").stat().st_size <= size_bytes


@pytest.mark.parametrize("report", ["r.csv", "r.json", "r.jsonl"])
def test_memory_does_not_grow_with_the_rejections_of_a_resumed_import(report: str) -> None:
    def peak_bytes(count: int) -> int:
        def recorded() -> Iterator[Rejection]:
            for row in range(count):
                yield Rejection(row, row, [f"name {row}", "b", "c", "d"], (BLANK,))

        opened = reports(report)
        tracemalloc.start()
        try:
            opened.write(recorded())
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            opened.abandon()

    peak_bytes(2_000)

    assert peak_bytes(20_000) < peak_bytes(2_000) + 100_000


# Paths that cannot be meant -----------------------------------------------------------------------------


@pytest.fixture
def inputs() -> None:
    Path("a").mkdir()
    Path("b").mkdir()
    for name in ("x.csv", "y.csv", "x.rejections.csv", "r.csv.partial", "a/x.csv", "b/x.csv"):
        Path(name).touch()
    Path("folder.csv").mkdir()
    Path("link.csv").symlink_to("x.csv")
    Path("hard.csv").hardlink_to("x.csv")


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize(
    ("asked_for", "loaded", "words"),
    [
        (["x.csv"], ["x.csv"], "is a file to load"),
        (["./a/../x.csv"], ["x.csv"], "is a file to load"),
        (["link.csv"], ["x.csv"], "is a file to load"),
        (["x.csv"], ["link.csv"], "is a file to load"),
        (["hard.csv"], ["x.csv"], "is a file to load"),
        (["r.csv"], ["r.csv.partial"], "r.csv.partial, which is a file to load"),
        (["{name}.csv"], ["a/x.csv", "x.csv"], "is a file to load"),
        ([], ["x.csv", "x.rejections.csv"], "x.rejections.csv, the report of x.csv: is a file to load"),
        ([], ["a/x.csv", "b/x.csv"], "a/x.csv would have its report there too"),
        (["{name}.json"], ["a/x.csv", "b/x.csv"], "a/x.csv would have its report there too"),
        (["r.json", "a/../r.json"], ["x.csv"], "would have its report there too"),
        (["r.json"], ["x.csv", "y.csv"], "must hold {name}"),
        (["missing/r.csv"], ["x.csv"], "there is no folder"),
        (["x.csv/r.csv"], ["y.csv"], "there is no folder"),
        (["folder.csv"], ["x.csv"], "is a folder"),
        (["r.xlsx"], ["x.csv"], "does not say a format"),
    ],
)
def test_reports_that_would_destroy_something_are_wrong_usage(
    asked_for: list[str], loaded: list[str], words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        check_report_paths(asked_for, loaded)

    assert words in refused.value.message
    assert refused.value.hint


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize(
    ("asked_for", "loaded"),
    [
        ([], ["x.csv", "y.csv", "-"]),
        ([], ["x.rejections.csv"]),
        (["r.json", "r.jsonl", "y.csv"], ["x.csv"]),
        (["a/{name}.json"], ["x.csv", "y.csv"]),
        (["{name}.json"], ["-"]),
        (["r.csv"], ["missing.csv"]),
    ],
)
def test_reports_at_places_of_their_own_are_accepted(asked_for: list[str], loaded: list[str]) -> None:
    check_report_paths(asked_for, loaded)
