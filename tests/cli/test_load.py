"""`custimport load` and `check` from the command line to the database and back."""

import csv
import gzip
import io
import json
import re
from pathlib import Path

import pytest

HEADER = "full_name,email,date_of_birth,timezone\n"
ALICE = "Alice Martin,alice@example.com,1990-01-15,Europe/Paris\n"
BOB = "Bob Müller,bob@example.com,1985-03-22,America/New_York\n"
BAD = ",nobody,31/12/1990,Mars/Base\n"


def write_file(text: str, name: str = "customers.csv") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def report_rows(path: str | Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Path(path).read_bytes().decode("utf-8-sig"), newline="")))


def test_a_clean_file_is_stored_and_leaves_no_report(run, database) -> None:
    result = run("load", write_file(HEADER + ALICE + BOB), "--json", "--quiet")

    (summary,) = result.json["imports"]
    assert summary["rows"] == {"read": 2, "inserted": 2, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 0}
    assert summary["status"] == "completed"
    assert result.stderr == ""
    assert {customer["email"] for customer in database.customers.find()} == {"alice@example.com", "bob@example.com"}
    assert [path.name for path in Path().iterdir()] == ["customers.csv"]


def test_every_reason_of_a_row_is_reported_at_once(run, database) -> None:
    result = run("load", write_file(HEADER + ALICE + BAD), exit_code=3)

    (row,) = report_rows("customers.rejections.csv")
    assert row["rejection_codes"] == "blank email-invalid date-invalid timezone-unknown"
    assert (row["rejection_row"], row["rejection_line"]) == ("2", "3")
    assert "customers.rejections.csv" in result.stdout
    assert database.customers.count_documents({}) == 1
    (rejection,) = database.rejections.find()
    assert [error["code"] for error in rejection["errors"]] == row["rejection_codes"].split()


def test_the_history_document_tells_the_whole_import(run, database) -> None:
    run("load", write_file(HEADER + ALICE + BAD), "--quiet", exit_code=3)

    (document,) = database.imports.find()
    assert document["status"] == "completed"
    assert document["rows"] == {"read": 2, "inserted": 1, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 1}
    assert document["file"]["sha256"] is not None
    assert document["columns"] == ["full_name", "email", "date_of_birth", "timezone"]
    assert document["checkpoint"]["row"] == 2
    assert "token" not in document["lease"]


def test_the_first_line_on_standard_error_names_the_target(run, database) -> None:
    result = run("load", write_file(HEADER + ALICE))

    assert result.stderr.splitlines()[0].startswith("target: ")
    assert database.name in result.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ("policy", "counts", "exit_code"),
    [
        ("reject", {"inserted": 0, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 2}, 3),
        ("skip", {"inserted": 0, "updated": 0, "unchanged": 0, "skipped": 2, "rejected": 0}, 0),
        ("update", {"inserted": 0, "updated": 0, "unchanged": 2, "skipped": 0, "rejected": 0}, 0),
    ],
)
def test_loading_twice_changes_nothing(run, database, policy, counts, exit_code) -> None:
    path = write_file(HEADER + ALICE + BOB)
    run("load", path)
    before = list(database.customers.find())

    result = run("load", path, "--on-duplicate", policy, "--json", "-q", exit_code=exit_code)

    assert result.json["totals"] == {"read": 2, **counts}
    assert list(database.customers.find()) == before


def test_a_duplicate_in_the_database_names_the_customer(run, database) -> None:
    path = write_file(HEADER + ALICE)
    run("load", path)
    customer = database.customers.find_one()

    run("load", path, "--report", "r.jsonl", exit_code=3)

    (error,) = json.loads(Path("r.jsonl").read_text())["errors"]
    assert error["code"] == "duplicate-in-database"
    assert error["related"] == {"customer_id": str(customer["_id"])}


