"""Pulls on a period: when a round begins, when there is none any more, and what is told of all of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from asynccp.engine.rounds import rounds
from asynccp.errors import NoTargets
from asynccp.events import Listener
from asynccp.plan.plan import PullPlan, build_pull
from asynccp.report import Outcome, Report
from asynccp.target import Log, Target, Transfer

from .clock import JumpingLoop
from .scripted import ONCE, TOKEN, running, scripted, target


class Course:
    """Rounds of one log, each of which takes `takes_s`. begun: when each was asked for; told: what stood in the way."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.begun: list[float] = []
        self.told: list[str] = []
        self.stop = anyio.Event()
        self.away = range(0)  # the plans that can't be made
        self._plans = 0
        self._start = anyio.current_time()

    async def logs(self, _: Target, __: Log) -> AsyncIterator[bytes]:
        self.begun.append(round(anyio.current_time() - self._start, 1))
        await anyio.sleep(self.takes_s)
        yield b"line\n"

    async def run(self, to: Path, every_s: float, for_s: float) -> Report:
        def plan() -> PullPlan:
            return build_pull(str(to), [Transfer(target(), "main.log", Log())], (), TOKEN)

        async def make_plan() -> PullPlan:
            self._plans += 1
            if self._plans in self.away:
                raise NoTargets("nobody is there")
            return plan()

        async with scripted() as cluster:
            cluster.logs, cluster.now = self.logs, {"web-0": running(target())}
            return await rounds(
                cluster, plan(), make_plan, every_s=every_s, for_s=for_s, options=ONCE, observer=Listener(),
                stop=self.stop, tell=self.told.append,
            )  # fmt: skip


@pytest.mark.parametrize(
    ("every_s", "for_s", "takes_s", "begun", "seconds"),
    [
        (10, 25, 0, [0, 10, 20], 25),
        (10, 25, 4, [0, 10, 20], 25),
        (10, 20, 0, [0, 10], 20),  # one that would begin at its end is none
        (10, 5, 0, [0], 5),
        (10, 35, 12, [0, 12, 24], 36),  # what takes longer than a period is followed at once; no round is ended
        (10, 5, 12, [0], 12),
    ],
)
async def test_a_round_begins_each_period_until_the_time_is_over(
    clock: JumpingLoop, tmp_path: Path, every_s: float, for_s: float, takes_s: float, begun: list[float], seconds: float
) -> None:
    course = Course(takes_s)
    report = await course.run(tmp_path, every_s, for_s)
    assert course.begun == begun
    assert report.seconds == pytest.approx(seconds, abs=0.1)
    assert [(one.outcome, one.rounds) for one in report.results] == [(Outcome.COMPLETE, len(begun))]


async def test_while_nobody_is_there_it_is_told_and_the_next_period_asks_again(
    clock: JumpingLoop, tmp_path: Path
) -> None:
    course = Course()
    course.away = range(1, 3)
    await course.run(tmp_path, 10, 45)
    assert course.told == ["nobody is there"] * 2
    assert course.begun == [0, 30, 40]


async def test_who_stops_it_waits_for_no_period(clock: JumpingLoop, tmp_path: Path) -> None:
    course = Course()

    async def stop() -> None:
        await anyio.sleep(7)
        course.stop.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        report = await course.run(tmp_path, 3600, 0)
    assert course.begun == [0]
    assert report.seconds == pytest.approx(7, abs=0.1)
