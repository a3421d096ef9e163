"""Imports for people and for scripts. Pure: values in, tables or documents out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from custimport.choices import Status
from custimport.cli.terminal import shown_value
from custimport.errors import ExitCode
from custimport.pipeline.summary_json import json_time, summary_document
from custimport.records import ImportSummary, RowCounts

if TYPE_CHECKING:
    from custimport.pipeline.verification import Verification
    from custimport.store.history import RecordedImport
    from custimport.store.undo import Undone

STACKED_BELOW_COLUMNS: Final = 76
"""Below this width the file's name, the last column of the history, would have no room."""
COUNTS = ("read", "inserted", "updated", "unchanged", "skipped", "rejected")


def summaries_document(summaries: Sequence[ImportSummary], exit_code: ExitCode) -> dict[str, Any]:
    """The one document of `load --json` and `check --json` (contract.md, "Summary")."""
    totals = sum((summary.rows for summary in summaries), RowCounts())
    return {
        "imports": [summary_document(summary) for summary in summaries],
        "totals": {name: getattr(totals, name) for name in COUNTS},
        "exit_code": int(exit_code),
    }


def summary_table(summary: ImportSummary, *, rehearsal: bool, next_steps: Sequence[str]) -> RenderableType:
    """One import's balance, its reasons, and what to do next."""
    title = Text(shown_value(summary.file), style="bold")
    if summary.import_id:
        title.append(f"  import {summary.import_id}", style="dim")
    title.append(f"  {summary.status.value}", style=status_style(summary.status.value))
    if rehearsal:
        title.append("  (nothing was written)", style="dim")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for name in COUNTS:
        count = getattr(summary.rows, name)
        if name in {"read", "inserted", "rejected"} or count:
            table.add_row(f"  {name}", f"{count:,}", _reasons(summary) if name == "rejected" else "")
    seconds = f"{summary.elapsed_seconds:,.1f} s"
    lines: list[RenderableType] = [
        title,
        table,
        Text(f"  {seconds} · {summary.rows_per_second:,.0f} rows/s", style="dim"),
    ]
    lines += [_whole_line(f"  finding: {shown_value(finding)}", "yellow") for finding in summary.findings]
    lines += [_whole_line(f"  report: {shown_value(path)}") for path in summary.reports]
    lines += [_whole_line(f"  next: {shown_value(step)}") for step in next_steps]
    return Group(*lines)


def _whole_line(text: str, style: str = "") -> Text:
    """What is there to be copied: left to the terminal to wrap, and to be printed without cropping."""
    return Text(text, style=style, no_wrap=True, overflow="ignore")


def totals_table(summaries: Sequence[ImportSummary]) -> RenderableType:
    """The balance of several files together."""
    totals = sum((summary.rows for summary in summaries), RowCounts())
    words = " · ".join(f"{name} {getattr(totals, name):,}" for name in COUNTS)
    return Text(f"{len(summaries)} files: {words}")


