"""All transfers of a plan: so many at a time, each to its result, until they are done or the run is stopped."""

import resource
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import anyio
import pytest
from msgspec import Struct

from asynccp.engine.state import Arrived, Negotiated, TransferState
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import (
    ClusterError,
    CommandFailed,
    CommandMissing,
    ConnectFailed,
    Refused,
    SessionLost,
    SourceChanged,
    SourceMissing,
    Stalled,
    TransferError,
)
from asynccp.options import OPENS_AT_ONCE, OPENS_PER_S, Concurrency, Failures, Options
from asynccp.report import Outcome, Report
from asynccp.target import Json, Skipped, Target, Transfer
from asynccp.wave import Wave

from .clock import JumpingLoop
from .jobs import Copy, Copying, carried_out
from .scripted import ONCE, Recorder, running, scripted, target, targets


class Plan(Struct, frozen=True):
    transfers: tuple[Transfer, ...]
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    not_kept: tuple[NotKept, ...] = ()
    waves: tuple[Wave, ...] = ()


def plan_of(to: Sequence[Target]) -> Plan:
    return Plan(tuple(Transfer(one, "/x") for one in to))


async def run(
    copy: Copy,
    to: Sequence[Target],
    options: Options | None = None,
    recorder: Recorder | None = None,
    stop: anyio.Event | None = None,
    now: dict[str, Json | Exception | None] | None = None,
) -> Report:
    async with scripted() as cluster:
        cluster.now.update(now or {})
        return await carried_out(Copying(copy), plan_of(to), cluster, options or ONCE, recorder or Recorder(), stop)


def number_of(state: TransferState) -> int:
    return int(state.transfer.target.pod.removeprefix("web-"))


async def at_once(state: TransferState) -> None:
    await anyio.lowlevel.checkpoint()


def failing(error: Exception) -> Copy:
    async def copy(state: TransferState) -> None:
        await anyio.lowlevel.checkpoint()
        raise error

    return copy


async def test_a_result_says_when_it_began_and_one_that_never_did_does_not() -> None:
    async def copy(state: TransferState) -> None:
        await anyio.sleep(10)
        raise SourceMissing("gone") if number_of(state) == 1 else CommandFailed("failed")

    one_by_one = ONCE._replace(concurrency=Concurrency(sessions=1), failures=Failures(retries=0))
    report = await run(copy, targets(3), one_by_one)
    assert [one.begun_s for one in report.results] == pytest.approx([0, 10, 20], abs=0.5)
    ended = await run(copy, targets(3), one_by_one._replace(failures=Failures(retries=0, fail_fast=True)))
    assert [one.begun_s is None for one in ended.results] == [False, True, True]


async def test_results_are_in_the_plans_order_whoever_is_first() -> None:
    async def copy(state: TransferState) -> None:
        await anyio.sleep(100 - number_of(state))

    recorder = Recorder()
    report = await run(copy, targets(5), recorder=recorder)
    assert [one.transfer.target.pod for one in report.results] == [f"web-{index}" for index in range(5)]
    assert list(recorder.results) == [f"web-{index}" for index in reversed(range(5))]
    assert list(recorder.results.values()) == report.results[::-1]
    assert report.ok


async def test_a_report_has_what_the_plan_left_out() -> None:
    plan = Plan(
        (Transfer(target(), "/x"),),
        (Skipped("a/b", "is Pending"),),
        (LeftOut(b"dev", "a device"),),
        (NotKept(b"su", "its capabilities"),),
    )
    async with scripted() as cluster:
        report = await carried_out(Copying(at_once, "pull"), plan, cluster, ONCE, Recorder())
    assert (report.direction, tuple(report.skipped), report.left_out) == ("pull", plan.skipped, plan.left_out)
    assert report.not_kept == plan.not_kept


async def test_a_plan_without_transfers_is_done_at_once() -> None:
    assert (await run(at_once, [])).results == []


async def test_seconds_are_those_of_the_transfer_itself() -> None:
    async def copy(state: TransferState) -> None:
        await anyio.sleep(10)

    report = await run(copy, targets(3), Options(concurrency=Concurrency(sessions=1)))
    assert [one.seconds for one in report.results] == pytest.approx([10] * 3)
    assert report.seconds == pytest.approx(30, abs=0.1)