def test_update_takes_the_last_row_and_keeps_the_values_from_before(run, database) -> None:
    run("load", write_file(HEADER + ALICE))
    changed = write_file(
        HEADER
        + "Alice B,alice@example.com,1990-01-15,Europe/Paris\n"
        + "Alice C,alice@example.com,1990-01-15,Europe/Paris\n",
        "changed.csv",
    )

    result = run("load", changed, "--on-duplicate", "update", "--json", "-q")

    assert result.json["totals"]["updated"] == 2
    customer = database.customers.find_one()
    assert customer["full_name"] == "Alice C"
    assert customer["previous"]["full_name"] == "Alice Martin"
    assert customer["updated_by"]["row"] == 2


def test_duplicates_spread_over_batches_and_writers_are_all_found(run, database) -> None:
    rows = [f"Customer {n},c{n % 50}@example.com,1990-01-15,UTC\n" for n in range(500)]
    path = write_file(HEADER + "".join(rows))

    result = run("load", path, "--batch-size", "7", "--json", "-q", "--report", "r.jsonl", exit_code=3)

    assert result.json["totals"]["inserted"] == 50
    assert result.json["totals"]["rejected"] == 450
    for line in Path("r.jsonl").read_text().splitlines():
        rejection = json.loads(line)
        (error,) = rejection["errors"]
        assert error["code"] == "duplicate-in-file"
        assert error["related"] == {"row": (rejection["row"] - 1) % 50 + 1}


def test_the_csv_report_reloads_exactly(run, database) -> None:
    path = write_file(HEADER + ALICE + '"=SUM(A1)",+bad,1990-01-15,UTC\n' + "'quoted,also bad,1990-01-15,UTC\n")
    run("load", path, exit_code=3)

    run("load", "customers.rejections.csv", "--report", "again.csv", exit_code=3)

    first, second = report_rows("customers.rejections.csv"), report_rows("again.csv")
    fields = ("full_name", "email", "date_of_birth", "timezone", "rejection_codes", "rejection_reasons")
    assert [[row[name] for name in fields] for row in first] == [[row[name] for name in fields] for row in second]
    assert first[0]["full_name"] == "'=SUM(A1)"


def test_a_fixed_report_loads(run, database) -> None:
    run("load", write_file(HEADER + ALICE + "Bob,bob@,1990-01-15,UTC\n"), exit_code=3)
    report = Path("customers.rejections.csv")
    report.write_bytes(report.read_bytes().replace(b"bob@,", b"bob@example.com,"))

    run("load", report)

    assert database.customers.count_documents({}) == 2


def test_the_three_report_formats_say_the_same(run) -> None:
    path = write_file(HEADER + BAD + ALICE)
    run("load", path, "--report", "r.csv", "--report", "r.json", "--report", "r.jsonl", exit_code=3)

    (csv_row,) = report_rows("r.csv")
    document = json.loads(Path("r.json").read_text())
    (jsonl_row,) = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert document["rejections"] == [jsonl_row]
    assert csv_row["rejection_codes"].split() == [error["code"] for error in jsonl_row["errors"]]
    assert document["schema_version"] == 1
    assert document["summary"]["rows"]["rejected"] == 1
    assert document["import"]["sha256"] == document["summary"]["sha256"]
    for name in ("r.csv", "r.json", "r.jsonl"):
        assert Path(name).stat().st_mode & 0o777 == 0o600


def test_a_report_that_was_asked_for_is_written_even_empty(run) -> None:
    run("load", write_file(HEADER + ALICE), "--report", "r.csv", "--report", "r.json")

    assert report_rows("r.csv") == []
    assert json.loads(Path("r.json").read_text())["rejections"] == []


def test_a_dry_run_writes_nothing_and_tells_what_a_load_would_do(run, database) -> None:
    run("load", write_file(HEADER + ALICE))
    before = {name: list(database[name].find()) for name in ("customers", "imports", "rejections")}
    path = write_file(HEADER + ALICE + BOB + BOB + BAD, "more.csv")

    rehearsed = run("load", path, "--dry-run", "--json", "-q", "--report", "dry.jsonl", exit_code=3)

    assert {name: list(database[name].find()) for name in before} == before
    assert rehearsed.json["imports"][0]["import_id"] is None
    loaded = run("load", path, "--json", "-q", "--report", "wet.jsonl", exit_code=3)
    assert rehearsed.json["totals"] == loaded.json["totals"]
    assert Path("dry.jsonl").read_text() == Path("wet.jsonl").read_text()


