"""What an operator can choose, and how an import stands: the words of options, history and summaries."""

from enum import StrEnum


class Policy(StrEnum):
    """What `--on-duplicate` says about an e-mail that is already there."""

    REJECT = "reject"
    SKIP = "skip"
    UPDATE = "update"


class IfLoaded(StrEnum):
    """What `--if-loaded` says of a file whose very bytes were loaded before."""

    LOAD = "load"
    SKIP = "skip"
    REFUSE = "refuse"


class Status(StrEnum):
    """How an import stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNDONE = "undone"


class ReportFormat(StrEnum):
    """A format, named as the extension that asks for it."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    HTML = "html"
