"""Among workers: what --workers asks for, as who carries a plan out."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from asynccp.cli.request import Request
from asynccp.errors import UsageError
from asynccp.kube.base import Cluster
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay.shards import why_whole, workers_for
from asynccp.relay.workers import Workers
from asynccp.report import Report


async def among_workers(
    request: Request,
    here: Callable[..., Awaitable[Report]],
    cluster: Cluster,
    plan: PushPlan | PullPlan,
    **how: Any,
) -> Report:
    """Have a plan carried out by as many processes as were asked for. Raises UsageError where it is for one alone.

    here: what does it in this process, where no more than one pays. how: as of `engine.push.push`.
    """
    why = why_whole(plan, how["options"]) or _why_here(request, how)
    if why and request.workers:
        raise UsageError(f"{why}, which one process does", hint="leave --workers out")
    count = request.workers or (1 if why else workers_for(_cores(), plan))
    if count == 1:
        return await here(cluster, plan, **how)
    workers = Workers(count, kubeconfig=request.server.kubeconfig, context=cluster.context)
    return await workers.carry_out(plan, **how)


def _why_here(request: Request, how: dict[str, Any]) -> str:
    if request.server.names_several:
        return "pods of several clusters are copied together"
    return "waves are confirmed one by one" if "confirm" in how else ""


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