def test_check_needs_no_database_and_agrees_with_a_load_into_an_empty_one(run, run_offline) -> None:
    path = write_file(HEADER + ALICE + BOB + ALICE + BAD)

    checked = run_offline("check", path, "--json", "-q", "--report", "check.jsonl", exit_code=3)
    loaded = run("load", path, "--json", "-q", "--report", "load.jsonl", exit_code=3)

    assert checked.json["totals"] == loaded.json["totals"]
    assert Path("check.jsonl").read_text() == Path("load.jsonl").read_text()


def test_standard_input_and_compressed_files_are_read_as_they_are(run, database) -> None:
    Path("a.gz").write_bytes(gzip.compress((HEADER + ALICE).encode()))

    run("load", "a.gz")
    run("load", "-", stdin=HEADER + BOB + BAD, exit_code=3)

    assert database.customers.count_documents({}) == 2
    assert Path("stdin.rejections.csv").exists()


def test_several_files_are_several_imports(run, database) -> None:
    first, second = write_file(HEADER + ALICE, "a.csv"), write_file(HEADER + BOB + BAD, "b.csv")

    result = run("load", first, second, "--report", "{name}.jsonl", "--json", "-q", exit_code=3)

    assert [entry["file"] for entry in result.json["imports"]] == ["a.csv", "b.csv"]
    assert result.json["totals"]["inserted"] == 2
    assert Path("a.jsonl").exists()
    assert Path("b.jsonl").exists()
    assert database.imports.count_documents({}) == 2


def test_a_quoted_pattern_stands_for_its_files_by_name(run) -> None:
    write_file(HEADER + BOB, "b.csv")
    write_file(HEADER + ALICE, "a.csv")

    result = run("load", "*.csv", "--json", "-q")

    assert [entry["file"] for entry in result.json["imports"]] == ["a.csv", "b.csv"]


def test_a_refused_file_does_not_keep_the_next_one_from_loading(run, database) -> None:
    refused, good = write_file("name,mail\nx,y\n", "bad.csv"), write_file(HEADER + ALICE, "good.csv")

    result = run("load", refused, good, exit_code=7)

    assert database.customers.count_documents({}) == 1
    assert "bad.csv" in result.stderr
    assert "--map" in result.stderr


def test_the_limit_stops_the_import_at_the_row_that_passes_it(run, database) -> None:
    path = write_file(HEADER + BAD + ALICE + BAD + BOB)

    result = run("load", path, "--max-rejections", "1", "--json", "-q", exit_code=4)

    (summary,) = result.json["imports"]
    assert summary["status"] == "stopped"
    assert summary["rows"]["read"] == 3
    assert summary["rows"]["rejected"] == 2
    assert [customer["email"] for customer in database.customers.find()] == ["alice@example.com"]
    assert len(report_rows("customers.rejections.csv")) == 2


def test_a_percentage_counts_at_the_end_of_a_short_file(run) -> None:
    path = write_file(HEADER + BAD + ALICE + BOB)

    assert run("load", path, "--max-rejections", "50%", "-q", exit_code=3)
    assert (
        run("check", path, "--max-rejections", "10%", "--json", "-q", exit_code=4).json["imports"][0]["rows"]["read"]
        == 3
    )


def test_ignored_columns_are_named_once(run) -> None:
    path = write_file("full_name,email,date_of_birth,timezone,note\n" + ALICE.strip() + ",hello\n")

    result = run("load", path, "--json")

    assert result.json["imports"][0]["ignored_columns"] == ["note"]
    assert result.stderr.count("note") == 1


def test_quiet_says_nothing_but_errors(run) -> None:
    result = run("load", write_file(HEADER + ALICE + BAD), "--quiet", exit_code=3)

    assert (result.stdout, result.stderr) == ("", "")


