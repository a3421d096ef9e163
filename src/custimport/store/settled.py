"""What the database already knows of rows whose outcome this process does not know.

Asked before rows are sent again: after an outage, and at resume for every row above the checkpoint. A row whose
effect once reached the database is never applied again nor counted differently.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo.collection import Collection

from custimport.choices import Policy
from custimport.store.documents import created_by_import, customer_id_range, row_of

Document = dict[str, Any]


@dataclass(slots=True)
class SettledRows:
    """Rows of one import whose effect is in the database.

    `created` and `changed` are rows (1-based); `newest_of` says for each e-mail the last row that had an effect on its
    customer, and `newest_with` the same for each row that had one.
    """

    created: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    newest_of: dict[str, int] = field(default_factory=dict)
    newest_with: dict[int, int] = field(default_factory=dict)

    def add(self, document: Document, import_id: bytes) -> None:
        """Take in what a customer's document tells of this import."""
        rows = stamped_rows(document, import_id)
        self.changed |= rows
        if created_by_import(document["_id"], import_id):
            row = row_of(document["_id"])
            self.created.add(row)
            rows.add(row)
        if rows:
            newest = max(rows)
            self.newest_of[document["email"]] = newest
            self.newest_with |= dict.fromkeys(rows, newest)

    def outcome(self, row: int, email: str, group: Iterable[int], policy: Policy) -> str | None:
        """`inserted`, `updated` or `unchanged` for a row that is settled, None for one that is not.

        `group` are rows of the same e-mail: they still lead to a customer that was given another e-mail meanwhile. Rows
        of one e-mail are applied in file order, so a row before one that had an effect was looked at, and changed
        nothing if it left no stamp.
        """
        if row in self.created:
            return "inserted"
        if row in self.changed:
            return "updated"
        if policy is Policy.UPDATE:
            newest = max([self.newest_of.get(email, 0), *(self.newest_with.get(other, 0) for other in group)])
            if row < newest:
                return "unchanged"
        return None


def find_settled(
    customers: Collection[Document], import_id: bytes, policy: Policy, first_row: int, last_row: int
) -> SettledRows:
    """What rows `first_row` to `last_row` (both included) left in the database.

    Customers they created are found by a range of `_id`; those they changed (policy update) by the stamps in the
    documents, for which there is no index: one scan, in the rare cases where this is asked.
    """
    settled = SettledRows()
    by_stamp = [
        {f"{name}.import_id": import_id, f"{name}.row": {"$gte": first_row, "$lte": last_row}}
        for name in ("updated_by", "applied")
        if policy is Policy.UPDATE
    ]
    found = customers.find(
        {"$or": [{"_id": customer_id_range(import_id, first_row, last_row)}, *by_stamp]},
        {"email": 1, "updated_by": 1, "applied": 1},
    )
    for document in found:
        settled.add(document, import_id)
    return settled


def stamped_rows(document: Document, import_id: bytes) -> set[int]:
    """The rows of this import that changed the customer, as far as the document still tells."""
    stamps: Sequence[Document] = [*(document.get("applied") or ()), document.get("updated_by") or {}]
    return {entry["row"] for entry in stamps if entry.get("import_id") == import_id}
