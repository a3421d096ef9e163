"""The sessions of the README are what a new user sees who types them."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
CHANGING = (
    (r"target: .*", "TARGET"),
    (r"\b[0-9a-f]{16}(?:[0-9a-f]{8})?\b", "ID"),
    (r"[\d.]+ s · [\d,]+ rows/s", "SPEED"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?", "TIME"),
    (r"by \S+ on \S+", "BY WHOM"),
    (r" +$", ""),
)
"""What differs between two runs: the server, ids, times, who it was; and padding that no one sees."""


def steps() -> list[tuple[str, str]]:
    """Commands and their output, of the session at the beginning and the one that goes on with it."""
    blocks = re.findall(r"^```console\n(.*?)\n```$", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    sessions = [block for block in blocks if "customers.csv" in block]
    parts = [part.partition("\n") for block in sessions for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, output.strip("\n")) for command, _, output in parts]


def settled(text: str) -> str:
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text.strip()


def test_the_sessions_show_what_the_program_prints(mongod, database, monkeypatch) -> None:
    (shown, content), *typed = steps()
    assert shown == "cat customers.csv"
    Path("customers.csv").write_text(f"{content}\n", encoding="utf-8")
    monkeypatch.setenv("CUSTIMPORT_MONGODB_URI", mongod.uri.replace("/?", f"/{database.name}?"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    for command, output in typed:
        done = subprocess.run(
            command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
        )

        assert settled(done.stdout) == settled(output), command
        assert done.returncode == (3 if command == "custimport load customers.csv" else 0), command
    assert len(typed) == 9
    assert sorted(database.customers.distinct("email")) == ["alice@example.com", "zoe@example.com"]
