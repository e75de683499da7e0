"""Push: one archive → many pods.

For each pod, in one exec: hello; what is there, and what of it differs (`engine.comparing`); then two tasks side by
side. One sends chunks of what the pod lacks at the pace of the connection. The other listens, because a tar that fails
stops reading: its word comes while our sends are stuck, and ends the sending. When the pod has received everything,
beside its place, the steps follow: files are compared if that is wanted, then it may put everything there.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from asynccp.engine.comparing import Changed, Compared, Comparing, owners_of
from asynccp.engine.compression import LEAST_SIZE, Offer, is_far, offer_push
from asynccp.engine.delivery import Delivery, settle
from asynccp.engine.digests import Digests
from asynccp.engine.gate import Confirm, gate_of
from asynccp.engine.orders import Orders
from asynccp.engine.run import Run
from asynccp.engine.schedule import schedule_of
from asynccp.engine.sessions import Greeted, Sessions
from asynccp.engine.shipments import Shipments
from asynccp.engine.state import Arrived, Negotiated, TransferState
from asynccp.engine.steps import Publish, Step, Verify
from asynccp.engine.verify import Comparison, algorithm_of
from asynccp.entry import Entry
from asynccp.errors import CommandMissing, Knob, UsageError
from asynccp.events import Listener, Observer, Started
from asynccp.kube.base import Cluster
from asynccp.options import Compression, OnFailure, Options, Rollout
from asynccp.plan.plan import PushPlan
from asynccp.remote.commands import PushRequest, read_for_pushes
from asynccp.remote.dialogue import send_line
from asynccp.report import Report
from asynccp.target import Transfer

if TYPE_CHECKING:
    from asynccp.engine.swap import Origin

read_for_pushes()


async def push(
    cluster: Cluster,
    plan: PushPlan,
    *,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
    confirm: Confirm | None = None,
) -> Report:
    """Carry a push out; return how it ended for each target, in the plan's order.

    Never raises for one target's trouble. Setting `stop` ends the run early: what isn't complete by then is reported as
    interrupted, and the remote commands are ended. confirm: asked before each wave.
    """
    options = options or Options()
    job = await push_job(cluster, plan, options)
    observer = observer or Listener()
    schedule = schedule_of(plan.waves, options.waves)
    gate = gate_of(cluster, options.waves, observer, confirm)
    run = Run(job, cluster, options, observer, schedule=schedule, gate=gate)
    if options.waves.on_failure is OnFailure.STOP:
        return await run.carry_out(plan, stop)
    from asynccp.engine.takeback import check_kept, taken_back  # few need it

    check_kept(options)
    report = await run.carry_out(plan, stop)
    if not report.stopped or report.stopped.begun_s is None:  # who has said no to a wave has not said to undo one
        return report
    return await taken_back(cluster, report, plan.layout.token, options, observer)


async def push_job(cluster: Cluster, plan: PushPlan, options: Options, *, changed: Changed = lambda _: ()) -> "PushJob":
    """Return the push of a plan."""
    far = is_far(cluster.connect_s) or options.concurrency.rate_per_s > 0
    offer = await offer_push(plan.layout, options.compression, far=far)
    return PushJob(plan, Sessions(cluster, options, plan.layout.token), offer, changed=changed)


class PushJob:
    """The push of one plan, as `engine.run.Job`. changed: files that are others than a pod was sent before."""

    direction = "push"
    digests_size = None  # we know what we push

    def __init__(self, plan: PushPlan, sessions: Sessions, offer: Offer, *, changed: Changed = lambda _: ()) -> None:
        self._plan = plan
        self._sessions = sessions
        self._offer = offer
        self._options = sessions.options
        self._comparing = Comparing(plan, self._options, changed=changed) if compares(self._options) else None
        self._shipments = Shipments(plan.layout)
        self._owners = owners_of(plan, self._options)
        self._digests = Digests(plan.entries)
        self._rollout = rollout = needed(self._options, plan)
        self._origin = _origin(rollout, plan) if rollout.swaps or rollout.has_hooks else None

    async def attempt(self, state: TransferState) -> None:
        transfer = state.transfer
        state.hooks, state.rolled_back = [], False
        request = push_request(self._plan, transfer, self._options, self._offer, self._comparing)
        request = request._replace(
            hooks=self._rollout.has_hooks, swapping=self._origin.swapping(transfer) if self._origin else None
        )
        async with self._sessions.greeted(transfer, request) as found:
            state.negotiated = Negotiated(protocol=found.protocol)
            state.negotiated = negotiated(found, self._offer, self._options)
            if compared := await self._compared(found, state):
                state.arrived = await self._synced(found, state, compared)
            else:
                plan = self._plan
                entries = await self._owners.entries(found.hello) if self._owners else plan.entries
                arrived = await self._shipped(found, state, entries)
                state.arrived = arrived._replace(size=plan.size, entries=len(plan.entries))

    async def release(self, state: TransferState) -> None:
        """Nothing is kept: an attempt starts over."""

    async def _compared(self, found: Greeted, state: TransferState) -> Compared | None:
        """Return what differs; None where everything is sent."""
        if self._comparing and found.hello.compares:
            return await self._comparing.compared(found, state, self._digests)
        if self._options.sync.delete:
            raise CommandMissing(
                "nothing can be removed: the container has neither dd nor head, so that its input has to be closed",
                hint=f"add one to the image, or push without {Knob.DELETE}",
            )
        return None

    async def _synced(self, found: Greeted, state: TransferState, compared: Compared) -> Arrived:
        """Have the pod become what the sources are, by what it lacks."""
        delta, effect = compared.delta, compared.effect
        orders, arrived = Orders(delta), Arrived(landed=self._landing(found, state))
        if delta.send or (delta.remove and self._rollout.swaps):
            arrived = await self._shipped(found, state, delta.send, orders)
        else:
            state.observer(Started(state.transfer, 0))
            async with found.conversation.watched():
                before, after = self._hooks(state)
                await settle(found.conversation, [*before, *orders.after, *after])
        return arrived._replace(
            size=effect.size,
            entries=effect.entries,
            tally=effect.tally,
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
        before, after = self._hooks(state)
        removal, rest = (orders.before, orders.after) if orders else ([], [])
        if self._rollout.swaps:
            from asynccp.engine.swap import Swap

            return [*verify, Swap([*removal, *rest], before), *after]
        return [*verify, *removal, Publish(half_close=found.half_close), *rest, *after]

    def _hooks(self, state: TransferState) -> tuple[list[Step], list[Step]]:
        if not self._rollout.has_hooks:
            return [], []
        from asynccp.engine.hooks import hooks  # few need it

        return hooks(self._rollout, state)


def needed(options: Options, plan: PushPlan) -> Rollout:
    """Return what of it a plan needs: one file takes its place at once anyway. Raises UsageError."""
    rollout, in_place = options.rollout, options.publishing.in_place
    if rollout.swaps and in_place:
        raise UsageError("what is overwritten in place can't be replaced at once", hint=f"leave {Knob.IN_PLACE} out")
    is_at_once = plan.renames and not (rollout.link or rollout.backups or rollout.before)
    return rollout._replace(atomic=rollout.atomic and not is_at_once)


def _origin(rollout: Rollout, plan: PushPlan) -> "Origin":
    from asynccp.engine.swap import Origin  # few need it, and it reads files

    return Origin(rollout, PushJob.direction, plan.digest)


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
        preserve_owner=options.attributes.sets_owner,
        chown=options.attributes.chown,
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
