"""A chunk is given on when its own rejections are recorded, in file order, whatever becomes of the next ones."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from custimport.errors import InputUnreadable
from custimport.pipeline.recording import recorded
from custimport.records import Position, Rejection, RowCounts, SettledRows

WAIT_SECONDS = 10.0


def chunks(count: int, failure: Exception | None = None) -> Iterator[SettledRows]:
    for row in range(1, count + 1):
        yield SettledRows(RowCounts(read=1, rejected=1), [Rejection(row, row + 1, (), ())], Position(row))
    if failure is not None:
        raise failure


def rows_of(settled: SettledRows) -> list[int]:
    return [rejection.row for rejection in settled.rejections]


def test_a_chunk_waits_for_its_own_rejections_though_the_next_are_recorded_before_them() -> None:
    second_is_recorded = threading.Event()
    order: list[int] = []

    def record(rejections: Sequence[Rejection]) -> None:
        if rejections[0].row == 1:
            assert second_is_recorded.wait(WAIT_SECONDS)
        order.append(rejections[0].row)
        if rejections[0].row == 2:
            second_is_recorded.set()

    found = []
    for settled in recorded(chunks(4), record):
        assert rows_of(settled)[0] in order
        found += rows_of(settled)

    assert found == [1, 2, 3, 4]
    assert order.index(2) < order.index(1)


def test_what_came_before_the_end_of_the_input_is_recorded_and_given_on() -> None:
    kept: list[int] = []
    given_on: list[int] = []

    with pytest.raises(InputUnreadable):
        for settled in recorded(chunks(3, InputUnreadable("damaged")), lambda found: kept.append(found[0].row)):
            given_on += rows_of(settled)

    assert sorted(kept) == given_on == [1, 2, 3]


def test_nothing_is_given_on_from_the_chunk_on_that_could_not_be_recorded() -> None:
    def record(rejections: Sequence[Rejection]) -> None:
        if rejections[0].row == 2:
            raise InputUnreadable("no more room")

    given_on: list[int] = []
    with pytest.raises(InputUnreadable):
        for settled in recorded(chunks(9), record):
            given_on += rows_of(settled)

    assert given_on == [1]
