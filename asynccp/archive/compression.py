"""Compression: bytes ⇄ the streams that gzip or zstd in a pod writes and reads. Pure.

A push sends members (zstd says frames), each whole in itself (RFC 1952, 8878): any slice of the archive can be made
again, alone, for a pod that fell behind. A pull reads one, as the pod's program writes it, and then what follows as it
is: the archive's end and the pod's last line look the same with compression and without. An archive that a pull leaves
on this machine is one member, too.

What a pod sends is hostile: a thousand bytes may stand for a million. So what comes out is handed on in pieces of
PIECE_SIZE, and each is gone before the next is made.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

from asynccp.errors import ProtocolViolation, UsageError
from asynccp.text import printable

GZIP, ZSTD = "gzip", "zstd"
CODECS = (ZSTD, GZIP)  # programs of a pod, the best first; `-1c` compresses with each of them, `-dc` is the way back
PIECE_SIZE = 64 * 1024
"""64 pulls that wait for memory hold a piece each, and as much again of the archive's beginning. Smaller ones cost
nothing: zstd gave 2.0 to 2.3 GB/s of access logs in pieces of 256 KiB, 2.5 of 64."""
PROBE_SIZE = 16 * 1024
WORTH = 0.9  # of its size: what hardly shrinks costs both ends more than it saves

_GZIP_LEVEL = 4
"""For a push, packed once for all pods: configuration's text shrinks to 26 % in 8 ms of CPU a MiB. Level 1 has it
shrink to 30 in 6, level 6 to 24 in 24."""

_SUFFIXES = {".tar": "", ".tar.gz": GZIP, ".tgz": GZIP, ".tar.zst": ZSTD}

_GZIP_WBITS = 31  # zlib's number for a gzip header and trailer around 32 KiB of window


def compressed(data: memoryview, codec: str) -> bytes | None:
    """Return `data` as one member for `codec`, None when it hardly shrinks.

    gzip's level 1 has 150 MB/s of access logs shrink to 18 %, level 3 110 MB/s to 17, level 6 50 MB/s to 15. Random
    bytes take it 30 MB/s, so what it is given first is the beginning.
    """
    if len(data) > PROBE_SIZE and shrinks_to(data[:PROBE_SIZE]) > WORTH:
        return None
    member = _member(data, codec)
    return member if len(member) <= WORTH * len(data) else None


def shrinks_to(data: bytes | memoryview) -> float:
    """Return the share of its size that `data` has when gzip compresses it; 1 for nothing.

    That decides for zstd, too, which makes less of it still (`archive.zstd`): so its library isn't loaded only to tell.
    """
    return len(_member(data, GZIP)) / len(data) if len(data) else 1.0


def _member(data: bytes | memoryview, codec: str) -> bytes:
    if codec == ZSTD:
        from asynccp.archive import zstd  # here: few need it

        return zstd.frame(data)
    # No name and no time stand in its header: always the same bytes.
    packer = _compressor(GZIP)
    return packer.compress(data) + packer.flush()


class Packer:
    """Packs an archive of ours into one member, as it comes."""

    def __init__(self, codec: str) -> None:
        self._member = _compressor(codec)

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return what is ready of it."""
        return self._member.compress(data)

    def end(self) -> bytes:
        """Return the rest."""
        return self._member.flush()


def codec_of(name: str) -> str:
    """Return what an archive's name says that it is compressed with; empty for nothing. Raises UsageError."""
    for suffix, codec in _SUFFIXES.items():
        if name.endswith(suffix) and not name.endswith(f"/{suffix}") and name != suffix:
            return codec
    raise UsageError(
        f"an archive's name ends with {', '.join(_SUFFIXES)}, unlike {printable(name)}",
        hint="the ending says whether it is compressed, and how",
    )


class Unpacker:
    """Unpacks the one member that a pod sends; what follows it is handed on as it is."""

    def __init__(self, codec: str) -> None:
        self._member, self._error = _decompressor(codec)

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """Yield what `data`, the next bytes that came, stands for, at most PIECE_SIZE at a time.

        Raises ProtocolViolation for what is no stream of the codec, or whose check sum does not match.
        """
        rest, member = bytes(data), self._member
        while not member.eof:
            try:
                piece = member.decompress(rest, PIECE_SIZE)
            except self._error as exc:
                raise ProtocolViolation(f"what the pod compressed can't be unpacked: {exc}") from exc
            if piece:
                yield piece
            if member.needs_input:
                return
            rest = member.unused_data  # nothing before its end: it keeps what it has not unpacked
        if rest:
            yield rest


class _Compressor(Protocol):
    """What the standard library's compressors have in common."""

    def compress(self, data: bytes | bytearray | memoryview, /) -> bytes: ...
    def flush(self) -> bytes: ...


def _compressor(codec: str) -> _Compressor:
    """Return what packs one member."""
    if codec == ZSTD:
        from asynccp.archive import zstd  # here: few need it

        return zstd.compressor()
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WBITS)


class _Decompressor(Protocol):
    """What the standard library's decompressors have in common, but for zlib's."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipDecompressor:
    """zlib's decompressor, as the others are used."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WBITS)

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def needs_input(self) -> bool:
        return not self._member.eof and not self._member.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._member.decompress(self._member.unconsumed_tail + data, max_length)


def _decompressor(codec: str) -> tuple[_Decompressor, type[Exception]]:
    """Return what unpacks one member, and what it raises."""
    if codec == ZSTD:
        from asynccp.archive import zstd  # here: few need it

        return zstd.decompressor(), zstd.ZstdError
    return _GzipDecompressor(), zlib.error
