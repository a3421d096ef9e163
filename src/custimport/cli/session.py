"""Joins the command line with the store.

The store and the pipeline are imported inside functions, here and in the commands, and only when one of them runs:
pymongo alone takes a tenth of a second to import, which `--help` must not pay.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from custimport.choices import ReportFormat
from custimport.cli import invocation
from custimport.cli.target import chosen_target, environment
from custimport.cli.terminal import note, warning
from custimport.credentials import masked_uri
from custimport.errors import Refused
from custimport.settings import IMPORT_SERVER_WAIT_MS, RETRY_FOR_SECONDS

if TYPE_CHECKING:
    from custimport.cli.importing import Destination
    from custimport.store.connection import Store
    from custimport.store.history import RecordedImport
    from custimport.store.target import Target
    from custimport.store.undo import Undone


def _target(uri: str | None, database: str | None, *, quiet: bool) -> "Target":
    """Where the data goes; warns, unless `quiet`, of a file that shows a password to others."""
    target = chosen_target(uri, database)
    if target.warning:
        warning(target.warning, quiet=quiet)
    return target


@contextmanager
def open_store(uri: str | None, database: str | None, *, quiet: bool = False) -> "Iterator[Store]":
    """A connected store; what goes wrong with the database leaves as a `DatabaseError`."""
    from custimport.store import connection

    target = _target(uri, database, quiet=quiet)
    with connection.translated_errors(target.description()), connection.open_store(target, environment()) as store:
        yield store


@contextmanager
def open_store_for_import(uri: str | None, database: str | None, *, quiet: bool) -> "Iterator[Store]":
    """A store whose operations fail fast, because an import waits outages out by itself.

    Names the target on standard error first, unless `quiet`: what is loaded into the wrong place is hard to take back.
    """
    from custimport.store import connection

    target = _target(uri, database, quiet=quiet or invocation.current().log.on_standard_error)
    log = invocation.current().log
    note(f"target: {target.description()}", quiet=quiet or log.on_standard_error)
    opened = connection.open_store(target, environment(), server_wait_ms=IMPORT_SERVER_WAIT_MS)
    with connection.translated_errors(target.description()), opened as store:
        log.info("connected", target=target.server(), database=target.database)
        yield store


def confirm(question: str, *, yes: bool) -> None:
    """Ask on the terminal; returns when the answer is yes.

    Raises `Refused` for any other answer, and, without a terminal, unless `yes` was given.
    """
    if yes:
        return
    if not _is_terminal():
        raise Refused(f"not confirmed: {question}", hint="add --yes to confirm without a terminal")
    try:
        confirmed = typer.confirm(question, err=True)
    except typer.Abort:
        # end of input at the prompt
        confirmed = False
    if not confirmed:
        raise Refused("not confirmed; nothing was changed")


def _is_terminal() -> bool:
    import sys

    return sys.stdin.isatty()


def destination(store: "Store", *, dry_run: bool) -> "Destination":
    """Where the rows of `load` go: the database, or, in a dry run, nowhere but with an eye on the database."""
    from custimport.cli.destinations import RehearsalDestination, StoreDestination, stored_customers

    return RehearsalDestination(stored_customers(store)) if dry_run else StoreDestination(store)


def rehearsal() -> "Destination":
    """Where the rows of `check` go: nowhere."""
    from custimport.cli.destinations import RehearsalDestination

    return RehearsalDestination()


def list_imports(store: "Store", limit: int) -> "list[RecordedImport]":
    """The newest imports, newest first."""
    from custimport.store import history

    return list(history.list_imports(store.database, limit))


def find_import(store: "Store", name: str) -> "RecordedImport":
    """One import by id or `last`; raises `NotFound`."""
    from custimport.store import history

    return history.find_import(store.database, name)


def watch_import(store: "Store", name: str) -> "RecordedImport":
    """The import when it runs no longer; shows how far it is until then, and waits outages out meanwhile."""
    from custimport.cli import watching
    from custimport.store import history
    from custimport.store.patience import Patience

    patience = Patience(RETRY_FOR_SECONDS, threading.Event())
    # the last one may soon be another
    import_id = history.find_import(store.database, name).shown_id
    return watching.watch(lambda: patience.call(lambda: history.find_import(store.database, import_id)))


def write_rejections(store: "Store", name: str, report_format: "ReportFormat", stream: BinaryIO) -> None:
    """Write an import's report to the stream, made again from the recorded rejections."""
    from custimport.pipeline import reporting
    from custimport.store import documents, history, rejections

    found = history.find_import(store.database, name)
    recorded = rejections.find(store.database[documents.REJECTIONS], found.import_id)
    positions = found.document.get("field_positions", ())
    reporting.write_rejections(stream, report_format, found.columns, recorded, found.summary, positions)


def database_status(store: "Store") -> dict[str, Any]:
    """Where the data is and how much of it, for `db status`.

    `data_bytes` are the documents as they are sent, `disk_bytes` what they and the indexes take, compressed; None where
    the user has no right to ask.
    """
    from custimport.store import embedded
    from custimport.store.documents import CHANGES, CUSTOMERS, IMPORTS, REJECTIONS
    from custimport.store.size import database_size

    size = database_size(store.database)
    facts: dict[str, Any] = {
        "server": store.target.server(),
        "origin": store.target.origin,
        "version": store.client.server_info()["version"],
        "database": store.database.name,
        "embedded": store.target.uri is None,
        "indexes": sorted(store.database[CUSTOMERS].index_information()),
        "change_indexes": sorted(store.database[CHANGES].index_information()),
        **{name: store.database[name].count_documents({}) for name in (CUSTOMERS, IMPORTS, REJECTIONS, CHANGES)},
        "data_bytes": size.data_bytes if size else None,
        "disk_bytes": size.disk_bytes if size else None,
    }
    if store.target.uri is None:
        state = embedded.state(environment())
        facts |= {"folder": str(state.folder), "kept_running": state.kept}
    return facts


def make_indexes(store: "Store") -> dict[str, list[str]]:
    """Make the indexes; the names of all that the customers have, and of those that their changes have."""
    from custimport.store.indexes import ensure_change_indexes, ensure_indexes

    return {"indexes": ensure_indexes(store.database), "change_indexes": ensure_change_indexes(store.database)}


def shown_uri(uri: str | None, database: str | None, *, show_password: bool) -> str:
    """The URI that a command would use, its password masked unless asked for."""
    from custimport.store import embedded

    target = _target(uri, database, quiet=False)
    if target.uri is None:
        return embedded.state(environment()).uri
    return target.uri if show_password else masked_uri(target.uri)


def start_embedded() -> dict[str, Any]:
    """Start the embedded server and keep it; how it stands."""
    from custimport.store import embedded

    state = embedded.keep_running(environment())
    return {"uri": state.uri, "folder": str(state.folder), "running": state.running, "kept_running": state.kept}


def stop_embedded(*, force: bool) -> bool:
    """Stop the embedded server; whether it was running. Raises `Refused` while it is used, unless `force`."""
    from custimport.store import embedded

    return embedded.stop(environment(), force=force)


def undo_import(store: "Store", found: "RecordedImport") -> "Undone":
    """Take an import back; raises `Refused` while a process works on it."""
    from custimport.store import undo

    return undo.undo(store.database, found)
