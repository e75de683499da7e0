"""Rounds: a pull on a period. Each brings what is new since the one before, of whoever is there by then."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any

import anyio

from asynccp.engine.pull import pull
from asynccp.engine.run import GONE
from asynccp.errors import PlanError
from asynccp.events import Observer, Standing
from asynccp.kube.base import Cluster
from asynccp.options import Options
from asynccp.plan.plan import PullPlan
from asynccp.report import Report, Result, repeated
from asynccp.target import Transfer


async def rounds(
    cluster: Cluster,
    plan: PullPlan,
    make_plan: Callable[[], Awaitable[PullPlan]],
    *,
    every_s: float,
    for_s: float,
    options: Options,
    observer: Observer,
    stop: anyio.Event,
    tell: Callable[[str], None],
    **how: Any,
) -> Report:
    """Pull every so many seconds, until `stop` is set or the time is over; return the report of all rounds.

    A round that takes longer than a period is followed by the next at once. The time ends no round, `stop` does. A plan
    that can't be made is told, and tried again a period later.
    """
    begun = anyio.current_time()
    found: dict[Hashable, Result] = {}
    last: Report | None = None
    while True:
        next_at = anyio.current_time() + every_s
        report = await pull(cluster, plan, options=options, observer=observer, stop=stop, **how)
        last = report
        for result in report.results:
            which = _identity(result.transfer)
            before = found.get(which)
            has_ended = result.hint == GONE and before is not None and not before.outcome.is_failure
            found[which] = before if before and has_ended else repeated(before, result)
        failed = sum(one.outcome.is_failure for one in report.results)
        observer(Standing(len(report.results), len(report.results) - failed, 0, failed))
        planned = None
        while planned is None:
            if await _ended(stop, next_at, begun + for_s if for_s else None):
                last.results, last.seconds = list(found.values()), anyio.current_time() - begun
                return last
            next_at += every_s
            try:
                planned = await make_plan()
            except PlanError as exc:  # nobody is there any more, or the server is not
                tell(str(exc))
        plan = planned


async def _ended(stop: anyio.Event, next_at: float, until: float | None) -> bool:
    """Wait until the next round is due; tell whether there is none."""
    if until is not None and max(next_at, anyio.current_time()) >= until:
        await _stopped(stop, until)
        return True
    await _stopped(stop, next_at)
    return stop.is_set()


async def _stopped(stop: anyio.Event, until: float) -> None:
    with anyio.move_on_after(max(0.0, until - anyio.current_time())):
        await stop.wait()


def _identity(transfer: Transfer) -> Hashable:
    target, log = transfer.target, transfer.log
    return target.context, target.namespace, target.pod, target.container, transfer.path, log.previous if log else None
