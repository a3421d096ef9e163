"""The report for people: what it says, that it stays small, and that nothing in customers' data runs; in a browser too."""

import re
import shutil
import stat
import subprocess
from html import unescape
from pathlib import Path

import pytest

HEADER = "full_name,email,date_of_birth,timezone\n"
HOSTILE = (
    "<script>document.title='hacked'</script>",
    "</script></style><img src=x onerror=\"document.title='hacked'\">",
    "=cmd()|' /C calc'!A0",
    "abc\u202egnp.exe",
    "null\x00byte",
    "line\u2028separator",
    "'\"><b>",
    "{{7*7}} ${7*7} &lt;",
)


def a_file(rows: int, name: str = "customers.csv") -> Path:
    """Of a file of so many rows every one is rejected: the even ones for the time zone, the odd ones for the date."""
    path = Path(name)
    lines = (
        f"Customer {n},c{n}@example.com,{'1990-01-15,Mars/Base' if n % 2 == 0 else '31/12/1990,UTC'}\n"
        for n in range(1, rows + 1)
    )
    path.write_text(HEADER + "".join(lines))
    return path


def settled(page: str) -> str:
    """The page without what differs from run to run: ids, times, throughput."""
    page = re.sub(r"\b[0-9a-f]{16}(?:[0-9a-f]{8})?\b", "ID", page)
    page = re.sub(r"<h2>Rows a second.*?</div>\n", "", page, flags=re.DOTALL)
    return re.sub(r"<dt>(started|duration)</dt><dd>.*?</dd>", "", page)


def browsed(path: Path, search: str = "") -> str:
    """The page as a browser has it after its script ran."""
    browser = shutil.which("chromium")
    assert browser is not None, "Debian's package chromium is needed; .ci/run installs it"
    done = subprocess.run(
        [
            *(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={Path('browser').resolve()}", "--dump-dom", f"{path.resolve().as_uri()}{search}"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_page_tells_balance_reasons_and_rows(run) -> None:
    run("load", a_file(4), "--report", "r.html", "-q", exit_code=3)

    page = Path("r.html").read_text(encoding="utf-8")
    assert stat.S_IMODE(Path("r.html").stat().st_mode) == 0o600
    assert not Path("r.html.partial").exists()
    assert "<li><b>4</b>read</li>" in page
    assert "<li><b>4</b>rejected</li>" in page
    assert re.search(r"<code>date-invalid</code> 2<svg", page)
    assert "The date is not a real day written in an accepted format." in page
    assert page.count("<tr data-codes=") == 4
    assert page.count('<td class="bad"') == 4
    assert '<td class="bad" data-column="timezone">Mars/Base</td>' in page
    assert "4 rows were rejected." in page
    assert not re.search(r"(?:src|href|url\(|@import)\s*[=(]?\s*[\"']?(?:https?:)?//", page)


def test_the_marked_cell_is_the_one_of_the_mapped_column(run) -> None:
    Path("x.csv").write_text("Name,Mail,Born,TZ,note\n,a@x.org,1990-01-15,UTC,\n")
    options = ["--map", "Name=full_name", "--map", "Mail=email", "--map", "Born=date_of_birth", "--map", "TZ=timezone"]

    run("load", "x.csv", *options, "--report", "r.html", "-q", exit_code=3)

    again = run("imports", "rejections", "last", "--format", "html").stdout
    for page in (Path("r.html").read_text(encoding="utf-8"), again):
        assert re.findall(r'<td class="bad" data-column="(.*?)"', page) == ["Name"]


def test_a_page_without_rejections_says_so(run) -> None:
    Path("good.csv").write_text(HEADER + "Ann,ann@example.com,1990-01-15,UTC\n")

    run("load", "good.csv", "--report", "r.html", "-q")

    page = Path("r.html").read_text(encoding="utf-8")
    assert "No row was rejected." in page
    assert "<tr data-codes" not in page
    assert "<h2>Reasons" not in page


def test_a_hundred_thousand_rejections_make_a_page_of_bounded_size(run_offline) -> None:
    run_offline("check", a_file(100_000), "--report", "r.html", "-q", exit_code=3)

    page = Path("r.html").read_text(encoding="utf-8")
    assert len(page) < 2_000_000
    assert page.count("<tr data-codes=") == 2_000
    assert "The first 2,000 of 100,000 rejected rows." in page
    assert "<h2>Rows a second</h2>" in page
    assert 2 <= page.count("rows a second after") <= 120


def test_the_page_can_be_made_again_and_after_an_interruption_is_the_same(run, database, monkeypatch) -> None:
    path = a_file(400)
    run("load", path, "--report", "whole.html", "-q", exit_code=3)
    whole = settled(Path("whole.html").read_text(encoding="utf-8"))

    assert settled(run("imports", "rejections", "last", "--format", "html").stdout) == whole

    run("load", path, "--report", "r.html", "--max-rejections", "150", "-q", exit_code=4)
    run("load", "--resume", "last", "--max-rejections", "1000", "-q", exit_code=3)
    page = settled(Path("r.html").read_text(encoding="utf-8"))
    # that the file was loaded before is told in the second one only
    assert re.sub(r"<li>was loaded already.*?</li>", "", page) == re.sub(r"<li>was loaded already.*?</li>", "", whole)


def hostile_page(run_offline) -> Path:
    rows = "".join('"{}",x,1990-01-15,UTC,"{}"\n'.format(*[text.replace('"', '""')] * 2) for text in HOSTILE)
    columns = HEADER.strip() + ',"<script>document.title=1</script>"\n'
    name = "<img src=x onerror=alert(1)>.csv"
    Path(name).write_text(columns + rows + '"unclosed <script>document.title=2</script>\n', encoding="utf-8")
    run_offline("check", name, "--report", "r.html", "-q", exit_code=3)
    return Path("r.html")


def test_nothing_in_the_data_is_markup_and_nothing_is_hidden(run_offline) -> None:
    page = hostile_page(run_offline).read_text(encoding="utf-8")

    assert page.count("<script") == 1
    assert "<img" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u2028\u202a-\u202e]", page)
    text = unescape(re.sub(r"<[^>]*>", "", page.split("<tbody>")[1].split("</tbody>")[0]))
    for value in HOSTILE:
        assert re.sub("[\x00\u2028\u202e]", lambda found: f"U+{ord(found.group()):04X}", value) in text


def test_a_browser_runs_our_script_and_no_other(run_offline) -> None:
    page = browsed(hostile_page(run_offline))

    assert "<title>Rejected rows</title>" in page
    assert re.search(r'id="found" class="dim">9 of 9 shown', page)


@pytest.mark.parametrize(
    ("search", "shown"),
    [
        ("#q=mars", "5 of 10"),
        ("#q=customer+c7@example", "1 of 10"),
        ("#code=date-invalid", "5 of 10"),
        ("#q=nothing", "0 of 10"),
    ],
)
def test_the_table_can_be_searched(run_offline, search, shown) -> None:
    run_offline("check", a_file(10), "--report", "r.html", "-q", exit_code=3)

    page = browsed(Path("r.html"), search)

    assert f"{shown} shown" in page
    assert page.count("<tr data-codes=") - len(re.findall(r"<tr data-codes=\"[^\"]*\" hidden", page)) == int(
        shown.split()[0]
    )
