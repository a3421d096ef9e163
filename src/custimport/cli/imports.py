"""`custimport imports`: the history of what was loaded."""

from typing import Annotated

import typer

from custimport.choices import ReportFormat
from custimport.cli import completion, invocation, session
from custimport.cli.options import DatabaseOption, JsonOption, UriOption, YesOption
from custimport.cli.terminal import binary_output, output, print_json, print_table, shown_value
from custimport.errors import ExitCode, UsageError

app = typer.Typer(
    no_args_is_help=True,
    help="The history: what was loaded, what came of it, what was rejected.\n\nExample: custimport imports list",
)

ImportArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The import's id (16 hex digits), or last for the newest.",
        autocompletion=completion.import_ids,
    ),
]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many of the newest imports.")] = 20,
    uri: UriOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """List imports, newest first.

    Example: custimport imports list --limit 5
    """
    from custimport.cli import render

    with session.open_store(uri, database) as store:
        found = session.list_imports(store, limit)
    if json:
        print_json({"imports": [render.import_document(entry) for entry in found]})
    elif found:
        print_table(render.imports_table([(entry.state, entry.summary) for entry in found], output().width))
    else:
        output().print("no imports yet; custimport load FILE makes the first")


@app.command()
def show(
    import_id: ImportArgument,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow it until it ends, on any machine; the exit code is the load's then.")
    ] = False,
    uri: UriOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show one import: its balance, its options, how it stands.

    Examples:
      custimport imports show last

      custimport imports show last --watch

    """
    from custimport.cli import render

    find = session.watch_import if watch else session.find_import
    with session.open_store(uri, database) as store:
        found = find(store, import_id)
    if json:
        print_json(render.import_document(found))
    else:
        print_table(render.import_view(found))
    if watch:
        raise typer.Exit(found.document.get("exit_code") or 0)


@app.command()
def rejections(
    import_id: ImportArgument,
    report_format: Annotated[
        ReportFormat | None,
        typer.Option("--format", help="As the report's extension would say; csv without it.", show_default=False),
    ] = None,
    uri: UriOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Write an import's rejection report to standard output, made again from the database.

    Example: custimport imports rejections last --format jsonl > rejected.jsonl
    """
    if json and report_format not in {None, ReportFormat.JSON}:
        raise UsageError(f"--json and --format {report_format} contradict each other")
    chosen = ReportFormat.JSON if json else report_format or ReportFormat.CSV
    with session.open_store(uri, database) as store:
        session.write_rejections(store, import_id, chosen, binary_output())


@app.command()
def undo(
    import_id: ImportArgument,
    yes: YesOption = False,
    uri: UriOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Take an import back: delete the customers it created, restore those it changed.

    Customers that were changed since are left as they are and listed; the exit code is 5 then.

    Example: custimport imports undo last
    """
    from custimport.cli import render

    with session.open_store(uri, database) as store:
        found = session.find_import(store, import_id)
        rows = found.summary.rows
        what = f"delete {rows.inserted:,} customers, restore {rows.updated:,}"
        session.confirm(f"Take back import {found.shown_id} of {shown_value(found.summary.file)}: {what}?", yes=yes)
        undone = session.undo_import(store, found)
    invocation.current().log.info(
        "import undone",
        import_id=found.shown_id,
        deleted=undone.deleted,
        restored=undone.restored,
        left=len(undone.left),
    )
    if json:
        print_json(render.undone_document(found, undone))
    else:
        output().print(render.undone_view(found, undone))
    if undone.left:
        raise typer.Exit(int(ExitCode.REFUSED))


@app.command()
def verify(
    import_id: ImportArgument,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file that was loaded; - is standard input.")],
    uri: UriOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Read an import's file again and check every row against the database and the rejections.

    Exit code 3 if a row is not as it should be. Customers changed by another import or by hand are listed, not counted
    as differences.

    Example: custimport imports verify last customers.csv
    """
    from custimport.cli import render

    with session.open_store(uri, database) as store:
        found = session.find_import(store, import_id)
        from custimport.cli import verifying

        verified = verifying.verify(store, found, file)
    invocation.current().log.info(
        "import verified",
        import_id=found.shown_id,
        file=file,
        rows=verified.rows,
        differences=len(verified.differences),
        changed_since=len(verified.changed_since),
    )
    if json:
        print_json(render.verification_document(found, verified))
    else:
        output().print(render.verification_view(found, verified))
    if verified.differences:
        raise typer.Exit(int(ExitCode.DATA_REJECTED))
