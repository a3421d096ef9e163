"""Where the client's time goes: processor microseconds a row, stage by stage (`python -m bench.stages`)."""

import argparse
import gc
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from bench.data import file_of
from custimport.customer.dates import Rules
from custimport.pipeline.parsing import parse
from custimport.pipeline.source import open_source
from custimport.pipeline.text import TextReader
from custimport.pipeline.validation import validate
from custimport.records import InputOptions
from custimport.settings import BATCH_ROWS, MAX_RECORD_BYTES, WRITERS
from custimport.store.documents import customers_packer, new_import_id, utc_now
from custimport.store.seen import SeenEmails

RUNS = 3
CHUNK_ROWS = BATCH_ROWS * WRITERS
RULES = Rules(date(2026, 11, 23))


def read(path: Path) -> None:
    with open_source(str(path)) as source:
        for _ in source.blocks():
            pass


def decode(path: Path) -> None:
    with open_source(str(path)) as source:
        for _ in TextReader(source.name, source.blocks(), None, MAX_RECORD_BYTES).lines():
            pass


def cut_cells(path: Path) -> None:
    with open_source(str(path)) as source:
        for _ in parse(source, InputOptions(), CHUNK_ROWS).chunks:
            pass


def judge(path: Path, then: Callable[[list[object]], object] = len) -> None:
    with open_source(str(path)) as source:
        parsed = parse(source, InputOptions(), CHUNK_ROWS)
        for chunk in validate(parsed.chunks, parsed.header, RULES):
            then(list(chunk.valid))


def guess_repeated(path: Path) -> None:
    seen = SeenEmails()
    judge(path, seen.split)  # type: ignore[arg-type]  # rows all the same


def pack(path: Path) -> None:
    pack_rows = customers_packer(new_import_id())
    judge(path, lambda rows: pack_rows(rows, utc_now()))  # type: ignore[arg-type]  # rows all the same


def main() -> None:
    """Print a line for each stage: what it takes together with the stages before it that it needs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    rows = parser.parse_args().rows
    gc.freeze()
    gc.set_threshold(200_000)
    for kind in ("clean", "fresh"):
        path = file_of(kind, rows)
        stages = (
            ("read and hash", read),
            ("… and decode", decode),
            ("… and into cells", cut_cells),
            ("… and judge every row", judge),
            ("… … and guess repeated e-mails", guess_repeated),
            ("… … and pack documents", pack),
        )
        for name, stage in stages:
            seconds = []
            for _ in range(RUNS):
                begun = time.process_time()
                stage(path)
                seconds.append(time.process_time() - begun)
            print(f"{kind:<8}{name:<36}{min(seconds) / rows * 1e6:6.2f} µs a row", flush=True)


if __name__ == "__main__":
    main()