class Crowd:
    """Counts who is under way, in all and on each node."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.begun_at: list[float] = []
        self.ended_at: dict[str, float] = {}

    async def copy(self, state: TransferState) -> None:
        places = ("in all", state.transfer.target.node)
        self.begun_at.append(anyio.current_time())
        self._now.update(places)
        self.most |= self._now
        await anyio.sleep(self._seconds)
        self._now.subtract(places)
        self.ended_at[state.transfer.target.pod] = anyio.current_time()


@pytest.mark.parametrize("sessions", [1, 7, 30, 100])
async def test_no_more_sessions_than_asked_for_and_no_fewer(sessions: int) -> None:
    crowd = Crowd()
    report = await run(crowd.copy, targets(30), Options(concurrency=Concurrency(sessions=sessions)))
    assert crowd.most["in all"] == min(sessions, 30)
    assert report.ok


async def test_no_more_sessions_on_a_node_than_asked_for() -> None:
    crowd = Crowd()
    pods = [target(f"web-{index}", node=f"node-{index % 3}") for index in range(30)]
    await run(crowd.copy, pods, Options(concurrency=Concurrency(sessions=20, sessions_per_node=4)))
    assert crowd.most == Counter({"in all": 12, "node-0": 4, "node-1": 4, "node-2": 4})


async def test_who_waits_for_a_full_node_keeps_no_place_from_others() -> None:
    crowd = Crowd(seconds=100)
    pods = [*(target(f"web-{index}", node="crowded") for index in range(5)), target("alone", node="empty")]
    begun = anyio.current_time()
    await run(crowd.copy, pods, Options(concurrency=Concurrency(sessions=2, sessions_per_node=1)))
    assert crowd.ended_at["alone"] - begun == pytest.approx(100, abs=0.1)
    assert crowd.most["in all"] == 2


async def test_a_place_is_free_again_after_a_failure() -> None:
    report = await run(
        failing(SourceMissing("gone")), targets(10), Options(concurrency=Concurrency(sessions=1, sessions_per_node=1))
    )
    assert [one.outcome for one in report.results] == [Outcome.FAILED] * 10


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """The soft limit of macOS; returns the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("sessions", "least"), [(1, 256), (64, 600), (200, 1700)])
async def test_a_large_run_gets_the_descriptors_it_needs(sessions: int, least: int, few_descriptors: int) -> None:
    await run(at_once, targets(1), Options(concurrency=Concurrency(sessions=sessions)))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == few_descriptors
    assert soft >= (least if hard == resource.RLIM_INFINITY else min(least, hard))
    assert soft == 256 or sessions > 1, "what will do is left alone"


async def test_a_few_pods_begin_at_once() -> None:
    crowd = Crowd(seconds=1000)
    await run(crowd.copy, targets(OPENS_AT_ONCE // 2), Options())
    assert len(set(crowd.begun_at)) == 1


async def test_a_fleet_does_not_arrive_as_one_blow() -> None:
    crowd = Crowd(seconds=1000)
    await run(crowd.copy, targets(400), Options(concurrency=Concurrency(sessions=1000, sessions_per_node=1000)))
    took = crowd.begun_at[-1] - crowd.begun_at[0]
    assert took == pytest.approx((400 - OPENS_AT_ONCE) / OPENS_PER_S, rel=0.15)
    later = [at for at in crowd.begun_at if at > crowd.begun_at[0]]
    assert len(later) >= 400 - 2 * OPENS_AT_ONCE
    gaps = {round(b - a, 6) for a, b in pairwise(later)}
    assert len(gaps) > 100, "each a little early or late by chance"
    assert min(gaps) >= 0.5 / OPENS_PER_S - 1e-6


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (SourceMissing("/x does not exist", hint="look"), Outcome.FAILED, 1),
        (CommandMissing("there is no tar", hint="-c"), Outcome.FAILED, 1),
        (SourceChanged("a.log changed"), Outcome.CHANGED, 24),
        (SessionLost("gone"), Outcome.FAILED, 1),
    ],
)
async def test_one_pods_trouble_is_its_result(error: TransferError, outcome: Outcome, code: int) -> None:
    report = await run(failing(error), targets(1))
    (result,) = report.results
    assert (result.outcome, result.error, result.hint) == (outcome, str(error), error.hint)
    assert report.exit_code == code


