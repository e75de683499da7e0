"""SessionLimiter: how many sessions may be under way, in all and on one node, and how fast they may begin."""

import math
import random
import resource
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from asynccp.options import OPENS_AT_ONCE, OPENS_PER_S, Options
from asynccp.target import Target


class SessionLimiter:
    """For one run."""

    def __init__(self, options: Options) -> None:
        self._all = anyio.Semaphore(options.concurrency.sessions)
        self._nodes: dict[str, anyio.Semaphore] = defaultdict(
            lambda: anyio.Semaphore(options.concurrency.sessions_per_node)
        )
        self._next_at = -math.inf
        _make_room_for_descriptors(options.concurrency.sessions)

    @asynccontextmanager
    async def slot(self, target: Target) -> AsyncIterator[None]:
        """Wait until a session with the target may begin, and hold its place."""
        # The node first, so that pods that wait for it don't hold places that other nodes' pods could use.
        async with self._nodes[target.host], self._all:
            apart_s = random.uniform(0.5, 1.5) / OPENS_PER_S  # noqa: S311 (not a secret)
            self._next_at = max(self._next_at, anyio.current_time() - OPENS_AT_ONCE / OPENS_PER_S) + apart_s
            await anyio.sleep_until(self._next_at)
            yield


def _make_room_for_descriptors(sessions: int) -> None:
    """Raise the soft limit of open files when the default (1,024 on most machines, 256 on macOS) would not do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 128 + 8 * sessions  # a session has one socket, a pull a file and up to four directories
    if soft != resource.RLIM_INFINITY and soft < needed:
        limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
