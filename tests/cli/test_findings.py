"""Files that are wrong in one way all through: what is said of them, and that a load can be stopped early."""

import csv
import shlex
from pathlib import Path

import pytest

HEADER = "full_name,email,date_of_birth,timezone\n"


def a_file(rows: int, name: str = "legacy.csv", **cells: str) -> Path:
    """Valid rows, but for the cells given; `{n}` in them is the row's number, `{day}` one of 28 days."""
    usual = {"full_name": "Customer {n}", "email": "c{n}@example.com", "date_of_birth": "1990-01-15", "timezone": "UTC"}
    line = ",".join((usual | cells).values()) + "\n"
    body = "".join(line.format(n=n, day=f"{n % 28 + 1:02}") for n in range(1, rows + 1))
    path = Path(name)
    path.write_text(HEADER + body, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("cells", "finding"),
    [
        (
            {"date_of_birth": "{day}/12/1990"},
            "40 of 40 refused dates look like DD/MM/YYYY; none contradicts it: add --date-format '%d/%m/%Y'",
        ),
        (
            {"timezone": "Pacific Standard Time"},
            (
                '40 rows are without a known time zone, most often "Pacific Standard Time" 40 '
                "(perhaps America/Los_Angeles): replace the names in the file"
            ),
        ),
        (
            {"email": "c{n}"},
            '40 e-mails hold no @: is it the right column? --map "COLUMN=email" names another',
        ),
        (
            {"full_name": ""},
            '40 rows have no full_name: is it the right column? --map "COLUMN=full_name" names another',
        ),
        ({"timezone": "UTC,x"}, "40 rows have 5 cells, the header 4: are the header and the delimiter (,) right?"),
        (
            {"full_name": '"A" b'},
            "40 rows are not quoted as CSV is: name the quote character with --quotechar",
        ),
    ],
)
def test_what_most_rows_have_in_common_is_said_with_its_cure(run_offline, cells, finding) -> None:
    a_file(40, **cells)

    result = run_offline("check", "legacy.csv", exit_code=3)
    assert f"  finding: {finding}\n" in result.stdout

    (summary,) = run_offline("check", "legacy.csv", "--json", exit_code=3).json["imports"]
    assert summary["findings"] == [finding]


def test_the_format_that_is_suggested_loads_the_report(run, database) -> None:
    path = a_file(20, date_of_birth="{day}/12/1990")
    path.write_text(path.read_text() + "Z,z@example.com,1990-01-15,UTC\n")

    (finding,) = run("load", path, "--json", exit_code=3).json["imports"][0]["findings"]
    assert finding.endswith("add --date-format '%d/%m/%Y' --date-format '%Y-%m-%d'")

    run("load", "legacy.rejections.csv", "--date-format", "%d/%m/%Y", "--date-format", "%Y-%m-%d")
    assert database.customers.count_documents({}) == 21


@pytest.mark.parametrize("date", ["{day}/12/1990 00:00:00", "{day}-DEC-90", "12/{day}/1990 12:00:00 AM"])
def test_dates_as_databases_export_them_load_as_suggested(run, database, date) -> None:
    path = a_file(28, date_of_birth=date)

    (finding,) = run("load", path, "--json", exit_code=3).json["imports"][0]["findings"]
    run("load", path, *shlex.split(finding.partition("add ")[2]))

    assert database.customers.count_documents({}) == 28
    assert {customer["date_of_birth"].year for customer in database.customers.find()} == {1990}


def test_the_format_suggested_for_dates_at_midnight_drops_no_other_time(run_offline) -> None:
    path = a_file(28, date_of_birth="{day}/12/1990 00:00")
    path.write_text(path.read_text() + "Z,z@example.com,05/12/1990 07:30,UTC\n")

    (finding,) = run_offline("check", path, "--json", exit_code=3).json["imports"][0]["findings"]
    assert finding.startswith("28 of 29 refused dates look like DD/MM/YYYY 00:00; none contradicts it: add ")
    result = run_offline("check", path, *shlex.split(finding.partition("add ")[2]), "--json", exit_code=3)

    assert result.json["totals"]["inserted"] == 28


def test_an_encoding_is_suggested_even_if_the_limit_stops_the_load(run_offline) -> None:
    path = a_file(50, full_name="Zoë {n}")
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1252"))

    result = run_offline("check", path, "--max-rejections", "5", exit_code=4)

    assert "6 rows are not text in the file's encoding: likely cp1252: add --encoding cp1252" in result.stdout
    assert run_offline("check", path, "--encoding", "cp1252", "--json").json["totals"]["inserted"] == 50