def test_the_summary_on_the_terminal_names_counts_reasons_and_next_step(run) -> None:
    result = run("load", write_file(HEADER + ALICE + BAD), exit_code=3)

    for words in ("read", "inserted", "rejected", "email-invalid 1", "report: customers.rejections.csv", "next: "):
        assert words in result.stdout


def test_the_summary_says_what_to_do_with_a_report_that_cannot_be_loaded(run, run_offline) -> None:
    Path("bad.csv").write_text(HEADER + ALICE + ",x,y,z\n")

    shown = run("load", "bad.csv", "--report", "a page.html", exit_code=3).stdout
    command = re.search(r"  next: to fix the cells and load them: custimport (.*) > rejected.csv\n", shown)
    rehearsed = run_offline("check", "bad.csv", "--report", "a page.html", exit_code=3).stdout

    for words in (shown, rehearsed):
        assert "  next: open 'a page.html' in a browser\n" in words
    assert "imports rejections" not in rehearsed
    assert command is not None
    Path("rejected.csv").write_bytes(run(*command[1].split()).stdout_bytes)
    assert run("load", "rejected.csv", "--json", exit_code=3).json["totals"]["read"] == 1


def test_rejections_as_json_are_the_report_of_that_format(run) -> None:
    Path("bad.csv").write_text(HEADER + ",x,y,z\n")
    run("load", "bad.csv", "--quiet", exit_code=3)

    short = run("imports", "rejections", "last", "--json")

    assert short.stdout == run("imports", "rejections", "last", "--format", "json").stdout
    assert len(short.json["rejections"]) == 1
    run("imports", "rejections", "last", "--json", "--format", "csv", exit_code=2)


def test_another_import_finds_the_rejections_again(run) -> None:
    run("load", write_file(HEADER + BAD + ALICE), "--report", "r.csv", exit_code=3)

    again = run("imports", "rejections", "last")

    assert again.stdout_bytes == Path("r.csv").read_bytes()


def test_a_file_that_was_loaded_before_is_loaded_with_a_warning_skipped_or_refused(run, database) -> None:
    path = write_file(HEADER + ALICE)
    run("load", path)
    write_file(HEADER + BOB, "other.csv")
    shown_id = database.imports.find_one()["_id"].hex()

    again = run("load", path, "--on-duplicate", "skip")
    skipped = run("load", path, "other.csv", "--if-loaded", "skip", "--json")
    refused = run("load", path, "--if-loaded", "refuse", exit_code=5)

    assert "was loaded already" in again.stderr
    assert [entry["status"] for entry in skipped.json["imports"]] == ["skipped", "completed"]
    assert skipped.json["imports"][0]["rows"]["read"] == 0
    assert "was loaded already" in refused.stderr
    assert shown_id in again.stderr
    assert database.imports.count_documents({"status": "skipped"}) == 1
    assert database.customers.count_documents({}) == 2
    run("load", "-", "--if-loaded", "skip", stdin=HEADER, exit_code=2)


def test_a_changed_file_of_the_same_size_was_not_loaded_before(run) -> None:
    run("load", write_file(HEADER + ALICE))

    result = run("load", write_file(HEADER + ALICE.replace("alice@", "alicf@")), "--if-loaded", "refuse")

    assert "already" not in result.stderr


def test_check_first_writes_nothing_over_the_limit(run, database) -> None:
    path = write_file(HEADER + ALICE + BOB + BAD)

    stopped = run("load", path, "--check-first", "--max-rejections", "0", "--json", exit_code=4)

    assert stopped.json["imports"][0]["import_id"] is None
    assert database.list_collection_names() in ([], ["customers"])
    assert database.customers.count_documents({}) == 0
    assert len(report_rows("customers.rejections.csv")) == 1

    run("load", path, "--check-first", "--max-rejections", "1", exit_code=3)
    assert database.customers.count_documents({}) == 2
    assert len(report_rows("customers.rejections.csv")) == 1
