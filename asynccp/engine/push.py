"""Push: one archive → many pods.

For each pod, in one exec: hello; then two tasks side by side. One feeds chunks at the pace of the connection. The other
listens, because a tar that fails stops reading: its word comes while our sends are stuck, and ends the feeding. When
the pod has received everything, beside its place, files are compared if that is wanted; then it may put it there.
"""

import functools
import math
import os
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import anyio

from asynccp.archive.layout import ArchiveLayout
from asynccp.chunk import Chunk
from asynccp.engine.broadcast import Broadcast
from asynccp.engine.compression import FAR_S, Offer, offer_push
from asynccp.engine.exchange import Exchange
from asynccp.engine.greeting import greeted
from asynccp.engine.group import single_error
from asynccp.engine.pace import paced
from asynccp.engine.placing import Placing, unsettled
from asynccp.engine.protocols import Protocols
from asynccp.engine.run import run_transfers
from asynccp.engine.tally import Tally
from asynccp.engine.turns import in_turns
from asynccp.engine.verify import algorithm_of, verify
from asynccp.entry import Entry, Kind, NotKept
from asynccp.errors import ProtocolViolation, SessionLost
from asynccp.events import Listener, Observer, Started
from asynccp.kube.base import Cluster
from asynccp.local.digest import digest_source
from asynccp.local.pack import Packing
from asynccp.options import CLOSE_GRACE_S, SLOWEST_WALK_PER_S, Options
from asynccp.plan.plan import PushPlan
from asynccp.remote.commands import PushRequest, push_command
from asynccp.remote.dialogue import GO, verdict
from asynccp.remote.messages import Done, LastWord, Received
from asynccp.report import Report


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
    cluster, options = paced(cluster, options or Options())
    observer = observer or Listener()
    forms, protocols, digests = _Forms(plan.layout), Protocols(), _Digests(plan.entries)
    far = FAR_S <= cluster.connect_s < math.inf or options.rate_per_s > 0
    offer = await offer_push(plan.layout, options.compress, far=far)

    async def one(tally: Tally) -> None:
        await _push_one(tally, plan, cluster, offer, forms, protocols, digests, options)

    return await run_transfers("push", plan, one, cluster, options, observer, stop)


async def _push_one(
    tally: Tally,
    plan: PushPlan,
    cluster: Cluster,
    offer: Offer,
    forms: "_Forms",
    protocols: Protocols,
    digests: "_Digests",
    options: Options,
) -> None:
    target, path, layout = tally.transfer.target, tally.transfer.path, plan.layout
    request = PushRequest(
        token=layout.token,
        directory=path,
        records=layout.records,
        renames=plan.renames,
        identity=f"{target.uid[:8]}-{target.container}",
        codecs=offer.codecs,
        preserve_owner=options.preserve_owner,
        dir_perms=options.dir_perms,
        partial=options.partial,
        in_place=options.in_place,
    )
    command_for = functools.partial(push_command, request)
    async with greeted(cluster, tally.transfer, command_for, protocols, options, layout.token) as found:
        tally.protocol = found.protocol[:2]
        if options.checksum:
            tally.checksum = algorithm_of(found.hello, can_be_asked=found.counted)
        tally.compression, tally.compression_note = offer.taken(found.hello)
        broadcast = forms.of(tally.compression)
        half_close = not found.counted
        await Delivery(found.exchange, tally, broadcast, digests, half_close=half_close, partial=options.partial).run()
        tally.landed = plan.landing(path, named=found.hello.is_named)
    tally.size, tally.entries = plan.size, len(plan.entries)


class Supply(Protocol):
    """The archive that one pod receives.

    size: of all of it, None when nobody knows yet. entries, sent: how many it has, and what will stand in the pod as
    `ENTRIES-BYTES`; good when the last chunk is out.
    """

    @property
    def size(self) -> int | None: ...
    @property
    def entries(self) -> int: ...
    @property
    def sent(self) -> str: ...
    def chunks(self) -> AsyncIterator[tuple[Chunk, bool]]:
        """Yield what is to be sent, in order, and whether it is the last of it. Raises TransferError."""


class _Forms:
    """The archive in every form that a pod has asked for, each made once for all pods."""

    def __init__(self, layout: ArchiveLayout) -> None:
        self._layout = layout
        self._known: dict[str, Broadcast] = {}

    def of(self, codec: str) -> Broadcast:
        if codec not in self._known:
            self._known[codec] = Broadcast(self._layout, packing=Packing(self._layout, codec) if codec else None)
        return self._known[codec]


