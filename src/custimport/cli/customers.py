"""`custimport customers`: find, show, change, delete and export what is stored, and tell its past."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from custimport.cli import completion, invocation
from custimport.cli.customer_formats import write_customers
from custimport.cli.customer_history import history_document, history_lines
from custimport.cli.customer_input import (
    BornAfterOption,
    BornBeforeOption,
    EmailFilterOption,
    ImportFilterOption,
    NameFilterOption,
    SortOption,
    TimezoneFilterOption,
    chosen_format,
    customer_filter,
    customer_name,
    format_of_file,
    new_values,
)
from custimport.cli.customer_output import deletion_question, print_all, print_deleted, print_one, print_page, rejected
from custimport.cli.customer_table import counted
from custimport.cli.options import DatabaseOption, JsonOption, OutputFormat, QuietOption, UriOption, YesOption
from custimport.cli.output_file import finished_file
from custimport.cli.session import confirm, open_store
from custimport.cli.terminal import exact_output, note, print_json, shown_value
from custimport.errors import UsageError
from custimport.settings import DEFAULT_PAGE_ROWS
from custimport.store.selection import parsed_order

if TYPE_CHECKING:
    from custimport.store.customers import CustomerStore

app = typer.Typer(
    no_args_is_help=True,
    help="Find, show, change, delete and export stored customers.\n\nExample: custimport customers list --name martin",
)

MAX_PAGE_NUMBER = 2**31 - 1

FormatOption = Annotated[OutputFormat | None, typer.Option("--format", help="Default: table.", show_default=False)]
CustomerArgument = Annotated[str, typer.Argument(metavar="ID|EMAIL", help="The customer's id or e-mail.")]


@app.command("list")
def list_customers(
    *,
    page: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_PAGE_NUMBER, metavar="N", help="Page to show; 1, the first, without it."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, max=MAX_PAGE_NUMBER, metavar="N", help=f"Customers on a page; {DEFAULT_PAGE_ROWS} without it."
        ),
    ] = None,
    all_pages: Annotated[bool, typer.Option("--all", help="Every match, streamed, without pages.")] = False,
    sort: SortOption = None,
    email: EmailFilterOption = None,
    name: NameFilterOption = None,
    timezone: TimezoneFilterOption = None,
    born_after: BornAfterOption = None,
    born_before: BornBeforeOption = None,
    import_name: ImportFilterOption = None,
    output_format: FormatOption = None,
    json_short: JsonOption = False,
    uri: UriOption = None,
    database: DatabaseOption = None,
) -> None:
    """List customers, newest first, a page at a time.

    Examples:
      custimport customers list --name martin --born-after 1989-12-31 --sort full_name

      custimport customers list --import last --all --json

    """
    if all_pages and (page or limit):
        raise UsageError("--all shows every customer; it cannot be used together with --page or --limit")
    chosen = chosen_format(output_format, json_short=json_short, default=OutputFormat.TABLE)
    selection = customer_filter(
        email=email,
        name=name,
        timezone=timezone,
        born_after=born_after,
        born_before=born_before,
        import_name=import_name,
    )
    order = parsed_order(sort)
    with _opened(uri, database) as customers:
        if all_pages:
            print_all(customers.stream(selection, order, provenance=chosen is not OutputFormat.CSV), chosen)
        else:
            print_page(customers.page(selection, order, page or 1, limit or DEFAULT_PAGE_ROWS), chosen)


@app.command()
def show(
    name: CustomerArgument,
    *,
    output_format: FormatOption = None,
    json_short: JsonOption = False,
    uri: UriOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show one customer in full.

    Example: custimport customers show alice@example.com
    """
    chosen = chosen_format(output_format, json_short=json_short, default=OutputFormat.TABLE)
    with _opened(uri, database) as customers:
        print_one(customers.find([customer_name(name)])[0], chosen)


@app.command()
def history(
    name: Annotated[str, typer.Argument(metavar="ID|EMAIL", help="The customer's id, or an e-mail it has or had.")],
    *,
    json_short: JsonOption = False,
    uri: UriOption = None,
    database: DatabaseOption = None,
) -> None:
    """Show what is known of a customer's past, oldest first, also after its deletion.

    Which import created and updated it, and who changed or deleted it by command, with the values before and after.

    Example: custimport customers history alice@example.com
    """
    with open_store(uri, database) as store:
        from custimport.store.customer_history import find_history

        found = find_history(store.database, customer_name(name))
    if json_short:
        print_json(history_document(found))
        return
    sys.stdout.writelines(line + "\n" for line in history_lines(found))
    for identifier in found.other_ids:
        note(f"another customer had this e-mail: custimport customers history {identifier}")


