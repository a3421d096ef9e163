"""What is known of one customer's past: from its document, from the log of changes, and from the imports."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from bson.objectid import ObjectId
from pymongo.database import Database

from custimport.customer import FIELDS
from custimport.errors import NotFound
from custimport.store.customers import HEXADECIMAL_ID, encodable
from custimport.store.documents import CHANGES, CUSTOMERS, IMPORTS
from custimport.store.lookup import CUSTOMER_CODEC

Document = dict[str, Any]

KEPT_BY_IMPORTS: Final = tuple(field for field in FIELDS if field != "email")
"""The values of `previous`: an import finds a customer by its e-mail and never changes it."""


class EventKind(StrEnum):
    """What happened to a customer."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Outcome(StrEnum):
    """Whether it did happen: anything but `done` is a command that was cut off after it had announced its change."""

    DONE = "done"
    NOT_DONE = "not-done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CustomerEvent:
    """One thing that happened to a customer, at `at` (UTC; None if the document does not say).

    `by` is the stamp of an import's row, the author of a command, or empty; `file` the name of the import's file.
    `changes` are the values before and after of each field that changed; None where they are not kept.
    """

    at: datetime | None
    kind: EventKind
    by: Mapping[str, Any]
    changes: Mapping[str, tuple[Any, Any]] | None = None
    outcome: Outcome = Outcome.DONE
    file: str | None = None


@dataclass(frozen=True, slots=True)
class CustomerHistory:
    """The events of one customer, oldest first. `document` is None if it is not stored any more.

    `last_known` are its values now, or those before its deletion; `other_ids`: customers that had the same e-mail at
    another time.
    """

    customer_id: Any
    document: Document | None
    last_known: Document
    events: Sequence[CustomerEvent]
    other_ids: Sequence[Any]


def find_history(database: Database[Document], name: str) -> CustomerHistory:
    """The history of the customer of this id (24 hex digits) or e-mail (stored form), also after its deletion.

    An e-mail is the customer's that has it; if none has, of the one that a command last took it from. Raises
    `NotFound` if nothing is known, and pymongo's errors.
    """
    customers = database[CUSTOMERS].with_options(codec_options=CUSTOMER_CODEC)
    changes = database[CHANGES].with_options(codec_options=CUSTOMER_CODEC)
    identifiers = _identifiers(database, name)
    for identifier in identifiers:
        # the log first: of a change under way its end may be seen without its beginning, never the other way round
        entries = list(changes.find({"customer_id": identifier}).sort([("at", 1), ("_id", 1)]))
        document = customers.find_one({"_id": identifier})
        if entries or document:
            events = _with_files(database, sorted(_events(document, entries), key=_age))
            others = [other for other in identifiers if other != identifier]
            return CustomerHistory(identifier, document, document or entries[-1]["before"], events, others)
    raise NotFound(
        f"nothing is known of a customer {name!r}",
        hint="a customer that no command has changed leaves nothing behind when an import is undone",
    )


def _identifiers(database: Database[Document], name: str) -> list[Any]:
    """The customers that the name may mean, the likeliest first."""
    if HEXADECIMAL_ID.fullmatch(name):
        return [ObjectId(name)]
    if not encodable(name):
        return []
    found = [document["_id"] for document in database[CUSTOMERS].find({"email": name}, {"_id": 1})]
    for entry in database[CHANGES].find({"email": name}, {"customer_id": 1}).sort([("at", -1), ("_id", -1)]):
        if entry["customer_id"] not in found:
            found.append(entry["customer_id"])
    return found


def _events(document: Document | None, entries: Sequence[Document]) -> list[CustomerEvent]:
    """Everything that the entries, and the customer as it stands in them and now, bear witness of, each thing once."""
    snapshots = [*(entry["before"] for entry in entries), *([document] if document else [])]
    seen: dict[str, CustomerEvent] = {}
    for event in (event for snapshot in snapshots for event in _witnessed(snapshot)):
        known = seen.get(_key(event))
        if known is None or known.changes is None:
            seen[_key(event)] = event
    for entry in entries:
        event = _logged(entry)
        if _key(event) not in seen:
            event = replace(event, outcome=_outcome(entry, document, entries))
        seen[_key(event)] = event
    return list(seen.values())


def _witnessed(customer: Document) -> Iterator[CustomerEvent]:
    """What a customer's document tells of its past."""
    if customer.get("created_at") or customer.get("created_by"):
        yield CustomerEvent(_moment(customer.get("created_at")), EventKind.CREATED, customer.get("created_by") or {})
    previous = customer.get("previous")
    if customer.get("updated_by"):
        kept = None if previous is None else _differences(previous, customer, KEPT_BY_IMPORTS)
        yield CustomerEvent(_moment(customer.get("updated_at")), EventKind.UPDATED, customer["updated_by"], kept)
    if previous and previous.get("updated_by"):
        yield CustomerEvent(_moment(previous.get("updated_at")), EventKind.UPDATED, previous["updated_by"])


def _logged(entry: Document) -> CustomerEvent:
    kind = EventKind.DELETED if entry["after"] is None else EventKind.UPDATED
    changes = _differences(entry["before"], entry["after"] or {}, FIELDS)
    return CustomerEvent(entry["at"], kind, entry["by"], changes)


def _outcome(entry: Document, document: Document | None, entries: Sequence[Document]) -> Outcome:
    """Whether the change of an entry happened that nothing but the entry bears witness of."""
    if "unconfirmed" not in entry or (document or {}).get("last_change") == entry["_id"]:
        return Outcome.DONE
    # stored again under its old id, it is a new customer, and does not tell what ended the old one
    created_at = entry["before"].get("created_at")
    is_stored = document is not None and document.get("created_at") == created_at
    is_deleted_later = any(
        other["after"] is None and "unconfirmed" not in other and other["before"].get("created_at") == created_at
        for other in entries
    )
    return Outcome.NOT_DONE if is_stored or is_deleted_later else Outcome.UNKNOWN


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    pairs = {field: (before.get(field), after.get(field)) for field in fields}
    return {field: (old, new) for field, (old, new) in pairs.items() if old != new}


def _with_files(database: Database[Document], events: Sequence[CustomerEvent]) -> list[CustomerEvent]:
    """The events with the names of the files that their imports loaded."""
    import_ids = list({event.by["import_id"] for event in events if "import_id" in event.by})
    found = database[IMPORTS].find({"_id": {"$in": import_ids}}, {"file.name": 1})
    names = {document["_id"]: document.get("file", {}).get("name") for document in found}
    return [replace(event, file=names.get(event.by.get("import_id"))) for event in events]


def _moment(value: Any) -> datetime | None:
    # other software may have stored anything here
    return value if isinstance(value, datetime) else None


def _age(event: CustomerEvent) -> datetime:
    """Sorts the oldest first; what bears no time comes before all."""
    return event.at or datetime.min.replace(tzinfo=UTC)


def _key(event: CustomerEvent) -> str:
    return repr((event.kind, event.at, event.by))