class _Digests:
    """The digests of the files of a push, each read once for all its names and all pods."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        files = {entry.path: entry for entry in entries if entry.kind is Kind.FILE}
        links = [entry for entry in entries if entry.kind is Kind.HARDLINK and entry.link in files]
        self._entries = files | {entry.path: files[entry.link] for entry in links}
        self.sizes = {path: entry.size for path, entry in self._entries.items()}
        self._known: dict[tuple[bytes, str], str] = {}
        self._lock = anyio.Lock()

    async def of(self, path: bytes, algorithm: str) -> str:
        """Return one file's digest. Raises SourceChanged."""
        entry = self._entries[path]
        async with self._lock:
            if (entry.path, algorithm) not in self._known:
                digest = await in_turns(digest_source(entry, algorithm))
                self._known[entry.path, algorithm] = digest
        return self._known[entry.path, algorithm]


class Delivery:
    """One pod's share of a push."""

    def __init__(
        self,
        exchange: Exchange,
        tally: Tally,
        supply: Supply,
        digests: "_Digests | None" = None,
        *,
        half_close: bool,
        partial: bool = False,
    ) -> None:
        self._exchange = exchange
        self._supply = supply
        self._placing = Placing(partial=partial)
        exchange.hear_notes(self._placing.hear)
        self._tally = tally
        self._digests = digests
        self._half_close = half_close
        self._feed = _Feed(exchange, tally, supply, half_close=half_close)

    async def run(self) -> None:
        """Feed the archive and hear the pod's answers. Raises what keeps the transfer from being complete."""
        self._tally.observer(Started(self._tally.transfer, self._feed.size))
        with single_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._exchange.watch)
                tasks.start_soon(self._feed.run)
                done = await self._converse()
                tasks.cancel_scope.cancel()
        exchange, path = self._exchange, self._tally.transfer.path
        error = verdict(
            done, exchange.status, exchange.said, whole=self._feed.whole, ending=exchange.ending, sent=self._supply.sent
        )
        if error or not isinstance(done, Done):
            raise self._placing.refusal(done) or error or SessionLost("the session ended too early")
        self._tally.left_out = self._placing.left_out(done, path)
        self._tally.not_kept = self._placing.not_kept(done, path)
        if what := unsettled(done, exchange.said):
            self._tally.not_kept.append(NotKept(os.fsencode(path), what))
            self._tally.partial = True

    async def _converse(self) -> LastWord | None:
        """Return the last line that the pod says."""
        received = await self._exchange.received()
        if received is None:
            return None
        await self._feed.stop()
        last: LastWord = received
        if received.code == 0 and received.has_last:
            if not self._feed.whole:
                raise ProtocolViolation("the pod said that it has everything before everything was sent")
            if self._tally.checksum and self._digests:
                await verify(self._exchange, self._tally, self._digests.sizes, self._digests.of)
            self._exchange.places = True
            if not self._half_close:
                await self._exchange.tell(GO)
            last = await self._exchange.done() or last
        # A tar that failed left bytes unread, and containerd, which can't hand them over, may never tell the status.
        with anyio.move_on_after(CLOSE_GRACE_S if isinstance(last, Received) else None):
            # Once stdin is closed it takes no line; its end says the same, and closing it again is harmless.
            await (self._exchange.close_stdin() if self._half_close else self._exchange.acknowledge())
            await self._exchange.drain()
        return last


class _Feed:
    """The sending half of one push. `whole`: the last chunk has been handed to the connection."""

    def __init__(self, exchange: Exchange, tally: Tally, supply: Supply, *, half_close: bool) -> None:
        self.whole = False
        self.size = supply.size
        self._exchange = exchange
        self._tally = tally
        self._supply = supply
        self._half_close = half_close
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()

    async def run(self) -> None:
        try:
            with self._scope:
                await self._send_all()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """End the sending, if it goes on, and wait until nothing of it is under way: a session has one sender."""
        self._scope.cancel()
        await self._ended.wait()

    async def _send_all(self) -> None:
        async for chunk, is_last in self._supply.chunks():
            self.whole = is_last
            try:
                await self._exchange.send_chunk(chunk)
            except SessionLost:
                return  # the listener hears why: stderr and the status may still be on their way
            # A connection that broke takes all that it is given, without a wait: the loop must get to tell it.
            await anyio.lowlevel.checkpoint()
            self._tally.advance(chunk.size, chunk.wire_size)
        if self._half_close:
            await self._exchange.close_stdin()
        self._exchange.patience_s = self._supply.entries / SLOWEST_WALK_PER_S  # the pod counts them
