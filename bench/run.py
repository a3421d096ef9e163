"""Measures custimport beside the raw limits, in turns, and prints ratios of medians: `python -m bench.run --help`."""

import argparse
import contextlib
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from pymongo import MongoClient

from bench.data import file_of
from bench.memory import peak_megabytes
from bench.server import benchmark_server

CUSTIMPORT = str(Path(sys.executable).with_name("custimport"))
RESULTS = Path(__file__).parent / "results"
DATABASE = "custimport_bench"
"""Dropped again and again, and at the end: nobody's own database is called so."""
START_UPS = 11
"""Runs of what takes a tenth of a second, where a hiccup of the machine is a fifth of it."""
MAXIMUM_MEGABYTES = 150.0
MAXIMUM_MEGABYTES_A_WORKER = 60.0


@dataclass
class Measurement:
    """One line of the table: `ours` and `other` in `unit`, the ratio of the medians, the goals (at most)."""

    name: str
    unit: str
    goals: tuple[float, ...]
    ours: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Median of ours over median of the other side; ours alone where there is none."""
        ours = statistics.median(self.ours)
        return ours / statistics.median(self.other) if self.other else ours

    @property
    def met(self) -> dict[str, bool]:
        """Of each goal, whether it is met."""
        return {f"{goal:g}": self.ratio <= goal for goal in self.goals}

    def line(self) -> str:
        """The row for people."""

        def span(values: list[float]) -> str:
            if not values:
                return f"{'':>26}"
            return f"{statistics.median(values):9.2f} ({min(values):.2f}-{max(values):.2f})".rjust(26)

        verdict = " · ".join(f"{goal} {'met' if met else 'NOT met'}" for goal, met in self.met.items())
        return f"{self.name:<44}{self.unit:>5}{span(self.ours)}{span(self.other)}{self.ratio:9.2f}   {verdict}"


@dataclass(frozen=True)
class Size:
    """How much is measured: rows in a file, runs of each side."""

    rows: int
    turns: int


class Bench:
    """Runs the cases against one server."""

    def __init__(self, client: MongoClient[dict[str, object]], uri: str, work_folder: str, size: Size) -> None:
        self.rows = size.rows
        self.turns = size.turns
        self.results: list[Measurement] = []
        self.where = ("--uri", uri, "--database", DATABASE)
        self._uri = uri
        self._client = client
        self._work = work_folder

    def empty(self) -> None:
        """Drop the benchmark's database."""
        self._client.drop_database(DATABASE)

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
        return self.cli("load", str(file_of(kind, self.rows)), *self.where, "--quiet", *options)

    def load_without_checkpoints(self, path: Path) -> float:
        """Seconds of a load that saves no checkpoint."""
        words = [sys.executable, "-m", "bench.load_without_checkpoints", "load", str(path), *self.where, "--quiet"]
        begun = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):
            raise SystemExit(done.stderr)
        return time.perf_counter() - begun

    def raw(self, kind: str, file_kind: str) -> float:
        """Seconds of a raw limit, without its preparation."""
        command = [sys.executable, "-m", "bench.raw", kind, str(file_of(file_kind, self.rows)), self._uri, DATABASE]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def megabytes(self, *arguments: str) -> float:
        """Peak memory of the command and its processes together."""
        peak, exit_code, messages = peak_megabytes([CUSTIMPORT, *arguments], self._work)
        if exit_code not in (0, 3):
            raise SystemExit(f"custimport {arguments}: exit {exit_code}\n{messages}")
        return peak

    def compare(
        self,
        name: str,
        ours: Callable[[], float],
        other: Callable[[], float] | None,
        *goals: float,
        unit: str = "s",
        turns: int | None = None,
    ) -> Measurement:
        """Take turns (as many as the command line says, or `turns`), note the result, print its line."""
        found = Measurement(name, unit, goals)
        for _ in range(turns or self.turns):
            found.ours.append(ours())
            if other is not None:
                found.other.append(other())
        self.note(found)
        return found

    def note(self, found: Measurement) -> None:
        """Keep a result and print its line."""
        self.results.append(found)
        print(found.line(), flush=True)

    def after_load_of_clean(self, work: Callable[[], float]) -> Callable[[], float]:
        """`work` on a database that holds the clean customers already."""

        def prepared() -> float:
            self.empty()
            self.load("clean")
            return work()

        return prepared

    def on_empty(self, work: Callable[[], float]) -> Callable[[], float]:
        """`work` on an empty database."""

        def prepared() -> float:
            self.empty()
            return work()

        return prepared


