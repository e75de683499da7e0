"""Push: one archive → many pods.

For each pod, in one exec: hello; then two tasks side by side. One sends chunks at the pace of the connection. The other
listens, because a tar that fails stops reading: its word comes while our sends are stuck, and ends the sending. When
the pod has received everything, beside its place, the steps follow: files are compared if that is wanted, then it may
put everything there.
"""

import math
import os
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import anyio

from asynccp.archive.layout import ArchiveLayout
from asynccp.chunk import Chunk
from asynccp.engine.broadcast import Broadcast
from asynccp.engine.compression import FAR_S, Offer, offer_push
from asynccp.engine.group import single_error
from asynccp.engine.placing import Placing, unsettled
from asynccp.engine.run import Run
from asynccp.engine.sessions import Greeted, Sessions
from asynccp.engine.state import Arrived, Negotiated, TransferState
from asynccp.engine.steps import Publish, Step, Verify
from asynccp.engine.turns import in_turns
from asynccp.engine.verify import Comparison, algorithm_of
from asynccp.entry import Entry, Kind, NotKept
from asynccp.errors import ProtocolViolation, SessionLost
from asynccp.events import Listener, Observer, Started
from asynccp.kube.base import Cluster
from asynccp.local.digest import digest_source
from asynccp.local.pack import Packing
from asynccp.options import CLOSE_GRACE_S, SLOWEST_WALK_PER_S, Options
from asynccp.plan.plan import PushPlan
from asynccp.remote.commands import PushRequest
from asynccp.remote.messages import Done, Received
from asynccp.report import Report
from asynccp.target import Transfer


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
    options = options or Options()
    far = FAR_S <= cluster.connect_s < math.inf or options.concurrency.rate_per_s > 0
    offer = await offer_push(plan.layout, options.compression, far=far)
    job = PushJob(plan, Sessions(cluster, options, plan.layout.token), offer)
    return await Run(job, cluster, options, observer or Listener()).carry_out(plan, stop)


class PushJob:
    """The push of one plan, as `engine.run.Job`."""

    direction = "push"
    digests_size = None  # we know what we push

    def __init__(self, plan: PushPlan, sessions: Sessions, offer: Offer) -> None:
        self._plan = plan
        self._sessions = sessions
        self._offer = offer
        self._options = sessions.options
        self._archives = _Archives(plan.layout)
        self._digests = _Digests(plan.entries)

    async def attempt(self, state: TransferState) -> None:
        plan, transfer = self._plan, state.transfer
        async with self._sessions.greeted(transfer, self._request(transfer)) as found:
            state.negotiated = Negotiated(protocol=found.protocol)
            state.negotiated = self._negotiated(found)
            archive = self._archives.get(state.negotiated.compression)
            delivery = Delivery(
                found, state, archive, self._steps(found, state), partial=self._options.publishing.partial
            )
            arrived = await delivery.run()
        landed = plan.landing(transfer.path, named=found.hello.is_named)
        state.arrived = arrived._replace(size=plan.size, entries=len(plan.entries), landed=landed)

    async def release(self, state: TransferState) -> None:
        """Nothing is kept: an attempt starts over."""

    def _request(self, transfer: Transfer) -> PushRequest:
        target, layout, options = transfer.target, self._plan.layout, self._options
        return PushRequest(
            token=layout.token,
            directory=transfer.path,
            records=layout.records,
            renames=self._plan.renames,
            identity=f"{target.uid[:8]}-{target.container}",
            codecs=self._offer.codecs,
            preserve_owner=options.attributes.preserve_owner,
            dir_perms=options.attributes.dir_perms,
            partial=options.publishing.partial,
            in_place=options.publishing.in_place,
        )

    def _negotiated(self, found: Greeted) -> Negotiated:
        codec, why_none = self._offer.taken(found.hello)
        return Negotiated(
            protocol=found.protocol,
            compression=codec,
            compression_note=why_none,
            checksum=algorithm_of(found.hello, can_be_asked=not found.half_close)
            if self._options.verification.checksum
            else "",
        )

    def _steps(self, found: Greeted, state: TransferState) -> list[Step]:
        steps: list[Step] = [Publish(half_close=found.half_close)]
        if algorithm := state.negotiated.checksum:
            comparison = Comparison(algorithm, self._digests.get, state.digests)
            steps.insert(0, Verify(self._digests.sizes, comparison))
        return steps


