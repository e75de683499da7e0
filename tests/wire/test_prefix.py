"""What a pull keeps of an archive's beginning, so that another session may continue behind it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.options import RECORD_SIZE
from asynccp.wire.prefix import Prefix

CONTENT = bytes(range(256)) * (5 * RECORD_SIZE // 256)


@given(st.integers(0, len(CONTENT)), st.lists(st.integers(1, 2 * RECORD_SIZE), max_size=20))
def test_whole_records_are_digested_and_the_rest_is_expected_again(size: int, cuts: list[int]) -> None:
    prefix, left = Prefix(), memoryview(CONTENT)[:size]
    for cut in [*cuts, size]:
        prefix.take(left[:cut])
        left = left[cut:]
    whole = size // RECORD_SIZE * RECORD_SIZE
    assert prefix.records == size // RECORD_SIZE
    assert prefix.digest == hashlib.sha256(CONTENT[:whole]).hexdigest()
    overlap = prefix.follow()
    assert bytes(overlap.strip(CONTENT[whole:size] + b"more") or b"") == b"more"


@pytest.mark.parametrize("step", [1, 7, 100])
def test_what_comes_again_is_stripped_however_it_is_cut(step: int) -> None:
    prefix = Prefix()
    prefix.take(memoryview(CONTENT)[: RECORD_SIZE + 100])
    overlap, new = prefix.follow(), b""
    for at in range(RECORD_SIZE, RECORD_SIZE + 300, step):
        stripped = overlap.strip(CONTENT[at : min(at + step, RECORD_SIZE + 300)])
        assert stripped is not None
        new += bytes(stripped)
    assert new == CONTENT[RECORD_SIZE + 100 : RECORD_SIZE + 300]


@pytest.mark.parametrize("at", [0, 50, 99])
def test_another_byte_where_one_comes_again_is_noticed(at: int) -> None:
    prefix = Prefix()
    prefix.take(memoryview(CONTENT)[:100])
    again = bytearray(CONTENT[:200])
    again[at] ^= 1
    assert prefix.follow().strip(bytes(again)) is None
