"""Workers: processes of this machine, each with a shard of the plan: so that all cores work, not one.

One Python process works on one core: its threads share the interpreter. A worker is a process of its own, which
connects itself, and writes its pods' files itself; only events and results come back.
"""

import anyio

from asynccp.errors import UsageError
from asynccp.events import Listener, Observer
from asynccp.options import Options
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay.dealt import Dealt
from asynccp.relay.gathered import Gathered
from asynccp.relay.processes import Processes
from asynccp.relay.shards import shards_of, why_whole
from asynccp.report import Report


class Workers:
    """count: of processes. kubeconfig, context: as of `connect`."""

    def __init__(self, count: int, *, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._count = count
        self._crew = Processes(kubeconfig, context)

    async def carry_out(
        self,
        plan: PushPlan | PullPlan,
        *,
        options: Options | None = None,
        observer: Observer | None = None,
        stop: anyio.Event | None = None,
    ) -> Report:
        """Return how each transfer ended, in the plan's order. Raises UsageError for a plan that can't be divided."""
        options = options or Options()
        if why := why_whole(plan, options):
            raise UsageError(f"{why}, which one process does", hint="leave the number of workers out")
        gathered, shards = Gathered(plan, options, observer or Listener()), shards_of(plan, self._count)
        return await Dealt(plan, options, shards, self._crew, gathered, anyio.current_time()).carry_out(stop)
