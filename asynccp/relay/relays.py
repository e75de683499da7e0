"""Relays: asynccp's own processes in the cluster, each with a shard of the plan, near the pods that it copies to.

What is pushed crosses the line to the API server once, to one relay, from which the others take it; then each sends its
pods what they lack, over the cluster's own network. Events and results come back over one exec for each relay. What a
relay that dies had not finished, another one does.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
from msgspec.structs import replace

from asynccp import __version__
from asynccp.archive.layout import ArchiveLayout
from asynccp.engine.compression import offer_push
from asynccp.engine.group import single_error
from asynccp.errors import DestinationError, Interrupted, Refused, TransferError, UsageError, WorkerLost
from asynccp.events import Listener, Observer
from asynccp.kube.cluster import KubernetesCluster
from asynccp.options import Options
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay.dealt import MOST_DEATHS, Dealt
from asynccp.relay.deployed import Deployed, deployed
from asynccp.relay.gathered import Gathered
from asynccp.relay.job import CONTAINER, RelayPod, Wanted, rules
from asynccp.relay.lines import CODEC, Conclude, Order, Over, Ready, task_line
from asynccp.relay.pipe import Lines, Worker
from asynccp.relay.podpipe import opened
from asynccp.relay.received import Received
from asynccp.relay.shards import shards_near, why_not_by_relays
from asynccp.relay.supply import GiverLost, Supply, heard
from asynccp.report import Report
from asynccp.sinks.destinations import destination_of
from asynccp.target import Target, is_store

_COMMAND = ("python3", "-m", "asynccp.relay.worker")


class Relays:
    """wanted: how many, of which image, where."""

    def __init__(self, cluster: KubernetesCluster, wanted: Wanted) -> None:
        self._cluster = cluster
        self._wanted = wanted

    async def carry_out(
        self,
        plan: PushPlan | PullPlan,
        *,
        options: Options | None = None,
        observer: Observer | None = None,
        stop: anyio.Event | None = None,
    ) -> Report:
        """Return how each transfer ended, in the plan's order.

        Raises UsageError for a plan that relays can't carry out, PlanError where none can be had.
        """
        options, stop, wanted = options or Options(), stop or anyio.Event(), self._wanted
        begun_at = anyio.current_time()
        if why := why_not_by_relays(plan, options, wanted.namespace, has_account=bool(wanted.account)):
            raise UsageError(f"relays can't do that: {why}", hint="leave the relays out")
        received = None
        if isinstance(plan, PullPlan):
            if is_store(plan.destination):
                destination_of(plan.destination, options)  # what a store does not do is refused now
            else:
                received = Received(plan, options)
        logs = isinstance(plan, PullPlan) and plan.has_logs
        allowed = rules(logs=logs, ephemeral=bool(options.ephemeral.image))
        gathered = Gathered(plan, options, observer or Listener())
        async with deployed(self._cluster, wanted, allowed) as relays:
            pods = await _unless(stop, relays)
            if not pods:
                gathered.give_up(plan.transfers, Interrupted("interrupted before it was begun"))
                return gathered.report(anyio.current_time() - begun_at)
            crew = _Crew(self._cluster, relays, pods, wanted.namespace, await _supply(plan, options))
            shards = shards_near(plan, [one.node for one in pods])
            try:
                report = await Dealt(plan, options, shards, crew, gathered, begun_at, received).carry_out(stop)
                if received:
                    return await received.finish(report)
            finally:
                if received:
                    await received.close()
            return report if isinstance(plan, PushPlan) else await crew.conclude(plan, options, report)


async def _unless(stop: anyio.Event, relays: Deployed) -> Sequence[RelayPod]:
    """Return the relays that have begun; none if the run is to stop before."""
    pods: Sequence[RelayPod] = ()
    with single_error():
        async with anyio.create_task_group() as tasks:

            async def give_up() -> None:
                await stop.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(give_up)
            pods = await relays.begun()
            await relays.keep()
            tasks.cancel_scope.cancel()
    return pods


async def _supply(plan: PushPlan | PullPlan, options: Options) -> "Supply | None":
    """Return how the sources of a push get to relays."""
    if isinstance(plan, PullPlan):
        return None
    offer = await offer_push(plan.layout, options.compression, far=True)
    return Supply(plan, CODEC if offer.codecs else "")


class _Crew:
    """`Crew` of the relays. A shard has its own as long as that lives, else any other."""

    def __init__(
        self,
        cluster: KubernetesCluster,
        relays: Deployed,
        pods: Sequence[RelayPod],
        namespace: str,
        supply: Supply | None,
    ) -> None:
        self._cluster, self._relays, self._namespace, self._supply = cluster, relays, namespace, supply
        self._own = dict(enumerate(pods))
        self._lost: list[str] = []

    @asynccontextmanager
    async def worker(self, number: int) -> AsyncIterator[Worker]:
        pod = self._own[number]
        if pod.name in self._lost:
            pod = self._own[number] = await self._relays.other(self._lost)
        try:
            async with AsyncExitStack() as stack:
                yield await self._ready(pod, stack)
        except WorkerLost:
            self._lost.append(pod.name)
            raise

    async def _ready(self, pod: RelayPod, stack: AsyncExitStack) -> Worker:
        """Return a worker that has the sources, which it may take several to get."""
        while True:
            worker = await self._opened(pod, stack)
            ready = await heard(worker, Ready)
            if ready.version != __version__:
                raise Refused(
                    f"the relays' image has asynccp {ready.version}, and this is {__version__}",
                    hint="take an image of the same version",
                )
            try:
                if self._supply:
                    await self._supply.bring(pod, self._namespace, worker)
                return worker
            except GiverLost:  # there is one less to ask
                await stack.aclose()

    async def _opened(self, pod: RelayPod, stack: AsyncExitStack) -> Worker:
        target = Target(self._namespace, pod.name, CONTAINER)
        try:
            pipe = await stack.enter_async_context(opened(self._cluster, target, _COMMAND))
        except TransferError as exc:
            raise WorkerLost(f"its relay {pod.name} can't be reached: {exc}", hint=exc.hint) from exc
        return Worker(pipe, Lines(pipe))

    def order(self, plan: PushPlan | PullPlan, options: Options) -> Order:
        if isinstance(plan, PullPlan):
            return Order(plan, options, is_part=is_store(plan.destination), sends=not is_store(plan.destination))
        assert self._supply
        return Order(replace(plan, layout=ArchiveLayout((), plan.layout.token)), options, sources=self._supply.digest)

    async def conclude(self, plan: PullPlan, options: Options, report: Report) -> Report:
        """Have a relay write what tells of all that they have put into a store; return the report, which may be of
        nothing then.
        """
        task = Conclude(plan.destination, options, report.dumps(), report.is_nothing)
        error: TransferError | None = None
        with anyio.CancelScope(shield=True):  # the run is over, and short is what is left
            for _ in range(MOST_DEATHS):
                try:
                    async with self.worker(0) as worker:
                        await worker.pipe.send(task_line(task).encode() + b"\n")
                        await heard(worker, Over)
                    return report
                except TransferError as exc:
                    error = exc
        return report.spoiled(DestinationError(f"the manifest was not written: {error}"))
