"""Measures custimport beside the raw limits, in turns, and prints ratios of medians: `python -m bench.run --help`."""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from pymongo import MongoClient

from bench.data import file_of
from bench.server import benchmark_server

CUSTIMPORT = str(Path(sys.executable).with_name("custimport"))
RESULTS = Path(__file__).parent / "results"


@dataclass
class Measurement:
    """One line of the table: `ours` and `other` in `unit`, the ratio of the medians, the goal (at most)."""

    name: str
    unit: str
    ours: list[float]
    other: list[float]
    goal: float

    @property
    def ratio(self) -> float:
        """Median of ours over median of the other side; ours alone where there is none."""
        ours = statistics.median(self.ours)
        return ours / statistics.median(self.other) if self.other else ours

    def line(self) -> str:
        """The row for people."""

        def span(values: list[float]) -> str:
            if not values:
                return f"{'':>26}"
            return f"{statistics.median(values):9.2f} ({min(values):.2f}-{max(values):.2f})".rjust(26)

        met = "met" if self.ratio <= self.goal else "NOT met"
        return (
            f"{self.name:<44}{self.unit:>5}{span(self.ours)}{span(self.other)}{self.ratio:9.2f}{self.goal:8.2f}  {met}"
        )


class Bench:
    """Runs the cases against one server."""

    def __init__(self, uri: str, rows: int, turns: int) -> None:
        self.uri = uri
        self.rows = rows
        self.turns = turns
        self.results: list[Measurement] = []
        self._client: MongoClient[dict[str, object]] = MongoClient(uri)
        self._work = tempfile.mkdtemp(prefix="cb-work-")

    def fresh(self) -> str:
        """The name of the benchmark's database, emptied."""
        self._client.drop_database("bench")
        return "bench"

    def cli(self, *arguments: str) -> float:
        """Wall seconds of the whole process; exit codes other than 0 and 3 end the benchmark."""
        begun = time.perf_counter()
        done = subprocess.run([CUSTIMPORT, *arguments], cwd=self._work, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begun
        if done.returncode not in (0, 3):
            raise SystemExit(f"custimport {arguments}: exit {done.returncode}\n{done.stderr}")
        return seconds

    def load(self, kind: str, *options: str) -> float:
        """Seconds of `custimport load` of a file."""
        where = ("--uri", self.uri, "--database", "bench", "--quiet")
        return self.cli("load", str(file_of(kind, self.rows)), *where, *options)

    def raw(self, kind: str, file_kind: str) -> float:
        """Seconds of a raw limit, without its preparation."""
        command = [sys.executable, "-m", "bench.raw", kind, str(file_of(file_kind, self.rows)), self.uri, "bench"]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def compare(
        self, name: str, ours: Callable[[], float], other: Callable[[], float] | None, goal: float, unit: str = "s"
    ) -> None:
        """Take turns, note the result, print its line."""
        found = Measurement(name, unit, [], [], goal)
        for _ in range(self.turns):
            found.ours.append(ours())
            if other is not None:
                found.other.append(other())
        self.results.append(found)
        print(found.line(), flush=True)

    def after_load_of_clean(self, work: Callable[[], float]) -> Callable[[], float]:
        """`work` on a database that holds the clean customers already."""

        def prepared() -> float:
            self.fresh()
            self.load("clean")
            return work()

        return prepared

    def on_empty(self, work: Callable[[], float]) -> Callable[[], float]:
        """`work` on an empty database."""

        def prepared() -> float:
            self.fresh()
            return work()

        return prepared

    def peak_megabytes(self, rows: int) -> float:
        """Peak memory of a load in a process of its own."""
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=False, capture_output=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
        )
        self.fresh()
        command = [CUSTIMPORT, "load", str(file_of("fresh", rows)), "--uri", self.uri, "--database", "bench", "-q"]
        done = subprocess.run(
            [sys.executable, "-c", code, *command], cwd=self._work, capture_output=True, text=True, check=True
        )
        return float(done.stdout)


