"""Checksums: the programs that pods have for them, and the same here. Pure."""

import hashlib
import zlib
from collections.abc import Callable
from typing import Protocol

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Digest(Protocol):
    """A digest under way."""

    def update(self, data: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class Cksum:
    """The checksum of POSIX `cksum`: CRC-32 with the most significant bit first, and the length behind the data.

    zlib has the same polynomial with the bits the other way round, so bytes and result are mirrored.
    """

    def __init__(self) -> None:
        self._crc = 0xFFFFFFFF  # zlib inverts it: 0, where cksum begins
        self._size = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._crc = zlib.crc32(bytes(data).translate(_REVERSED), self._crc)
        self._size += len(data)

    def hexdigest(self) -> str:
        """Return what cksum prints: the checksum and the size, in decimal."""
        size = self._size.to_bytes((self._size.bit_length() + 7) // 8, "little")
        crc = zlib.crc32(size.translate(_REVERSED), self._crc)
        return f"{int(f'{crc:032b}'[::-1], 2)} {self._size}"


ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "sha256sum": hashlib.sha256,
    "md5sum": lambda: hashlib.md5(usedforsecurity=False),
    "cksum": Cksum,
}
