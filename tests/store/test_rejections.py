"""Rejections packed by hand are the bytes that the driver would send."""

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import OperationFailure

from custimport.customer.codes import Code, RowError
from custimport.records import Rejection
from custimport.store import rejections
from custimport.store.rejections import from_document, rejections_packer, to_document

IMPORT_ID = bytes.fromhex("01a20b546cd3c259")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(1, 2**31 - 1)
row_errors = st.builds(
    RowError,
    st.sampled_from(Code),
    st.none() | texts,
    st.none() | texts,
    texts,
    st.none() | texts,
    st.none() | numbers,
    st.none() | texts,
)
rejected = st.builds(
    Rejection,
    numbers,
    numbers,
    st.lists(texts, max_size=12),
    st.lists(row_errors, max_size=3).map(tuple),
    st.none() | texts,
)


@given(rejected)
def test_packed_bytes_are_what_the_driver_encodes(rejection: Rejection) -> None:
    packed = rejections_packer(IMPORT_ID)(rejection).encode("latin-1")

    assert packed == bson.encode(to_document(rejection, IMPORT_ID))
    assert from_document(bson.decode(packed)) == rejection


def test_large_rejections_are_sent_in_parts_and_what_is_recorded_stays(database) -> None:
    error = RowError(Code.CELL_TOO_LARGE, None, None, "large")
    large = [Rejection(row, row + 1, ["é" * 1_000_000], (error,)) for row in range(1, 12)]

    rejections.record(database.rejections, IMPORT_ID, large)
    rejections.record(database.rejections, IMPORT_ID, [Rejection(3, 4, ["changed"], (error,)), *large])

    assert list(rejections.find(database.rejections, IMPORT_ID)) == large


def test_what_the_server_refuses_is_no_silence(database) -> None:
    database.create_collection("rejections", validator={"line": {"$lt": 5}})
    error = RowError(Code.BLANK, "email", "", "missing")

    with pytest.raises(OperationFailure, match="failed validation"):
        rejections.record(database.rejections, IMPORT_ID, [Rejection(9, 10, ["a"], (error,))])