async def test_the_others_go_on_when_one_fails() -> None:
    async def copy(state: TransferState) -> None:
        await anyio.sleep(1)
        if number_of(state) == 3:
            raise SourceMissing("gone")
        await anyio.sleep(10)

    report = await run(copy, targets(6))
    assert [one.outcome is Outcome.COMPLETE for one in report.results] == [True, True, True, False, True, True]
    assert report.exit_code == 23


async def test_what_has_arrived_and_moved_is_in_the_result_however_it_ends() -> None:
    async def copy(state: TransferState) -> None:
        state.negotiated, state.arrived = Negotiated(protocol="v4"), Arrived(size=30, entries=2)
        state.advance(1000, 1000)
        state.advance(500, 500)
        if number_of(state) == 1:
            raise SessionLost("gone")

    recorder = Recorder()
    report = await run(copy, targets(2), recorder=recorder)
    for result in report.results:
        assert (result.protocol, result.size, result.entries, result.wire_size) == ("v4", 30, 2, 1500)
    assert recorder.advanced_by == {"web-0": 1500, "web-1": 1500}


async def test_what_was_left_out_makes_a_transfer_partial() -> None:
    async def copy(state: TransferState) -> None:
        state.arrived = Arrived(left_out=[LeftOut(b"dev", "a device")])

    report = await run(copy, targets(1))
    assert report.results[0].outcome is Outcome.PARTIAL
    assert report.results[0].left_out == (LeftOut(b"dev", "a device"),)
    assert report.exit_code == 23


async def test_what_could_not_be_done_makes_a_transfer_partial_though_all_entries_came() -> None:
    async def copy(state: TransferState) -> None:
        state.arrived = Arrived(not_kept=[NotKept(b"dir", "its time")], is_partial=True)

    report = await run(copy, targets(1))
    (result,) = report.results
    assert (result.outcome, result.left_out) == (Outcome.PARTIAL, ())
    assert result.not_kept == (NotKept(b"dir", "its time"),)
    assert report.exit_code == 23


async def test_what_was_not_kept_alone_leaves_a_transfer_complete() -> None:
    async def copy(state: TransferState) -> None:
        state.arrived = Arrived(not_kept=[NotKept(b"su", "its set-user-id bit")])

    report = await run(copy, targets(1))
    assert report.ok
    assert report.results[0].not_kept == (NotKept(b"su", "its set-user-id bit"),)


async def test_a_strict_run_fails_with_the_pods_that_it_skipped() -> None:
    plan = Plan((Transfer(target(), "/x"),), (Skipped("a/b", "is Pending"),))
    async with scripted() as cluster:
        options = Options(failures=Failures(retries=0, strict=True))
        report = await carried_out(Copying(at_once, "pull"), plan, cluster, options, Recorder())
    assert report.exit_code == 23


DELETED: dict[str, Json | Exception | None] = {"web-0": None}


@pytest.mark.parametrize("kind", [SessionLost, Stalled, ConnectFailed, CommandFailed, Refused])
async def test_an_error_that_the_pods_end_may_be_behind_tells_of_it(kind: type[TransferError]) -> None:
    report = await run(failing(kind("nothing moved", hint="wait")), targets(2), now=DELETED)
    assert [one.error for one in report.results] == ["the pod was deleted (nothing moved)", "nothing moved"]
    assert [one.hint for one in report.results] == ["run it again for the pods that are there now", "wait"]


async def test_a_container_whose_restart_is_told_late_gets_no_further_attempt() -> None:
    """The kubelet tells of a restart seconds after the session is lost: the copy must not go on in what came after."""
    attempts: list[float] = []
    restarted = {**running(target()), "metadata": {"name": "web-0", "namespace": "default", "uid": "another"}}

    async with scripted() as cluster:

        async def copy(state: TransferState) -> None:
            attempts.append(anyio.current_time())
            tasks.start_soon(tell_later)
            raise SessionLost("gone")

        async def tell_later() -> None:
            await anyio.sleep(0.1)
            cluster.now["web-0"] = restarted

        async with anyio.create_task_group() as tasks:
            report = await carried_out(Copying(copy), plan_of(targets(1)), cluster, Options(), Recorder())
    assert len(attempts) == 1
    assert report.results[0].error == "the pod was deleted, and another of the same name took its place"


