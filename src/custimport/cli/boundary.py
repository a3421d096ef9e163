"""The one place where expected errors end: a line or two on standard error and an exit code.

It sits inside the Typer app, so that the installed command and the tests take the same path. Whatever is not a
`CustimportError` passes through and is shown with its traceback: bugs must look like bugs.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup
from typer.exceptions import TyperException

from custimport.cli.terminal import message_words, messages, quiet_when_pipe_closes, shown_value, use_utf8
from custimport.credentials import without_credentials
from custimport.errors import CustimportError


class ErrorBoundary(TyperGroup):
    """The root command group, with the error boundary around every command."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """The context of the program's own options."""
        with quiet_when_pipe_closes(), _fit_to_show():
            return super().make_context(*arguments, **options)
        # whoever asked for help or the version has gone away
        raise typer.Exit

    def invoke(self, ctx: Any) -> Any:
        """What the command gives; a `CustimportError` becomes its message and exit code."""
        use_utf8()
        try:
            with quiet_when_pipe_closes(), _fit_to_show():
                return super().invoke(ctx)
        except CustimportError as error:
            show_error(error)
            raise typer.Exit(int(error.exit_code)) from None


@contextmanager
def _fit_to_show() -> Iterator[None]:
    """What Typer says of wrong arguments quotes them as they are."""
    try:
        yield
    except TyperException as error:
        error.message = message_words(error.message)
        raise


def show_error(error: CustimportError) -> None:
    """`error: …` and the hint below it, on standard error."""
    sys.stdout.flush()
    console = messages()
    words = shown_value(without_credentials(error.message))
    console.print(Text.assemble(("error: ", "bold red"), words), soft_wrap=True)
    for line in filter(None, error.hint.split("\n")):
        console.print(Text("  " + shown_value(without_credentials(line))), soft_wrap=True)
