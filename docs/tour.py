"""Makes the pictures of tour.md: real commands and the embedded server, as a terminal shows them (`make tour`)."""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

DOCS: Final = Path(__file__).parent
SAMPLE_DATA: Final = DOCS.parent / "sample_data"
COLUMNS: Final = 100
MAP: Final = (
    "--map Name=full_name --map E-Mail=email --map Geburtsdatum=date_of_birth --map Zeitzone=timezone --encoding cp1252"
)
STEPS: Final = (
    ("load", "custimport load customers.csv"),
    ("header", "custimport check european.csv"),
    ("findings", f"custimport check european.csv {MAP}"),
    ("list", "custimport customers list --limit 6 --sort full_name"),
    ("imports", "custimport imports list"),
    ("history", "custimport customers history bob.mueller@example.com"),
    ("help", "custimport check --help"),
)
BEFORE: Final = {"history": "custimport customers update bob.mueller@example.com --timezone Europe/Zurich"}
FORMAT: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, monospace; font-size: {char_height}px;
  line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""
"""Rich's own format without the fonts that it fetches from the network."""


def main() -> None:
    """Run the steps and write a picture of each."""
    pictures = DOCS / "tour"
    pictures.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tour-") as folder:
        for file in SAMPLE_DATA.glob("*.csv"):
            shutil.copy(file, folder)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CUSTIMPORT_")}
        environment |= {
            "CUSTIMPORT_DATA_DIR": f"{folder}/data",
            "CUSTIMPORT_EMBEDDED_IDLE_SECONDS": "3",
            "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
            "FORCE_COLOR": "1",
            "COLUMNS": str(COLUMNS),
        }
        for name, command in STEPS:
            if name in BEFORE:
                run(BEFORE[name], folder, environment)
            picture = drawn(command, run(command, folder, environment))
            (pictures / f"{name}.svg").write_text(picture, encoding="utf-8")
        run("custimport db stop --force", folder, environment)


def run(command: str, folder: str, environment: dict[str, str]) -> str:
    """What the command writes, both streams together."""
    # with forced colours a progress bar would be drawn into the pipe
    hidden = " --no-progress" if re.match("custimport (load|check) (?!--help)", command) else ""
    script = ["/bin/sh", "-c", f"{command}{hidden} 2>&1"]
    written = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout
    return re.sub(r"by \S+ on \S+", "by ann on crm-batch-1", written)


def drawn(command: str, written: str) -> str:
    """A picture of the command and what it wrote."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "dim"), (command, "bold")))
    console.print(Text.from_ansi(written))
    svg = console.export_svg(title="custimport", code_format=FORMAT, unique_id="tour")
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


if __name__ == "__main__":
    main()
