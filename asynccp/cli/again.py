"""Again: what is done with a report when its run is over: shown once more, or tried again where it is not complete."""

from pathlib import Path
from typing import Any

import typer
from anyio import to_thread

from asynccp.cli import streams
from asynccp.cli.record import asked_again, refuse_changed
from asynccp.cli.reportfile import read_report
from asynccp.cli.request import Request
from asynccp.cli.run import executed, perform, pull_plan_of, push_plan_of, told
from asynccp.errors import UsageError
from asynccp.kube.base import Cluster
from asynccp.plan.again import is_done, merged, narrowed
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.report import Report
from asynccp.text import printable


async def show(request: Request, file: Path) -> int:
    """Show a report again."""
    return 0 if await told(request.showing, await to_thread.run_sync(read_report, file)) else 1


async def retry(request: Request, file: Path) -> int:
    """Do what a report says is not complete. The report of both runs takes its place, unless --report names another."""
    before = await to_thread.run_sync(read_report, file)
    try:
        asked = asked_again(before, request)
    except UsageError as exc:
        raise UsageError(f"{printable(str(file))} can't be tried again: {exc}", hint=exc.hint) from None
    if is_done(before):
        typer.echo(f"nothing in {printable(str(file))} is left to be tried again", err=True)
        return before.exit_code if await told(request.showing, before) else streams.UNTOLD

    async def make_plan(cluster: Cluster) -> PushPlan | PullPlan:
        if before.direction == "pull":
            return narrowed(await pull_plan_of(asked, cluster), before)
        plan = await push_plan_of(asked, cluster)
        if not request.anyway:
            refuse_changed(before, plan)
        return narrowed(plan, before)

    async def here(cluster: Cluster, plan: PushPlan | PullPlan, **how: Any) -> Report:
        from asynccp.relay.executor import Here

        return await Here(cluster).carry_out(plan, **how)

    async def carry_out(cluster: Cluster, plan: PushPlan | PullPlan, **how: Any) -> Report:
        return merged(before, await executed(asked.request, here)(cluster, plan, **how))

    showing = request.showing._replace(report=request.showing.report or file)
    return await perform(asked.request._replace(showing=showing), make_plan, carry_out)