@pytest.mark.parametrize("error", [SourceMissing("gone"), SourceChanged("changed"), CommandMissing("no tar")])
async def test_other_errors_are_the_whole_story(error: TransferError) -> None:
    report = await run(failing(error), targets(1), now=DELETED)
    assert report.results[0].error == str(error)


async def test_a_cluster_that_cannot_be_asked_does_not_hide_the_error() -> None:
    report = await run(failing(SessionLost("gone")), targets(1), now={"web-0": ClusterError("no route")})
    assert report.results[0].error == "gone"


async def test_a_cluster_that_does_not_answer_does_not_hold_the_run(
    clock: JumpingLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted() as cluster:
        monkeypatch.setattr(cluster, "find_pod", lambda target: anyio.sleep_forever())
        begun = clock.now
        report = await carried_out(Copying(failing(Stalled("still"))), plan_of(targets(3)), cluster, ONCE, Recorder())
    assert [one.error for one in report.results] == ["still"] * 3
    assert clock.now - begun < 6


async def test_a_replaced_pod_is_told() -> None:
    report = await run(failing(Stalled("still")), targets(1), now={"web-0": running(target("other"))})
    assert report.results[0].error.startswith("the pod was deleted, and another of the same name took its place (still")


async def test_a_defect_of_ours_stops_the_run_as_what_it_is() -> None:
    async def copy(state: TransferState) -> None:
        await anyio.sleep(1)
        if number_of(state) == 1:
            raise ZeroDivisionError
        await anyio.sleep_forever()

    async with scripted() as cluster:
        with pytest.raises(ZeroDivisionError):
            await carried_out(Copying(copy), plan_of(targets(3)), cluster, ONCE, Recorder())


async def test_stop_interrupts_who_is_under_way_and_who_waits_and_tells_the_observer(clock: JumpingLoop) -> None:
    stop, ended = anyio.Event(), []

    async def copy(state: TransferState) -> None:
        if number_of(state) == 0:
            return
        try:
            state.advance(100, 100)
            await anyio.sleep_forever()
        finally:
            ended.append(number_of(state))

    async def stop_soon() -> None:
        await anyio.sleep(60)
        stop.set()

    recorder, begun = Recorder(), clock.now
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_soon)
        report = await run(copy, targets(6), Options(concurrency=Concurrency(sessions=3)), recorder, stop)
    outcomes = [one.outcome for one in report.results]
    assert outcomes == [Outcome.COMPLETE, *[Outcome.INTERRUPTED] * 5]
    never = "not begun, because the run was interrupted"
    assert [one.error for one in report.results[1:]] == ["interrupted before it was complete"] * 3 + [never] * 2
    assert [one.wire_size for one in report.results] == [0, 100, 100, 100, 0, 0]
    assert sorted(ended) == [1, 2, 3], "those under way were ended, the others never begun"
    assert list(recorder.results.values()) == report.results
    assert report.exit_code == 130
    assert clock.now - begun == pytest.approx(60)


async def test_a_run_that_is_stopped_before_it_begins_opens_nothing() -> None:
    stop, begun = anyio.Event(), []
    stop.set()

    async def copy(state: TransferState) -> None:
        begun.append(state)
        await anyio.sleep_forever()

    report = await run(copy, targets(100), stop=stop)
    assert [one.outcome for one in report.results] == [Outcome.INTERRUPTED] * 100
    assert begun == []


async def test_a_stop_that_never_comes_does_not_hold_the_run() -> None:
    assert (await run(at_once, targets(2), stop=anyio.Event())).ok


async def test_who_was_complete_before_the_stop_stays_so() -> None:
    stop = anyio.Event()
    recorder = Recorder(on_finished=lambda result: stop.set())
    report = await run(at_once, targets(1), recorder=recorder, stop=stop)
    assert report.ok
