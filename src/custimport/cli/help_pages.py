"""`custimport help`: the pages of the documentation, from the files that the repository has; the help of commands."""

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

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


def topics(context: typer.Context) -> list[str]:
    """What may stand after `custimport help`, for the shell."""
    return [*PAGES, *_commands(context.find_root().command)]


def show_help(
    context: typer.Context,
    topic: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TOPIC",
            help="Which page, or which command; without it the pages are listed.",
            autocompletion=topics,
        ),
    ] = None,
) -> None:
    """Read a page of the documentation; `custimport COMMAND --help` tells the options of a command.

    Examples:
      custimport help rejections

      custimport help customers update

    """
    if not topic:
        for page in PAGES:
            typer.echo(f"{page:<24}{_title(page)}")
        return
    if topic[0] not in PAGES:
        _show_command(context.find_root(), topic)
        return
    if topic[1:]:
        raise UsageError(
            f"custimport help {topic[0]}: there is no topic {topic[1]!r}", hint=f"custimport help {topic[0]}"
        )
    _show_page(topic[0])


def _show_command(root: Any, words: Sequence[str]) -> None:
    """The help of the command that the words call, as its --help shows it."""
    found, called = root, "custimport help"
    for word in words:
        commands = _commands(found.command)
        if word not in commands:
            topics = [*PAGES, *commands] if found is root else list(commands)
            close = difflib.get_close_matches(word, topics, n=1, cutoff=0.6)
            hint = f"{called} {close[0]}" if close else f"{called} TOPIC; the topics are {', '.join(topics)}"
            raise UsageError(f"{called}: there is no topic {word!r}", hint=hint if topics else called)
        called += f" {word}"
        command = commands[word]
        found = command.context_class(command, parent=found, info_name=word)
    found.get_help()


def _commands(group: Any) -> dict[str, Any]:
    return getattr(group, "commands", {})


def _show_page(topic: str) -> None:
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