def imports_table(rows: Sequence[tuple[str, ImportSummary]], columns: int) -> RenderableType:
    """The history, one line an import: `rows` are pairs of the state to show and the summary.

    Where the screen has too few columns for that, an import is a few lines.
    """
    if columns < STACKED_BELOW_COLUMNS:
        return _stacked_imports(rows)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "started (UTC)", "status"):
        table.add_column(name, no_wrap=True)
    for name in ("read", "rejected"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("file", overflow="fold")
    for state, summary in rows:
        table.add_row(
            summary.import_id or "",
            _started(summary),
            Text(state, style=status_style(state)),
            f"{summary.rows.read:,}",
            f"{summary.rows.rejected:,}",
            Text(shown_value(summary.file)),
        )
    return table


def _stacked_imports(rows: Sequence[tuple[str, ImportSummary]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", no_wrap=True)
    table.add_column("import", overflow="fold")
    for state, summary in rows:
        counts = f"{summary.rows.read:,} read · {summary.rows.rejected:,} rejected"
        words = Text(shown_value(summary.file) + f"\n{_started(summary)} UTC · ")
        table.add_row(summary.import_id or "", words.append(state, style=status_style(state)).append(f"\n{counts}"))
    return table


def _started(summary: ImportSummary) -> str:
    return f"{summary.started_at:%Y-%m-%d %H:%M}"


def status_style(state: str) -> str:
    """The colour of a state: green is done, yellow wants a look, red wants a hand."""
    if state == Status.COMPLETED.value:
        return "green"
    return "yellow" if state in {Status.RUNNING.value, Status.SKIPPED.value, Status.UNDONE.value} else "red"


def _reasons(summary: ImportSummary) -> str:
    most_first = sorted(summary.rejected_by_code.items(), key=lambda item: (-item[1], item[0]))
    return " · ".join(f"{code} {count:,}" for code, count in most_first)


def import_document(found: "RecordedImport") -> dict[str, Any]:
    """One import of the history for scripts: its summary, then what only the history knows."""
    document = found.document
    lease = document.get("lease") or {}
    return {
        **summary_document(found.summary),
        "state": found.state,
        "exit_code": document.get("exit_code"),
        "path": document["file"].get("path"),
        "retry_of": document.get("retry_of"),
        "columns": list(found.columns),
        "options": {"delimiter": document.get("delimiter"), **document.get("options", {})},
        "today": document.get("today"),
        "checkpoint": {name: document["checkpoint"][name] for name in ("row", "line")},
        "host": lease.get("host"),
        "process": lease.get("process"),
        "heartbeat_at": json_time(lease.get("heartbeat_at")),
        "versions": document.get("versions", {}),
    }


def import_view(found: "RecordedImport") -> RenderableType:
    """One import of the history for people."""
    summary, document = found.summary, found.document
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    options = document.get("options", {})
    facts = {
        "import": found.shown_id,
        "status": Text(found.state, style=status_style(found.state)),
        "file": shown_value(summary.file),
        "size": f"{summary.bytes:,} bytes" if summary.bytes is not None else "",
        "sha256": summary.sha256 or "",
        "started": f"{summary.started_at:%Y-%m-%d %H:%M:%S} UTC",
        "finished": f"{summary.finished_at:%Y-%m-%d %H:%M:%S} UTC" if summary.finished_at else "",
        "speed": f"{summary.elapsed_seconds:,.1f} s · {summary.rows_per_second:,.0f} rows/s",
        "on duplicate": summary.on_duplicate.value,
        "limit": options.get("max_rejections", ""),
        **{name: f"{getattr(summary.rows, name):,}" for name in COUNTS},
        "reasons": _reasons(summary),
        "checkpoint": f"row {document['checkpoint']['row']:,}, line {document['checkpoint']['line']:,}",
        "reports": "\n".join(map(shown_value, summary.reports)),
        "ignored columns": shown_value(", ".join(summary.ignored_columns)),
        "warnings": "\n".join(map(shown_value, summary.warnings)),
        "findings": "\n".join(map(shown_value, summary.findings)),
        "retry of": document.get("retry_of") or "",
    }
    for name, value in facts.items():
        if value:
            table.add_row(name, value)
    return table


def undone_document(found: "RecordedImport", undone: "Undone") -> dict[str, Any]:
    """What came of `imports undo`, for scripts."""
    return {
        "import_id": found.shown_id,
        "status": Status.UNDONE.value,
        "deleted": undone.deleted,
        "restored": undone.restored,
        "left": [{"id": customer.id, "email": customer.email} for customer in undone.left],
    }


def undone_view(found: "RecordedImport", undone: "Undone") -> RenderableType:
    """The same for people."""
    lines = [Text(f"import {found.shown_id} undone: {undone.deleted:,} deleted, {undone.restored:,} restored")]
    if undone.left:
        lines.append(Text(f"{len(undone.left):,} customers were changed since and are left as they are:"))
        lines += [Text(f"  {shown_value(customer.id)}  {shown_value(customer.email)}") for customer in undone.left]
    return Group(*lines)


def verification_document(found: "RecordedImport", verified: "Verification") -> dict[str, Any]:
    """What came of `imports verify`, for scripts."""
    return {
        "import_id": found.shown_id,
        "rows": verified.rows,
        "outcomes": dict(sorted(verified.outcomes.items())),
        "changed_since": list(verified.changed_since),
        "differences": [
            {"row": difference.row or None, "line": difference.line or None, "what": difference.what}
            for difference in verified.differences
        ],
    }


def verification_view(found: "RecordedImport", verified: "Verification") -> RenderableType:
    """The same for people."""
    balance = " · ".join(f"{name} {count:,}" for name, count in sorted(verified.outcomes.items()))
    lines = [Text(f"import {found.shown_id}: {verified.rows:,} rows: {balance}")]
    if verified.changed_since:
        lines.append(Text(f"{len(verified.changed_since):,} customers were changed since by others:"))
        lines += [Text(f"  {shown_value(customer_id)}") for customer_id in verified.changed_since]
    if verified.differences:
        count = len(verified.differences)
        lines.append(Text("1 difference:" if count == 1 else f"{count:,} differences:", style="red"))
    for difference in verified.differences:
        where = f"row {difference.row:,}, line {difference.line:,}: " if difference.row else ""
        lines.append(Text(f"  {where}{shown_value(difference.what)}"))
    if not verified.differences:
        lines.append(Text("every row is as the import left it", style="green"))
    return Group(*lines)