def main_cases(bench: Bench) -> None:
    """What the quick round measures too."""
    bench.compare(
        "load fresh rows / raw insert",
        bench.on_empty(lambda: bench.load("fresh")),
        bench.on_empty(lambda: bench.raw("insert", "clean")),
        1.4,
    )
    bench.compare(
        "reload unchanged, update / raw upsert",
        bench.after_load_of_clean(lambda: bench.load("clean", "--on-duplicate", "update")),
        bench.after_load_of_clean(lambda: bench.raw("upsert", "clean")),
        0.4,
    )
    bench.compare(
        "check / bare csv.reader",
        lambda: bench.cli("check", str(file_of("fresh", bench.rows)), "--quiet"),
        lambda: bench.raw("csv", "fresh"),
        10.0,
    )
    bench.compare("custimport --help", lambda: bench.cli("--help") * 1000, None, 150.0, "ms")
    bench.compare("custimport --version", lambda: bench.cli("--version") * 1000, None, 150.0, "ms")


def further_cases(bench: Bench) -> None:
    """The rest of the table."""
    bench.compare(
        "reload half changed, update / raw upsert",
        bench.after_load_of_clean(lambda: bench.load("half_changed", "--on-duplicate", "update")),
        bench.after_load_of_clean(lambda: bench.raw("upsert", "half_changed")),
        1.1,
    )
    fresh = bench.on_empty(lambda: bench.load("fresh"))
    bench.compare("all rows duplicates / fresh", bench.after_load_of_clean(lambda: bench.load("clean")), fresh, 1.0)
    bench.compare("all rows invalid / fresh", bench.on_empty(lambda: bench.load("invalid")), fresh, 1.0)
    small = min(100_000, bench.rows)
    bench.compare(
        f"peak memory {bench.rows:,} / {small:,} rows",
        lambda: bench.peak_megabytes(bench.rows),
        lambda: bench.peak_megabytes(small),
        1.1,
        "MB",
    )
    bench.fresh()
    bench.load("clean")
    where = ("--uri", bench.uri, "--database", "bench")
    email = file_of("clean", bench.rows).read_text(encoding="utf-8").splitlines()[bench.rows // 2].split(",")[1]
    last = str(bench.rows // 20)
    for name, arguments, goal in (
        ("customers list, first page", ("list",), 500.0),
        ("customers list, last page", ("list", "--page", last), 500.0),
        ("customers show EMAIL", ("show", email), 500.0),
        ("customers list --email", ("list", "--email", email), 500.0),
        ("customers list --import last", ("list", "--import", "last"), 500.0),
        ("customers list --name", ("list", "--name", "zoë"), 1500.0),
    ):
        bench.compare(name, lambda words=arguments: bench.cli("customers", *words, *where) * 1000, None, goal, "ms")
    per_row = bench.rows / 100_000
    bench.compare(
        "customers export to CSV, per 100,000 rows",
        lambda: bench.cli("customers", "export", "--output", "/dev/null", "--format", "csv", *where) / per_row,
        None,
        1.0,
    )


def machine() -> dict[str, object]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "pymongo": version("pymongo"),
        "peak_memory_of_this_process_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Run the cases, print the table, leave a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="main cases only")
    parser.add_argument("--uri", help="a server to measure against; default: one of our own")
    arguments = parser.parse_args()
    print(f"{'what':<44}{'unit':>5}{'custimport (min-max)':>26}{'other side (min-max)':>26}{'ratio':>9}{'goal':>8}")
    if arguments.uri:
        bench = Bench(arguments.uri, arguments.rows, arguments.turns)
        run_cases(bench, quick=arguments.quick)
    else:
        with benchmark_server() as uri:
            bench = Bench(uri, arguments.rows, arguments.turns)
            run_cases(bench, quick=arguments.quick)
    RESULTS.mkdir(exist_ok=True)
    document = {
        "rows": arguments.rows,
        "turns": arguments.turns,
        "machine": machine(),
        "results": [
            {**asdict(found), "ratio": found.ratio, "met": found.ratio <= found.goal} for found in bench.results
        ],
    }
    path = RESULTS / f"{'quick' if arguments.quick else 'full'}-{arguments.rows}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")


def run_cases(bench: Bench, *, quick: bool) -> None:
    """All cases, or the main ones."""
    main_cases(bench)
    if not quick:
        further_cases(bench)


if __name__ == "__main__":
    main()
