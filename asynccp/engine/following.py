"""Following: a push that goes on. Pods that come, or are restarted, get what the sources are; and so do all when the
sources change.

There is a generation for each state of the sources: a run of its own (`engine.run`), whose source hands it one transfer
after another. A container is in one generation at a time; when it is done, and there is a newer one by then, it is in
that. So a pod that is slow keeps no other from what is new, and leaves out what was new in between; and where something
is saved all the time, it goes through each node's pods in turn.

What fails because a connection did is tried again for as long as the container runs: whoever follows a fleet wants it
to be right in the end. All else is tried again when something has changed.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct
from msgspec.structs import replace

from asynccp.engine.abreast import Abreast
from asynccp.engine.changing import plans as plans_of
from asynccp.engine.fleet import Fixed, Fleet, Instance, Search, instance_of, searches_of
from asynccp.engine.group import single_error
from asynccp.engine.push import push_job
from asynccp.engine.run import Run
from asynccp.engine.targets import Found
from asynccp.entry import Kind
from asynccp.errors import ClusterError, NoTargets, may_pass
from asynccp.events import Event, Finished, Listener, Observer, Standing
from asynccp.kube.base import Cluster
from asynccp.options import Options
from asynccp.plan.plan import PushPlan
from asynccp.report import Outcome, Report, Result, repeated
from asynccp.target import Selection, Skipped, Transfer

WAITS_S = (2.0, 5.0, 10.0, 30.0)  # before what a connection has cost is tried again, behind the run's own retries
SLOW_S = 2.0  # after which who is under way counts as slow, and keeps no other of its node waiting
MOST_PLACES = 20_000
"""Containers that are remembered, those that are gone too: some 2 KiB each."""
GONE = "was deleted, or restarted, before it was complete"

Content = Mapping[bytes, object]
"""What tells each file of the sources from what it was before, by its path."""


class Wanted(Protocol):
    """Who is to have it."""

    @property
    def wanted(self) -> Mapping[Instance, Transfer]: ...
    @property
    def skipped(self) -> Sequence[Skipped]: ...


class _Place(Struct):
    """A container that is, or was, wanted.

    result: the last one; good: the last that was no failure. has: what of the sources it got last; None: nobody knows
    what it has. generation: the newest that it is done with. under_way: the one that it is in, 0 for none. beside: how
    many of its node were under way when it began, itself included. begun, not_before: of the loop's clock.
    """

    transfer: Transfer
    result: Result | None = None
    good: Result | None = None
    has: Content | None = None
    generation: int = 0
    under_way: int = 0
    beside: int = 0
    begun: float = 0.0
    failures: int = 0
    not_before: float = 0.0

    @property
    def node(self) -> str:
        return self.transfer.target.host


class _Generation:
    """One state of the sources, and the source of the transfers that it is for."""

    def __init__(self, number: int, plan: PushPlan, room: int) -> None:
        self.number = number
        self.plan = plan
        self.content = content_of(plan)
        self.stop = anyio.Event()
        self.over = anyio.Event()
        self._send, self._receive = anyio.create_memory_object_stream[Transfer](room)

    def give(self, transfer: Transfer) -> None:
        self._send.send_nowait(transfer)

    def close(self) -> None:
        """Nobody else comes."""
        self._send.close()

    async def found(self) -> AsyncIterator[Found]:
        async for one in self._receive:
            yield Found([one])

    def finish(self) -> None:
        """All are done."""
        self._send.close()
        self._receive.close()
        self.over.set()


class Following:
    """A push that goes on until it is stopped."""

    def __init__(self, cluster: Cluster, wanted: Wanted, options: Options, observer: Observer) -> None:
        self._cluster = cluster
        self._wanted = wanted
        self._options = options
        self._observer = observer
        self._places: dict[Instance, _Place] = {}
        self._current: _Generation | None = None
        self._open: list[_Generation] = []
        self._wake = anyio.Event()
        self._told: Standing | None = None
        self._abreast = Abreast()

    async def carry_out(
        self, plan: PushPlan, over: anyio.Event, plans: AsyncIterator[PushPlan] | None = None
    ) -> Report:
        """Go on until `over` is set; return the report. plans: of sources that have changed."""
        begun = anyio.current_time()
        with single_error():
            async with anyio.create_task_group() as tasks:
                await self._begin(plan, tasks)
                tasks.start_soon(self._ended_by, over)
                if plans:
                    tasks.start_soon(self._renew, plans, tasks)
                while not over.is_set():
                    self._hand_out()
                    await self._rest()
                await self._end()
                tasks.cancel_scope.cancel()
        return self._report(anyio.current_time() - begun)

    def wake(self) -> None:
        """Say that something has changed."""
        self._wake.set()

    async def _ended_by(self, over: anyio.Event) -> None:
        await over.wait()
        self.wake()

    async def _rest(self) -> None:
        """Wait until something changes, or it is time to try again."""
        now, places = anyio.current_time(), self._places.values()
        times = [one.begun + SLOW_S if one.under_way else one.not_before for one in places]
        waits_s = [time - now for time in times if time > now]
        with anyio.move_on_after(min(waits_s) if waits_s else None):
            await self._wake.wait()
        self._wake = anyio.Event()

    async def _renew(self, plans: AsyncIterator[PushPlan], tasks: TaskGroup) -> None:
        async for plan in plans:
            await self._begin(plan, tasks)

    async def _begin(self, plan: PushPlan, tasks: TaskGroup) -> None:
        """Begin a generation. The one before takes in nobody any more."""
        number = self._current.number + 1 if self._current else 1
        generation = _Generation(number, plan, self._options.concurrency.sessions)
        job = await push_job(self._cluster, plan, self._options, changed=lambda one: self._changed(one, generation))
        if self._current:
            self._current.close()
        self._current = generation
        self._open.append(generation)
        run = Run(job, self._cluster, self._options, lambda event: self._hear(event, generation))

        async def carry_out() -> None:
            try:
                await run.carry_out(replace(plan, transfers=(), skipped=()), generation.stop, generation)
            finally:
                generation.finish()
            self._open.remove(generation)

        tasks.start_soon(carry_out)
        self.wake()

    def _changed(self, transfer: Transfer, generation: _Generation) -> Collection[bytes]:
        """Return which files are others than what a container got last; by size and time they may look the same."""
        has = self._places[instance_of(transfer)].has
        if has is None:
            return ()
        return {path for path, what in generation.content.items() if has.get(path, what) != what}

    def _hand_out(self) -> None:
        """Give the current generation who is to have it, and has room: first who has waited for longest."""
        assert self._current
        wanted, now = self._wanted.wanted, anyio.current_time()
        for instance, transfer in wanted.items():
            self._places.setdefault(instance, _Place(transfer))
        room = self._options.concurrency.sessions - sum(bool(one.under_way) for one in self._places.values())
        places = [self._places[one] for one in wanted]
        busy = Counter(one.node for one in places if one.under_way and now < one.begun + SLOW_S)
        for place in sorted((one for one in places if self._is_due(one, now)), key=lambda one: one.begun):
            is_new = place.has is None  # who has nothing yet doesn't wait for those that have something
            if room > 0 and (is_new or busy[place.node] < self._abreast.most(place.node)):
                room -= 1
                busy[place.node] += 1
                place.beside, place.begun = busy[place.node], now
                place.under_way, place.not_before = self._current.number, 0.0
                self._current.give(place.transfer)
        self._tell(wanted)
        if len(self._places) > MOST_PLACES:
            self._forget(wanted)

    def _is_due(self, place: _Place, now: float) -> bool:
        assert self._current
        return not place.under_way and place.generation < self._current.number and place.not_before <= now

    def _forget(self, wanted: Mapping[Instance, Transfer]) -> None:
        """Let go of those that went first: who follows a fleet for weeks has a report of those that were there last."""
        gone = [one for one, place in self._places.items() if one not in wanted and not place.under_way]
        for one in gone[: len(self._places) - MOST_PLACES // 2]:
            del self._places[one]

    def _tell(self, wanted: Mapping[Instance, Transfer]) -> None:
        assert self._current
        those = [self._places[one] for one in wanted]
        standing = Standing(
            pods=len(those),
            current=sum(one.generation == self._current.number and not _has_failed(one) for one in those),
            under_way=sum(bool(one.under_way) for one in those),
            failed=sum(map(_has_failed, those)),
        )
        if standing != self._told:
            self._told = standing
            self._observer(standing)

    def _hear(self, event: Event, generation: _Generation) -> None:
        if isinstance(event, Finished):
            self._finished(event.result, generation)
        self._observer(event)

    def _finished(self, result: Result, generation: _Generation) -> None:
        place = self._places[instance_of(result.transfer)]
        place.under_way = 0
        place.result = repeated(place.result, result)
        if not result.outcome.is_failure:
            if place.has is not None:
                self._abreast.learn(place.node, anyio.current_time() - place.begun, place.beside)
            place.has, place.failures, place.generation = generation.content, 0, generation.number
            place.good = place.result
        elif may_pass(result.error_class):
            place.not_before = anyio.current_time() + WAITS_S[min(place.failures, len(WAITS_S) - 1)]
            place.failures += 1
        elif result.outcome is not Outcome.INTERRUPTED:
            place.generation = generation.number
        self.wake()

    async def _end(self) -> None:
        """End what is under way."""
        for one in self._open:
            one.stop.set()
        for one in list(self._open):
            await one.over.wait()

    def _report(self, seconds: float) -> Report:
        """Tell how it ended for each container, by its name: of the last that was called so."""
        wanted, results, gone = self._wanted.wanted, dict[tuple[str, str, str], Result](), dict[str, None]()
        for instance, place in self._places.items():
            target, result = place.transfer.target, place.result if instance in wanted else place.good
            if result:
                results[target.of_pod, target.container, place.transfer.path] = result
            elif place.result:
                gone[target.of_pod] = None
        served = {one.transfer.target.of_pod for one in results.values()}
        assert self._current
        newest = self._current.plan
        return Report(
            "push",
            list(results.values()),
            [*self._wanted.skipped, *(Skipped(pod, GONE) for pod in gone if pod not in served)],
            newest.left_out,
            seconds,
            newest.not_kept,
            self._options.failures.strict,
            sources=newest.as_sources,
        )


def content_of(plan: PushPlan) -> Content:
    """Return what tells each file of a plan from what it was before."""
    return {one.path: (one.size, one.origin) for one in plan.entries if one.kind is Kind.FILE}


async def follow(
    cluster: Cluster,
    plan: PushPlan,
    selection: Selection | None,
    replan: Callable[[], Awaitable[PushPlan]] | None = None,
    *,
    for_s: float = 0.0,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Push to whom a selection means, until `stop` is set, or some seconds have passed; return how it ended.

    selection: None: to those that the plan has. replan: makes the plan anew; None: the sources stay as they are. tell:
    is told what keeps it from being made. Raises ClusterError when pods can't be watched, PlanError when sources can't.
    """
    options, observer, over = options or Options(), observer or Listener(), anyio.Event()
    fleet = None if selection is None else Fleet(selection, searches_of(cluster, selection))
    following = Following(cluster, fleet or Fixed(plan.transfers, plan.skipped), options, observer)

    async def end() -> None:
        with anyio.move_on_after(for_s or None):
            await (stop or anyio.Event()).wait()
        over.set()

    with single_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end)
            if fleet:
                tasks.start_soon(_listen, cluster, fleet, following.wake)
            plans = plans_of(plan.sources, replan, plan, tell) if replan else None
            report = await following.carry_out(plan, over, plans)
            tasks.cancel_scope.cancel()
    return report


async def _listen(cluster: Cluster, fleet: Fleet, wake: Callable[[], None]) -> None:
    """Hear of the pods of all searches, for ever. Raises ClusterError where there is one cluster."""

    async def hear(number: int, search: Search) -> None:
        member = cluster.members.get(search.context, cluster)
        try:
            async for news in member.watch_pods(search.selector, search.namespace, fleet.selection.fields):
                fleet.hear(number, news)
                wake()
        except (ClusterError, NoTargets) as exc:
            if not search.context:
                raise
            fleet.lose(search.context, str(exc))

    with single_error():
        async with anyio.create_task_group() as tasks:
            for number, search in enumerate(fleet.searches):
                tasks.start_soon(hear, number, search)


def _has_failed(place: _Place) -> bool:
    return place.result is not None and place.result.outcome.is_failure
