"""Chunk: a slice of the archive, encoded once and shared by all sessions that need it."""

from dataclasses import dataclass

PACKED, RAW = b"z", b"r"


@dataclass(frozen=True, slots=True)
class Chunk:
    """`message` is the exec message that carries the slice: the channel byte of stdin, then what stands for the slice.

    size: bytes of the archive in it.
    """

    index: int
    message: memoryview | bytes
    size: int

    @property
    def wire_size(self) -> int:
        """Bytes that go to the pod's stdin."""
        return len(self.message) - 1


def part_line(form: bytes, size: int, *, last: bool) -> bytes:
    """Return the line before a part of a packed archive: PACKED or RAW, how many bytes follow, and `+` if more come."""
    return b"%s %d%s\n" % (form, size, b"" if last else b" +")
