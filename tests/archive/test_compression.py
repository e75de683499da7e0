"""What a pod compressed, and what it pretends to have compressed."""

import contextlib
import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.archive.compression import CODECS, GZIP, PIECE_SIZE, ZSTD, Unpacker, compressed, shrinks_to
from asynccp.archive.zstd import WINDOW_LOG_MAX, ZstdError
from asynccp.errors import ProtocolViolation

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"a line of a log file, and another\n" * 5000


def _zstd(data: bytes, *, window_log: int = 0) -> bytes:
    """Compress as `zstd -1` does what it reads from a pipe: with a check sum, and a window, but no size."""
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: 1,
        zstd.CompressionParameter.checksum_flag: 1,
        zstd.CompressionParameter.window_log: window_log,
    }
    packer = zstd.ZstdCompressor(options=options)
    return packer.compress(data) + packer.flush()


AS_IN_A_POD: dict[str, Callable[[bytes], bytes]] = {GZIP: lambda data: gzip.compress(data, 1, mtime=0), ZSTD: _zstd}
WHOLE: dict[str, Callable[[bytes], bytes]] = {GZIP: gzip.decompress, ZSTD: zstd.decompress}
SKIPPABLE = b"\x50\x2a\x4d\x18"  # RFC 8878, 3.1.2

codecs = pytest.mark.parametrize("codec", CODECS)


def unpacked(codec: str, *pieces: bytes) -> bytes:
    unpacker = Unpacker(codec)
    return b"".join(out for piece in pieces for out in unpacker.feed(piece))


def cut_up(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@codecs
@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize("after", [b"", b"\0" * 3000, b"asynccp t done rc=0\n", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"])
def test_what_follows_the_stream_is_handed_on_as_it_is_however_it_comes(codec: str, size: int, after: bytes) -> None:
    assert unpacked(codec, *cut_up(AS_IN_A_POD[codec](TEXT) + after, size)) == TEXT + after


@codecs
@given(st.binary(max_size=3000), st.integers(1, 500), st.binary(max_size=50))
def test_any_bytes_come_back(codec: str, data: bytes, size: int, after: bytes) -> None:
    assert unpacked(codec, *cut_up(AS_IN_A_POD[codec](data) + after, size)) == data + after


@codecs
@pytest.mark.parametrize("size", [PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, 50 * PIECE_SIZE])
def test_a_bomb_comes_out_in_pieces(codec: str, size: int) -> None:
    bomb = AS_IN_A_POD[codec](bytes(size))
    pieces = list(Unpacker(codec).feed(bomb + b"after"))
    assert max(map(len, pieces)) <= PIECE_SIZE
    assert sum(map(len, pieces)) == size + 5


@codecs
def test_every_cut_gives_a_beginning_and_never_more(codec: str) -> None:
    stream = AS_IN_A_POD[codec](TEXT)
    for at in range(len(stream)):
        assert TEXT.startswith(unpacked(codec, stream[:at]))


@pytest.mark.parametrize("window_log", range(WINDOW_LOG_MAX - 1, WINDOW_LOG_MAX + 3))
def test_a_pod_does_not_decide_how_much_is_remembered_for_it(window_log: int) -> None:
    stream = _zstd(TEXT, window_log=window_log)
    if window_log <= WINDOW_LOG_MAX:
        assert unpacked(ZSTD, stream) == TEXT
    else:
        with pytest.raises(ProtocolViolation, match="too much memory"):
            unpacked(ZSTD, stream)


@pytest.mark.skipif(shutil.which("zstd") is None, reason="there is no zstd here")
def test_what_the_program_is_asked_for_is_never_refused_for_its_window() -> None:
    content = os.urandom(3 << 20) * 2
    assert (
        unpacked(ZSTD, subprocess.run(["zstd", "-1c"], input=content, capture_output=True, check=True).stdout)
        == content
    )


def test_a_frame_that_says_it_is_of_many_bytes_gets_no_more_memory_for_it() -> None:
    """One segment: what is remembered is all of it (RFC 8878, 3.1.1.1.2)."""
    says_8_gib = b"\x28\xb5\x2f\xfd" + b"\xe0" + (8 << 30).to_bytes(8, "little")
    with pytest.raises(ProtocolViolation, match="too much memory"):
        unpacked(ZSTD, says_8_gib + bytes(100))


def test_a_frame_to_skip_stands_for_nothing() -> None:
    assert unpacked(ZSTD, SKIPPABLE + (5).to_bytes(4, "little") + b"12345" + b"after") == b"after"


@codecs
@pytest.mark.parametrize("at", [0, 1, 2, 500, -8, -5, -4, -1])
def test_a_changed_byte_of_header_content_or_check_sum_is_a_violation(codec: str, at: int) -> None:
    stream = bytearray(AS_IN_A_POD[codec](os.urandom(2000)))
    stream[at] ^= 0xFF
    with pytest.raises(ProtocolViolation, match="can't be unpacked"):
        unpacked(codec, bytes(stream) + bytes(100))


@codecs
def test_a_stream_of_something_else_is_a_violation(codec: str) -> None:
    other = next(one for one in CODECS if one != codec)
    for stream in (b"asynccp t done rc=0\n", AS_IN_A_POD[other](TEXT), bytes(512)):
        with pytest.raises(ProtocolViolation, match="can't be unpacked"):
            unpacked(codec, stream)


@codecs
@given(st.binary(min_size=1, max_size=2000), st.integers(0, 20))
def test_noise_is_unpacked_or_refused_and_nothing_else(codec: str, noise: bytes, kept: int) -> None:
    with contextlib.suppress(ProtocolViolation):
        unpacked(codec, AS_IN_A_POD[codec](TEXT)[:kept], noise)


@codecs
def test_a_member_is_the_same_every_time_and_whole(codec: str) -> None:
    member = compressed(memoryview(TEXT), codec)
    assert member is not None
    assert member == compressed(memoryview(TEXT), codec)
    assert WHOLE[codec](member) == TEXT


@codecs
def test_a_member_whose_content_changed_on_its_way_is_told_by_its_check_sum(codec: str) -> None:
    member = bytearray(compressed(memoryview(TEXT), codec) or b"")
    member[-4 if codec == ZSTD else -8] ^= 1
    with pytest.raises((gzip.BadGzipFile, ZstdError), match=r"(?i)crc|checksum"):
        WHOLE[codec](bytes(member))


@codecs
@pytest.mark.parametrize("data", [os.urandom(100_000), os.urandom(17_000) + bytes(20), b""])
def test_what_does_not_shrink_is_left_as_it_is(codec: str, data: bytes) -> None:
    assert compressed(memoryview(data), codec) is None


def test_how_much_a_sample_shrinks() -> None:
    assert shrinks_to(TEXT) < 0.1
    assert shrinks_to(os.urandom(10_000)) > 1
    assert shrinks_to(b"") == 1
