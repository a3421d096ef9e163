"""The shape of a summary for scripts: `load --json`, `imports show --json`, and the end of a JSON report."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from custimport.records import ImportSummary


def summary_document(summary: ImportSummary) -> dict[str, Any]:
    """One import's entry, its keys as the contract names them ("Summary")."""
    return {
        "import_id": summary.import_id,
        "file": summary.file,
        "bytes": summary.bytes,
        "sha256": summary.sha256,
        "status": summary.status.value,
        "on_duplicate": summary.on_duplicate.value,
        "rows": asdict(summary.rows),
        "rejected_by_code": dict(summary.rejected_by_code),
        "ignored_columns": list(summary.ignored_columns),
        "warnings": list(summary.warnings),
        "findings": list(summary.findings),
        "reports": list(summary.reports),
        "started_at": json_time(summary.started_at),
        "finished_at": json_time(summary.finished_at),
        "elapsed_seconds": round(summary.elapsed_seconds, 3),
        "rows_per_second": round(summary.rows_per_second, 1),
    }


def json_time(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds and Z; None stays None. `moment` must know its own zone."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