WESTERN = ("Zoë Müller", "André Ångström", "José Núñez", "Björn Sjöberg", "Jürgen Weiß", "Ana Conceição")
CENTRAL = ("Łukasz Żółć", "Świętosława Kąkol", "Jiří Dvořák", "Čeněk Šťastný")
CYRILLIC = ("Иван Петров", "Мария Сидорова", "Ольга Чехова")


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        *((encoding, WESTERN) for encoding in ("cp1252", "cp850", "mac-roman")),
        *((encoding, CENTRAL) for encoding in ("cp1250", "cp852", "iso8859-2")),
        *((encoding, CYRILLIC) for encoding in ("cp1251", "cp866", "koi8-r")),
        ("cp1252", ("Sinéad O’Connor", "“Bob” Smith", "Anne–Marie Roß", "Þór Guðmundsson")),
        ("cp1253", ("Γιώργος Παπαδόπουλος", "Ελένη Ωνάση")),
        ("cp1254", ("Şükrü Yılmaz", "Çağla Işık", "Ayşe Gürsoy")),
        ("cp932", ("山田太郎", "佐藤花子", "さくら")),
        ("cp949", ("김철수", "이영희")),
        ("gb18030", ("王小明", "李娜", "张伟")),
        ("big5", ("王小明", "李娜", "陳偉")),
    ],
)
def test_the_code_page_that_is_suggested_gives_the_names_back(run, database, encoding, names) -> None:
    lines = [f"{name},n{number}@example.com,1990-01-15,UTC\n" for number, name in enumerate(names)]
    Path("old.csv").write_bytes((HEADER + "".join(lines)).encode(encoding))

    (finding,) = run("load", "old.csv", "--json", exit_code=3).json["imports"][0]["findings"]
    assert finding.endswith(f"not text in the file's encoding: likely {encoding}: add --encoding {encoding}")

    run("load", "old.csv", "--encoding", encoding)
    assert {customer["full_name"] for customer in database.customers.find()} == set(names)


def test_no_code_page_is_suggested_under_which_the_names_do_not_read(run_offline) -> None:
    junk = "".join(
        f"A{chr(first)}b{chr(second)}C" for first, second in zip(range(128, 192), range(192, 256), strict=True)
    )
    Path("junk.csv").write_bytes(HEADER.encode() + junk.encode("latin-1") + b",a@example.com,1990-01-15,UTC\n")

    (finding,) = run_offline("check", "junk.csv", "--json", exit_code=3).json["imports"][0]["findings"]

    assert finding == "1 row is not text in the file's encoding: name the encoding with --encoding NAME"


def test_single_wrong_bytes_in_a_file_of_utf_8_suggest_no_code_page(run_offline) -> None:
    rows = [f"Zoë Müller,z{n}@example.com,1990-01-15,UTC\n".encode() for n in range(20)]
    rows[7] = rows[7].replace("ü".encode(), b"\xfc")
    Path("mixed.csv").write_bytes(HEADER.encode() + b"".join(rows))

    (finding,) = run_offline("check", "mixed.csv", "--json", exit_code=3).json["imports"][0]["findings"]

    assert finding == "1 row is not text in the file's encoding: the rest of the file is utf-8, mend these rows"


def test_faults_of_single_rows_are_no_finding(run_offline) -> None:
    path = a_file(97)
    path.write_text(path.read_text() + "X,x@example.com,1/2/1990,Mars\n" * 3)

    assert run_offline("check", path, "--json", exit_code=3).json["imports"][0]["findings"] == []


@pytest.mark.parametrize("batch_rows", ["1", "37", "2000"])
@pytest.mark.parametrize("command", ["check", "load"])
def test_a_systematic_fault_stops_after_a_thousand_rows(run, database, command, batch_rows) -> None:
    path = a_file(3000, date_of_birth="{day}/12/1990")
    options = ["--batch-size", batch_rows] if command == "load" else []

    result = run(command, path, "--stop-on-systematic", "--json", *options, exit_code=4)

    assert "stopped by --stop-on-systematic: 1,000 of the first 1,000 rows are rejected" in result.stderr
    (summary,) = result.json["imports"]
    assert summary["status"] == "stopped"
    assert summary["rows"]["read"] == summary["rows"]["rejected"] == 1000
    assert summary["findings"][0].endswith("add --date-format '%d/%m/%Y'")
    with Path("legacy.rejections.csv").open(encoding="utf-8-sig", newline="") as report:
        assert [int(row["rejection_row"]) for row in csv.DictReader(report)] == list(range(1, 1001))
    assert database.customers.count_documents({}) == 0


def test_without_the_option_a_systematic_fault_is_told_while_the_load_runs_and_at_its_end(run) -> None:
    path = a_file(1500, timezone="Romance Standard Time")

    result = run("load", path, exit_code=3)

    assert "warning: legacy.csv: 1,000 of the first 1,000 rows are rejected for one reason, timezone-unknown" in (
        result.stderr
    )
    assert "perhaps Europe/Paris" in result.stderr
    assert "finding: 1,500 rows are without a known time zone" in result.stdout


