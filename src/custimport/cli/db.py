"""`custimport db`: the database itself, and the embedded server."""

from typing import Annotated, Any

import typer
from rich.table import Table

from custimport.cli import session
from custimport.cli.options import DatabaseOption, JsonOption, UriOption
from custimport.cli.terminal import exact_output, output, print_json, print_table, shown_value

app = typer.Typer(
    no_args_is_help=True,
    help="The database: where it is, how it stands, the embedded server.\n\nExample: custimport db status",
)


@app.command()
def status(uri: UriOption = None, database: DatabaseOption = None, json: JsonOption = False) -> None:
    """Show server, version, database, indexes, counts and sizes.

    Example: custimport db status
    """
    with session.open_store(uri, database) as store:
        _show(session.database_status(store), json=json)


@app.command()
def init(uri: UriOption = None, database: DatabaseOption = None, json: JsonOption = False) -> None:
    """Make the indexes; a load, and the first change to a customer, do that by themselves.

    Example: custimport db init --uri mongodb://db1:27017/crm
    """
    with session.open_store(uri, database) as store:
        _show({"database": store.database.name, **session.make_indexes(store)}, json=json)


@app.command("uri")
def uri_(
    uri: UriOption = None,
    database: DatabaseOption = None,
    show_password: Annotated[
        bool, typer.Option("--show-password", help="Do not mask the password in a URI of yours.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print the URI in use, for tools such as mongosh; starts nothing.

    Example: mongosh "$(custimport db uri)"
    """
    found = session.shown_uri(uri, database, show_password=show_password)
    if json:
        print_json({"uri": found})
    else:
        exact_output().write(found + "\n")


@app.command()
def start(json: JsonOption = False) -> None:
    """Start the embedded server and keep it running until `custimport db stop`.

    Example: custimport db start
    """
    _show(session.start_embedded(), json=json)


@app.command()
def stop(
    force: Annotated[bool, typer.Option("--force", help="Also while another custimport uses it.")] = False,
    json: JsonOption = False,
) -> None:
    """Stop the embedded server; any command starts it again.

    Example: custimport db stop
    """
    was_running = session.stop_embedded(force=force)
    if json:
        print_json({"stopped": was_running})
    else:
        output().print("stopped" if was_running else "it was not running")


def _show(facts: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(facts)
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), shown_value(_words(value)))
    print_table(table)


def _words(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
