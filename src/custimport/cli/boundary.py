"""The one place where expected errors end: a line or two on standard error and an exit code.

It sits inside the Typer app, so that the installed command and the tests take the same path. Whatever is not a
`CustimportError` passes through and is shown with its traceback: bugs must look like bugs.
"""

import sys
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from custimport.cli.terminal import messages, quiet_when_pipe_closes, shown, use_utf8
from custimport.errors import CustimportError


class ErrorBoundary(TyperGroup):
    """The root command group, with the error boundary around every command."""

    def invoke(self, ctx: Any) -> Any:
        """What the command gives; a `CustimportError` becomes its message and exit code."""
        use_utf8()
        try:
            with quiet_when_pipe_closes():
                return super().invoke(ctx)
        except CustimportError as error:
            show_error(error)
            raise typer.Exit(int(error.exit_code)) from None


def show_error(error: CustimportError) -> None:
    """`error: …` and the hint below it, on standard error."""
    sys.stdout.flush()
    console = messages()
    console.print(Text.assemble(("error: ", "bold red"), shown(error.message)), soft_wrap=True)
    for line in error.hint.splitlines():
        console.print(Text("  " + shown(line)), soft_wrap=True)