def test_duplicates_of_either_kind_are_one_reason(run, database) -> None:
    path = a_file(1200)
    run("load", path, "-q")
    path.write_text(path.read_text().replace("Customer", "Renamed"))

    result = run("load", path, "--stop-on-systematic", "--json", exit_code=4)

    assert "for one reason, duplicate" in result.stderr
    assert result.json["totals"]["rejected"] == 1000
    assert result.json["imports"][0]["findings"] == [
        "1,000 rows are stored already: choose --on-duplicate skip or update if the file is right"
    ]

    # who resumes it has seen the fault and wants the rest nevertheless
    assert run("load", "--resume", "last", "--json", exit_code=3).json["totals"]["rejected"] == 1200


def test_half_of_the_rows_is_no_systematic_fault(run) -> None:
    path = a_file(2000)
    bad = a_file(2000, "bad.csv", timezone="x")
    good_lines, bad_lines = path.read_text().splitlines(), bad.read_text().splitlines()
    mixed = [bad_lines[n] if n % 2 else good_lines[n] for n in range(1, 2001)]
    path.write_text("\n".join([HEADER.strip(), *mixed]))

    result = run("load", path, "--stop-on-systematic", "--json", exit_code=3)

    assert result.json["totals"] == {
        "read": 2000, "inserted": 1000, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 1000,
    }  # fmt: skip


def test_the_first_rows_of_a_resumed_import_count_as_well(run, database) -> None:
    """Stopped by its limit before row 1,000, it is judged at that row by all of them."""
    path = a_file(3000, timezone="x")
    run("load", path, "--stop-on-systematic", "--max-rejections", "600", "-q", exit_code=4)

    result = run("load", "--resume", "last", "--max-rejections", "100%", "--json", exit_code=4)

    assert result.json["totals"]["read"] == 1000
    assert "stop-on-systematic" in result.stderr


def test_a_loaded_report_is_linked_to_its_import(run, database) -> None:
    path = a_file(3, timezone="x")
    first = run("load", path, "--json", exit_code=3).json["imports"][0]["import_id"]
    report = Path("legacy.rejections.csv")
    # as a spreadsheet saves it: mark, semicolons, CRLF
    with report.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    place = rows[0].index("timezone")
    with report.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, delimiter=";", lineterminator="\r\n")
        writer.writerows([rows[0], *[[*row[:place], "Europe/Paris", *row[place + 1 :]] for row in rows[1:]]])

    second = run("load", report, "--json").json["imports"][0]["import_id"]

    assert {c["created_by"]["import_id"].hex() for c in database.customers.find()} == {second}
    assert run("imports", "show", second, "--json").json["retry_of"] == first
    shown = run("imports", "show", second).stdout
    assert [line.split() for line in shown.splitlines() if first in line] == [["retry", "of", first]]
    assert run("imports", "show", first, "--json").json["retry_of"] is None


def test_the_longest_record_of_several_lines_is_still_one_in_its_report(run_offline) -> None:
    columns = [f"note{n}" for n in range(9)]
    start = "A,a@example.com,1990-01-15,Mars"
    notes = [f',"\n{"z" * 116_000}"' for _ in columns]
    notes[-1] = notes[-1][:-1] + "z" * (1024 * 1024 - len(start) - sum(map(len, notes)) - 1) + '"'
    Path("long.csv").write_text(f"{HEADER.strip()},{','.join(columns)}\n{start}{''.join(notes)}\n")
    run_offline("check", "long.csv", "-q", "--report", "r.csv", exit_code=3)
    report = Path("r.csv")
    report.write_bytes(report.read_bytes().replace(b",Mars,", b",UTC,"))

    assert run_offline("check", report, "--json").json["totals"]["inserted"] == 1


def test_the_report_of_a_check_names_no_import(run, database) -> None:
    run("check", a_file(2, timezone="x"), exit_code=3)

    loaded = run("load", "legacy.rejections.csv", "--json", exit_code=3).json["imports"][0]["import_id"]

    assert run("imports", "show", loaded, "--json").json["retry_of"] is None


def test_the_longest_record_is_an_option(run_offline) -> None:
    path = a_file(1)
    path.write_text(path.read_text() + "x" * 5_000 + "\nB,b@example.com,1990-01-15,UTC\n")

    result = run_offline("check", path, "--max-record-bytes", "4000", "--json", exit_code=3)

    assert result.json["totals"]["inserted"] == 2
    assert result.json["imports"][0]["rejected_by_code"] == {"cell-too-large": 1}
    assert "--max-record-bytes" in run_offline("check", path, "--max-record-bytes", "10000000", exit_code=2).stderr
