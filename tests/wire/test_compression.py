"""What a pod compressed, and what it pretends to have compressed."""

import contextlib
import gzip
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.errors import ProtocolViolation
from asynccp.wire.compression import PIECE_SIZE, Unpacker, compressed, shrinks_to

TEXT = b"a line of a log file, and another\n" * 5000


def unpacked(*pieces: bytes) -> bytes:
    unpacker = Unpacker()
    return b"".join(out for piece in pieces for out in unpacker.feed(piece))


def cut_up(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize("after", [b"", b"\0" * 3000, b"asynccp t done rc=0\n", b"\x1f\x8b"])
def test_what_follows_the_stream_is_handed_on_as_it_is_however_it_comes(size: int, after: bytes) -> None:
    assert unpacked(*cut_up(gzip.compress(TEXT) + after, size)) == TEXT + after


@given(st.binary(max_size=3000), st.integers(1, 500), st.binary(max_size=50))
def test_any_bytes_come_back(data: bytes, size: int, after: bytes) -> None:
    assert unpacked(*cut_up(gzip.compress(data, 1) + after, size)) == data + after


def test_a_bomb_comes_out_in_pieces() -> None:
    bomb = gzip.compress(bytes(50 * PIECE_SIZE))
    pieces = list(Unpacker().feed(bomb))
    assert max(map(len, pieces)) <= PIECE_SIZE
    assert sum(map(len, pieces)) == 50 * PIECE_SIZE


def test_every_cut_gives_a_beginning_and_never_more() -> None:
    stream = gzip.compress(TEXT)
    for at in range(len(stream)):
        assert TEXT.startswith(unpacked(stream[:at]))


@pytest.mark.parametrize("at", [0, 1, 2, 500, -8, -5, -4, -1])
def test_a_changed_byte_of_header_content_or_check_sum_is_a_violation(at: int) -> None:
    stream = bytearray(gzip.compress(os.urandom(2000), mtime=0))
    stream[at] ^= 0xFF
    with pytest.raises(ProtocolViolation, match="can't be unpacked"):
        unpacked(bytes(stream) + bytes(100))


def test_a_stream_that_is_no_gzip_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation, match="can't be unpacked"):
        unpacked(b"asynccp t done rc=0\n")


@given(st.binary(min_size=1, max_size=2000))
def test_noise_is_unpacked_or_refused_and_nothing_else(noise: bytes) -> None:
    with contextlib.suppress(ProtocolViolation):
        unpacked(noise)


def test_a_member_is_the_same_every_time_and_whole() -> None:
    member = compressed(memoryview(TEXT))
    assert member is not None
    assert member == compressed(memoryview(TEXT))
    assert zlib.decompress(member, 31) == TEXT


@pytest.mark.parametrize("data", [os.urandom(100_000), os.urandom(17_000) + bytes(20), b""])
def test_what_does_not_shrink_is_left_as_it_is(data: bytes) -> None:
    assert compressed(memoryview(data)) is None


def test_how_much_a_sample_shrinks() -> None:
    assert shrinks_to(TEXT) < 0.1
    assert shrinks_to(os.urandom(10_000)) > 1
    assert shrinks_to(b"") == 1
