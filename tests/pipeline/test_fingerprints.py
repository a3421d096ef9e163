"""The table of fingerprints is a dict that takes 32 bytes an entry."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custimport.pipeline import fingerprints
from custimport.pipeline.fingerprints import FingerprintTable, fingerprint

BYTES_A_ROW_OF_THE_CONTRACT = 32

signed = st.integers(-(2**63), 2**63 - 1)
# few of them, and some that meet in one chain
keys = st.one_of(st.integers(-40, 40), st.integers(-60, 60).map(lambda n: 7 + 8_192 * n), signed)
steps = st.lists(st.tuples(st.sampled_from(["put", "put_first"]), st.lists(st.tuples(keys, signed))), max_size=40)


@pytest.mark.parametrize("slots", [1, 8_192])
@given(done=steps)
def test_the_table_is_a_dict(slots: int, done: list[tuple[str, list[tuple[int, int]]]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprints, "FIRST_SLOTS", slots)
        table, model = FingerprintTable(), dict[int, int]()

    for step, pairs in done:
        expected = {}
        for index, (key, value) in enumerate(pairs):
            if key in model:
                expected[index] = model[key]
            if step == "put":
                model[key] = value
            else:
                model.setdefault(key, value)
        asked = ([key for key, _ in pairs], [value for _, value in pairs])
        assert (table.put(*asked) if step == "put" else table.put_first(*asked)) == expected
    assert table.put_first(list(model), [0] * len(model)) == dict(enumerate(model.values()))


def test_an_entry_takes_no_more_than_the_contract_allows_even_while_the_table_grows() -> None:
    draw = random.Random(1).getrandbits
    table = FingerprintTable()
    tracemalloc.start()
    most, count = 0.0, 0
    for _ in range(30):
        before_bytes, _ = tracemalloc.get_traced_memory()
        given = [draw(63) for _ in range(5_000)]
        given_bytes = tracemalloc.get_traced_memory()[0] - before_bytes
        tracemalloc.reset_peak()
        table.put_first(given, range(5_000))
        count += 5_000
        if count > 50_000:
            # the list that the table is asked with is not its own
            most = max(most, (tracemalloc.get_traced_memory()[1] - given_bytes) / count)
        del given
    tracemalloc.stop()

    assert 20 < most <= BYTES_A_ROW_OF_THE_CONTRACT
    assert table.size_bytes <= BYTES_A_ROW_OF_THE_CONTRACT * count


@given(st.text())
def test_a_fingerprint_is_64_bits_and_the_same_for_equal_texts(text: str) -> None:
    assert -(2**63) <= fingerprint(text) < 2**63
    assert fingerprint(text) == fingerprint("".join(text))
