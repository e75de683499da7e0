"""Chunk: a slice of the archive, encoded once, and framed once, for all sessions that send it."""

from collections.abc import Callable

ROOM_SIZE = 16
"""Bytes that are free before the data, so that a session can put a frame's header and a channel there in place."""

Frame = Callable[[memoryview], memoryview]


class Chunk:
    """Bytes for the stdin of any number of pods.

    index: of the slice. size: archive bytes in it. buffer: writable; ROOM_SIZE bytes that nobody needs, then the data.
    """

    __slots__ = ("_buffer", "_frame", "index", "size")

    def __init__(self, index: int, size: int, buffer: memoryview) -> None:
        self.index = index
        self.size = size
        self._buffer = buffer
        self._frame: memoryview | None = None

    @property
    def wire_size(self) -> int:
        """Bytes of data, which stand for `size` bytes of the archive."""
        return len(self._buffer) - ROOM_SIZE

    @property
    def data(self) -> memoryview:
        """The bytes for stdin. They are gone once a frame was made of them."""
        assert self._frame is None
        return self._buffer[ROOM_SIZE:]

    def frame(self, make: Frame) -> memoryview:
        """Return what `make` makes of the buffer, in place; it is asked once, whoever sends the chunk after that."""
        if self._frame is None:
            self._frame = make(self._buffer)
        return self._frame
