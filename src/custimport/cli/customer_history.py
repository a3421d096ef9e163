"""A customer's history for people and for scripts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from custimport.cli.customer_formats import customer_json, shown_day, shown_moment, stamp_json
from custimport.cli.customer_table import customer_in_words, stamp_in_words
from custimport.cli.terminal import shown_value

if TYPE_CHECKING:
    from custimport.store.customer_history import CustomerEvent, CustomerHistory

_CUT_OFF: Final = {
    "not-done": "announced, but never done: the command was cut off",
    "unknown": "announced; the command was cut off, and nothing tells whether it was done",
}


def history_document(history: "CustomerHistory") -> dict[str, Any]:
    """The history for scripts; `customer` is null if it is not stored any more."""
    return {
        "id": str(history.customer_id),
        "customer": customer_json(history.document) if history.document else None,
        "events": [_event_json(event) for event in history.events],
        "other_ids": [str(identifier) for identifier in history.other_ids],
    }


def _event_json(event: "CustomerEvent") -> dict[str, Any]:
    by = stamp_json(event.by)
    if by is not None and "import_id" in by:
        by["file"] = event.file
    changes = event.changes
    return {
        "at": shown_moment(event.at) or None,
        "event": event.kind.value,
        "by": by,
        "outcome": event.outcome.value,
        "changes": None
        if changes is None
        else {
            field: {"before": _value(field, before), "after": _value(field, after)}
            for field, (before, after) in changes.items()
        },
    }


def history_lines(history: "CustomerHistory") -> Iterator[str]:
    """The history for people: who it is, then a line for each event and, below it, one for each value that changed."""
    who = customer_in_words({**history.last_known, "_id": history.customer_id})
    yield who if history.document else f"{who} · not stored any more"
    for event in history.events:
        moment = f"{event.at:%Y-%m-%d %H:%M:%S} UTC" if event.at else "time not known".ljust(23)
        yield f"{moment}  {event.kind.value}  {_author(event)}"
        if event.outcome.value in _CUT_OFF:
            yield f"  {_CUT_OFF[event.outcome.value]}"
        if event.changes is None and event.kind.value == "updated":
            yield "  the values before it are not kept"
        for field, (before, after) in (event.changes or {}).items():
            arrow = "" if event.kind.value == "deleted" else f" → {_shown(field, after)}"
            yield f"  {field}: {_shown(field, before)}{arrow}"


def _author(event: "CustomerEvent") -> str:
    by = stamp_json(event.by)
    if by is None:
        return "by other software"
    return stamp_in_words(by) + (f" ({shown_value(event.file)})" if event.file else "")


def _value(field: str, value: Any) -> str | None:
    if value is None:
        return None
    return shown_day(value) if field == "date_of_birth" else str(value)


def _shown(field: str, value: Any) -> str:
    text = _value(field, value)
    return "(none)" if text is None else shown_value(text)
