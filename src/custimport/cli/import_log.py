"""What an import writes to the log: its beginning, its checkpoints, its rejected rows, its end."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from custimport.choices import Status
from custimport.cli import invocation
from custimport.cli.event_log import EventLog, LogLevel
from custimport.errors import ExitCode
from custimport.pipeline.run import ImportJob, Journal, Surroundings, Tally
from custimport.records import Header, ImportSummary, Rejection
from custimport.settings import PROGRESS_LINE_SECONDS


def logged(around: Surroundings, job: ImportJob) -> Surroundings:
    """The same surroundings, with a log of what the journal is told; unchanged if no log is asked for."""
    log = invocation.current().log
    if log.logger is None:
        return around
    return replace(around, journal=LoggedJournal(around.journal, job, log))


class LoggedJournal:
    """A journal that writes to the log what it is told, after having done it; every event names import and file."""

    def __init__(self, journal: Journal, job: ImportJob, log: EventLog) -> None:
        self._journal = journal
        self.import_id = journal.import_id
        self._job = job
        self._log = log.bind(import_id=journal.import_id, file=job.file)
        self._rows_are_logged = log.level is LogLevel.DEBUG
        self._begun = time.monotonic()
        self._next_checkpoint = self._begun

    def begin(self, header: Header, tally: Tally) -> None:
        """`import started`, or `import resumed` with the rows up to the checkpoint."""
        self._journal.begin(header, tally)
        self._begun = self._next_checkpoint = time.monotonic()
        policy = self._job.policy.value
        if self._job.start.started_at is None:
            self._log.info("import started", on_duplicate=policy, rehearsal=self.import_id is None)
        else:
            self._log.info("import resumed", on_duplicate=policy, **asdict(tally.counts))

    def recorded_before(self) -> Iterator[Rejection]:
        """Nothing is logged: these rows were, when they were rejected."""
        return self._journal.recorded_before()

    def record(self, rejections: Sequence[Rejection]) -> None:
        """`row rejected` for each, at level debug; its cells and reasons only where values may be shown."""
        self._journal.record(rejections)
        if not self._rows_are_logged:
            return
        for rejection in rejections:
            fields: dict[str, object] = {"codes": [error.code.value for error in rejection.errors]}
            if self._log.shows_values:
                fields |= {
                    "cells": list(rejection.cells),
                    "reasons": [error.message for error in rejection.errors],
                }
            self._log.debug("row rejected", row=rejection.row, line=rejection.line, **fields)

    def settled(self, tally: Tally) -> None:
        """`checkpoint`, the first time and then every few seconds."""
        self._journal.settled(tally)
        now = time.monotonic()
        if now >= self._next_checkpoint:
            self._next_checkpoint = now + PROGRESS_LINE_SECONDS
            elapsed_seconds = round(self._job.start.elapsed_seconds + now - self._begun, 3)
            self._log.info(
                "checkpoint", row=tally.position.row, **asdict(tally.counts), elapsed_seconds=elapsed_seconds
            )

    def finish(self, summary: ImportSummary, exit_code: ExitCode) -> None:
        """`import finished`, `import stopped` if it can be resumed, `import failed` for a bug."""
        try:
            self._journal.finish(summary, exit_code)
        finally:
            # the history may be out of reach, the log is not
            self._finished(summary, exit_code)

    def _finished(self, summary: ImportSummary, exit_code: ExitCode) -> None:
        fields = {
            "status": summary.status.value,
            "exit_code": int(exit_code),
            **asdict(summary.rows),
            "rejected_by_code": dict(summary.rejected_by_code),
            "reports": list(summary.reports),
            "elapsed_seconds": round(summary.elapsed_seconds, 3),
            "rows_per_second": round(summary.rows_per_second),
        }
        match summary.status:
            case Status.COMPLETED:
                self._log.info("import finished", **fields)
            case Status.FAILED:
                self._log.warning("import failed", **fields)
            case _:
                self._log.warning("import stopped", **fields)
