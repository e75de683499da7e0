"""Follow: commands that go on: a push as pods come and sources change, a pull on a period. ^C ends them, as planned."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from asynccp.cli import streams
from asynccp.cli.record import Asked
from asynccp.cli.request import Request
from asynccp.cli.run import perform, pull_plan_of, push_plan_of
from asynccp.engine.following import follow
from asynccp.engine.planning import plan_sources
from asynccp.errors import UsageError
from asynccp.kube.base import Cluster
from asynccp.options import Waves
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.report import Report, Result
from asynccp.target import STANDARD_OUTPUT, Selection, is_store
from asynccp.text import printable


async def push(request: Request, sources: Sequence[str], selection: Selection) -> int:
    """Push until somebody ends it."""
    _refuse(request)
    if request.following.sources and (stores := [one for one in sources if is_store(one)]):
        raise UsageError(
            f"what changes in an object store is told to nobody: {printable(stores[0])}",
            hint="push it again, now and then",
        )
    asked, following, options = Asked(request, tuple(sources), selection), request.following, request.options
    plan_again = functools.partial(
        plan_sources, asked.local, attributes=options.attributes, filtering=options.filtering
    )

    async def carry_out(cluster: Cluster, plan: PushPlan, **how: Any) -> Report:
        return await follow(
            cluster,
            plan,
            selection if following.pods else None,
            plan_again if following.sources else None,
            for_s=following.for_s,
            tell=_tell,
            **how,
        )

    make_plan = functools.partial(push_plan_of, asked, to_come=following.pods)
    return await perform(request, make_plan, carry_out, asked)


async def pull(request: Request, destination: str, selection: Selection, worded: Callable[[Result], Result]) -> int:
    """Pull again and again, each time what is new."""
    from asynccp.engine.rounds import rounds

    _refuse(request)
    if request.archive or destination == STANDARD_OUTPUT:
        raise UsageError("a pull that goes on has a directory: nothing can be added to an archive", hint="name one")
    asked, following = Asked(request, (destination,), selection), request.following
    make_plan = functools.partial(pull_plan_of, asked)

    async def carry_out(cluster: Cluster, plan: PullPlan, **how: Any) -> Report:
        again = functools.partial(make_plan, cluster)
        return await rounds(
            cluster, plan, again, every_s=following.every_s, for_s=following.for_s, tell=_tell, worded=worded, **how
        )

    return await perform(request, make_plan, carry_out, asked)


def _refuse(request: Request) -> None:
    """Raise UsageError for what has no meaning in a run that goes on."""
    options = request.options
    if options.waves != Waves() or request.showing.confirm:
        raise UsageError("what goes on takes pods as they come, and not in waves", hint="push in waves first")
    if request.relays.number:
        raise UsageError("what goes on is done by one process, here", hint="leave --relays out")
    if request.workers != 1:
        raise UsageError("what goes on is done by one process", hint="leave --workers out")
    if options.failures.fail_fast:
        raise UsageError("what goes on does not end when a pod fails", hint="leave one of the two out")


def _tell(words: str) -> None:
    streams.tell(f"asynccp: {printable(words)}")
