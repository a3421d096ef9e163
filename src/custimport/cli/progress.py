"""What can be seen while an import runs: a bar on a terminal, a line every few seconds elsewhere.

A thread of its own looks at the counters; the pipeline does not know that anybody watches.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from custimport.cli import invocation
from custimport.cli.terminal import messages, note, shown_value, warning
from custimport.pipeline.run import Tally
from custimport.pipeline.source import Source
from custimport.records import RowCounts
from custimport.settings import PROGRESS_LINE_SECONDS

BAR_REFRESHES_A_SECOND = 5


class ImportProgress:
    """Listens to one import and says what it hears; nothing but errors with `quiet`, no progress with `silent`.

    `announce` is told the import's id when it has begun.
    """

    def __init__(
        self, file: str, *, quiet: bool, silent: bool, announce: Callable[[str], None] = lambda _import_id: None
    ) -> None:
        log = invocation.current().log
        self._log = log.bind(file=file)
        self._file = file
        # a log on standard error says the same
        self._quiet = quiet or log.on_standard_error
        self._silent = silent or self._quiet
        # the one that draws the bar: it moves the bar out of the way of what else it is told
        self._console = messages()
        self._announce = announce
        self._watching: tuple[Source, Tally] | None = None
        self._begun = time.monotonic()
        self._outage = ""
        self._away_since = self._begun
        # every writer tells of the outage that it meets
        self._saying = threading.Lock()

    def started(self, import_id: str | None, source: Source, tally: Tally) -> None:
        """From now on there is something to show."""
        if import_id is not None:
            self._announce(import_id)
            self._log = self._log.bind(import_id=import_id)
        self._begun = time.monotonic()
        self._watching = (source, tally)

    def warned(self, text: str) -> None:
        """A warning, at once."""
        self._log.warning("warning", message=text)
        warning(f"{self._file}: {text}", quiet=self._quiet, console=self._console)

    def waiting(self, cause: str, seconds: float) -> None:
        """The database is away for `cause`, the next try is in some seconds; an empty cause ends it."""
        with self._saying:
            before = self._outage
            self._outage = f"waiting for the database ({cause}), next try in {seconds:.1f} s" if cause else ""
        if cause and not before:
            self._away_since = time.monotonic()
            self._log.warning("outage begun", cause=cause)
            self._note(f"the database is away ({cause}); trying again")
        elif before and not cause:
            away_seconds = round(time.monotonic() - self._away_since, 3)
            self._log.info("outage over", elapsed_seconds=away_seconds)
            self._note("the database is back")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Shows progress until the block ends."""
        if self._silent:
            yield
            return
        ended = threading.Event()
        watch = self._draw_bar if self._console.is_terminal else self._print_lines
        thread = threading.Thread(target=watch, args=(ended,), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _note(self, text: str) -> None:
        note(f"{shown_value(self._file)}: {text}", quiet=self._quiet, console=self._console)

    def _draw_bar(self, ended: threading.Event) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), _StateColumn())
        with Progress(*columns, console=self._console, transient=True, auto_refresh=False) as bar:
            task = bar.add_task(shown_value(Path(self._file).name), total=None, state="")
            while not ended.wait(1 / BAR_REFRESHES_A_SECOND):
                if self._watching:
                    source, _ = self._watching
                    bar.update(task, total=source.size_bytes, completed=source.bytes_read, state=self.line())
                bar.refresh()

    def _print_lines(self, ended: threading.Event) -> None:
        while not ended.wait(PROGRESS_LINE_SECONDS):
            if self._watching:
                self._note(self.line())

    def line(self) -> str:
        """How far the import is, in one line."""
        if self._watching is None:
            return ""
        source, tally = self._watching
        share = source.bytes_read / source.size_bytes if source.size_bytes else None
        line = progress_line(tally.counts, share, time.monotonic() - self._begun)
        return f"{line} · {self._outage}" if self._outage else line


def progress_line(counts: RowCounts, share: float | None, elapsed_seconds: float) -> str:
    """How far an import is, in one line; `share` of its bytes from 0 to 1, None where their number is not known."""
    elapsed_seconds = max(elapsed_seconds, 0.001)
    parts = []
    if share is not None:
        parts.append(f"{min(share, 1):.0%}")
    parts.append(f"{counts.read:,} rows")
    parts.append(f"{counts.rejected:,} rejected")
    parts.append(f"{counts.read / elapsed_seconds:,.0f} rows/s")
    if share:
        left_seconds = round(elapsed_seconds / share - elapsed_seconds)
        parts.append(f"{timedelta(seconds=max(left_seconds, 0))} left")
    return " · ".join(parts)


class _StateColumn(ProgressColumn):
    """The line that the listener made, after the bar."""

    def render(self, task: Task) -> Text:
        return Text(str(task.fields["state"]))
