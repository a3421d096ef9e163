"""How large a database is."""

from dataclasses import dataclass
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from custimport.store.connection import is_outage


@dataclass(frozen=True, slots=True)
class DatabaseSize:
    """`data_bytes`: the documents as they are sent; `disk_bytes`: what they and the indexes take, compressed."""

    data_bytes: int
    disk_bytes: int


def database_size(database: Database[dict[str, Any]]) -> DatabaseSize | None:
    """The size; None where the user may not ask: nothing else needs a right on the whole database."""
    try:
        size = database.command("dbStats")
    except OperationFailure as error:
        if is_outage(error):
            raise
        return None
    return DatabaseSize(int(size["dataSize"]), int(size["storageSize"] + size["indexSize"]))
