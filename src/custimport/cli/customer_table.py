"""Customers for people: tables that fit the terminal, and one customer in full."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from custimport.cli.customer_formats import customer_json
from custimport.cli.terminal import output, shown_value

Document = Mapping[str, Any]

TABLE_ROWS_AT_A_TIME: Final = 500
"""A long list is shown as several tables below each other, so that it needs no memory and starts at once."""
WIDE_FROM_COLUMNS: Final = 140
"""From this width on there is room for the times as well."""
STACKED_BELOW_COLUMNS: Final = 96
"""Below this width a customer is two columns, its values below each other: folded e-mails are hard to read."""
UNLIMITED_COLUMNS: Final = 10_000
"""Width of a table that goes into a file or pipe: one line a customer, nothing folded."""

_MIDDLE: Final = ("id", "full_name", "email", "date_of_birth", "timezone")
_WIDE: Final = (*_MIDDLE, "created_at", "updated_at")


def print_customers(documents: Iterable[Document]) -> int:
    """Print the customers on standard output as they come; gives how many there were."""
    remaining = iter(documents)
    count = 0
    while chunk := list(islice(remaining, TABLE_ROWS_AT_A_TIME)):
        _print_table(_table(chunk, _width()))
        count += len(chunk)
    return count


def print_customer(document: Document) -> None:
    """Print everything about one customer, a line each."""
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in customer_json(document).items():
        grid.add_row(name, Text(stamp_in_words(value) if isinstance(value, dict) else _cell(value)))
    _print_table(grid)


def customer_in_words(document: Document) -> str:
    """`Name <e-mail>, id`: a customer within a sentence."""
    return f"{_cell(document.get('full_name'))} <{_cell(document.get('email'))}>, {_cell(document['_id'])}"


def stamp_in_words(stamp: Mapping[str, Any]) -> str:
    """Which row of which import it was, or which command of whom."""
    if "import_id" in stamp:
        return f"import {stamp['import_id']}, row {_cell(stamp['row'])}"
    if "user" in stamp:
        return f"{_cell(stamp.get('command'))} by {_cell(stamp['user'])} on {_cell(stamp.get('host'))}"
    return _cell(stamp.get("command", stamp))


def counted(number: int, thing: str = "customer") -> str:
    """`1 customer`, `1,000 customers`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _table(documents: Sequence[Document], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    customers = [customer_json(document) for document in documents]
    if width < STACKED_BELOW_COLUMNS:
        table.add_column("id", overflow="fold", max_width=24)
        table.add_column("customer", overflow="fold")
        for customer in customers:
            table.add_row(Text(_cell(customer["id"])), Text("\n".join(_cell(customer[name]) for name in _MIDDLE[1:])))
        return table
    columns = _WIDE if width >= WIDE_FROM_COLUMNS else _MIDDLE
    for name in columns:
        # names and e-mails give way; what has a known length does not
        table.add_column(name, overflow="fold", no_wrap=name not in {"full_name", "email", "timezone"})
    for customer in customers:
        table.add_row(*(Text(_cell(customer[name])) for name in columns))
    return table


def _width() -> int:
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return output().width
    return UNLIMITED_COLUMNS


def _print_table(table: Table) -> None:
    console = output()
    console.width = _width()
    # every line ends with its last character: padding would wrap when a terminal is made narrower
    with console.capture() as captured:
        console.print(table, soft_wrap=False)
    sys.stdout.writelines(line.rstrip() + "\n" for line in captured.get().removesuffix("\n").split("\n"))


def _cell(value: Any) -> str:
    return "" if value is None else shown_value(str(value))
