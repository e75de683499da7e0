"""Pipe: both ways to one worker, wherever it runs; its bytes as lines. Crew: where the workers of a run come from."""

from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from asynccp.options import Options
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay.lines import MOST_LINE_SIZE, Order


class Pipe(Protocol):
    """stdin and stdout of one process. Cancelling any of it is safe."""

    @property
    def ended(self) -> str:
        """How it has ended, in words that follow "its worker process"."""

    async def send(self, data: bytes | memoryview) -> None:
        """Send bytes; return when there is room for more. To one that has ended they are lost: its end says so."""

    async def receive(self) -> bytes:
        """Return what it says next; empty when it has ended, and ever after."""

    async def stop(self) -> None:
        """Tell it to stop: it ends its commands in pods, tells of them, and ends."""


class Lines:
    """What comes out of a pipe, line by line."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._come = bytearray()

    async def next(self) -> bytes:
        """Return the next line, without its end; empty when there is none, or none that ends in MOST_LINE_SIZE."""
        looked = 0
        while (end := self._come.find(b"\n", looked)) < 0:
            looked = len(self._come)
            piece = await self._pipe.receive()
            if not piece or looked > MOST_LINE_SIZE:
                return b""
            self._come += piece
        line = bytes(self._come[:end])
        del self._come[: end + 1]
        return line

    async def exactly(self, size: int) -> bytes:
        """Return so many bytes behind the last line; empty when it has ended before."""
        while len(self._come) < size:
            if not (piece := await self._pipe.receive()):
                return b""
            self._come += piece
        found = bytes(memoryview(self._come)[:size])
        del self._come[:size]
        return found


class Worker(NamedTuple):
    """One that has been started, and is to be given an order."""

    pipe: Pipe
    lines: Lines


class Crew(Protocol):
    """Workers, by the number of the shard that they get."""

    def worker(self, number: int) -> AbstractAsyncContextManager[Worker]:
        """Start one. However this is left, it ends.

        Raises WorkerLost where another try may bring one, any other TransferError where it will not.
        """

    def order(self, plan: PushPlan | PullPlan, options: Options) -> Order:
        """Return how a worker is told what it is to carry out."""
