"""What a further index costs a load, and what it gives to lists: `python -m bench.indexes`; see docs/indexes.md."""

import argparse
import contextlib
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pymongo import MongoClient

from bench.run import DATABASE, Bench, Size
from bench.server import benchmark_server

# with _id behind the field, so that ties come newest first without a sort
INDEXES = {
    "none": [],
    "date_of_birth": ["date_of_birth"],
    "timezone": ["timezone"],
    "full_name": ["full_name"],
    "created_at": ["created_at"],
    "updated_at": ["updated_at"],
    "both of the first two": ["date_of_birth", "timezone"],
}
LISTS = {
    "date_of_birth": (("--born-before", "1940-02-01"), ("--sort", "date_of_birth")),
    "timezone": (("--timezone", "Asia/Tokyo"), ("--sort", "timezone")),
    "full_name": (("--name", "zoë martin"), ("--sort", "full_name")),
    "created_at": (("--sort", "created_at"),),
    "updated_at": (("--sort", "updated_at"),),
}


def make(client: MongoClient[dict[str, object]], fields: Sequence[str]) -> None:
    """The indexes on these fields, in the empty collection, where a load finds them."""
    for field in fields:
        client[DATABASE].customers.create_index([(field, 1), ("_id", -1)], name=field)


def megabytes(client: MongoClient[dict[str, object]], fields: Sequence[str]) -> float:
    """What the indexes take on disk."""
    sizes = client[DATABASE].command("collStats", "customers")["indexSizes"]
    return sum(sizes[field] for field in fields) / 1e6


def server_seconds(client: MongoClient[dict[str, object]]) -> float:
    """Processor time that the server has used: other programs on the machine change it less than the clock's time."""
    process = client.admin.command("serverStatus")["pid"]
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Take turns over the indexes, then print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in INDEXES}
    worked: dict[str, list[float]] = {name: [] for name in INDEXES}
    size: dict[str, float] = {}
    lists: dict[tuple[str, ...], dict[str, list[float]]] = {}
    with contextlib.ExitStack() as stack:
        uri = stack.enter_context(benchmark_server())
        client: MongoClient[dict[str, object]] = stack.enter_context(MongoClient(uri))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cb-work-"))
        bench = Bench(client, uri, folder, Size(arguments.rows, arguments.turns))
        bench.load("fresh")
        for _ in range(arguments.turns):
            for name, fields in INDEXES.items():
                bench.empty()
                make(client, fields)
                before = server_seconds(client)
                seconds[name].append(bench.load("fresh"))
                worked[name].append(server_seconds(client) - before)
                size[name] = megabytes(client, fields)
                asked = LISTS.get(name, ()) if fields else [words for some in LISTS.values() for words in some]
                for words in asked:
                    took = bench.cli("customers", "list", *words, *bench.where) * 1000
                    lists.setdefault(words, {}).setdefault("none" if not fields else "with", []).append(took)
        bench.empty()
    print(f"{arguments.rows:,} rows, {arguments.turns} loads in turn; medians, and their ratio to no further index")
    print(f"{'further index':<24}{'load':>9}{'ratio':>8}{'server processor':>18}{'ratio':>8}{'size':>10}")
    for name in INDEXES:
        line = f"{name:<24}"
        for found, width in ((seconds, 7), (worked, 16)):
            median = statistics.median(found[name])
            line += f"{median:{width}.2f} s{median / statistics.median(found['none']):8.2f}"
        print(f"{line}{size[name]:7.1f} MB")
    print(f"{'list':<37}{'without':>10}{'with':>10}")
    for words, sides in lists.items():
        without, having = (statistics.median(sides[side]) for side in ("none", "with"))
        print(f"list {' '.join(words):<32}{without:7.0f} ms{having:7.0f} ms")


if __name__ == "__main__":
    main()
