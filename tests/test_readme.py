"""The session that the README opens with is what a new user sees."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
CHANGING = (
    (r"\b[0-9a-f]{16}(?:[0-9a-f]{8})?\b", "ID"),
    (r"[\d.]+ s · [\d,]+ rows/s", "SPEED"),
    (r" +$", ""),
)
"""What differs between two runs: ids and times; and padding that no one sees."""


def session() -> list[tuple[str, str]]:
    """Commands and their output, of the first console block."""
    block = README.read_text(encoding="utf-8").split("```console\n", 1)[1].split("\n```", 1)[0]
    steps = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, output.strip("\n")) for command, _, output in steps]


def settled(text: str) -> str:
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text.strip()


def test_the_session_shows_what_the_program_prints(run) -> None:
    (shown, content), (load, loaded), (listing, listed) = session()
    assert shown == "cat customers.csv"
    Path("customers.csv").write_text(f"{content}\n", encoding="utf-8")

    first = run(*load.split()[1:], exit_code=3)
    second = run(*listing.split()[1:])

    target, _, summary = settled(loaded).partition("\n")
    assert target == "target: embedded MongoDB · database custimport"
    assert first.stderr.startswith("target: ")
    assert settled(first.stdout) == summary
    assert settled(second.stdout) == settled(listed)
