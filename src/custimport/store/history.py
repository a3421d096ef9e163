"""The history: one document for each import, found, shown and judged."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol

from pymongo.database import Database

from custimport.choices import Policy, Status
from custimport.errors import NotFound
from custimport.records import ImportSummary, Position, RowCounts
from custimport.settings import STALLED_AFTER_SECONDS
from custimport.store.documents import IMPORTS, new_import_id, parsed_import_id, shown_import_id, utc_now
from custimport.store.lease import heartbeat_age_seconds, server_time

Document = dict[str, Any]

STALLED = "stalled"
"""How a running import is shown whose process no longer says that it lives."""


RULE_PACKAGES: Final = ("custimport", "tzdata", "email-validator", "pymongo")
"""Whose versions decide what is valid; a resume under others warns."""


class Progress(Protocol):
    """What a checkpoint saves: the balance up to a position."""

    @property
    def counts(self) -> RowCounts:
        """The balance."""

    @property
    def by_code(self) -> Mapping[str, int]:
        """Rejected rows by code."""

    @property
    def position(self) -> Position:
        """Up to where."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the history says of an import before its first row: `file` and `options` as documents."""

    file: Document
    on_duplicate: str
    options: Document
    today: str


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


def first_document(import_id: bytes, plan: Plan, now: datetime) -> Document:
    """The history document of an import of which no row was read yet, with every field that any import has."""
    return {
        "_id": import_id,
        "file": plan.file,
        "status": Status.RUNNING.value,
        "on_duplicate": plan.on_duplicate,
        "options": plan.options,
        "today": plan.today,
        "columns": [],
        "field_positions": [],
        "delimiter": None,
        "ignored_columns": [],
        "warnings": [],
        "findings": [],
        "timeline": [],
        "reports": [],
        "rows": asdict(RowCounts()),
        "rejected_by_code": {},
        "checkpoint": asdict(Position()),
        "lease": None,
        "versions": rule_versions(),
        "started_at": now,
        "finished_at": None,
        "elapsed_seconds": None,
        "exit_code": None,
        "retry_of": None,
    }


def rule_versions() -> dict[str, str]:
    """The versions of the packages that decide what is valid and how it is written."""
    return {package: version(package) for package in RULE_PACKAGES}


def balance(tally: Progress) -> Document:
    """What a checkpoint is in the history document."""
    return {
        "rows": asdict(tally.counts),
        "rejected_by_code": {str(code): rows for code, rows in sorted(tally.by_code.items())},
        "checkpoint": asdict(tally.position),
    }


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
        findings=document.get("findings", []),
        timeline=[(rows, seconds) for rows, seconds in document.get("timeline", [])],
        reports=document.get("reports", []),
        started_at=document["started_at"],
        finished_at=finished_at,
        elapsed_seconds=elapsed_seconds,
        rows_per_second=rows.read / elapsed_seconds if elapsed_seconds else 0.0,
    )
    return RecordedImport(
        document["_id"], summary, STALLED if stalled else status.value, tuple(document["columns"]), document
    )


def find_loaded(database: Database[Document], path: Path) -> ImportSummary | None:
    """The newest completed import of a file with the same bytes that was not undone; None if there is none.

    The file is only read if an import of as many bytes is known. A file that cannot be read is none here: loading it
    says why.
    """
    try:
        completed = {"status": Status.COMPLETED.value, "file.bytes": path.stat().st_size}
        imports = database[IMPORTS]
        if imports.find_one(completed, {"_id": 1}) is None:
            return None
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None
    document = imports.find_one({**completed, "file.sha256": digest}, sort=[("_id", -1)])
    return recorded_import(document, server_time(database)).summary if document else None


def note_skipped(database: Database[Document], plan: Plan, earlier: ImportSummary) -> ImportSummary:
    """Note that a file was not loaded because an earlier import had loaded its bytes; gives the note's summary."""
    now = utc_now()
    document = {
        **first_document(new_import_id(), plan, now),
        "status": Status.SKIPPED.value,
        "same_as": parsed_import_id(earlier.import_id or ""),
        "finished_at": now,
        "elapsed_seconds": 0.0,
    }
    document["file"] = {**plan.file, "bytes": earlier.bytes, "sha256": earlier.sha256}
    database[IMPORTS].insert_one(document)
    return recorded_import(document, now).summary
