"""One pod of many that takes nothing and says nothing: what it costs the others."""

from pathlib import Path

import anyio

from asynccp import Listener, Options, Report
from asynccp.events import Event, Observer
from asynccp.kube.exec import STDIN, STDOUT
from asynccp.options import Concurrency, Deadlines, Failures, Sync
from asynccp.report import Outcome, Result
from asynccp.testing import faults
from asynccp.testing.faults import Place
from benchmarks.trust.faults.storm import SCRIPT_SIZES
from tests.faults.fleet import Fleet, fleet

PLACES = {"push": Place(STDIN, SCRIPT_SIZES["push"] + 1000), "pull": Place(STDOUT, 1000)}  # in the archive


class Finish(Listener):
    """Notes when each pod's transfer was over, in the order of the events, on the loop's clock."""

    def __init__(self) -> None:
        self.ended: list[tuple[Result, float]] = []

    def finished(self, result: Result) -> None:
        self.ended.append((result, anyio.current_time()))


async def copy(
    ours: Fleet, direction: str, options: Options, *, stalls: bool, beside: Observer | None = None
) -> tuple[Report, Finish, float]:
    """Copy to or from all pods, of which the first stalls or not; return also how long the healthy ones took.

    beside: hears the events too.
    """
    finish, begun = Finish(), anyio.current_time()

    def hear(event: Event) -> None:
        finish(event)
        if beside:
            beside(event)

    if stalls:
        ours.cluster.strike(ours.pods[0], faults.Silence(PLACES[direction], deaf=True))
    report = await (ours.push if direction == "push" else ours.pull)(options, hear)
    ours.cluster.heal()
    await ours.cluster.wait_idle()
    healthy = [at for result, at in finish.ended if result.outcome is Outcome.COMPLETE]
    return report, finish, max(healthy) - begun


def measured(
    directory: Path,
    direction: str,
    *,
    pods: int,
    size: int,
    rounds: int,
    stall_after_s: float,
) -> tuple[list[float], list[float], list[str]]:
    """Alternate undisturbed and stalled runs; return the seconds of both, and what was wrong with a stalled one."""

    async def run() -> tuple[list[float], list[float], list[str]]:
        options = Options(
            deadlines=Deadlines(stall_after_s=stall_after_s),
            failures=Failures(retries=0),
            sync=Sync(always=True),
            concurrency=Concurrency(sessions=pods, sessions_per_node=pods),
        )
        seconds: dict[bool, list[float]] = {False: [], True: []}
        wrong = []
        async with fleet(directory, pods, sizes={"file": size}) as ours:
            await copy(ours, direction, options, stalls=False)  # warm: caches, the loop's first steps
            for number in range(rounds * 2):
                stalls = bool(number % 2)
                report, finish, took = await copy(ours, direction, options, stalls=stalls)
                seconds[stalls].append(took)
                if stalls:
                    wrong += _wrong(report, finish, ours.pods[0].name)
        return seconds[False], seconds[True], wrong

    return anyio.run(run)


def _wrong(report: Report, finish: Finish, stalled: str) -> list[str]:
    failed = [(one.transfer.target.pod, one.error) for one in report.failed]
    if [name for name, _ in failed] != [stalled] or "nothing moved for" not in failed[0][1]:
        return [f"failed were {failed}"]
    return [] if finish.ended[-1][0].transfer.target.pod == stalled else ["a healthy pod ended after the stalled one"]
