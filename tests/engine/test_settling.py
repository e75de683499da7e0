"""Pods that are watched after their wave: who does not bear it is named, and nothing else is held against anybody."""

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from asynccp.engine.gate import gate_of
from asynccp.engine.run import Run
from asynccp.engine.schedule import schedule_of
from asynccp.engine.settling import Stand, stand_of, trouble
from asynccp.engine.state import TransferState
from asynccp.errors import ClusterError
from asynccp.events import Amended, Event, Wait, WaveWaits
from asynccp.options import Share, Waves
from asynccp.report import Outcome, Report
from asynccp.target import Json
from asynccp.wave import Wave

from .clock import JumpingLoop
from .jobs import Copying
from .scripted import ONCE, running, scripted, target, targets
from .test_run import number_of
from .test_schedule import in_waves

WELL = Stand("uid-1", True, "10:00", {"main": 1, "side": 0})


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (WELL, WELL, ""),
        (WELL, None, "the pod was deleted"),
        (WELL, WELL._replace(uid="uid-2"),
         "the pod was deleted, and another of the same name took its place"),
        (WELL, WELL._replace(ending=True), "the pod is being deleted"),
        (WELL._replace(ending=True), WELL._replace(ending=True), ""),
        (WELL, WELL._replace(restarts={"main": 1, "side": 1}), "container side was restarted"),
        (WELL, WELL._replace(ready=False, since="10:01", why="probe failed"),
         "the pod stopped being Ready: probe failed"),
        (WELL, WELL._replace(ready=False), "the pod stopped being Ready"),
        (WELL, WELL._replace(since="10:01"), "the pod was not Ready for a while"),
        (WELL._replace(ready=False), WELL._replace(ready=False), ""),
        (WELL._replace(ready=False), WELL._replace(since="10:01"), ""),
        (WELL._replace(ready=False), WELL._replace(ready=False, restarts={"main": 2}), "container main was restarted"),
    ],
)  # fmt: skip
def test_what_has_become_worse(before: Stand, now: Stand | None, told: str) -> None:
    assert trouble(before, now) == told


def pod(name: str, *, ready: bool = True, since: str = "10:00", restarts: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = dict(running(replace(target(name), restarts=restarts)))
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": since, "message": "a\x1b probe"}
    return {**found, "status": {**found["status"], "conditions": [{"type": "Initialized"}, condition]}}


def test_how_a_pod_stands_is_read_from_its_conditions_and_what_it_says_is_harmless() -> None:
    told = Stand("uid-web-0", False, "10:00", {"main": 2}, why="a\\x1b probe")
    assert stand_of(pod("web-0", ready=False, restarts=2)) == told
    assert stand_of({}) == Stand("", False, "", {})


Change = Callable[[dict[str, Json | Exception | None]], None]
ASKED = Waves(size=Share(2), settle_s=30)


async def settled(change: Change, asked: Waves = ASKED, count: int = 4) -> tuple[Report, list[Event], float]:
    """Return the report of a run in the course of which, after 10 seconds, something changes."""
    events: list[Event] = []
    plan = in_waves(count, asked)

    async def copy(state: TransferState) -> None:
        await anyio.sleep(1)

    async with scripted() as cluster:
        cluster.now.update({one.pod: pod(one.pod) for one in targets(count)})

        async def soon() -> None:
            await anyio.sleep(10)
            change(cluster.now)

        cluster.tasks.start_soon(soon)
        begun = anyio.current_time()
        gate = gate_of(cluster, asked, events.append, None)
        run = Run(Copying(copy), cluster, ONCE, events.append, schedule=schedule_of(plan.waves, asked), gate=gate)
        report = await run.carry_out(plan)
        return report, events, anyio.current_time() - begun


async def test_pods_that_stay_ready_are_waited_with_before_the_next_wave_and_at_the_end() -> None:
    report, events, seconds = await settled(lambda now: None)
    assert report.ok
    assert seconds == pytest.approx(62, abs=1)
    assert [one.seconds for one in report.waves] == pytest.approx([31, 31], abs=0.5)
    assert [event for event in events if isinstance(event, WaveWaits)] == [
        WaveWaits(1, 2, Wait.SETTLE, 30), WaveWaits(2, 2, Wait.SETTLE, 30),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (pod("web-1", ready=False), "the pod stopped being Ready: a\\x1b probe"),
        (pod("web-1", restarts=1), "container main was restarted"),
        (pod("web-1", since="10:07"), "the pod was not Ready for a while"),
        (None, "the pod was deleted"),
    ],
)
async def test_a_pod_that_does_not_bear_it_has_failed_and_no_other_wave_begins(now: Json | None, told: str) -> None:
    report, events, seconds = await settled(lambda pods: pods.update({"web-1": now}))
    error = f"{told}, after all was copied"
    assert [(one.outcome, one.error) for one in report.results] == [
        (Outcome.COMPLETE, ""),
        (Outcome.FAILED, error),
        (Outcome.FAILED, "not begun, because 1 pod failed (default/web-1)"),
        (Outcome.FAILED, "not begun, because 1 pod failed (default/web-1)"),
    ]
    assert seconds < 13, "nobody waits for the rest of the time"
    assert [(event.result.error, event.result.error_class) for event in events if isinstance(event, Amended)] == [
        (error, "Unsettled")
    ]
    assert (report.waves[0].failed, report.waves[1].begun_s) == (1, None)
    assert report.exit_code == 23


