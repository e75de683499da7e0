"""Hop: what a session hands on of stdout at once, in the memory into which it was decrypted.

The bytes of a pull are moved once between the socket and the file, within a hop, over the frames' headers between them.
With new memory for each message, 2 GiB pulled from 64 pods took 1.1 CPU-seconds more.
"""

from collections.abc import Callable

from asynccp.kube.exec import STDOUT


class Hop:
    """A message of stdout that grows: its channel, then its payload."""

    __slots__ = ("_buffer", "_size")

    def __init__(self, size: int) -> None:
        self._buffer = memoryview(bytearray(size))
        self._buffer[0] = STDOUT
        self._size = 1

    def __len__(self) -> int:
        return self._size

    @property
    def room(self) -> memoryview:
        """What is free behind the message."""
        return self._buffer[self._size :]

    @property
    def message(self) -> memoryview:
        return self._buffer[: self._size]

    @property
    def capacity(self) -> int:
        return len(self._buffer)

    def add(self, payload: memoryview) -> memoryview:
        """Add what fits of the payload, which may be a slice of `room`; return the rest."""
        size = min(len(payload), len(self._buffer) - self._size)
        self._buffer[self._size : self._size + size] = payload[:size]
        self._size += size
        return payload[size:]

    def clear(self) -> None:
        self._size = 1


class Hops:
    """The hops of all sessions of one event loop. size: tells how many bytes a new one has, of a few different sizes.

    spare: what sessions read into that have no hop; for one thread only, another would read in the middle of it.
    """

    def __init__(self, size: Callable[[], int]) -> None:
        self.size = size
        self._free: list[Hop] = []
        self.spare = Hop(size())

    def take(self) -> Hop:
        """Return an empty hop."""
        size = self.size()
        while self._free:
            hop = self._free.pop()
            if hop.capacity == size:
                return hop
        return Hop(size)

    def take_spare(self) -> Hop:
        """Return the spare one, with what has been read into it."""
        hop, self.spare = self.spare, self.take()
        return hop

    def give(self, hop: Hop) -> None:
        """Take a hop back: nobody looks at it any more."""
        hop.clear()
        self._free.append(hop)
