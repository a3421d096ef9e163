"""What the commands about customers print: pages, streams, one customer, errors, the question before a deletion."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import typer

from custimport.cli.customer_formats import customer_json, write_customers
from custimport.cli.customer_table import counted, customer_in_words, print_customer, print_customers
from custimport.cli.options import OutputFormat
from custimport.cli.terminal import exact_output, json_text, note, print_text, shown_value
from custimport.customer.codes import RowError
from custimport.errors import ExitCode
from custimport.store.selection import CustomerPage

Document = dict[str, Any]

NAMED_IN_QUESTION: Final = 5
"""More customers than this are counted, not named, when a deletion is to be confirmed."""


def print_page(page: CustomerPage, chosen: OutputFormat) -> None:
    """Print one page; a table tells in its last line which page it is."""
    if chosen is not OutputFormat.TABLE:
        write_customers(page.documents, exact_output(), chosen, total=page.total, page=page.number, limit=page.limit)
        return
    print_customers(page.documents)
    if page.documents:
        print_text(f"page {page.number:,} of {page.pages:,} · {counted(page.total)}")
    elif page.total:
        print_text(f"no customers on page {page.number:,}; the last page is {page.pages:,} · {counted(page.total)}")
    else:
        print_text("no customers")


def print_all(documents: Iterable[Document], chosen: OutputFormat) -> None:
    """Print all customers as they come."""
    if chosen is not OutputFormat.TABLE:
        write_customers(documents, exact_output(), chosen)
        return
    count = print_customers(documents)
    print_text(counted(count) if count else "no customers")


def print_one(document: Document, chosen: OutputFormat) -> None:
    """Print one customer in full."""
    match chosen:
        case OutputFormat.TABLE:
            print_customer(document)
        case OutputFormat.JSON:
            print_text(json_text(customer_json(document), indent=2))
        case _:
            write_customers([document], exact_output(), chosen)


def print_deleted(documents: Sequence[Document]) -> None:
    """Print as JSON whom a command deleted: `{"deleted": number, "data": [customer, …]}`."""
    deleted = [customer_json(document) for document in documents]
    print_text(json_text({"deleted": len(deleted), "data": deleted}, indent=2))


def rejected(errors: Sequence[RowError], chosen: OutputFormat) -> typer.Exit:
    """Shows the errors, on standard error for people and, where JSON is asked for, on standard output."""
    if chosen in {OutputFormat.JSON, OutputFormat.JSONL}:
        indent = 2 if chosen is OutputFormat.JSON else None
        from custimport.pipeline.reporting import error_document

        print_text(json_text({"errors": [error_document(error) for error in errors]}, indent=indent))
    for error in errors:
        place = f"{error.field}: " if error.field else ""
        note(f"error: {place}{shown_value(error.message)} [{error.code}]")
        if error.hint:
            note(f"  {shown_value(error.hint)}")
    note("nothing was changed")
    return typer.Exit(int(ExitCode.DATA_REJECTED))


def deletion_question(found: Sequence[Document]) -> str:
    """How many are to be deleted, and whom."""
    named = "; ".join(customer_in_words(document) for document in found[:NAMED_IN_QUESTION])
    more = f"; and {len(found) - NAMED_IN_QUESTION:,} more" if len(found) > NAMED_IN_QUESTION else ""
    return f"delete {counted(len(found))} ({named}{more})?"
