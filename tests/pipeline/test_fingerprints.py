"""The table of fingerprints is a dict that takes 32 bytes an entry."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custimport.pipeline.fingerprints import FingerprintTable, fingerprint

BYTES_A_ROW_OF_THE_CONTRACT = 32

# few of them, and some that meet in one slot of one partition
keys = st.one_of(st.integers(1, 40), st.integers(0, 60).map(lambda n: 7 + 64 * 64 * n), st.integers(1, 2**64 - 1))
steps = st.lists(st.tuples(st.sampled_from(["put", "put_first", "get"]), keys, st.integers(0, 2**64 - 1)), max_size=400)


@given(steps)
def test_the_table_is_a_dict(done: list[tuple[str, int, int]]) -> None:
    table, model = FingerprintTable(), dict[int, int]()

    for step, key, value in done:
        if step == "put":
            table.put(key, value)
            model[key] = value
        elif step == "put_first":
            assert table.put_first(key, value) == model.get(key)
            model.setdefault(key, value)
        assert table.get(key) == model.get(key)
    assert len(table) == len(model)
    assert all(table.get(key) == value for key, value in model.items())


@pytest.mark.parametrize("entries", [100_000])
def test_an_entry_takes_no_more_than_the_contract_allows_even_while_the_table_grows(entries: int) -> None:
    draw = random.Random(1).getrandbits
    table = FingerprintTable()
    tracemalloc.start()
    most = 0.0
    for count in range(1, entries + 1):
        table.put_first(draw(64) or 1, count)
        if count % 5_000 == 0 and count > 50_000:
            most = max(most, tracemalloc.get_traced_memory()[1] / count)
            tracemalloc.reset_peak()
    tracemalloc.stop()

    assert len(table) == entries
    assert most <= BYTES_A_ROW_OF_THE_CONTRACT
    assert table.size_bytes <= BYTES_A_ROW_OF_THE_CONTRACT * entries


@given(st.text())
def test_a_fingerprint_is_64_bits_and_never_zero(text: str) -> None:
    assert 1 <= fingerprint(text) < 2**64
    assert fingerprint(text) == fingerprint("".join(text))
