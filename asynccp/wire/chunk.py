"""Chunk: a slice of the archive, encoded once and shared by all sessions that need it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """`frame` is the WebSocket frame of the exec message that carries the slice; `size`: archive bytes in it."""

    index: int
    size: int
    frame: memoryview