class _Archives:
    """The archive as each codec has it, made once for all pods that take it."""

    def __init__(self, layout: ArchiveLayout) -> None:
        self._layout = layout
        self._known: dict[str, Broadcast] = {}

    def get(self, codec: str) -> Broadcast:
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

    async def get(self, path: bytes, algorithm: str) -> str:
        """Return one file's digest. Raises SourceChanged."""
        entry = self._entries[path]
        async with self._lock:
            if (entry.path, algorithm) not in self._known:
                digest = await in_turns(digest_source(entry, algorithm))
                self._known[entry.path, algorithm] = digest
        return self._known[entry.path, algorithm]


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


class Delivery:
    """One attempt to have one pod receive an archive, and do the steps. partial: as in `Options`."""

    def __init__(
        self, found: Greeted, state: TransferState, supply: Supply, steps: Sequence[Step], *, partial: bool = False
    ) -> None:
        self._conversation = found.conversation
        self._half_close = found.half_close
        self._state = state
        self._supply = supply
        self._steps = steps
        self._placing = Placing(partial=partial)
        self._sender = _Sender(found, state, supply)
        found.conversation.hear_notes(self._placing.hear)

    async def run(self) -> Arrived:
        """Return what is not in its place, or not all of it. Raises what keeps the rest from being complete."""
        transfer, conversation = self._state.transfer, self._conversation
        self._state.observer(Started(transfer, self._supply.size))
        with single_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(conversation.watch)
                tasks.start_soon(self._sender.run)
                await self._converse()
                tasks.cancel_scope.cancel()
        done = conversation.last_word
        error = conversation.error(whole=self._sender.whole, sent=self._supply.sent)
        if error or not isinstance(done, Done):
            raise self._placing.refusal(done) or error or SessionLost("the session ended too early")
        unset = unsettled(done, conversation.stderr_tail)
        not_kept = self._placing.not_kept(done, transfer.path)
        return Arrived(
            left_out=self._placing.left_out(done, transfer.path),
            not_kept=[*not_kept, *([NotKept(os.fsencode(transfer.path), unset)] if unset else [])],
            is_partial=bool(unset),
        )

    async def _converse(self) -> None:
        """Hear the pod to its last word."""
        conversation = self._conversation
        received = await conversation.received()
        if received is None:
            return
        await self._sender.stop()
        if received.code == 0 and received.has_last:
            if not self._sender.whole:
                raise ProtocolViolation("the pod said that it has everything before everything was sent")
            for step in self._steps:
                await step.run(conversation)
        # A tar that failed left bytes unread, and containerd, which can't hand them over, may never tell the status.
        with anyio.move_on_after(CLOSE_GRACE_S if isinstance(conversation.last_word, Received) else None):
            # Once stdin is closed it takes no line; its end says the same, and closing it again is harmless.
            await (conversation.close_stdin() if self._half_close else conversation.acknowledge())
            await conversation.drain()


class _Sender:
    """The sending half of a delivery. `whole`: the last chunk has been handed to the connection."""

    def __init__(self, found: Greeted, state: TransferState, supply: Supply) -> None:
        self.whole = False
        self._conversation = found.conversation
        self._half_close = found.half_close
        self._state = state
        self._supply = supply
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
                await self._conversation.send_chunk(chunk)
            except SessionLost:
                return  # the listener hears why: stderr and the status may still be on their way
            # A connection that broke takes all that it is given, without a wait: the loop must get to tell it.
            await anyio.lowlevel.checkpoint()
            self._state.advance(chunk.size, chunk.wire_size)
        if self._half_close:
            await self._conversation.close_stdin()
        self._conversation.extra_stall_s = self._supply.entries / SLOWEST_WALK_PER_S  # the pod counts them
