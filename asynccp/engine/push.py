"""Push: one archive → many pods.

For each pod, in one exec: hello; what is there, and what of it differs (`engine.comparing`); then two tasks side by
side. One sends chunks of what the pod lacks at the pace of the connection. The other listens, because a tar that fails
stops reading: its word comes while our sends are stuck, and ends the sending. When the pod has received everything,
beside its place, the steps follow: files are compared if that is wanted, then it may put everything there.
"""

import math
from collections.abc import Sequence

import anyio

from asynccp.engine.comparing import Comparing
from asynccp.engine.compression import FAR_S, LEAST_SIZE, Offer, offer_push
from asynccp.engine.delivery import Delivery, settle
from asynccp.engine.digests import Digests
from asynccp.engine.orders import Orders
from asynccp.engine.run import Run
from asynccp.engine.sessions import Greeted, Sessions
from asynccp.engine.shipments import Shipments
from asynccp.engine.state import Arrived, Negotiated, TransferState
from asynccp.engine.steps import Publish, Step, Verify
from asynccp.engine.verify import Comparison, algorithm_of
from asynccp.entry import Entry
from asynccp.errors import CommandMissing, Knob
from asynccp.events import Listener, Observer, Started
from asynccp.kube.base import Cluster
from asynccp.options import Compression, Options
from asynccp.plan.delta import Delta, moved, tally
from asynccp.plan.plan import PushPlan
from asynccp.remote.commands import PushRequest
from asynccp.remote.dialogue import send_line
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
        self._comparing = Comparing(plan, self._options) if compares(self._options) else None
        self._shipments = Shipments(plan.layout)
        self._digests = Digests(plan.entries)

    async def attempt(self, state: TransferState) -> None:
        transfer = state.transfer
        request = push_request(self._plan, transfer, self._options, self._offer, self._comparing)
        async with self._sessions.greeted(transfer, request) as found:
            state.negotiated = Negotiated(protocol=found.protocol)
            state.negotiated = negotiated(found, self._offer, self._options)
            if delta := await self._delta(found, state):
                state.arrived = await self._synced(found, state, delta)
            else:
                plan = self._plan
                arrived = await self._shipped(found, state, plan.entries)
                state.arrived = arrived._replace(size=plan.size, entries=len(plan.entries))

    async def release(self, state: TransferState) -> None:
        """Nothing is kept: an attempt starts over."""

    async def _delta(self, found: Greeted, state: TransferState) -> Delta | None:
        """Return what differs; None where everything is sent."""
        if self._comparing and found.hello.compares:
            return await self._comparing.delta(found, state, self._digests)
        if self._options.sync.delete:
            raise CommandMissing(
                "nothing can be removed: the container has neither dd nor head, so that its input has to be closed",
                hint=f"add one to the image, or push without {Knob.DELETE}",
            )
        return None

    async def _synced(self, found: Greeted, state: TransferState, delta: Delta) -> Arrived:
        """Have the pod become what the sources are, by what it lacks."""
        orders, arrived = Orders(delta), Arrived(landed=self._landing(found, state))
        if delta.send:
            arrived = await self._shipped(found, state, delta.send, orders)
        else:
            state.observer(Started(state.transfer, 0))
            async with found.conversation.watched():
                await settle(found.conversation, orders.after)
        sent = {one.path for one in moved(delta)}
        return arrived._replace(
            size=sum(entry.size for entry in delta.send if entry.path in sent),
            entries=len(sent),
            tally=tally(delta),
            left_out=[*arrived.left_out, *orders.left_out],
            not_kept=[*arrived.not_kept, *orders.not_kept],
        )

    async def _shipped(
        self, found: Greeted, state: TransferState, entries: Sequence[Entry], orders: Orders | None = None
    ) -> Arrived:
        """Send entries. orders: of a pod that was compared, which is yet to be told what comes."""
        conversation, transfer = found.conversation, state.transfer
        async with self._shipments.lent(entries, found.takes) as shipment:
            if orders:
                if shipment.layout.size < LEAST_SIZE and self._options.compression is Compression.AUTO:
                    state.negotiated = state.negotiated._replace(compression="")
                async with conversation.watched():
                    await conversation.send(send_line(shipment.layout.blocks, state.negotiated.compression))
                    found = found._replace(hello=await conversation.hello(transfer.path, transfer.target))
            archive, partial = shipment.form(state.negotiated.compression), self._options.publishing.partial
            steps = self._steps(found, state, shipment.layout.entries, orders)
            arrived = await Delivery(found, state, archive, steps, partial=partial).run()
        return arrived._replace(landed=self._landing(found, state))

    def _landing(self, found: Greeted, state: TransferState) -> str:
        return self._plan.landing(state.transfer.path, named=found.hello.is_named)

    def _steps(
        self, found: Greeted, state: TransferState, entries: Sequence[Entry], orders: Orders | None
    ) -> list[Step]:
        verify: list[Step] = []
        if algorithm := state.negotiated.checksum:
            sizes = {one.path: size for one in entries if (size := self._digests.sizes.get(one.path)) is not None}
            verify.append(Verify(sizes, Comparison(algorithm, self._digests.get, state.digests)))
        publish = Publish(half_close=found.half_close)
        return [*verify, *orders.before, publish, *orders.after] if orders else [*verify, publish]


def compares(options: Options) -> bool:
    """Tell whether pods are asked what they have: unless everything is sent anyway, and nothing removed."""
    return not options.sync.always or options.sync.delete


def push_request(
    plan: PushPlan, transfer: Transfer, options: Options, offer: Offer, comparing: Comparing | None
) -> PushRequest:
    """Return what a transfer of a plan asks its pod for."""
    target, layout = transfer.target, plan.layout
    return PushRequest(
        token=layout.token,
        directory=transfer.path,
        blocks=layout.blocks,
        renames=plan.renames,
        identity=f"{target.uid[:8]}-{target.container}",
        codecs=offer.codecs,
        preserve_owner=options.attributes.preserve_owner,
        dir_perms=options.attributes.dir_perms,
        partial=options.publishing.partial,
        in_place=options.publishing.in_place,
        question=comparing.question(transfer) if comparing else b"",
    )


def negotiated(found: Greeted, offer: Offer, options: Options) -> Negotiated:
    """Return what a session is agreed on with its pod. Raises CommandMissing."""
    codec, why_none = offer.taken(found.hello)
    wanted = options.verification.checksum
    return Negotiated(
        protocol=found.protocol,
        way=found.way,
        compression=codec,
        compression_note=why_none,
        checksum=algorithm_of(found.hello, can_be_asked=not found.half_close) if wanted else "",
    )
