"""`custimport help`: the pages of the documentation, from the files that the repository has."""

import difflib
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from custimport.cli.terminal import output
from custimport.errors import UsageError

PAGES: Final = (
    "rejections",
    "scripts",
    "configuration",
    "operations",
    "logs",
    "indexes",
    "performance",
    "from-mongoimport",
    "from-the-rest-service",
    "cli",
)


def show_help(
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", help="Which page; without it the topics are listed.")
    ] = None,
) -> None:
    """Read a page of the documentation; `custimport COMMAND --help` tells the options of a command.

    Example: custimport help rejections
    """
    if topic is None:
        for page in PAGES:
            typer.echo(f"{page:<24}{_title(page)}")
        return
    if topic not in PAGES:
        close = difflib.get_close_matches(topic, PAGES, n=1, cutoff=0.5)
        raise UsageError(
            f"there is no page {topic!r}",
            hint=f"custimport help {close[0]}" if close else f"the topics are {', '.join(PAGES)}",
        )
    text = _page(topic)
    if not sys.stdout.isatty():
        typer.echo(text, nl=False)
        return
    from rich.markdown import Markdown

    output().print(Markdown(text))


def _title(page: str) -> str:
    return _page(page).partition("\n")[0].removeprefix("# ")


def _page(page: str) -> str:
    """The page, without what generates its tables."""
    package = Path(__file__).parent.parent
    installed = package / "pages"
    folder = installed if installed.is_dir() else package.parent.parent / "docs"
    lines = (folder / f"{page}.md").read_text(encoding="utf-8").splitlines()
    kept, generating = [], False
    for line in lines:
        generating = generating or line.startswith("<!-- [[[cog")
        if not generating and not line.startswith("<!-- [[["):
            kept.append(line)
        generating = generating and not line.endswith("-->")
    return "\n".join(kept) + "\n"
