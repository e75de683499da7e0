"""Push: one archive → many pods.

For each pod, in one exec: hello; then two tasks side by side. One feeds chunks at the pace of the connection. The other
listens, because a tar that fails stops reading: its word comes while our sends are stuck, and ends the feeding.
"""

import anyio

from asynccp.cluster.base import Cluster
from asynccp.cluster.commands import push_argv
from asynccp.engine.broadcast import Broadcast
from asynccp.engine.exchange import Exchange
from asynccp.engine.group import single_error
from asynccp.engine.protocols import Protocols
from asynccp.engine.run import run_transfers
from asynccp.engine.tally import Tally
from asynccp.errors import ProtocolRefused, SessionLost
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
            async with cluster.open_exec(target, argv, protocol) as session:
                tally.protocol = protocol[:2]
                exchange = Exchange(session, plan.layout.token, options)
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
    with single_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.watch)
            tasks.start_soon(_feed, exchange, tally, broadcast, half_close)
            done = await exchange.line("done")
            if done is not None:
                # Once stdin is closed it takes no line; its end says the same, and closing it again is harmless.
                await exchange.acknowledge(CLOSE_STDIN if half_close else ACKNOWLEDGEMENT)
                await exchange.drain()
            tasks.cancel_scope.cancel()
    if error := verdict(done, exchange.status, exchange.said):
        raise error


async def _feed(exchange: Exchange, tally: Tally, broadcast: Broadcast, half_close: bool) -> None:
    try:
        for index in range(broadcast.layout.chunks):
            chunk = await broadcast.chunk(index)
            await exchange.send(chunk.message)
            tally.advance(chunk.size)
        if half_close:
            await exchange.send(CLOSE_STDIN)
    except SessionLost:
        return  # the listener hears why: stderr and the status may still be on their way
