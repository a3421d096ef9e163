"""Joins the pipeline with the store, or with nothing: where the rows of `load`, `load --dry-run` and `check` go."""

import stat
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custimport.choices import Policy
from custimport.errors import ExitCode
from custimport.pipeline.block_judging import RowDetail
from custimport.pipeline.limit import RejectionLimit
from custimport.pipeline.rehearsal import CustomerLookup, StoredCustomer, rehearse
from custimport.pipeline.run import Surroundings, Tally
from custimport.pipeline.source import size_on_disk
from custimport.pipeline.writing import write
from custimport.records import Header, ImportSummary, Rejection, SettledRows, StartingPoint, ValidatedRows
from custimport.settings import STANDARD_INPUT, WRITERS

if TYPE_CHECKING:
    from custimport.cli.importing import FileRun
    from custimport.store.connection import Store
    from custimport.store.history import Plan, RecordedImport
    from custimport.store.journal import Resumed
    from custimport.store.patience import Patience


class NoJournal:
    """The journal of an import that leaves no history."""

    import_id: str | None = None

    def begin(self, header: Header, tally: Tally) -> None:
        """Nothing."""

    def recorded_before(self) -> Iterator[Rejection]:
        """Nothing."""
        return iter(())

    def record(self, rejections: Sequence[Rejection]) -> None:
        """Nothing."""

    def settled(self, tally: Tally) -> None:
        """Nothing."""

    def finish(self, summary: ImportSummary, exit_code: ExitCode) -> None:
        """Nothing."""


class RehearsalDestination:
    """Nothing is written; `lookup` gives the customers that are stored already, None if there are none."""

    def __init__(self, lookup: CustomerLookup | None = None) -> None:
        self._lookup = lookup

    def surroundings(self, run: "FileRun") -> Surroundings:
        """A run that stores nothing and leaves no history."""

        def settle(
            chunks: Iterable[ValidatedRows], _start: StartingPoint, limit: RejectionLimit, stop: threading.Event
        ) -> Iterator[SettledRows]:
            file_bytes = size_on_disk(run.job.file) or 0
            return rehearse(chunks, run.job.policy, self._lookup, limit, stop, file_bytes=file_bytes)

        detail = RowDetail.VALUES
        if self._lookup is None:
            detail = RowDetail.FINGERPRINTS if run.job.policy is Policy.UPDATE else RowDetail.EMAILS
        return Surroundings(settle, NoJournal(), run.reports, run.progress, run.stop, utc_now, run.workers, detail)

    def rehearsal(self) -> "RehearsalDestination":
        """Itself."""
        return self

    def loaded_before(self, _run: "FileRun") -> ImportSummary | None:
        """Nothing is loaded here, so nothing is loaded twice."""
        return None

    def skipped(self, _run: "FileRun", earlier: ImportSummary) -> ImportSummary:
        """The earlier import: there is no history to note it in."""
        return earlier


class StoreDestination:
    """Customers, rejections and history go to the database."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    def surroundings(self, run: "FileRun") -> Surroundings:
        """A run of a new import, with an id of its own."""
        from custimport.store.documents import new_import_id

        return self._surroundings(run, new_import_id(), _plan(run))

    def resumed(self, run: "FileRun", found: "RecordedImport") -> Surroundings:
        """A run that goes on with an import; it is taken over when the run begins."""
        from custimport.store.journal import Resumed

        return self._surroundings(run, found.import_id, Resumed(dict(found.document), run.job.start.position.row))

    def rehearsal(self) -> RehearsalDestination:
        """A dry run against the same database."""
        return RehearsalDestination(stored_customers(self._store))

    def loaded_before(self, run: "FileRun") -> ImportSummary | None:
        """By size first: only where an import of as many bytes is known the file is read to be hashed."""
        from custimport.store import history

        return _patience(run).call(lambda: history.find_loaded(self._store.database, Path(run.job.file)))

    def skipped(self, run: "FileRun", earlier: ImportSummary) -> ImportSummary:
        """A history document that names the earlier import."""
        from custimport.store import history

        return history.note_skipped(self._store.database, _plan(run), earlier)

    def _surroundings(self, run: "FileRun", import_id: bytes, beginning: "Plan | Resumed") -> Surroundings:
        from custimport.store.connection import translated_errors
        from custimport.store.customer_writer import CustomerWriter
        from custimport.store.documents import CUSTOMERS
        from custimport.store.journal import ImportJournal

        patience = _patience(run)
        customers = self._store.database[CUSTOMERS]
        target = self._store.target.description()
        journal = ImportJournal(self._store.database, import_id, beginning, patience, target=target)

        def settle(
            chunks: Iterable[ValidatedRows], start: StartingPoint, limit: RejectionLimit, stop: threading.Event
        ) -> Iterator[SettledRows]:
            sinks = [
                CustomerWriter(
                    customers,
                    import_id,
                    run.job.policy,
                    patience=patience,
                    lease=journal,
                    checkpoint_row=lambda: journal.checkpoint_row,
                )
                for _ in range(WRITERS)
            ]
            with translated_errors(target):
                known = journal.known_after_checkpoint()
                if known is not None:
                    for sink in sinks:
                        sink.resume_with(*known)
                yield from write(chunks, start, limit, stop, sinks=sinks, batch_rows=run.batch_rows)

        return Surroundings(settle, journal, run.reports, run.progress, run.stop, utc_now, run.workers)


def stored_customers(store: "Store") -> CustomerLookup:
    """Finds customers by e-mail in the database, for a dry run."""
    from custimport.store.lookup import find_stored_customers

    def lookup(emails: Sequence[str]) -> Mapping[str, StoredCustomer]:
        return {
            stored["email"]: StoredCustomer(
                id=str(stored["_id"]),
                full_name=stored.get("full_name", ""),
                date_of_birth=born.date() if isinstance(born := stored.get("date_of_birth"), datetime) else None,
                timezone=stored.get("timezone", ""),
            )
            for stored in find_stored_customers(store.database, emails)
        }

    return lookup


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def _patience(run: "FileRun") -> "Patience":
    from custimport.store.patience import Patience

    return Patience(run.retry_for_seconds, run.stop, run.progress.waiting)


def _plan(run: "FileRun") -> "Plan":
    from custimport.store.history import Plan

    job = run.job
    status = None if job.file == STANDARD_INPUT else Path(job.file).stat()
    file: dict[str, Any] = {
        "name": job.file,
        "path": None if status is None else str(Path(job.file).resolve()),
        "bytes": status.st_size if status and stat.S_ISREG(status.st_mode) else None,
        "sha256": None,
        "modified_ns": status.st_mtime_ns if status else None,
    }
    options: dict[str, Any] = {
        "column_map": [list(pair) for pair in job.input.column_map.items()],
        "encoding": job.input.encoding,
        "delimiter": job.input.delimiter,
        "quotechar": job.input.quotechar,
        "date_formats": list(job.input.date_formats),
        "min_date_of_birth": job.input.min_date_of_birth.isoformat(),
        "max_record_bytes": job.input.max_record_bytes,
        "max_rejections": str(job.limit),
        "stop_on_systematic": job.limit.stops_on_systematic,
        "batch_rows": run.batch_rows,
        "chunk_lines": job.chunk_lines,
        "reports": [str(path) for path in run.reports.asked_for],
    }
    return Plan(file, job.policy.value, options, job.rules.today.isoformat())
