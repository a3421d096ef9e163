"""The raw limits: what the driver and the server take with the documents made beforehand, two threads, no validation.

Run as a process of its own: `python -m bench.raw insert|upsert|csv FILE [URI DATABASE]`; prints the seconds of the
part that is compared, without preparation, start of the interpreter or garbage collection.
"""

import csv
import gc
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, UpdateOne, WriteConcern
from pymongo.collection import Collection

BATCH = 2_000
THREADS = 2
SET_FIELDS = ("full_name", "date_of_birth", "timezone", "updated_at")
INSERTED_FIELDS = ("created_at", "created_by")


def documents(path: str) -> list[dict[str, Any]]:
    """The customers that custimport makes of a file of `bench.data`: without its invalid and its repeated e-mails."""
    now = datetime.now(UTC)
    import_id = bytes(8)
    found: dict[str, dict[str, Any]] = {}
    with Path(path).open(encoding="utf-8", newline="") as stream:
        for number, (name, email, day, zone) in enumerate(list(csv.reader(stream))[1:], start=1):
            if "@" in email and email not in found:
                found[email] = {
                    "_id": bson.ObjectId(import_id + number.to_bytes(4, "big")),
                    "full_name": name,
                    "email": email,
                    "date_of_birth": datetime.fromisoformat(day).replace(tzinfo=UTC),
                    "timezone": zone,
                    "created_at": now,
                    "updated_at": now,
                    "created_by": {"import_id": import_id, "row": number},
                }
    return list(found.values())


def in_threads(work: Any, items: Sequence[Any]) -> float:
    """Seconds that the threads take for all batches."""
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    # a limit: the collector would walk over a million prepared documents
    gc.disable()
    begun = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, batches))
    return time.perf_counter() - begun


def insert(path: str, customers: Collection[Any]) -> float:
    """Encoded documents, unordered inserts."""
    encoded = [RawBSONDocument(bson.encode(document)) for document in documents(path)]
    return in_threads(lambda batch: customers.insert_many(batch, ordered=False), encoded)


def upsert(path: str, customers: Collection[Any]) -> float:
    """One upsert a row, keyed by e-mail: values and time are set, the rest only for a new customer."""
    operations = [
        UpdateOne(
            {"email": document["email"]},
            {
                "$set": {field: document[field] for field in SET_FIELDS},
                "$setOnInsert": {field: document[field] for field in INSERTED_FIELDS},
            },
            upsert=True,
        )
        for document in documents(path)
    ]
    return in_threads(lambda batch: customers.bulk_write(batch, ordered=False), operations)


def read_csv(path: str) -> float:
    """Bare csv.reader over the file."""
    begun = time.perf_counter()
    with Path(path).open(encoding="utf-8", newline="") as stream:
        for _ in csv.reader(stream):
            pass
    return time.perf_counter() - begun


def main() -> None:
    """See the module's docstring."""
    kind, path, *where = sys.argv[1:]
    if kind == "csv":
        print(read_csv(path))
        return
    uri, name = where
    client: MongoClient[dict[str, Any]] = MongoClient(uri)
    database = client.get_database(name, write_concern=WriteConcern(w="majority", j=True))
    database.customers.create_index("email", unique=True)
    print({"insert": insert, "upsert": upsert}[kind](path, database.customers))


if __name__ == "__main__":
    main()
