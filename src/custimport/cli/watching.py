"""`imports show --watch`: follows an import that runs anywhere, by what its checkpoints say in the database."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from custimport.choices import Status
from custimport.cli.progress import progress_line
from custimport.cli.terminal import messages, note, shown_value
from custimport.errors import Refused
from custimport.settings import CHECKPOINT_SECONDS, PROGRESS_LINE_SECONDS

if TYPE_CHECKING:
    from custimport.store.history import RecordedImport


def watch(find: Callable[[], "RecordedImport"]) -> "RecordedImport":
    """The import as it is when it runs no longer; shows on standard error how far it is until then.

    `find` looks the import up once more. Raises `Refused` when its process has not been heard of for a minute.
    """
    console = messages()
    if console.is_terminal:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            return _followed(find, CHECKPOINT_SECONDS, lambda line: live.update(Text(line), refresh=True))
    return _followed(find, PROGRESS_LINE_SECONDS, note)


def _followed(
    find: Callable[[], "RecordedImport"], interval_seconds: float, show: Callable[[str], None]
) -> "RecordedImport":
    while True:
        found = find()
        if found.summary.status is not Status.RUNNING:
            return found
        if found.state != Status.RUNNING.value:
            raise Refused(
                f"import {found.shown_id} is {found.state}: its process has not been heard of for a minute",
                hint=f"if it is dead: custimport load --resume {found.shown_id}",
            )
        show(_line(found))
        time.sleep(interval_seconds)


def _line(found: "RecordedImport") -> str:
    summary, checkpoint = found.summary, found.document["checkpoint"]
    share = checkpoint["source_bytes"] / summary.bytes if summary.bytes else None
    return f"{shown_value(summary.file)}: {progress_line(summary.rows, share, summary.elapsed_seconds)}"
