"""Logs: what a node keeps of containers' output → files beside what a pull copies, one for each.

A sink wants to know a file's size before its first byte, and nobody tells how long a log is. So it comes into a
temporary file first, and only one that has come whole is handed on. An attempt that fails starts over.

What an API server sends here has no witness at the other end. That the answer has ended as HTTP has it is checked, and
that it doesn't end with a node's excuse (`kube.log_errors`); if the node breaks off without a word, the server may call
that the end (`kubectl logs` can't tell either).
"""

import os
import tempfile
import time
from collections.abc import AsyncIterator, Generator
from typing import IO, Protocol

import anyio
from anyio import to_thread

from asynccp.engine.pull import PullJob
from asynccp.engine.pullsession import FULL_S
from asynccp.engine.state import Arrived, TransferState
from asynccp.engine.writer import Work
from asynccp.entry import Entry, Kind, LeftOut, NotKept
from asynccp.errors import DestinationError, Knob, NoSuchPath, Stalled, UnsafeEntry
from asynccp.events import Started
from asynccp.limits import raise_hint
from asynccp.options import Collecting
from asynccp.plan.fetch import LINE_SIZE
from asynccp.plan.plan import Gather, PullPlan
from asynccp.sinks.base import Place, Sink
from asynccp.text import human_size

_MEMORY_SIZE = 256 * 1024  # bytes of a log that is kept in memory: of 64 at once 16 MiB
_PIECE_SIZE = 256 * 1024  # bytes handed on at a time


class Attempts(Protocol):
    """What of a job brings one kind of transfer."""

    async def attempt(self, state: TransferState) -> None: ...
    async def release(self, state: TransferState) -> None: ...


class WithLogs:
    """A pull whose plan has logs among its transfers, as `engine.run.Job`."""

    direction = "pull"

    def __init__(self, paths: Attempts, logs: Attempts, digests_size: int) -> None:
        self.digests_size = digests_size
        self._paths = paths
        self._logs = logs

    async def attempt(self, state: TransferState) -> None:
        await (self._logs if state.transfer.log else self._paths).attempt(state)

    async def release(self, state: TransferState) -> None:
        await (self._logs if state.transfer.log else self._paths).release(state)


class LogAttempts:
    """The logs of one plan, and what its pull has in common with them."""

    def __init__(self, plan: PullPlan, job: PullJob) -> None:
        self._gathers = {one.transfer: one for one in plan.gathers}
        self._job = job
        self._collecting = job.options.collecting

    async def attempt(self, state: TransferState) -> None:
        """Bring one log. Raises TransferError."""
        try:
            with tempfile.SpooledTemporaryFile(_MEMORY_SIZE) as spool:
                size = await self._received(state, spool)
                await self._take(state, spool, size)
        except NoSuchPath as exc:
            exc.may_lack = True  # there is still the current one
            raise

    async def _take(self, state: TransferState, spool: IO[bytes], size: int) -> None:
        """Hand a log on, or its end, or leave it out, as limits have it."""
        gather, tail_size = self._gathers[state.transfer], self._collecting.tail_size
        taken_size = min(size, tail_size or size)
        if self._collecting != Collecting() and (why := self._too_much(taken_size)):
            limited = (LeftOut(os.fsencode(gather.name), why),)
            is_loss = self._job.options.failures.strict
            state.arrived = Arrived(left_out=[*limited]) if is_loss else Arrived(limited=limited)
            return
        try:
            start = await to_thread.run_sync(_line_begin, spool, size - taken_size) if taken_size < size else 0
            await self._hand_on(state, gather, spool, size - start)
        except BaseException:
            self._job.room.give_back(taken_size)
            raise
        if start:
            before = NotKept(os.fsencode(gather.name), f"what comes before its last {human_size(tail_size)}")
            state.arrived = state.arrived._replace(not_kept=[before])

    def _too_much(self, size: int) -> str:
        from asynccp.plan.collect import Room, too_much  # few have limits

        return too_much(size, self._collecting, Room(self._collecting.most_pod_size), self._job.room)

    async def _hand_on(self, state: TransferState, gather: Gather, spool: IO[bytes], size: int) -> None:
        """Write the last so many bytes of what came."""
        place = Place(directory=gather.directory, name=os.fsencode(gather.name), shares=gather.shares)
        sink = await to_thread.run_sync(self._job.destination.open, place)
        try:
            work = Work(_handing_on(sink, spool, size), sink.is_full)
            while not await self._job.writer.run(work):  # noqa: ASYNC110 (a sink that is full has no event)
                await anyio.sleep(FULL_S)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(sink.abort, ())
        state.arrived = Arrived(size=sink.size, entries=sink.entries, landed=gather.landed)

    async def release(self, state: TransferState) -> None:
        """Nothing is kept: an attempt starts over."""

    async def _received(self, state: TransferState, spool: IO[bytes]) -> int:
        """Have all of a log in a temporary file, but for one that is left out anyway; return its size."""
        transfer, size, options = state.transfer, 0, self._job.options
        most, enough = options.limits.size, self._collecting.most_file_size if not self._collecting.tail_size else 0
        assert transfer.log
        async with self._job.sessions.log(transfer.target, transfer.log) as pieces:
            state.observer(Started(transfer, None))
            async for piece in _in_time(pieces, options.deadlines.stall_after_s):
                size += len(piece)
                if size > most:
                    raise UnsafeEntry(f"the log has more than {most} bytes", hint=raise_hint(Knob.SIZE))
                await to_thread.run_sync(_spooled, spool, piece)
                state.advance(len(piece), len(piece))
                if 0 < enough < size:
                    break
        return size


async def _in_time(pieces: AsyncIterator[bytes], stall_after_s: float) -> AsyncIterator[bytes]:
    """Yield what comes. Raises Stalled when nothing does for so long."""
    while True:
        with anyio.move_on_after(stall_after_s) as limit:
            try:
                piece = await anext(pieces)
            except StopAsyncIteration:
                return
        if limit.cancelled_caught:
            raise Stalled(
                f"nothing of the log has come for {stall_after_s:g} s",
                hint=f"raise {Knob.STALL_AFTER} if the way to the server is that slow",
            )
        yield piece


def _spooled(spool: IO[bytes], piece: bytes) -> None:
    try:
        spool.write(piece)
    except OSError as exc:
        raise DestinationError(
            f"a log that is not whole yet can't be kept in {tempfile.gettempdir()}: {exc.strerror}",
            hint="free some space, or name another directory in TMPDIR",
        ) from exc


def _line_begin(spool: IO[bytes], start: int) -> int:
    """Return where the first line begins from `start` on; where no other one does, `start`. Blocks."""
    spool.seek(start)
    found = spool.read(LINE_SIZE)
    return start + found.find(b"\n", 0, len(found) - 1) + 1


def _handing_on(sink: Sink, spool: IO[bytes], size: int) -> Generator[int, None, None]:
    """Write the last so many bytes as one file into a sink, in steps."""
    spool.seek(-size, os.SEEK_END)
    with sink.translated():
        sink.begin(Entry(sink.name, Kind.FILE, size, mtime_ns=time.time_ns()))
        while piece := spool.read(_PIECE_SIZE):
            sink.write(memoryview(piece))
            yield len(piece)
        sink.end()
        for _ in sink.finish(()):
            yield 0
