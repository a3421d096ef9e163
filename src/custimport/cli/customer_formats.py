"""Customers as JSON, JSON lines and CSV: exact, streamed, and cheap enough for an export of millions."""

import csv
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TextIO

from custimport.cli.options import OutputFormat
from custimport.cli.terminal import json_text

Document = Mapping[str, Any]

CSV_COLUMNS: Final = ("id", "full_name", "email", "date_of_birth", "timezone", "created_at", "updated_at")
"""The first four after `id` carry the names that `custimport load` looks for: an export can be loaded again."""


def customer_json(document: Document) -> dict[str, Any]:
    """The customer as every JSON output shows it; a field that is not stored is None."""
    value = document.get
    return {
        "id": str(document["_id"]),
        "full_name": value("full_name"),
        "email": value("email"),
        "date_of_birth": shown_day(value("date_of_birth")) or None,
        "timezone": value("timezone"),
        "created_at": shown_moment(value("created_at")) or None,
        "updated_at": shown_moment(value("updated_at")) or None,
        "created_by": stamp_json(value("created_by")),
        "updated_by": stamp_json(value("updated_by")),
    }


def customer_cells(document: Document) -> tuple[str | None, ...]:
    """The cells of a CSV row, in the order of `CSV_COLUMNS`, exact: nothing is cut or neutralised."""
    value = document.get
    return (
        str(document["_id"]),
        value("full_name"),
        value("email"),
        shown_day(value("date_of_birth")),
        value("timezone"),
        shown_moment(value("created_at")),
        shown_moment(value("updated_at")),
    )


def shown_day(value: Any) -> str:
    """`YYYY-MM-DD` of a stored date of birth; empty if there is none."""
    if isinstance(value, datetime):
        return value.isoformat()[:10]
    return "" if value is None else str(value)


def shown_moment(value: Any) -> str:
    """`YYYY-MM-DDThh:mm:ss.mmmZ` of a stored time, which is UTC with or without saying so; empty if there is none."""
    if isinstance(value, datetime):
        # three times as fast as timespec="milliseconds"; an offset of +00:00 may follow what is cut off
        text = value.isoformat()
        return text[:23] + "Z" if text[19:20] == "." else text[:19] + ".000Z"
    return "" if value is None else str(value)


def stamp_json(stamp: Any) -> dict[str, Any] | None:
    """`{"import_id": 16 hex digits, "row": 1-based}` or `{"command", "user", "host"}`; None where there is none."""
    if not stamp:
        return None
    if "import_id" in stamp:
        return {"import_id": bytes(stamp["import_id"]).hex(), "row": stamp.get("row")}
    return dict(stamp)


def write_customers(
    documents: Iterable[Document],
    stream: TextIO,
    output_format: OutputFormat,
    *,
    total: int | None = None,
    page: int | None = None,
    limit: int | None = None,
) -> int:
    """Write the customers to `stream` as they come (JSON, JSON lines or CSV); gives how many there were.

    The envelope of JSON is `{"total", "page", "limit", "data"}`; without `total` it is what was written.
    """
    match output_format:
        case OutputFormat.CSV:
            return _write_csv(documents, stream)
        case OutputFormat.JSONL:
            return _write_jsonl(documents, stream)
        case OutputFormat.JSON:
            return _write_json(documents, stream, total, {"page": page, "limit": limit})
        case OutputFormat.TABLE:
            raise AssertionError("a table is for people: customer_table")


def _write_csv(documents: Iterable[Document], stream: TextIO) -> int:
    count = 0

    def rows() -> Iterable[tuple[str | None, ...]]:
        nonlocal count
        for document in documents:
            count += 1
            yield customer_cells(document)

    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(rows())
    return count


def _write_jsonl(documents: Iterable[Document], stream: TextIO) -> int:
    count = 0
    for document in documents:
        stream.write(json_text(customer_json(document)) + "\n")
        count += 1
    return count


def _write_json(
    documents: Iterable[Document], stream: TextIO, total: int | None, paging: Mapping[str, int | None]
) -> int:
    count = 0
    head = paging if total is None else {"total": total, **paging}
    stream.write("{" + "".join(f'"{name}": {json.dumps(value)}, ' for name, value in head.items()) + '"data": [')
    for document in documents:
        stream.write((",\n  " if count else "\n  ") + json_text(customer_json(document)))
        count += 1
    stream.write("\n]")
    if total is None:
        stream.write(f', "total": {count}')
    stream.write("}\n")
    return count
