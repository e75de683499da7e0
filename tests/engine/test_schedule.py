"""Waves: each transfer in one of them, the next when all of one is over, none after an objection."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import pytest
from msgspec.structs import replace

from asynccp.engine.schedule import AllAtOnce, InWaves, Schedule, schedule_of
from asynccp.engine.state import TransferState
from asynccp.errors import CommandFailed
from asynccp.events import Amended, Event, WaveBegun, WaveEnded
from asynccp.options import Concurrency, Failures, OnFailure, Options, Share, Waves
from asynccp.plan.waves import waves_of
from asynccp.report import Outcome, Report, Result
from asynccp.target import Target, Transfer
from asynccp.wave import Wave

from .jobs import Copy, Copying, carried_out
from .scripted import ONCE, Recorder, scripted, targets
from .test_run import Plan, number_of, plan_of


@dataclass
class Canary:
    """One alone, and then the rest if that one is complete."""

    def waves(self, transfers: Sequence[Transfer]) -> Sequence[Wave]:
        parts = [tuple(transfers[:1]), tuple(transfers[1:])]
        return [Wave(number, 2, "", part) for number, part in enumerate(parts, 1)]

    def objection(self, failures: Sequence[Result]) -> str:
        return "the first one failed" if failures else ""


ASKED = Waves(canary=Share(1))


def in_waves(count: int, asked: Waves = ASKED) -> Plan:
    plan = plan_of(targets(count))
    return replace(plan, waves=waves_of(plan.transfers, asked))


@pytest.mark.parametrize(
    "schedule", [AllAtOnce(), Canary(), *(InWaves(in_waves(count).waves, 0) for count in (1, 2, 7))]
)
@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_transfer_is_in_one_wave(schedule: Schedule, count: int) -> None:
    transfers = plan_of(targets(count)).transfers
    if isinstance(schedule, InWaves) and sum(len(wave.transfers) for wave in schedule.planned) != count:
        pytest.skip("it is the schedule of a plan")
    waves = schedule.waves(transfers)
    assert [one for wave in waves for one in wave.transfers] == list(transfers)
    assert len({wave.number for wave in waves}) == len(waves)


async def test_a_wave_begins_when_the_one_before_is_over() -> None:
    begun: list[tuple[str, int]] = []
    over = 0

    async def copy(state: TransferState) -> None:
        nonlocal over
        begun.append((state.transfer.target.pod, over))
        await anyio.sleep(10)
        over += 1

    async with scripted() as cluster:
        job = Copying(copy)
        report = await carried_out(job, plan_of(targets(3)), cluster, ONCE, Recorder(), schedule=Canary())
    assert report.ok
    assert sorted(begun) == [("web-0", 0), ("web-1", 1), ("web-2", 1)]
    assert len(job.released) == 3


async def failing(state: TransferState) -> None:
    await anyio.lowlevel.checkpoint()
    raise CommandFailed("no space left")


async def test_what_an_objection_kept_from_beginning_is_failed_and_says_why() -> None:
    async with scripted() as cluster:
        report = await carried_out(Copying(failing), plan_of(targets(3)), cluster, ONCE, Recorder(), schedule=Canary())
    assert [one.outcome for one in report.results] == [Outcome.FAILED] * 3
    assert [one.error for one in report.results] == ["no space left"] + ["not begun, because the first one failed"] * 2
    assert report.exit_code == 1


def failed(*numbers: int) -> list[Result]:
    return [Result(Transfer(Target("default", f"web-{number}", "main"), "/x"), Outcome.FAILED) for number in numbers]


@pytest.mark.parametrize(
    ("asked", "failures", "why"),
    [
        (Waves(canary=Share(1)), (), ""),
        (Waves(canary=Share(1)), (3,), "1 pod failed (default/web-3)"),
        (Waves(size=Share(5)), (3, 4), "2 pods failed (default/web-3, default/web-4)"),
        (Waves(size=Share(5), most_failures=Share(1)), (3,), ""),
        (
            Waves(size=Share(5), most_failures=Share(1)),
            (3, 4),
            "2 pods failed (default/web-3, default/web-4), and no more than 1 may",
        ),
        (Waves(size=Share(5), most_failures=Share(2)), (3, 4, 4), ""),  # two paths of one pod
        (
            Waves(most_failures=Share(25, is_percent=True)),  # of 10 pods: 2
            (1, 2, 3),
            "3 pods failed (default/web-1, default/web-2, default/web-3), and no more than 2 may",
        ),
        (Waves(most_failures=Share(25, is_percent=True)), (1, 2), ""),
        (Waves(settle_s=5), (1, 2, 3, 4), ""),  # nothing is divided, and nobody has said how many may
        (Waves(settle_s=5, most_failures=Share(0)), (1,), "1 pod failed (default/web-1)"),
        (Waves(on_failure=OnFailure.ROLLBACK), (1,), "1 pod failed (default/web-1)"),
    ],
)
def test_how_many_pods_may_fail(asked: Waves, failures: Sequence[int], why: str) -> None:
    schedule = schedule_of(in_waves(10, asked).waves, asked)
    assert schedule.objection(failed(*failures)) == why


async def run_in_waves(
    copy: Copy, count: int, asked: Waves = ASKED, options: Options = ONCE, stop: anyio.Event | None = None
) -> tuple[Report, list[Event]]:
    events: list[Event] = []
    plan = in_waves(count, asked)
    async with scripted() as cluster:
        schedule = schedule_of(plan.waves, asked)
        report = await carried_out(Copying(copy), plan, cluster, options, events.append, stop, schedule)
    return report, events


async def test_results_and_the_report_tell_their_waves() -> None:
    async def copy(state: TransferState) -> None:
        await anyio.sleep(10)

    report, events = await run_in_waves(copy, 5, Waves(canary=Share(1), size=Share(2)))
    assert [one.wave for one in report.results] == [1, 2, 2, 3, 3]
    assert [(one.wave, one.name, one.pods, one.failed, one.stopped) for one in report.waves] == [
        (1, "canary", 1, 0, ""), (2, "", 2, 0, ""), (3, "", 2, 0, ""),
    ]  # fmt: skip
    assert [one.begun_s for one in report.waves] == pytest.approx([0, 10, 20], abs=0.5)
    assert [one.seconds for one in report.waves] == pytest.approx([10, 10, 10], abs=0.5)
    assert report.ok
    assert report.stopped is None
    told = [event for event in events if isinstance(event, WaveBegun | WaveEnded)]
    assert [type(event).__name__ for event in told] == ["WaveBegun", "WaveEnded"] * 3


async def test_a_canary_that_fails_is_the_last_that_began() -> None:
    report, events = await run_in_waves(failing, 4)
    why = "1 pod failed (default/web-0)"
    assert [one.error for one in report.results] == ["no space left"] + [f"not begun, because {why}"] * 3
    assert [(one.begun_s is None, one.failed, one.stopped) for one in report.waves] == [(False, 1, why), (True, 0, "")]
    assert report.stopped == report.waves[0]
    assert report.exit_code == 1
    assert [event.passed.stopped for event in events if isinstance(event, WaveEnded)] == [why]


async def test_in_a_wave_of_which_too_many_failed_nothing_more_begins_and_what_is_under_way_ends() -> None:
    async def copy(state: TransferState) -> None:
        await anyio.sleep(10 if number_of(state) == 0 else 20)
        if number_of(state) == 0:
            raise CommandFailed("no space left")

    two = Options(concurrency=Concurrency(sessions=2), failures=Failures(retries=0))
    report, _ = await run_in_waves(copy, 5, Waves(most_failures=Share(0)), two)
    not_begun = "not begun, because 1 pod failed (default/web-0)"
    assert [one.error for one in report.results] == ["no space left", "", not_begun, not_begun, not_begun]
    assert [one.outcome is Outcome.COMPLETE for one in report.results] == [False, True, False, False, False]
    assert report.waves[0].failed == 1, "what never began has not failed in it"
    assert report.exit_code == 23


async def test_all_that_failed_together_are_counted_in_what_is_said_of_the_others() -> None:
    report, _ = await run_in_waves(failing, 6, Waves(canary=Share(2)))
    why = "2 pods failed (default/web-0, default/web-1)"
    assert [one.error for one in report.results[2:]] == [f"not begun, because {why}"] * 4
    assert report.waves[0].stopped == why


async def test_what_never_began_says_so_when_the_run_is_interrupted_and_what_is_done_stays_done() -> None:
    stop = anyio.Event()

    async def copy(state: TransferState) -> None:
        await anyio.lowlevel.checkpoint()
        if number_of(state) == 1:
            stop.set()
            await anyio.sleep(10)

    report, _ = await run_in_waves(copy, 4, Waves(size=Share(1)), stop=stop)
    assert [(one.outcome, one.error) for one in report.results] == [
        (Outcome.COMPLETE, ""),
        (Outcome.INTERRUPTED, "interrupted before it was complete"),
        (Outcome.INTERRUPTED, "not begun, because the run was interrupted"),
        (Outcome.INTERRUPTED, "not begun, because the run was interrupted"),
    ]
    assert [one.begun_s is None for one in report.waves] == [False, False, True, True]
    assert report.exit_code == 130


def test_amended_results_are_events() -> None:
    assert Amended(failed(1)[0]).result.outcome is Outcome.FAILED
