"""Worker processes never change a result, not even by dying."""

import io
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from custimport.customer.dates import Rules
from custimport.errors import InputUnreadable, Refused
from custimport.pipeline.block_judging import RowDetail
from custimport.pipeline.judging import judged_rows
from custimport.pipeline.parsing import parse
from custimport.pipeline.source import Source
from custimport.pipeline.workers import WorkerPool, worker_pool
from custimport.records import InputOptions, Position, StartingPoint, ValidatedRows
from tests.pipeline.test_parsing_properties import HEADER, Blocks

RULES = Rules(date(2026, 11, 23))
NO_WORKERS = WorkerPool()
BEGINNING, PLAIN = StartingPoint(), InputOptions()
LINES = st.sampled_from(
    [
        "Ann,a@x.org,1990-01-15,UTC\n",
        "Zoë,Z@X.org , 1991-02-16,Europe/Paris\r\n",
        "Ann,a@x.org,31/12/1990,Mars\n",
        ",,,\n",
        "\n",
        "  \r\n",
        '"two\nlines",c@x.org,1990-01-15,UTC\r\n',
        '"in\n\n\nfour",c@x.org,1990-01-15,UTC\n',
        '"open\n',
        "few\r",
        "a,b,c,d,e\n",
        'a"b"c\n',
        '"Bob" x,b@x.org,1990-01-15,UTC\n',
        "J\udce9,j@x.org,1990-01-15,UTC\n",
        "x" * 300 + ",b@x.org,1990-01-15,UTC\n",
    ]
)
BODIES = st.lists(LINES, max_size=40).map("".join)


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    with worker_pool(2) as pool:
        yield pool


def judged(
    body: str,
    chunk_lines: int,
    pool: WorkerPool,
    start: StartingPoint = BEGINNING,
    detail: RowDetail = RowDetail.VALUES,
    options: InputOptions = PLAIN,
) -> list[ValidatedRows]:
    content = (HEADER + body).encode("utf-8", "surrogateescape")
    parsed = parse(Blocks(content, 97), options, chunk_lines)
    return [
        ValidatedRows(
            [row._replace(cells=list(row.cells)) for row in chunk.valid],
            [rejection._replace(cells=list(rejection.cells)) for rejection in chunk.rejections],
            replace(chunk.position, source_bytes=0),
        )
        for chunk in judged_rows(parsed, RULES, start, pool, detail)
    ]


several = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@several
@given(BODIES, st.integers(1, 9), st.sampled_from(RowDetail))
@example('"in\n\n\nfour",c@x.org,1990-01-15,UTC\n' * 5, 2, RowDetail.VALUES)
@example("\n" * 9 + "Ann,a@x.org,1990-01-15,UTC\n" * 9, 3, RowDetail.FINGERPRINTS)
def test_workers_give_the_same_rows_in_the_same_chunks(workers, body, chunk_lines, detail) -> None:
    alone = judged(body, chunk_lines, NO_WORKERS)

    assert judged(body, chunk_lines, workers, detail=detail) == alone


@several
@given(BODIES, st.integers(1, 7), st.data())
def test_an_import_may_go_on_with_or_without_workers(workers, body, chunk_lines, data) -> None:
    alone = judged(body, chunk_lines, NO_WORKERS)
    if not alone:
        return
    at = data.draw(st.integers(0, len(alone) - 1))
    start = StartingPoint(position=alone[at].position)

    assert judged(body, chunk_lines, workers, start) == alone[at + 1 :]


def test_a_record_that_spans_blocks_is_read_where_the_file_is(workers) -> None:
    record = '"' + "line\n" * 60 + '",c@x.org,1990-01-15,UTC\n'
    body = ("Ann,a@x.org,1990-01-15,UTC\n" * 7 + record) * 9

    for chunk_lines in (1, 5, 20, 64, 1_000):
        assert judged(body, chunk_lines, workers) == judged(body, chunk_lines, NO_WORKERS)


def test_lines_that_are_too_long_and_other_dialects_are_the_same(workers) -> None:
    body = "Ann,'a,b',1990-01-15,UTC\n" * 20 + "x" * 2_000 + "\n" + "Ann,a@x.org,1990-01-15,UTC\n" * 20
    options = InputOptions(quotechar="'", max_record_bytes=1_000)

    assert judged(body, 6, workers, options=options) == judged(body, 6, NO_WORKERS, options=options)


def test_another_file_may_follow_one_that_was_left_half_read(workers) -> None:
    body = "Ann,a@x.org,1990-01-15,UTC\n" * 200
    content = (HEADER + body).encode()
    half_read = judged_rows(parse(Blocks(content), InputOptions(), 5), RULES, StartingPoint(), workers)
    for _ in range(4):
        next(half_read)

    assert judged(body.replace("Ann", "Bob"), 5, workers) == judged(body.replace("Ann", "Bob"), 5, NO_WORKERS)


@pytest.mark.parametrize("victims", [1, 2])
@pytest.mark.parametrize("rows_before", [0, 150, 900])
def test_the_rows_of_workers_that_die_are_judged_here(victims: int, rows_before: int) -> None:
    body = "".join(f"Ann,a{number}@x.org,1990-01-15,UTC\n" for number in range(2_000))
    found: list[int] = []

    with worker_pool(2) as pool:
        parsed = parse(Blocks((HEADER + body).encode()), InputOptions(), 50)
        for chunk in judged_rows(parsed, RULES, StartingPoint(), pool):
            found += [row.row for row in chunk.valid]
            if len(found) > rows_before and victims:
                for worker in pool._workers[:victims]:
                    os.kill(worker.process, signal.SIGKILL)
                victims = 0

    assert found == list(range(1, 2_001))


def test_a_changed_file_is_refused_before_workers_see_it(workers) -> None:
    body = "Ann,a@x.org,1990-01-15,UTC\n" * 50
    position = judged(body, 10, NO_WORKERS)[1].position

    with pytest.raises(Refused):
        judged(body.replace("Ann", "Bob", 1), 10, workers, StartingPoint(position=position))


def test_where_the_input_fails_all_rows_before_it_come_first(workers) -> None:
    content = (HEADER + "Ann,a@x.org,1990-01-15,UTC\n" * 500).encode()

    class Failing(Blocks):
        def blocks(self) -> Iterator[bytes]:
            yield from super().blocks()
            raise InputUnreadable("the disk is gone")

    def rows_of(pool: WorkerPool) -> tuple[list[int], Position]:
        found: list[int] = []
        position = Position()
        with pytest.raises(InputUnreadable, match="gone"):
            for chunk in judged_rows(parse(Failing(content, 1_000), InputOptions(), 30), RULES, StartingPoint(), pool):
                found += [row.row for row in chunk.valid]
                position = replace(chunk.position, source_bytes=0)
        return found, position

    found, position = rows_of(workers)
    assert found == list(range(1, 501))
    assert (found, position) == rows_of(NO_WORKERS)
    mended = parse(Source(io.BytesIO(content), "x", None), InputOptions(), 30)
    assert not list(judged_rows(mended, RULES, StartingPoint(position=position), workers))


def test_workers_end_with_the_pool_and_with_the_program() -> None:
    with worker_pool(2) as pool:
        processes = [worker.process for worker in pool._workers]
        assert pool.is_working

    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert not pool.is_working