def main_cases(bench: Bench) -> None:
    """What the quick round measures too."""
    bench.compare(
        "load fresh rows / raw insert",
        bench.on_empty(lambda: bench.load("fresh")),
        bench.on_empty(lambda: bench.raw("insert", "fresh")),
        2.0,
        1.4,
    )
    bench.compare(
        "reload unchanged, update / raw upsert",
        bench.after_load_of_clean(lambda: bench.load("clean", "--on-duplicate", "update")),
        bench.after_load_of_clean(lambda: bench.raw("upsert", "clean")),
        0.4,
    )
    bench.compare(
        "check, one process / bare csv.reader",
        lambda: bench.cli("check", str(file_of("fresh", bench.rows)), "--quiet", "--workers", "1"),
        lambda: bench.raw("csv", "fresh"),
        10.0,
    )
    bench.compare("custimport --help", lambda: bench.cli("--help") * 1000, None, 150.0, unit="ms", turns=START_UPS)
    bench.compare(
        "custimport --version", lambda: bench.cli("--version") * 1000, None, 150.0, unit="ms", turns=START_UPS
    )


def change_cases(bench: Bench) -> None:
    """Reloads with changes."""
    bench.compare(
        "reload half changed, update / raw upsert",
        bench.after_load_of_clean(lambda: bench.load("half_changed", "--on-duplicate", "update")),
        bench.after_load_of_clean(lambda: bench.raw("upsert", "half_changed")),
        1.1,
    )


def rejection_cases(bench: Bench) -> None:
    """Files of which every row is rejected."""
    fresh = bench.on_empty(lambda: bench.load("fresh"))
    bench.compare("all rows duplicates / fresh", bench.after_load_of_clean(lambda: bench.load("clean")), fresh, 1.0)
    bench.compare("all rows invalid / fresh", bench.on_empty(lambda: bench.load("invalid")), fresh, 1.0)


def checkpoint_cases(bench: Bench) -> None:
    """What the checkpoint and heartbeat of every second cost: at most three hundredths."""
    path = file_of("clean", min(bench.rows, 300_000))
    bench.compare(
        "load with checkpoints / without",
        bench.on_empty(lambda: bench.cli("load", str(path), *bench.where, "--quiet")),
        bench.on_empty(lambda: bench.load_without_checkpoints(path)),
        1.03,
        turns=10,
    )


def worker_cases(bench: Bench) -> None:
    """Two worker processes beside one."""
    path = str(file_of("fresh", bench.rows))
    bench.compare(
        "check, two workers / one",
        lambda: bench.cli("check", path, "--quiet", "--workers", "2"),
        lambda: bench.cli("check", path, "--quiet", "--workers", "1"),
        1 / 1.5,
    )
    bench.compare(
        "load, two workers / one",
        bench.on_empty(lambda: bench.load("fresh", "--workers", "2")),
        bench.on_empty(lambda: bench.load("fresh", "--workers", "1")),
    )


def memory_cases(bench: Bench) -> None:
    """Peak memory does not grow with the file, but for the fingerprints of `check`."""
    few = min(100_000, bench.rows)

    def of_load(rows: int, workers: int = 1) -> float:
        bench.empty()
        words = ("--quiet", "--workers", str(workers))
        return bench.megabytes("load", str(file_of("fresh", rows)), *bench.where, *words)

    def of_check(rows: int) -> float:
        return bench.megabytes("check", str(file_of("fresh", rows)), "--quiet", "--workers", "1")

    load = bench.compare(
        f"memory of load, {bench.rows:,} / {few:,} rows",
        lambda: of_load(bench.rows),
        lambda: of_load(few),
        1.1,
        unit="MB",
    )
    bench.note(Measurement("memory of load", "MB", (MAXIMUM_MEGABYTES,), load.ours))
    bench.compare(
        "memory of load, for each further worker",
        lambda: (of_load(few, 3) - of_load(few)) / 2,
        None,
        MAXIMUM_MEGABYTES_A_WORKER,
        unit="MB",
    )
    # 32 bytes a row more than with the small file, and the 10 % that hold for both
    small = of_check(few)
    allowed = small * 1.1 + 32 * (bench.rows - few) / 2**20
    bench.compare(f"memory of check, {bench.rows:,} rows", lambda: of_check(bench.rows), None, allowed, unit="MB")


