"""Chunk: a slice of the archive, encoded once and shared by all sessions that need it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """`message` is the exec message that carries the slice: the channel byte of stdin, then the archive's bytes."""

    index: int
    message: memoryview

    @property
    def size(self) -> int:
        """Archive bytes in it."""
        return len(self.message) - 1
