"""The soak: copies, one after the other, in one process; some struck by a fault, some interrupted."""

import asyncio
import gc
import random
import resource
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from asynccp import Listener, Options, Report, Transfer
from asynccp.options import Deadlines, Failures, Sync
from asynccp.report import Outcome
from asynccp.testing import faults
from asynccp.testing.faults import Fault, Place
from benchmarks.trust.faults.stalled import PLACES
from benchmarks.trust.faults.storm import WITH_TAR, left_behind, open_descriptors
from tests.faults.fleet import Fleet, fleet

OPTIONS = Options(
    deadlines=Deadlines(stall_after_s=10.0, open_timeout_s=20.0), failures=Failures(retries=0), sync=Sync(always=True)
)
MADE: list[Callable[[Place], Fault]] = [
    faults.Cut,
    lambda at: faults.Cut(at, resets=True),
    faults.FalseSuccess,
    faults.WrongChannel,
    faults.Garbage,
    faults.EarlySuccess,
    lambda _: faults.Refuse(code=404),
]


@dataclass
class Soaked:
    """What a soak has found. left: what was in use before it and is not the same after it; files of ours, processes.

    memory: bytes of resident memory after each round.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    @property
    def growth(self) -> int:
        """Bytes that memory grew by from the second fifth of the rounds (the first warms up) to the last."""
        fifth = max(1, len(self.memory) // 5)
        earlier, last = sorted(self.memory[fifth : 2 * fifth] or self.memory), sorted(self.memory[-fifth:])
        return last[len(last) // 2] - earlier[len(earlier) // 2]


class _StopWhenMoving(Listener):
    """Ends a run as soon as a byte of it moves."""

    def __init__(self) -> None:
        self.stop = anyio.Event()

    def sized(self, transfer: Transfer, total: int) -> None:
        pass

    def advanced(self, transfer: Transfer, count: int) -> None:
        self.stop.set()


def soak(directory: Path, *, rounds: int = 1 << 30, seconds: float = float("inf")) -> Soaked:
    """Copy for so many rounds, or so long, and compare what is in use before and after."""
    soaked, before = Soaked(), _in_use()
    anyio.run(_soak, soaked, directory, rounds, seconds)
    gc.collect()
    soaked.left += [f"{what}: {before[what]} before, {now} after" for what, now in _in_use().items()
                    if now > before[what]]  # fmt: skip
    return soaked


async def _soak(soaked: Soaked, directory: Path, rounds: int, seconds: float) -> None:
    before = open_descriptors(), len(asyncio.all_tasks())
    chance, until = random.Random(1), anyio.current_time() + seconds
    async with fleet(directory, 2 * len(WITH_TAR), kinds=WITH_TAR, sizes={"one": 100, "large": 700_000}) as ours:
        while len(soaked.memory) < rounds and anyio.current_time() < until:
            report = await _round(ours, chance, len(soaked.memory))
            soaked.outcomes.update(result.outcome for result in report.results)
            soaked.memory.append(resident_size())
        soaked.left += ours.cluster.running_processes()
    soaked.left += [str(path) for path in left_behind(directory)]
    await anyio.wait_all_tasks_blocked()
    after = open_descriptors(), len(asyncio.all_tasks())
    if after != before:
        soaked.left.append(f"descriptors and tasks: {before} before, {after} after")


async def _round(ours: Fleet, chance: random.Random, number: int) -> Report:
    """One push or pull: struck in one pod, or interrupted, or well."""
    direction, observer = ("push", "pull")[number % 2], _StopWhenMoving()
    what = chance.choice(("well", "struck", "interrupted"))
    if what == "struck":
        ours.cluster.strike(chance.choice(ours.pods), chance.choice(MADE)(PLACES[direction]))
    stop = observer.stop if what == "interrupted" else None
    report = await (ours.push if direction == "push" else ours.pull)(OPTIONS, observer, stop)
    with anyio.fail_after(30):
        await ours.cluster.wait_idle()
    ours.cluster.heal()
    return report


def resident_size() -> int:
    """Return this process's resident memory in bytes; on macOS the most that it has had."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _in_use() -> dict[str, int]:
    tasks = Path("/proc/self/task")
    children = [pid for one in tasks.glob("*/children") for pid in one.read_text().split()]
    return {"descriptors": open_descriptors(), "threads": threading.active_count(), "child processes": len(children)}