def customers_cases(bench: Bench) -> None:
    """The commands for people, on a database that holds the clean file."""
    bench.empty()
    bench.load("clean")
    with file_of("clean", bench.rows).open(encoding="utf-8") as stream:
        email = next(itertools.islice(stream, bench.rows // 2, None)).split(",")[1]
    last = str(bench.rows // 20)
    for name, arguments, goal in (
        ("customers list, first page", ("list",), 500.0),
        ("customers list, last page", ("list", "--page", last), 500.0),
        ("customers show EMAIL", ("show", email), 500.0),
        ("customers list --email", ("list", "--email", email), 500.0),
        ("customers list --import last", ("list", "--import", "last"), 500.0),
        ("customers list --name", ("list", "--name", "zoë"), 1500.0),
        ("customers list --timezone", ("list", "--timezone", "Asia/Tokyo"), 1500.0),
        ("customers list --born-before", ("list", "--born-before", "1950-01-01"), 1500.0),
        ("customers list --sort full_name", ("list", "--sort", "full_name"), 1500.0),
    ):
        bench.compare(
            name,
            lambda words=arguments: bench.cli("customers", *words, *bench.where) * 1000,  # type: ignore[misc]
            None,
            goal,
            unit="ms",
        )
    per_row = bench.rows / 100_000
    bench.compare(
        "customers export to CSV, per 100,000 rows",
        lambda: bench.cli("customers", "export", "--output", "/dev/null", "--format", "csv", *bench.where) / per_row,
        None,
        1.0,
    )


CASES = {
    "main": main_cases,
    "changes": change_cases,
    "rejections": rejection_cases,
    "checkpoints": checkpoint_cases,
    "workers": worker_cases,
    "memory": memory_cases,
    "customers": customers_cases,
}


def machine() -> dict[str, object]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "pymongo": version("pymongo"),
        "custimport": version("custimport"),
    }


def main() -> None:
    """Run the cases, print the table, leave a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3, help="runs of each side, taken in turn")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="some of the cases")
    parser.add_argument(
        "--uri", help=f"a server to measure against, where {DATABASE} is dropped; default: one of our own"
    )
    arguments = parser.parse_args()
    size = Size(arguments.rows, arguments.turns)
    print(f"{size.rows:,} rows, medians (min-max) of {size.turns} or more runs in turn, {os.cpu_count()} cores")
    print(f"{'what':<44}{'unit':>5}{'custimport':>26}{'other side':>26}{'ratio':>9}   goals (at most)")
    with contextlib.ExitStack() as stack:
        uri = arguments.uri or stack.enter_context(benchmark_server())
        client: MongoClient[dict[str, object]] = stack.enter_context(MongoClient(uri))
        bench = Bench(client, uri, stack.enter_context(tempfile.TemporaryDirectory(prefix="cb-work-")), size)
        stack.callback(bench.empty)
        for name in arguments.only:
            CASES[name](bench)
    write_results(bench, size, arguments.only)


def write_results(bench: Bench, size: Size, cases: Sequence[str]) -> None:
    """The figures as a JSON file."""
    RESULTS.mkdir(exist_ok=True)
    document = {
        **asdict(size),
        "machine": machine(),
        "results": [{**asdict(found), "ratio": found.ratio, "met": found.met} for found in bench.results],
    }
    which = "full" if len(cases) == len(CASES) else "-".join(cases)
    path = RESULTS / f"{which}-{size.rows}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
