"""What a pull keeps of an archive's beginning, so that another session may continue behind it."""

import hashlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.archive.prefix import KEPT_SIZE, Prefix, Stored
from asynccp.options import RECORD_SIZE
from asynccp.steps import finished


def nothing_stored(stored: Stored) -> Iterable[bytes]:
    raise AssertionError("nothing was stored")


CONTENT = bytes(range(256)) * (5 * RECORD_SIZE // 256)


@given(st.integers(0, len(CONTENT)), st.lists(st.integers(1, 2 * RECORD_SIZE), max_size=20))
def test_whole_records_are_digested_and_the_rest_is_expected_again(size: int, cuts: list[int]) -> None:
    prefix, left = Prefix(nothing_stored), memoryview(CONTENT)[:size]
    for cut in [*cuts, size]:
        prefix.take(left[:cut])
        left = left[cut:]
    whole = size // RECORD_SIZE * RECORD_SIZE
    assert prefix.records == size // RECORD_SIZE
    assert finished(prefix.digest()) == hashlib.sha256(CONTENT[:whole]).hexdigest()
    overlap = prefix.follow()
    assert bytes(overlap.strip(CONTENT[whole:size] + b"more") or b"") == b"more"


@pytest.mark.parametrize("step", [1, 7, 100])
def test_what_comes_again_is_stripped_however_it_is_cut(step: int) -> None:
    prefix = Prefix(nothing_stored)
    prefix.take(memoryview(CONTENT)[: RECORD_SIZE + 100])
    finished(prefix.digest())
    overlap, new = prefix.follow(), b""
    for at in range(RECORD_SIZE, RECORD_SIZE + 300, step):
        stripped = overlap.strip(CONTENT[at : min(at + step, RECORD_SIZE + 300)])
        assert stripped is not None
        new += bytes(stripped)
    assert new == CONTENT[RECORD_SIZE + 100 : RECORD_SIZE + 300]


@pytest.mark.parametrize("at", [0, 50, 99])
def test_another_byte_where_one_comes_again_is_noticed(at: int) -> None:
    prefix = Prefix(nothing_stored)
    prefix.take(memoryview(CONTENT)[:100])
    finished(prefix.digest())
    again = bytearray(CONTENT[:200])
    again[at] ^= 1
    assert prefix.follow().strip(bytes(again)) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 90_000)), max_size=12))
def test_what_stands_in_files_is_digested_when_it_is_wanted_as_if_it_had_been_kept(
    parts: list[tuple[bool, int]],
) -> None:
    read: list[Stored] = []

    def read_back(stored: Stored) -> Iterable[bytes]:
        read.append(stored)
        content = CONTENT[stored.offset : stored.offset + stored.size]
        yield from (content[:10], content[10:])

    prefix, at = Prefix(read_back), 0
    for in_a_file, size in parts:
        size = min(size, len(CONTENT) - at)
        if in_a_file:
            prefix.take_stored(Stored(b"log", at, size))
        else:
            prefix.take(memoryview(CONTENT)[at : at + size])
        at += size
    if sum(size for in_a_file, size in parts if not in_a_file) <= KEPT_SIZE:
        assert not read, "files are read only when the digest is wanted"
    whole = at // RECORD_SIZE * RECORD_SIZE
    assert finished(prefix.digest()) == hashlib.sha256(CONTENT[:whole]).hexdigest()
    assert bytes(prefix.follow().strip(CONTENT[whole:at] + b"more") or b"") == b"more"


def test_a_file_that_is_no_longer_there_is_no_beginning_to_continue_behind() -> None:
    prefix = Prefix(lambda stored: [CONTENT[: stored.size - 1]])
    prefix.take_stored(Stored(b"log", 0, 2 * RECORD_SIZE))
    prefix.take(memoryview(CONTENT)[:RECORD_SIZE])
    assert prefix.records == 3
    assert finished(prefix.digest()) is None
