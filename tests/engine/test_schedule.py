"""Waves: each transfer in one of them, the next when all of one is over, none after an objection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import anyio
import pytest

from asynccp.engine.schedule import AllAtOnce, Schedule
from asynccp.engine.state import TransferState
from asynccp.errors import CommandFailed
from asynccp.report import Outcome, Result
from asynccp.target import Transfer

from .jobs import Copying, carried_out
from .scripted import ONCE, Recorder, scripted, targets
from .test_run import plan_of


@dataclass
class Canary:
    """One alone, and then the rest if that one is complete."""

    def waves(self, transfers: Sequence[Transfer]) -> Iterator[Sequence[Transfer]]:
        yield transfers[:1]
        yield transfers[1:]

    def objection(self, results: Sequence[Result]) -> str:
        return "" if all(one.outcome is Outcome.COMPLETE for one in results) else "the first one failed"


@pytest.mark.parametrize("schedule", [AllAtOnce(), Canary()])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_transfer_is_in_one_wave(schedule: Schedule, count: int) -> None:
    transfers = plan_of(targets(count)).transfers
    assert [one for wave in schedule.waves(transfers) for one in wave] == list(transfers)


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


async def test_what_an_objection_kept_from_beginning_is_failed_and_says_why() -> None:
    async def copy(state: TransferState) -> None:
        await anyio.lowlevel.checkpoint()
        raise CommandFailed("no space left")

    async with scripted() as cluster:
        report = await carried_out(Copying(copy), plan_of(targets(3)), cluster, ONCE, Recorder(), schedule=Canary())
    assert [one.outcome for one in report.results] == [Outcome.FAILED] * 3
    assert [one.error for one in report.results] == ["no space left"] + ["not begun, because the first one failed"] * 2
    assert report.exit_code == 1
