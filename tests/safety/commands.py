"""Every command that uses a database, and the exit code with which it ends on the files here."""

from pathlib import Path

COMMANDS: list[tuple[int, str]] = [
    (3, "load customers.csv --report first.csv --report first.json --report first.jsonl"),
    (3, "load customers.csv --report page.html --log-file load.log --log-level debug --log-format json"),
    (3, "load customers.csv --json --log-format text --log-level debug --log-values"),
    (3, "load customers.csv --json"),
    (3, "load customers.csv --on-duplicate update --if-loaded load"),
    (0, "load customers.csv --if-loaded skip"),
    (5, "load customers.csv --if-loaded refuse"),
    (3, "load customers.csv --dry-run"),
    (4, "load bad.csv --max-rejections 0"),
    (4, "load bad.csv --max-rejections 0 --check-first"),
    (3, "load --resume last --max-rejections 10"),
    (7, "load missing.csv"),
    (7, "load headless.csv"),
    (9, "load bad.csv --report taken.csv"),
    (2, "load customers.csv --report report.xlsx"),
    (3, "check customers.csv"),
    (0, "imports list"),
    (0, "imports list --json"),
    (0, "imports show last"),
    (0, "imports show last --json"),
    (9, "imports show last --watch"),
    (0, "imports rejections last --format json"),
    (0, "imports rejections last --format html"),
    (5, "imports verify last bad.csv"),
    (0, "customers list"),
    (0, "customers list --all --json"),
    (0, "customers show ann@example.com"),
    (0, "customers update ann@example.com --full-name Anna"),
    (3, "customers update ann@example.com --email nonsense"),
    (6, "customers show nobody@example.com"),
    (0, "customers history ann@example.com"),
    (0, "customers history ann@example.com --json"),
    (0, "customers export --output exported.jsonl"),
    (0, "customers delete --yes --force ann@example.com"),
    (0, "imports undo last --yes"),
    (0, "db init"),
    (0, "db status"),
    (0, "db status --json"),
    (0, "db uri"),
    (0, "db uri --json"),
]
READING = ("load customers.csv --dry-run", "imports list", "imports show", "imports rejections", "customers list")
READING += ("customers show", "customers history", "customers export", "db status", "db uri")
"""How commands begin that write nothing to the database."""


def write_files() -> None:
    header = "full_name,email,date_of_birth,timezone\n"
    Path("customers.csv").write_text(header + "Ann,ann@example.com,1990-01-15,UTC\nBob,no address,1985-03-22,UTC\n")
    Path("bad.csv").write_text(header + "Bob,no address,1985-03-22,UTC\n")
    Path("headless.csv").write_text("1,2\n")
    Path("taken.csv.partial").mkdir()
