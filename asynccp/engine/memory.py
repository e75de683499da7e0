"""Memory: what all pods of a run together may have us remember, until their archives have ended.

A pod may have as much as is left for all the others: one alone half of it, each of ten an eleventh. So whoever comes
has its share, whatever those do that are there. Who has more waits until others are done, and is not read meanwhile;
but the first of all that are there never waits, so that there is always one that goes on. It may have everything.

What is only told, such as entries that were left out, has no memory to wait for: beyond the share it is counted.
"""

from collections.abc import Callable
from contextlib import suppress

import anyio

from asynccp.archive.paths import more_than_can_be_remembered

STEP_SIZE = 64 * 1024  # bytes more, after which a share is looked at again
MUCH = 256 * 1024  # bytes of a share, from which on it pays to tell the C library that they are free


class Memory:
    """`size` bytes. For one event loop; shares may be looked at from other threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._shares: list[Share] = []
        self._news = anyio.Event()

    def share(self, used: Callable[[], int]) -> "Share":
        """Return the share of one more pod. used: tells how many bytes it has taken."""
        share = Share(self, used)
        self._shares.append(share)
        return share

    def release(self, share: "Share") -> None:
        """A pod has no more to be remembered. Harmless when called again."""
        if share in self._shares:
            self._shares.remove(share)
            self._news.set()
            self._news = anyio.Event()

    def left(self) -> int:
        """Return the bytes that nobody has taken."""
        return self._size - sum(share.used() for share in list(self._shares))

    def is_first(self, share: "Share") -> bool:
        return self._shares[:1] == [share]

    async def wait(self) -> None:
        """Wait until a pod has released its share."""
        await self._news.wait()


def give_back() -> None:
    """Give the system what is free, where the C library can (glibc). Blocks for some milliseconds.

    It keeps holes between what is in use: those of 1,000 pods, each with some MiB of links, were 100 MiB in the end.
    """
    import ctypes  # here: few need it

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Share:
    """What one pod has of it. used: how many bytes."""

    def __init__(self, memory: Memory, used: Callable[[], int]) -> None:
        self.used = used
        self._memory = memory
        self._looked_at = self._told_at = 0
        self._has_room = True

    def is_used_up(self) -> bool:
        """Tell whether the pod is to wait, or to be given up: `room` knows."""
        used = self.used()
        if used - self._looked_at < STEP_SIZE:
            return False
        self._looked_at = used
        return self._memory.left() < (0 if self._memory.is_first(self) else used)

    async def room(self) -> None:
        """Wait while the pod has more than its share. Raises UnsafeEntry when there is not enough for the first."""
        while not self._memory.is_first(self) and self._memory.left() < self.used():
            await self._memory.wait()
        if self._memory.left() < 0:
            raise more_than_can_be_remembered()

    def has_room(self) -> bool:
        """Tell whether there is memory for what is only told."""
        if self.used() - self._told_at >= STEP_SIZE:
            self._told_at = self.used()
            self._has_room = self._told_at <= self._memory.left()
        return self._has_room

    def release(self) -> None:
        """Give it back. Who had it is no longer held by it."""
        self.used = int
        self._memory.release(self)
