"""Push: one archive → many pods.

For each pod, in one exec: hello; then two tasks side by side. One feeds chunks at the pace of the connection. The other
listens, because a tar that fails stops reading: its word comes while our sends are stuck, and ends the feeding.
"""

import anyio

from asynccp.cluster.base import Cluster
from asynccp.cluster.commands import push_argv
from asynccp.engine.broadcast import Broadcast
from asynccp.engine.exchange import Exchange, opened
from asynccp.engine.group import single_error
from asynccp.engine.protocols import Protocols
from asynccp.engine.run import run_transfers
from asynccp.engine.tally import Tally
from asynccp.errors import ProtocolRefused, ProtocolViolation, SessionLost
from asynccp.options import Options
from asynccp.plan.plan import PushPlan
from asynccp.progress import NullObserver, Observer
from asynccp.report import Report
from asynccp.wire.dialogue import ACKNOWLEDGEMENT, verdict
from asynccp.wire.exec import CLOSE_STDIN, V4


async def push(
    cluster: Cluster,
    plan: PushPlan,
    *,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
) -> Report:
    """Carry a push out; return how it ended for each target, in the plan's order.

    Never raises for one target's trouble. Setting `stop` ends the run early: what isn't complete by then is reported as
    interrupted, and the remote commands are ended.
    """
    options, observer = options or Options(), observer or NullObserver()
    broadcast, protocols = Broadcast(plan.layout), Protocols()

    async def one(tally: Tally) -> None:
        await _push_one(tally, plan, cluster, broadcast, protocols, options)

    return await run_transfers("push", plan, one, cluster, options, observer, stop)


async def _push_one(
    tally: Tally, plan: PushPlan, cluster: Cluster, broadcast: Broadcast, protocols: Protocols, options: Options
) -> None:
    target, directory = tally.transfer.target, tally.transfer.path
    argv = push_argv(plan.layout.token, directory, plan.layout.records, preserve_owner=options.preserve_owner)
    while True:
        protocol = protocols.offer(target.image)
        try:
            async with opened(cluster, target, argv, protocol, plan.layout.token, options) as exchange:
                tally.protocol = protocol[:2]
                hello = await exchange.hello(directory)
                counted = hello.facts.get("count") != "none"
                if counted or protocol != V4:
                    await _converse(exchange, tally, broadcast, half_close=not counted)
                    break
                protocols.uncounted.add(target.image)
        except ProtocolRefused:
            protocols.refused.add(protocol)
    tally.size, tally.entries = plan.size, len(plan.entries)


async def _converse(exchange: Exchange, tally: Tally, broadcast: Broadcast, *, half_close: bool) -> None:
    """Feed the archive and hear the pod's answer. Raises what keeps the transfer from being complete."""
    tally.observer.started(tally.transfer, broadcast.layout.size)
    feed = _Feed(exchange, tally, broadcast, half_close=half_close)
    with single_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.watch)
            tasks.start_soon(feed.run)
            done = await exchange.line("done")
            if done is not None:
                await feed.stop()
                # Once stdin is closed it takes no line; its end says the same, and closing it again is harmless.
                await exchange.acknowledge(CLOSE_STDIN if half_close else ACKNOWLEDGEMENT)
                await exchange.drain()
            tasks.cancel_scope.cancel()
    if error := verdict(done, exchange.status, exchange.said):
        raise error
    if not feed.whole and not half_close:  # without a count, tar may leave at the end marker, before the last zeros
        raise ProtocolViolation("the pod said that it has everything before everything was sent")


class _Feed:
    """The sending half of one push. `whole`: the last chunk has been handed to the connection."""

    def __init__(self, exchange: Exchange, tally: Tally, broadcast: Broadcast, *, half_close: bool) -> None:
        self.whole = False
        self._exchange = exchange
        self._tally = tally
        self._broadcast = broadcast
        self._half_close = half_close
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()

    async def run(self) -> None:
        try:
            with self._scope:
                await self._send_all()
        except SessionLost:
            return  # the listener hears why: stderr and the status may still be on their way
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """End the sending, if it goes on, and wait until nothing of it is under way: a session has one sender."""
        self._scope.cancel()
        await self._ended.wait()

    async def _send_all(self) -> None:
        last = self._broadcast.layout.chunks - 1
        for index in range(last + 1):
            chunk = await self._broadcast.chunk(index)
            self.whole = index == last
            await self._exchange.send(chunk.message)
            self._tally.advance(chunk.size)
        if self._half_close:
            await self._exchange.send(CLOSE_STDIN)