async def test_where_some_may_fail_the_others_are_watched_to_the_end() -> None:
    asked = ASKED._replace(most_failures=Share(1))
    report, _, seconds = await settled(lambda now: now.update({"web-1": None}), asked)
    assert [one.outcome for one in report.results] == [Outcome.COMPLETE, Outcome.FAILED, *[Outcome.COMPLETE] * 2]
    assert seconds == pytest.approx(62, abs=1)


async def test_an_answer_that_fails_is_no_news_and_one_that_never_comes_is() -> None:
    def fails(now: dict[str, Json | Exception | None]) -> None:
        now["web-0"] = ClusterError("the API server can't be reached")

    report, *_ = await settled(fails, ASKED._replace(most_failures=Share(4)), count=2)
    assert report.results[0].error == (
        "nobody could tell whether the pod stayed Ready: the API server can't be reached, after all was copied"
    )
    assert report.results[1].outcome is Outcome.COMPLETE


async def test_where_nobody_can_tell_how_pods_are_nothing_begins() -> None:
    asked, plan = Waves(size=Share(1), settle_s=5), in_waves(2, Waves(size=Share(1), settle_s=5))

    async def copy(state: TransferState) -> None:
        raise AssertionError(f"{number_of(state)} has begun")

    async with scripted() as cluster:
        cluster.now["web-0"] = ClusterError("pod web-0 can't be listed: pods is forbidden")
        gate = gate_of(cluster, asked, lambda _: None, None)
        run = Run(Copying(copy), cluster, ONCE, lambda _: None, schedule=schedule_of(plan.waves, asked), gate=gate)
        report = await run.carry_out(plan)
    why = "nobody can tell whether its pods are Ready: pod web-0 can't be listed: pods is forbidden"
    assert [one.error for one in report.results] == [f"not begun, because {why}"] * 2
    assert (report.waves[0].stopped, report.waves[0].begun_s, report.exit_code) == (why, None, 1)


@pytest.mark.parametrize(("answers", "complete"), [([True, True, True], 3), ([True, False], 1), ([False], 0)])
async def test_each_wave_is_asked_for_and_no_is_the_end(
    answers: Sequence[bool], complete: int, clock: JumpingLoop
) -> None:
    asked, plan, asked_for = Waves(size=Share(1), pause_s=60), in_waves(3, Waves(size=Share(1), pause_s=60)), []

    async def copy(state: TransferState) -> None:
        await anyio.lowlevel.checkpoint()

    async def confirm(wave: Wave) -> bool:
        await anyio.lowlevel.checkpoint()
        asked_for.append((wave.number, clock.now))
        return answers[wave.number - 1]

    begun = clock.now
    async with scripted() as cluster:
        gate = gate_of(cluster, asked, lambda _: None, confirm)
        run = Run(Copying(copy), cluster, ONCE, lambda _: None, schedule=schedule_of(plan.waves, asked), gate=gate)
        report = await run.carry_out(plan)
    assert [one.outcome for one in report.results].count(Outcome.COMPLETE) == complete
    assert [number for number, _ in asked_for] == list(range(1, len(answers) + 1))
    assert [at - begun for _, at in asked_for] == pytest.approx([0, 60, 120][: len(answers)])
    if complete < 3:
        assert report.results[-1].error == f"not begun, because wave {len(answers)} of 3 was not confirmed"
        assert report.stopped is not None
        assert report.stopped.wave == len(answers)
