"""The command tree: `custimport COMMAND`. One module per group of commands."""

from typing import Annotated

import typer

from custimport.cli import config, customers, db, help_pages, imports, load
from custimport.cli.configured import ConfiguredCommands

app = typer.Typer(
    name="custimport",
    cls=ConfiguredCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Load customer CSV files into MongoDB: every row is stored, or rejected with every reason, exactly once.

    Examples:
      custimport load customers.csv

      custimport customers list

      custimport help scripts

    """,
)
app.command()(load.load)
app.command()(load.check)
app.add_typer(imports.app, name="imports")
app.add_typer(customers.app, name="customers")
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")
app.command("help")(help_pages.show_help)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"custimport {version('custimport')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Load customer CSV files into MongoDB."""
