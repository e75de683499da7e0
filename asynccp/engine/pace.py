"""Pace: no more bytes a second than were allowed, of all sessions of a run together, both directions.

Whoever wants to send or has received waits its turn. While nothing is received, TCP's window closes, and the pod waits.
"""

from collections.abc import AsyncIterator

import anyio

from asynccp.chunk import Chunk
from asynccp.engine.around import SessionAround
from asynccp.kube.base import Session
from asynccp.kube.exec import Event, Stderr, Stdout
from asynccp.options import PART_SIZE, Options

BURST_S = 0.1
"""Seconds whose allowance is not lost when it isn't used at once: the loop's own hiccups must not slow a run down."""

FREE_SIZE = 4096
"""Bytes of a message from a pod that doesn't wait: lines of the dialogue have deadlines. They are counted, and others
wait."""


class Bucket:
    """The arithmetic: a bucket of tokens, one for each byte, that may be overdrawn. Pure; times are of any clock."""

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._full_at = float("-inf")  # when all that was taken so far is paid, less the burst

    def take(self, size: int, now: float) -> float:
        """Take `size` bytes at `now`; return the seconds after which they may go."""
        begin = max(self._full_at, now - BURST_S)
        self._full_at = begin + size / self._rate_per_s
        return max(0.0, begin - now)


class Pace:
    """One bucket for all sessions of a run."""

    def __init__(self, rate_per_s: float) -> None:
        self._bucket = Bucket(rate_per_s)

    def of(self, session: Session, sent_size: int = 0) -> Session:
        """Return a session that keeps to it. sent_size: bytes that have gone over it already."""
        self._bucket.take(sent_size, anyio.current_time())
        return _PacedSession(session, self._bucket)

    async def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield what comes, at that pace."""
        async for piece in pieces:
            await anyio.sleep(self._bucket.take(len(piece), anyio.current_time()))
            yield piece


class _PacedSession(SessionAround):
    def __init__(self, session: Session, bucket: Bucket) -> None:
        super().__init__(session)
        self._bucket = bucket

    async def send(self, data: bytes | memoryview) -> None:
        self._bucket.take(len(data), anyio.current_time())  # a question, a line: it does not wait
        await self._session.send(data)

    async def send_chunk(self, chunk: Chunk) -> None:
        await self._turn(chunk.wire_size)
        await self._session.send_chunk(chunk)

    async def receive(self) -> Event | None:
        event = await self._session.receive()
        if isinstance(event, Stdout | Stderr):
            await self._turn(len(event.data))
        return event

    async def _turn(self, size: int) -> None:
        wait_s = self._bucket.take(size, anyio.current_time())
        if wait_s and size > FREE_SIZE:
            await anyio.sleep(wait_s)


def patient(options: Options) -> Options:
    """Return options under which the wait for a turn is no stall."""
    if not options.concurrency.rate_per_s:
        return options
    longest_turn_s = options.concurrency.sessions * PART_SIZE / options.concurrency.rate_per_s
    deadlines = options.deadlines
    patient_ones = deadlines._replace(
        stall_after_s=deadlines.stall_after_s + longest_turn_s, late_after_s=deadlines.late_after_s + longest_turn_s
    )
    return options._replace(deadlines=patient_ones)
