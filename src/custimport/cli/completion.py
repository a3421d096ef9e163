"""What the shell offers after TAB where Typer cannot know it: imports of the database, time zones."""

import io
import re
import threading
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Final

import typer

from custimport.choices import Status
from custimport.cli import invocation, target
from custimport.customer.timezones import timezone_names

if TYPE_CHECKING:
    from custimport.store.history import RecordedImport

WAIT_SECONDS: Final = 1.5
"""Whoever presses TAB waits no longer for a database that does not answer."""
OFFERED_IMPORTS: Final = 30

_UNSAFE: Final = re.compile(r"[^\w .,/+@%=·-]")
"""What zsh might run or expand in a description, though Typer escapes some of it: a file's name may be anybody's."""


def import_ids(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the newest imports, newest first, each with what it was; `last` where nothing is typed yet."""
    found = _newest_imports(context)
    newest = [("last", "the newest")] if found and "last".startswith(incomplete) else []
    return newest + [(each.shown_id, _description(each)) for each in found]


def resumable_ids(context: typer.Context) -> list[tuple[str, str]]:
    """Ids of the newest imports that can be gone on with."""
    over = {Status.COMPLETED, Status.SKIPPED, Status.UNDONE}
    return [
        (each.shown_id, _description(each))
        for each in _newest_imports(context)
        if each.summary.status not in over and each.state != Status.RUNNING.value
    ]


def time_zones() -> list[str]:
    """Every name that is accepted."""
    return sorted(timezone_names())


def _description(found: "RecordedImport") -> str:
    begun = f"{found.summary.started_at:%Y-%m-%d %H.%M}"
    return _UNSAFE.sub("?", f"{found.summary.file} · {found.state} · {begun}")


def _newest_imports(context: typer.Context) -> "list[RecordedImport]":
    """None if there is no answer in time, or anything else goes wrong: a shell's line is no place for errors."""
    found: list[RecordedImport] = []

    def look() -> None:
        with redirect_stderr(io.StringIO()):
            try:
                found.extend(_recorded_imports(configuration, context.params))
            except Exception:  # noqa: BLE001 - nothing that can go wrong here is worth a word
                found.clear()

    configuration = invocation.current()
    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(WAIT_SECONDS)
    return [] if looking.is_alive() else found


def _recorded_imports(under_way: invocation.Invocation, options: dict[str, object]) -> "list[RecordedImport]":
    """The newest imports; none rather than starting the embedded server for them."""
    from dataclasses import replace

    from custimport.store import connection, embedded, history

    invocation.adopt(under_way)
    uri, database = (str(options[name]) if options.get(name) else None for name in ("uri", "database"))
    chosen, environment = target.chosen_target(uri, database), target.environment()
    if chosen.uri is None:
        state = embedded.state(environment)
        if not state.running:
            return []
        chosen = replace(chosen, uri=state.uri)
    wait_ms = int(WAIT_SECONDS * 1000)
    with connection.open_store(chosen, environment, server_wait_ms=wait_ms) as store:
        return list(history.list_imports(store.database, OFFERED_IMPORTS))
