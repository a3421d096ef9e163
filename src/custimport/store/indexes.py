"""The indexes that custimport needs, made on first use."""

from typing import Any, Final

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from custimport.errors import DatabaseRefused
from custimport.store.documents import CHANGES, CUSTOMERS

EMAIL_INDEX: Final = "email_1"

CHANGE_INDEXES: Final = {"customer_id_1": "customer_id", "email_1": "email"}
"""Of `changes`, by name: a customer's history is asked for by its id, or by an e-mail that it once had."""

INDEX_CONFLICTS: Final = frozenset({85, 86})
"""IndexOptionsConflict and IndexKeySpecsConflict: an index on these fields, or of that name, is there but differs."""


def ensure_indexes(database: Database[dict[str, Any]]) -> list[str]:
    """Make the unique index on `email` unless it is there; gives the names of the collection's indexes.

    Raises `DatabaseRefused` if stored customers share an e-mail, or another index on it is in the way.
    """
    customers = database[CUSTOMERS]
    if not any(is_email_identity(index) for index in customers.index_information().values()):
        try:
            customers.create_index([("email", ASCENDING)], name=EMAIL_INDEX, unique=True)
        except DuplicateKeyError as error:
            raise _shared_email(database, error) from None
        except OperationFailure as error:
            if error.code not in INDEX_CONFLICTS:
                raise
            raise DatabaseRefused(
                f"{database.name}.{CUSTOMERS} has an index on email that is not plainly unique",
                hint="drop it; custimport makes its own: { email: 1 }, unique",
            ) from error
    return sorted(customers.index_information())


def ensure_change_indexes(database: Database[dict[str, Any]]) -> list[str]:
    """Make the indexes by which `changes` is searched unless they are there; gives the names of that collection's.

    Made before the first change, or by `db init`; a load never writes there and has nothing to do with them.
    """
    changes = database[CHANGES]
    missing = CHANGE_INDEXES.keys() - changes.index_information().keys()
    for name in sorted(missing):
        changes.create_index([(CHANGE_INDEXES[name], ASCENDING)], name=name)
    return sorted(changes.index_information())


def _shared_email(database: Database[dict[str, Any]], error: DuplicateKeyError) -> DatabaseRefused:
    """How many customers share the first such e-mail; the address itself is personal data and stays out of logs."""
    shared = (error.details or {}).get("keyValue", {})
    count = database[CUSTOMERS].count_documents(shared) if "email" in shared else 0
    return DatabaseRefused(
        f"{database.name}.{CUSTOMERS} has {count if count > 1 else 'several'} customers with one e-mail address; "
        "the unique index on email cannot be made",
        hint="merge or delete them first: nothing was loaded",
    )


def is_email_identity(index: dict[str, Any]) -> bool:
    """Whether an index makes every e-mail unique, for all documents and as it is spelled."""
    special = {"partialFilterExpression", "collation", "sparse"}
    return index["key"] == [("email", 1)] and bool(index.get("unique")) and not special & index.keys()
