"""The history: one document for each import, found, shown and judged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.database import Database

from custimport.errors import NotFound
from custimport.records import ImportSummary, Policy, RowCounts, Status
from custimport.settings import STALLED_AFTER_SECONDS
from custimport.store.documents import IMPORTS, parsed_import_id, shown_import_id
from custimport.store.lease import heartbeat_age_seconds, server_time

Document = dict[str, Any]

STALLED = "stalled"
"""How a running import is shown whose process no longer says that it lives."""


@dataclass(frozen=True, slots=True)
class RecordedImport:
    """One import as the history knows it. `state` is its status, or `stalled`; `columns` are its file's."""

    import_id: bytes
    summary: ImportSummary
    state: str
    columns: tuple[str, ...]
    document: Mapping[str, Any]

    @property
    def shown_id(self) -> str:
        """16 hex digits."""
        return shown_import_id(self.import_id)


def find_import(database: Database[Document], name: str) -> RecordedImport:
    """The import of that id (16 hex digits), or the newest for `last`; raises `NotFound`."""
    imports = database[IMPORTS]
    if name == "last":
        document = imports.find_one({}, sort=[("_id", -1)])
        if document is None:
            raise NotFound("there is no import yet", hint="custimport load FILE starts one")
    else:
        document = imports.find_one({"_id": parsed_import_id(name)})
        if document is None:
            raise NotFound(f"no import {name}", hint="custimport imports list shows them")
    return recorded_import(document, server_time(database))


def list_imports(database: Database[Document], limit: int) -> Iterator[RecordedImport]:
    """The newest imports, at most `limit` of them, newest first."""
    now = server_time(database)
    for document in database[IMPORTS].find({}, sort=[("_id", -1)], limit=limit):
        yield recorded_import(document, now)


def recorded_import(document: Document, now: datetime) -> RecordedImport:
    """The document as values."""
    status = Status(document["status"])
    stalled = status is Status.RUNNING and heartbeat_age_seconds(document, now) > STALLED_AFTER_SECONDS
    finished_at = document.get("finished_at")
    elapsed_seconds = document.get("elapsed_seconds") or (
        ((finished_at or now) - document["started_at"]).total_seconds() if status is Status.RUNNING else 0.0
    )
    rows = RowCounts(**document["rows"])
    summary = ImportSummary(
        import_id=shown_import_id(document["_id"]),
        file=document["file"]["name"],
        bytes=document["file"].get("bytes"),
        sha256=document["file"].get("sha256"),
        status=status,
        on_duplicate=Policy(document["on_duplicate"]),
        rows=rows,
        rejected_by_code=document.get("rejected_by_code", {}),
        ignored_columns=document.get("ignored_columns", []),
        warnings=document.get("warnings", []),
        reports=document.get("reports", []),
        started_at=document["started_at"],
        finished_at=finished_at,
        elapsed_seconds=elapsed_seconds,
        rows_per_second=rows.read / elapsed_seconds if elapsed_seconds else 0.0,
    )
    return RecordedImport(
        document["_id"], summary, STALLED if stalled else status.value, tuple(document["columns"]), document
    )