@app.command()
def update(
    name: CustomerArgument,
    *,
    full_name: Annotated[str | None, typer.Option("--full-name", metavar="NAME", help="New name.")] = None,
    email: Annotated[str | None, typer.Option("--email", metavar="EMAIL", help="New e-mail.")] = None,
    date_of_birth: Annotated[
        str | None, typer.Option("--date-of-birth", metavar="DATE", help="New date of birth, YYYY-MM-DD.")
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", metavar="ZONE", help="New time zone.", autocompletion=completion.time_zones),
    ] = None,
    replacement: Annotated[
        str | None,
        typer.Option("--replace", metavar="FILE|-", help="All four values, as a JSON object and nothing else."),
    ] = None,
    output_format: FormatOption = None,
    json_short: JsonOption = False,
    quiet: QuietOption = False,
    uri: UriOption = None,
    database: DatabaseOption = None,
) -> None:
    """Change a customer; the values are judged by the rules of an import, all errors are shown at once.

    Examples:
      custimport customers update alice@example.com --timezone Europe/Paris

      custimport customers update alice@example.com --replace alice.json

    """
    chosen = chosen_format(output_format, json_short=json_short, default=OutputFormat.TABLE)
    values = new_values(
        {"full_name": full_name, "email": email, "date_of_birth": date_of_birth, "timezone": timezone}, replacement
    )
    if not isinstance(values, dict):
        raise rejected(values, chosen)
    with open_store(uri, database, quiet=quiet) as store:
        from custimport.store.customers import CustomerStore
        from custimport.store.editing import ChangeRefused, CustomerChanged, CustomerEditor

        found = CustomerStore(store.database).find([customer_name(name)])[0]
        match CustomerEditor(store.database).change(found, values):
            case ChangeRefused(errors):
                raise rejected(errors, chosen)
            case CustomerChanged(document, fields):
                invocation.current().log.info("customer updated", customer_id=str(document["_id"]), fields=list(fields))
                if chosen is not OutputFormat.TABLE or not quiet:
                    print_one(document, chosen)
                outcome = (
                    f"changed: {', '.join(fields)}" if fields else "unchanged: the customer has these values already"
                )
                note(outcome, quiet=quiet)


@app.command()
def delete(
    names: Annotated[list[str], typer.Argument(metavar="ID|EMAIL...", help="The customers' ids or e-mails.")],
    *,
    yes: YesOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Even while an import that wrote one of them is unfinished.")
    ] = False,
    json_short: JsonOption = False,
    quiet: QuietOption = False,
    uri: UriOption = None,
    database: DatabaseOption = None,
) -> None:
    """Delete customers: all of those named, or none if one of them does not exist.

    Example: custimport customers delete --yes alice@example.com bob@example.com
    """
    with open_store(uri, database, quiet=quiet) as store:
        from custimport.store.customers import CustomerStore
        from custimport.store.editing import CustomerEditor

        found = CustomerStore(store.database).find([customer_name(name) for name in names])
        editor = CustomerEditor(store.database)
        if not force:
            editor.refuse_unfinished(found)
        confirm(deletion_question(found), yes=yes)
        editor.delete(found, force=force)
    ids = [str(document["_id"]) for document in found]
    invocation.current().log.info("customers deleted", customer_ids=ids)
    if json_short:
        print_deleted(found)
    note(f"deleted {counted(len(found))}", quiet=quiet or json_short)


@app.command()
def export(
    *,
    target: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE|-", help="File to write; appears when it is finished, mode 0600."),
    ] = "-",
    sort: SortOption = None,
    email: EmailFilterOption = None,
    name: NameFilterOption = None,
    timezone: TimezoneFilterOption = None,
    born_after: BornAfterOption = None,
    born_before: BornBeforeOption = None,
    import_name: ImportFilterOption = None,
    output_format: Annotated[
        OutputFormat | None,
        typer.Option("--format", help="csv, json or jsonl. Default: by the file's extension, else csv."),
    ] = None,
    json_short: JsonOption = False,
    quiet: QuietOption = False,
    uri: UriOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write every customer that matches, streamed; a CSV export can be loaded again.

    Example: custimport customers export --timezone Europe/Paris --output paris.csv
    """
    path = Path(target)
    chosen = chosen_format(output_format, json_short=json_short, default=format_of_file(path))
    if chosen is OutputFormat.TABLE:
        raise UsageError("an export is csv, json or jsonl", hint="custimport customers list --all prints a table")
    selection = customer_filter(
        email=email,
        name=name,
        timezone=timezone,
        born_after=born_after,
        born_before=born_before,
        import_name=import_name,
    )
    order = parsed_order(sort)
    with _opened(uri, database, quiet=quiet) as customers:
        documents = customers.stream(selection, order, provenance=chosen is not OutputFormat.CSV)
        if target == "-":
            write_customers(documents, exact_output(), chosen)
        else:
            with finished_file(path) as stream:
                count = write_customers(documents, stream, chosen)
            note(f"{counted(count)} written to {shown_value(target)}", quiet=quiet)


@contextmanager
def _opened(uri: str | None, database: str | None, *, quiet: bool = False) -> "Iterator[CustomerStore]":
    with open_store(uri, database, quiet=quiet) as store:
        from custimport.store.customers import CustomerStore

        yield CustomerStore(store.database)
