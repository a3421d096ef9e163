"""A running import's own record: history document, lease with heartbeat, checkpoint, rejections."""

import functools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database
from pymongo.errors import AutoReconnect, DuplicateKeyError, PyMongoError

from custimport.choices import Policy
from custimport.errors import ExitCode, Refused
from custimport.records import Header, ImportSummary, Rejection
from custimport.settings import CHECKPOINT_SECONDS, LEASE_SILENCE_SECONDS
from custimport.store import rejections as rejection_documents
from custimport.store.connection import translated_errors
from custimport.store.documents import CUSTOMERS, IMPORTS, LARGEST_ROW, REJECTIONS, shown_import_id, utc_now
from custimport.store.history import Plan, Progress, balance, first_document
from custimport.store.indexes import ensure_indexes
from custimport.store.lease import new_lease, server_time, take_over
from custimport.store.patience import Patience
from custimport.store.refusals import is_denial
from custimport.store.rights import load_rights, require_rights
from custimport.store.settled import SettledRows, find_settled

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resumed:
    """An import to go on with: its document as it was found, and the last row that is settled for good."""

    document: Document
    checkpoint_row: int


class ImportJournal:
    """Keeps one import's record while it runs; implements the pipeline's `Journal` and the writers' `Lease`.

    A thread of its own renews the lease about once a second and saves the newest checkpoint with it, so that the
    pipeline never waits for that, and a slow chunk never looks like a dead process.
    """

    def __init__(
        self,
        database: Database[Document],
        import_id: bytes,
        beginning: Plan | Resumed,
        patience: Patience,
        *,
        target: str,
        interval_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        self.import_id: str | None = shown_import_id(import_id)
        self.checkpoint_row = beginning.checkpoint_row if isinstance(beginning, Resumed) else 0
        self._id = import_id
        self._imports = database[IMPORTS]
        self._rejections = database[REJECTIONS]
        self._beginning = beginning
        self._policy = Policy(
            beginning.document["on_duplicate"] if isinstance(beginning, Resumed) else beginning.on_duplicate
        )
        self._patience = patience
        self._interval_seconds = interval_seconds
        self._lease = new_lease(utc_now())
        self._target = target
        self._customers = database[CUSTOMERS]
        self._newest: tuple[Document, int] | None = None
        self._lost = False
        self._denial: PyMongoError | None = None
        self._renewed_at = _boot_seconds()
        self._ended = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def begin(self, header: Header, tally: Progress) -> None:
        """Make the indexes; insert the history document, or take over that of a resumed import; start the heartbeat.

        Raises `Refused` if another process holds the import, `DatabaseRefused` if the user lacks a right that it will
        need, or the index on e-mails cannot be made.
        """
        with translated_errors(self._target):
            self._patience.call(lambda: require_rights(self._imports.database, load_rights(self._policy)))
            self._patience.call(lambda: ensure_indexes(self._imports.database))
            if isinstance(self._beginning, Plan):
                document = {
                    **first_document(self._id, self._beginning, utc_now()),
                    "columns": list(header.columns),
                    "field_positions": list(header.field_positions),
                    "delimiter": header.delimiter,
                    "ignored_columns": list(header.ignored),
                    "retry_of": header.retry_of,
                    **balance(tally),
                    "lease": self._lease,
                }
                self._patience.call(lambda: self._insert_once(document))
            else:
                self._compare_header(self._beginning.document, header)
                self._lease = take_over(self._imports, self._beginning.document, server_time(self._imports.database))
        self._renewed_at = _boot_seconds()
        self._heartbeat.start()

    def known_after_checkpoint(self) -> tuple[SettledRows, dict[int, Rejection]] | None:
        """What a resumed import left beyond its checkpoint: rows whose effect is stored, and recorded rejections."""
        if isinstance(self._beginning, Plan):
            return None
        first_row = self.checkpoint_row + 1
        settled = self._patience.call(
            lambda: find_settled(self._customers, self._id, self._policy, first_row, LARGEST_ROW)
        )
        recorded = self._patience.call(
            lambda: list(rejection_documents.find(self._rejections, self._id, after_row=self.checkpoint_row))
        )
        return settled, {rejection.row: rejection for rejection in recorded}

    def recorded_before(self) -> Iterator[Rejection]:
        """The rejections up to the checkpoint of a resumed import, in file order; streams. None for a fresh one."""
        after_row, last_row = 0, self.checkpoint_row
        while after_row < last_row:
            with translated_errors(self._target):
                page = self._patience.call(
                    functools.partial(rejection_documents.page, self._rejections, self._id, after_row, last_row)
                )
            yield from page
            after_row = page[-1].row if page else last_row

    def record(self, rejections: Sequence[Rejection]) -> None:
        """Store rejections; waits out an outage."""
        if rejections:
            with translated_errors(self._target):
                self._patience.call(lambda: self._record(rejections))

    def _record(self, rejections: Sequence[Rejection]) -> None:
        self.require()
        rejection_documents.record(self._rejections, self._id, rejections)

    def settled(self, tally: Progress) -> None:
        """Offer a new checkpoint; the heartbeat saves the newest one."""
        self._newest = (balance(tally), tally.position.row)

    def require(self) -> None:
        """Returns while this process surely holds the import.

        Raises `Refused` once another process has taken it over, and `AutoReconnect`, to be waited out like any
        outage, while the lease could not be renewed for so long that another process might soon take it over. The
        driver's error if the server no longer lets this user renew it.
        """
        if self._denial is not None:
            raise self._denial
        if self._lost:
            raise Refused(
                f"import {self.import_id} was taken over by another process",
                hint=f"custimport imports show {self.import_id} tells by which",
            )
        if _boot_seconds() - self._renewed_at > LEASE_SILENCE_SECONDS:
            raise AutoReconnect("the lease of the import could not be renewed in time")

    def finish(self, summary: ImportSummary, exit_code: ExitCode) -> None:
        """Stop the heartbeat, write the end state and give the lease back."""
        self._ended.set()
        if self._heartbeat.is_alive():
            self._heartbeat.join()
        fields: Document = {
            "status": summary.status.value,
            "exit_code": int(exit_code),
            "warnings": list(summary.warnings),
            "findings": list(summary.findings),
            "timeline": [list(sample) for sample in summary.timeline],
            "reports": list(summary.reports),
            "finished_at": summary.finished_at,
            "elapsed_seconds": summary.elapsed_seconds,
            "file.bytes": summary.bytes,
            "file.sha256": summary.sha256,
        }
        if self._newest is not None:
            fields |= self._newest[0]
        with translated_errors(self._target):
            self._patience.call(
                lambda: self._imports.update_one(self._held(), {"$set": fields, "$unset": {"lease.token": ""}})
            )

    def _compare_header(self, document: Document, header: Header) -> None:
        """Before the first checkpoint the header is all there is to tell the file by."""
        before = (document["columns"], document["delimiter"])
        if before != (list(header.columns), header.delimiter):
            raise Refused(
                f"the file is not the one import {self.import_id} began with: its header has changed",
                hint=f"it was: {document['delimiter'].join(document['columns'])}",
            )

    def _insert_once(self, document: Document) -> None:
        try:
            self._imports.insert_one(document)
        except DuplicateKeyError:
            # sent again after an outage in which it had arrived; a document of another process is not ours to use
            if self._imports.find_one(self._held()) is None:
                raise

    def _held(self) -> Document:
        return {"_id": self._id, "lease.token": self._lease["token"]}

    def _beat(self) -> None:
        while not self._ended.wait(self._interval_seconds):
            newest = self._newest
            sent_at = _boot_seconds()
            update: Document = {"$currentDate": {"lease.heartbeat_at": True}}
            if newest is not None:
                update["$set"] = newest[0]
            try:
                result = self._imports.update_one(self._held(), update)
            except PyMongoError as error:
                if is_denial(error):
                    self._denial = error
                    return
                # the writers meet the same outage and wait it out; the lease grows old until the next beat succeeds
                continue
            if result.matched_count == 0:
                self._lost = True
                return
            self._renewed_at = sent_at
            if newest is not None:
                self.checkpoint_row = newest[1]


def _boot_seconds() -> float:
    """A clock that goes on while the machine is suspended, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
