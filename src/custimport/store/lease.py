"""Who works on an import: a lease in its history document, taken atomically, renewed by a heartbeat."""

import os
import secrets
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database

from custimport.choices import Status
from custimport.errors import Refused
from custimport.settings import STALLED_AFTER_SECONDS

Document = dict[str, Any]


def new_lease(now: datetime) -> Document:
    """A lease of this process; its token is in nobody else's hands."""
    process = os.getpid()
    return {
        "host": socket.gethostname(),
        "process": process,
        "process_started": process_start(process),
        "token": secrets.token_hex(8),
        "heartbeat_at": now,
    }


def process_start(process: int) -> str | None:
    """When a process of this host started, in its kernel's own count; None if there is no such process.

    Process numbers are used again: only together with this one names a process for good. Empty where the kernel does
    not tell.
    """
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return None
        except OSError:
            pass
        return ""
    # the second field, the program's name, may hold spaces and brackets; start time is field 22 (proc(5))
    fields = status.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def server_time(database: Database[Document]) -> datetime:
    """The server's clock: heartbeats are judged by it, so that the clocks of other hosts do not matter."""
    reply = database.command("hello")
    moment: datetime = reply["localTime"]
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def heartbeat_age_seconds(document: Mapping[str, Any], now: datetime) -> float:
    """Seconds since the import's process was last heard of; infinite if it never was."""
    heartbeat = (document.get("lease") or {}).get("heartbeat_at")
    return (now - heartbeat).total_seconds() if heartbeat else float("inf")


def holder_lives(document: Mapping[str, Any], now: datetime) -> bool:
    """Whether the import's process may still be at work, as of `now` by the server's clock.

    A process of this host is looked up; one of another host is believed for a minute after its last heartbeat.
    """
    lease = document.get("lease") or {}
    if document["status"] != Status.RUNNING.value or not lease.get("token"):
        return False
    if lease.get("host") == socket.gethostname():
        started = process_start(lease["process"])
        return started is not None and started == lease.get("process_started")
    return heartbeat_age_seconds(document, now) <= STALLED_AFTER_SECONDS


def take_over(imports: Collection[Document], document: Document, now: datetime) -> Document:
    """The lease under which this process now works on the import, which reads `running` from here on.

    Raises `Refused` if its holder lives, or another process was faster.
    """
    lease = document.get("lease") or {}
    if holder_lives(document, now):
        raise Refused(
            f"import {document['_id'].hex()} is held by process {lease['process']} on {lease['host']}",
            hint="wait for it, or stop it first",
        )
    taken = new_lease(now)
    result = imports.update_one(
        {"_id": document["_id"], "status": document["status"], "lease.token": lease.get("token")},
        {"$set": {"lease": taken, "status": Status.RUNNING.value, "finished_at": None}},
    )
    if result.matched_count == 0:
        raise Refused(f"import {document['_id'].hex()} was just taken over by another process")
    return taken
