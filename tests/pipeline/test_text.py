"""Bytes that are no text are kept, whatever else the file holds and wherever its blocks end."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from custimport.pipeline.text import UNDECODABLE, TextReader

SPOILT = st.lists(
    st.sampled_from(["Zoë".encode(), "😀".encode(), b"\xff", b"\xe2\x82", b"\xc3", b"a", b"\xed\xa0\x80"])
)


@given(st.one_of(SPOILT.map(b"".join), st.binary()), st.integers(1, 9))
def test_each_bad_byte_of_utf_8_is_kept_as_one_character(content, block_bytes) -> None:
    # a letter first: no byte order mark
    content = b"a" + content
    blocks = [content[at : at + block_bytes] for at in range(0, len(content), block_bytes)]

    lines = TextReader("x", blocks, None, 1_000_000).lines()

    assert "".join(piece.text for piece in lines) == content.decode("utf-8", UNDECODABLE)


def test_each_bad_byte_is_shown_in_the_report(run_offline) -> None:
    bad = bytes(range(0x80, 0x100))
    Path("bad.csv").write_bytes(b"full_name,email,date_of_birth,timezone\nA" + bad + b",a@example.com,1990-01-15,UTC\n")

    run_offline("check", "bad.csv", "--report", "r.jsonl", exit_code=3)

    raw = json.loads(Path("r.jsonl").read_text())["raw"]
    assert raw == "A" + "".join(f"\\x{byte:02X}" for byte in bad) + ",a@example.com,1990-01-15,UTC"
