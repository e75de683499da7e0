"""Chunk: a slice of the archive, encoded once and shared by all sessions that need it."""

from dataclasses import dataclass

PACKED, RAW = b"z", b"r"


@dataclass(frozen=True, slots=True)
class Chunk:
    """`frame` is the WebSocket frame of the exec message that carries the slice.

    size: archive bytes in it. wire_size: bytes that stand for them in the pod's stdin.
    """

    index: int
    size: int
    wire_size: int
    frame: memoryview


def part_line(form: bytes, size: int, *, last: bool) -> bytes:
    """Return the line before a part of a packed archive: PACKED or RAW, how many bytes follow, and `+` if more come."""
    return b"%s %d%s\n" % (form, size, b"" if last else b" +")
