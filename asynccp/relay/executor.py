"""Executor: who carries a plan out. One report, one row of events, one `stop`, whoever it is."""

from typing import Protocol

import anyio

from asynccp.events import Observer
from asynccp.kube.base import Cluster
from asynccp.options import Options
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.report import Report


class Executor(Protocol):
    """Carries out one plan, or several one after the other."""

    async def carry_out(
        self,
        plan: PushPlan | PullPlan,
        *,
        options: Options | None = None,
        observer: Observer | None = None,
        stop: anyio.Event | None = None,
    ) -> Report:
        """Return how each transfer ended, in the plan's order; as `engine.push.push` and `engine.pull.pull`."""


class Here:
    """This process."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def carry_out(
        self,
        plan: PushPlan | PullPlan,
        *,
        options: Options | None = None,
        observer: Observer | None = None,
        stop: anyio.Event | None = None,
    ) -> Report:
        if isinstance(plan, PushPlan):
            from asynccp.engine.push import push  # each loads what it needs

            return await push(self._cluster, plan, options=options, observer=observer, stop=stop)
        from asynccp.engine.pull import pull

        return await pull(self._cluster, plan, options=options, observer=observer, stop=stop)
