"""Which customers, and in which order: values only, so that the command line can build them without pymongo."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from custimport.errors import UsageError

SORT_FIELDS: Final = ("full_name", "email", "date_of_birth", "timezone", "created_at", "updated_at")


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """What a customer must match; None matches all.

    `email` is the stored form, whole; `name_part` any part of the name, in whatever case, and never a pattern;
    `born_after` and `born_before` exclude the day they name; `import_name` is an import's id (16 hex digits) or
    `last`, and stands for the customers which that import created (not for those that it changed).
    """

    email: str | None = None
    name_part: str | None = None
    timezone: str | None = None
    born_after: date | None = None
    born_before: date | None = None
    import_name: str | None = None


@dataclass(frozen=True, slots=True)
class CustomerOrder:
    """A field and a direction; equal values are told apart by `_id`, newest first."""

    field: str = "_id"
    descending: bool = True

    @property
    def is_indexed(self) -> bool:
        """Whether an index that every database has gives the order; any other is sorted by the server."""
        return self.field in {"_id", "email"}

    def keys(self, *, reverse: bool = False) -> list[tuple[str, int]]:
        """The sort as MongoDB wants it; `reverse` gives the same order read from its end."""
        keys = [(self.field, -1 if self.descending else 1)]
        # no two customers share an _id or an e-mail: no ties, and the unique index alone gives the order
        if not self.is_indexed:
            keys.append(("_id", -1))
        return [(field, -direction) for field, direction in keys] if reverse else keys


NEWEST_FIRST: Final = CustomerOrder()


def parsed_order(text: str | None) -> CustomerOrder:
    """The order that `FIELD` or `-FIELD` names, newest first for None. Raises `UsageError` for any other text."""
    if text is None:
        return NEWEST_FIRST
    field = text.removeprefix("-")
    if field not in SORT_FIELDS:
        raise UsageError(
            f"--sort {text!r}: there is no such order",
            hint=f"one of {', '.join(SORT_FIELDS)}; with - in front, from the end: --sort=-{SORT_FIELDS[0]}",
        )
    return CustomerOrder(field, descending=text.startswith("-"))


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """One page of documents, `number` 1-based, of at most `limit`; `total` counts the matches on all pages."""

    documents: Sequence[dict[str, Any]]
    total: int
    number: int
    limit: int

    @property
    def pages(self) -> int:
        """How many pages there are; 0 when nothing matches."""
        return -(-self.total // self.limit)
