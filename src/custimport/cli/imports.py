"""`custimport imports`: the history of what was loaded."""

from typing import Annotated

import typer

from custimport.cli import session
from custimport.cli.options import DatabaseOption, JsonOption, UriOption
from custimport.cli.render import import_document, import_view, imports_table
from custimport.cli.terminal import binary_output, output, print_json
from custimport.pipeline.reporting import ReportFormat

app = typer.Typer(no_args_is_help=True, help="The history: what was loaded, what came of it, what was rejected.")

ImportArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The import's id (16 hex digits), or last for the newest.")
]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of the newest imports.")] = 20,
    uri: UriOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """List imports, newest first.

    Example: custimport imports list --limit 5
    """
    with session.open_store(uri, database) as store:
        found = session.list_imports(store, limit)
    if json:
        print_json({"imports": [import_document(entry) for entry in found]})
    elif found:
        output().print(imports_table([(entry.state, entry.summary) for entry in found]))
    else:
        output().print("no imports yet; custimport load FILE makes the first")


@app.command()
def show(
    import_id: ImportArgument,
    uri: UriOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show one import: its balance, its options, how it stands.

    Example: custimport imports show last
    """
    with session.open_store(uri, database) as store:
        found = session.find_import(store, import_id)
    if json:
        print_json(import_document(found))
    else:
        output().print(import_view(found))


@app.command()
def rejections(
    import_id: ImportArgument,
    report_format: Annotated[
        ReportFormat, typer.Option("--format", help="As the report's extension would say.")
    ] = ReportFormat.CSV,
    uri: UriOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write an import's rejection report to standard output, made again from the database.

    Example: custimport imports rejections last --format jsonl > rejected.jsonl
    """
    with session.open_store(uri, database) as store:
        session.write_rejections(store, import_id, report_format, binary_output())
