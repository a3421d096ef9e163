"""What the database knows of an import's rows, for `imports verify`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo.database import Database

from custimport.records import StoredState, ValidRow
from custimport.store import rejections
from custimport.store.changes import CHANGE_PROJECTION
from custimport.store.documents import CUSTOMERS, REJECTIONS, created_by_import, customer_id, customer_id_range, row_of

Document = dict[str, Any]


class ImportEvidence:
    """Answers for one import."""

    def __init__(self, database: Database[Document], import_id: bytes) -> None:
        self._customers = database[CUSTOMERS]
        self._rejections = database[REJECTIONS]
        self._import_id = import_id

    def customers(self, rows: Sequence[ValidRow]) -> tuple[Mapping[str, StoredState], Mapping[int, StoredState]]:
        """The stored customers of these rows: by e-mail, and by the row that created them."""
        ids = [customer_id(self._import_id, row.row) for row in rows]
        wanted = {"$or": [{"email": {"$in": [row.email for row in rows]}}, {"_id": {"$in": ids}}]}
        by_email: dict[str, StoredState] = {}
        by_row: dict[int, StoredState] = {}
        numbers = {row.row for row in rows}
        for document in self._customers.find(wanted, CHANGE_PROJECTION):
            state = self._state(document)
            by_email[state.values[1]] = state
            if state.created_row in numbers:
                by_row[state.created_row] = state
        return by_email, by_row

    def rejected(self, first_row: int, last_row: int) -> Mapping[int, frozenset[str]]:
        """The codes of the recorded rejections of these rows, both ends included."""
        found = rejections.find(self._rejections, self._import_id, after_row=first_row - 1, last_row=last_row)
        return {entry.row: frozenset(error.code.value for error in entry.errors) for entry in found}

    def created_count(self) -> int:
        """How many customers carry an id that this import gave."""
        return self._customers.count_documents({"_id": customer_id_range(self._import_id)})

    def _state(self, document: Document) -> StoredState:
        identifier, changed_by = document["_id"], document.get("updated_by") or {}
        born = document.get("date_of_birth")
        is_ours = changed_by.get("import_id") == self._import_id
        return StoredState(
            id=str(identifier),
            values=(
                document.get("full_name", ""),
                document.get("email", ""),
                born.date() if isinstance(born, datetime) else None,
                document.get("timezone", ""),
            ),
            created_row=row_of(identifier) if created_by_import(identifier, self._import_id) else None,
            changed_row=changed_by["row"] if is_ours else None,
            changed_since=bool(changed_by) and not is_ours,
        )
