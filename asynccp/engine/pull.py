"""Pull: many pods → one directory.

For each pod, in one exec: hello; then the archive, the pod's `done` line, our acknowledgement, the status. Two tasks
side by side: one receives, the other writes. Between them is a bounded queue; while it is full nothing is received,
TCP's window closes, and the pod's tar waits.
"""

import os
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from asynccp.cluster.base import Cluster
from asynccp.cluster.commands import pull_argv, pull_name
from asynccp.disk.extract import Extractor
from asynccp.engine.exchange import Exchange, opened
from asynccp.engine.group import single_error
from asynccp.engine.protocols import Protocols
from asynccp.engine.run import run_transfers
from asynccp.engine.tally import Tally
from asynccp.errors import ProtocolRefused, ProtocolViolation
from asynccp.options import PULL_HOP_SIZE, PULL_QUEUE_MESSAGES, Options
from asynccp.plan.plan import PullPlan
from asynccp.progress import NullObserver, Observer
from asynccp.report import Report
from asynccp.wire.dialogue import Line, LineReader, verdict

Bytes = bytes | memoryview


async def pull(
    cluster: Cluster,
    plan: PullPlan,
    *,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
) -> Report:
    """Carry a pull out; return how it ended for each target, in the plan's order.

    Never raises for one target's trouble. Setting `stop` ends the run early: what isn't complete by then is reported as
    interrupted, and the remote commands are ended.
    """
    options, observer, protocols = options or Options(), observer or NullObserver(), Protocols()
    roots = {one.transfer: os.path.join(plan.destination, one.directory) for one in plan.gathers}

    async def one(tally: Tally) -> None:
        await _pull_one(tally, roots[tally.transfer], plan.token, cluster, protocols, options)

    return await run_transfers("pull", plan, one, cluster, options, observer, stop)


async def _pull_one(
    tally: Tally, root: str, token: str, cluster: Cluster, protocols: Protocols, options: Options
) -> None:
    target, path = tally.transfer.target, tally.transfer.path
    argv = pull_argv(token, path, want_size=options.want_size)
    while True:
        protocol = protocols.offer("")
        try:
            async with opened(cluster, target, argv, protocol, token, options) as exchange:
                tally.protocol = protocol[:2]
                hello = await exchange.hello(path)
                tally.observer.started(tally.transfer, _size(hello))
                await _Gathering(exchange, tally, root, token, options).run()
                return
        except ProtocolRefused:
            protocols.refused.add(protocol)


def _size(hello: Line) -> int | None:
    text = hello.facts.get("size", "")
    return int(text) * 1024 if text.isascii() and text.isdigit() and len(text) < 16 else None


class _Gathering:
    """One pod's archive on its way to the disk."""

    def __init__(self, exchange: Exchange, tally: Tally, root: str, token: str, options: Options) -> None:
        self._exchange = exchange
        self._tally = tally
        self._done: Line | None = None
        self._trailer = LineReader(token, "done", after_zeros=True)
        self._extractor = Extractor(
            root, pull_name(tally.transfer.path), preserve_owner=options.preserve_owner, limits=options.limits
        )

    async def run(self) -> None:
        """Write the archive. Raises what keeps the transfer from being complete."""
        send, receive = anyio.create_memory_object_stream[Bytes](PULL_QUEUE_MESSAGES)  # 1 MiB, see options
        try:
            with single_error():
                async with anyio.create_task_group() as watched:
                    watched.start_soon(self._exchange.watch)
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(self._write, receive)
                        await self._receive(send)
                    watched.cancel_scope.cancel()
            await self._settle()
        finally:
            with anyio.CancelScope(shield=True):  # bounded: it removes one temporary file and closes descriptors
                await to_thread.run_sync(self._extractor.abort)
            self._count()

    async def _receive(self, send: MemoryObjectSendStream[Bytes]) -> None:
        with suppress(anyio.BrokenResourceError):  # the writer ended: its error is the one to hear
            async with send:
                while (data := await self._exchange.stdout()) is not None:
                    try:
                        send.send_nowait(data)
                    except anyio.WouldBlock:  # only a full queue is worth the round through the event loop
                        await send.send(data)

    async def _write(self, receive: MemoryObjectReceiveStream[Bytes]) -> None:
        async with receive:
            async for batch in _batches(receive):
                rest = await to_thread.run_sync(self._extract, batch)
                self._tally.advance(sum(map(len, batch)))
                self._exchange.moved()
                if rest and (found := self._trailer.feed(rest)):
                    self._done, after = found
                    if after:
                        raise ProtocolViolation("the pod sent output after its last word")
                    await self._exchange.acknowledge()

    def _extract(self, batch: list[Bytes]) -> bytes:
        return self._extractor.feed(b"".join(batch))

    async def _settle(self) -> None:
        """Finish what arrived whole, then judge."""
        whole = self._extractor.ended and self._done is not None
        if whole:
            await to_thread.run_sync(self._extractor.finish)
        if error := verdict(self._done, self._exchange.status, self._exchange.said, whole=whole):
            raise error

    def _count(self) -> None:
        self._tally.size, self._tally.entries = self._extractor.size, self._extractor.entries
        self._tally.left_out = list(self._extractor.left_out)


async def _batches(receive: MemoryObjectReceiveStream[Bytes]) -> AsyncIterator[list[Bytes]]:
    """Yield what has arrived, about PULL_HOP_SIZE at a time, so that a thread is worth its switch."""
    async for first in receive:
        batch, size = [first], len(first)
        try:
            while size < PULL_HOP_SIZE:
                batch.append(receive.receive_nowait())
                size += len(batch[-1])
        except (anyio.WouldBlock, anyio.EndOfStream):
            pass
        yield batch
