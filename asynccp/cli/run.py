"""Perform: a request, from the first connection to the exit code.

Apart from `cli.app`, which makes it of words, because what this needs takes half of a small copy's CPU to load, and
--help needs none of it.
"""

import asyncio
import contextlib
import functools
import json
import os
import shlex
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import typer
from anyio import to_thread
from msgspec.structs import replace

from asynccp.cli import interrupt, streams
from asynccp.cli.connecting import connected
from asynccp.cli.hints import hearing_flags, result_in_flags
from asynccp.cli.record import Asked, recorded
from asynccp.cli.reportfile import try_report, write_report
from asynccp.cli.request import Output, Request, Server, Showing
from asynccp.cli.trace import verbosity
from asynccp.engine.planning import plan_cp_from, plan_cp_to, plan_forward, plan_pull, plan_push, plan_rollback
from asynccp.errors import AsyncCpError, Interrupted, PlanError, UsageError
from asynccp.events import to_all
from asynccp.kube.base import Cluster
from asynccp.plan.plan import PullPlan, PushPlan, unit
from asynccp.report import Report
from asynccp.target import STANDARD_OUTPUT, Selection, Selector, parse_selectors
from asynccp.text import printable
from asynccp.ui.opening import opening
from asynccp.ui.printer import Printer, draw_while, observer_for
from asynccp.ui.text import closing, quiet_closing

if TYPE_CHECKING:
    from asynccp.plan.forward import ForwardPlan
    from asynccp.plan.rollback import RollbackPlan
    from asynccp.ui.events import EventLines

_STDOUT = "-"  # as the file of --events
CarryOut = Callable[..., Awaitable[Report]]
AnyPlan = TypeVar("AnyPlan", bound="PushPlan | PullPlan | ForwardPlan | RollbackPlan")


async def push(request: Request, sources: Sequence[str], selection: Selection) -> int:
    from asynccp.engine.push import push as push_plan  # each loads what it needs: a push no extraction

    if request.compares:
        return await diff(request, sources, selection)
    if request.showing.unified:
        raise UsageError("--unified shows what a push would change, but this one changes it", hint="add --dry-run")
    if request.following.goes_on:
        from asynccp.cli import follow  # few do

        return await follow.push(request, sources, selection)
    refuse_vain_end(request)
    asked = Asked(request, tuple(sources), selection)
    return await perform(request, functools.partial(push_plan_of, asked), executed(request, push_plan), asked)


async def diff(request: Request, sources: Sequence[str], selection: Selection) -> int:
    """Show what a push would change; of a push's dry run that is no more than what it would do."""
    from asynccp.engine.diff import diff as compare

    asked = Asked(request, tuple(sources), selection)
    extras = request.command != "push" or request.options.sync.delete
    look = functools.partial(compare, extras=extras, unified=request.showing.unified)
    return await perform(request, functools.partial(push_plan_of, asked), look, asked)


async def pull(request: Request, destination: str, selection: Selection) -> int:
    worded = functools.partial(result_in_flags, command=request.command)
    if request.following.goes_on and not request.showing.dry_run:
        from asynccp.cli import follow  # few do

        return await follow.pull(request, destination, selection, worded)
    refuse_vain_end(request)
    asked = Asked(request, (destination,), selection)
    carry_out = functools.partial(_pulled, worded=worded)
    return await perform(request, functools.partial(pull_plan_of, asked), executed(request, carry_out), asked)


async def _pulled(cluster: Cluster, plan: PullPlan, **more: Any) -> Report:
    """Carry a pull out, with what is remembered of the way to its cluster, where that is a long one."""
    from asynccp.engine.compression import is_far
    from asynccp.engine.pull import pull as pull_plan

    if not is_far(cluster.connect_s):
        return await pull_plan(cluster, plan, **more)
    from asynccp.cli.links import RememberedLink

    link = await to_thread.run_sync(RememberedLink, cluster.context, os.environ)
    report = await pull_plan(cluster, plan, link=link, **more)
    await to_thread.run_sync(link.keep)
    return report


def executed(request: Request, here: CarryOut) -> CarryOut:
    """Return what carries a plan out: this process, or others if they were asked for."""
    if request.relays.number:
        from asynccp.cli.relays import by_relays

        return functools.partial(by_relays, request)
    if request.workers == 1:
        return here
    from asynccp.cli.workers import among_workers  # few ask for it

    return functools.partial(among_workers, request, here)


async def rollback(request: Request, selection: Selection) -> int:
    """Bring back what pushes have replaced, or tell what there is to bring back."""
    from asynccp.engine.rollback import rollback as carry_out

    lists = request.command == "history"
    return await perform(
        request, lambda cluster: plan_rollback(cluster, selection, to=request.to, lists=lists), carry_out
    )


async def cp(request: Request, source: str | Selector, destination: str | Selector) -> int:
    """Copy as kubectl cp does: where nobody looks in silence, and in the last namespace that is named."""
    if request.server.names_several:
        raise UsageError("cp is for one pod, and so for one context", hint="push and pull work in several")
    show = request.showing
    quiet = not show.verbose and not show.dry_run and not sys.stderr.isatty()
    request = request._replace(showing=show._replace(quiet=quiet))

    def selection(of: Selector) -> Selection:
        return request.where._replace(selectors=(of,), namespaces=request.where.namespaces[-1:])

    if isinstance(source, Selector) and isinstance(destination, Selector):
        from asynccp.engine.forward import forward

        of, to = selection(source), selection(destination)
        return await perform(request, lambda cluster: plan_forward(cluster, of, to), forward)
    if isinstance(destination, Selector):
        from asynccp.engine.push import push as push_plan

        local, to = str(source), selection(destination)
        return await perform(
            request, lambda cluster: plan_cp_to(cluster, local, to, preserve=request.preserve), push_plan
        )
    from asynccp.engine.pull import pull as pull_plan

    assert isinstance(source, Selector)
    of = selection(source)
    return await perform(request, lambda cluster: plan_cp_from(cluster, of, destination), pull_plan)


def refuse_vain_end(request: Request) -> None:
    """Raise UsageError where it is said how long a run goes on that does not."""
    if request.following.for_s and not request.following.goes_on:
        raise UsageError("nothing goes on that could end after a time", hint="add --follow")


async def push_plan_of(asked: Asked, cluster: Cluster, *, to_come: bool = False) -> PushPlan:
    options = asked.request.options
    return await plan_push(
        cluster,
        asked.local,
        asked.selection,
        attributes=options.attributes,
        filtering=options.filtering,
        waves=options.waves,
        to_come=to_come,
    )


async def pull_plan_of(asked: Asked, cluster: Cluster) -> PullPlan:
    request = asked.request
    return await plan_pull(
        cluster,
        asked.local[0],
        asked.selection,
        template=request.template,
        is_archive=bool(request.archive),
        waves=request.options.waves,
        by_others=request.relays.number > 0,
    )


async def perform(
    request: Request,
    make_plan: Callable[[Cluster], Awaitable[AnyPlan]],
    carry_out: Callable[..., Awaitable[Report]],
    asked: Asked | None = None,
) -> int:
    """Plan, show, carry out, report; return the exit code. asked: what the report is to keep of the request."""
    show = request.showing
    if show.events == _STDOUT and (show.output is Output.JSON or (asked and asked.local == (STANDARD_OUTPUT,))):
        raise UsageError("stdout is for the events, or for the report, or for an archive", hint="write one to a file")
    if asks := show.confirm and not show.dry_run:
        from asynccp.cli.confirm import Asking, refuse_without_terminal  # few need it

        refuse_without_terminal()
    options = request.options._replace(want_size=sys.stderr.isatty() and not show.quiet)
    for path in filter(None, (show.report, show.html)):
        await to_thread.run_sync(try_report, path)
    began_s = time.time()
    async with contextlib.AsyncExitStack() as stack:
        with given_up_by_signal():
            cluster = await stack.enter_async_context(connected(request.server))
            plan = await make_plan(cluster)
            looks = show.dry_run and not request.compares
            events = await _opened_events(show.events, stack) if show.events and not looks else None
        if looks:
            _print(plan, show.output)
            return 0
        if not show.quiet:
            typer.echo(opening(plan, compares=request.compares), err=True)
        requested = None
        is_kept = show.report or show.html or show.output is Output.JSON
        if asked and is_kept and isinstance(plan, PushPlan | PullPlan):  # before the first byte: then nothing can fail
            requested = recorded(
                asked,
                plan,
                began_s=began_s,
                namespace=cluster.namespace,
                context=cluster.context,
                contexts=cluster.members,
            )
        stop = anyio.Event()
        printer = _printer(request, plan)
        more: dict[str, Any] = {}
        if asks:
            asking = printer = Asking(printer)
            more["confirm"] = asking.confirm
        observers = [hearing_flags(one, request.command) for one in (printer, events) if one]
        more |= {"options": options, "observer": to_all(observers), "stop": stop}
        work = functools.partial(carry_out, cluster, plan, **more)
        drawn = functools.partial(draw_while, printer, work)
        with _signal_calls(stop.set):
            report = await (draw_while(events, drawn) if events else drawn())
    if requested and report.sources:  # they were followed, and are others by now
        requested = replace(requested, sources=report.sources)
    report.request = requested or report.request
    report.tells_differences = show.exit_code
    report.results = [result_in_flags(one, request.command) for one in report.results]
    is_told = await told(show, report)
    if events and (why := streams.lost(events.stream)) and show.events != _STDOUT:
        streams.tell(f"asynccp: the events could not be written to {printable(show.events)}: {why}")
        is_told = False
    return report.exit_code or (0 if is_told else streams.UNTOLD)


def _printer(request: Request, plan: AnyPlan) -> Printer:
    show, verbose = request.showing, verbosity(request.showing.verbose)
    if request.following.goes_on and not request.compares:
        from asynccp.ui.status import Status  # few need it

        return Status(sys.stderr, verbose=verbose, quiet=show.quiet)
    return observer_for(
        sys.stderr,
        quiet=show.quiet,
        verbose=verbose,
        count=len(plan.transfers),
        unit=unit(plan.transfers),
        expected_total=plan.expected_total,
    )


async def _opened_events(path: str, stack: contextlib.AsyncExitStack) -> "EventLines":
    """Return what writes events to a file, or to stdout. Raises PlanError."""
    from asynccp.ui.events import EventLines  # few need it

    if path == _STDOUT:
        return EventLines(streams.for_data())
    try:
        stream = await to_thread.run_sync(streams.opened, path, abandon_on_cancel=True)  # a pipe waits for its reader
    except OSError as exc:
        why = f"the events can't be written to {printable(path)}: {exc.strerror}"
        raise PlanError(why, hint="nothing was copied") from None
    stack.callback(stream.close)
    return EventLines(stream)


async def told(show: Showing, report: Report) -> bool:
    """Write the report to its files, then show it: a pipe that nobody reads costs no report. Tell whether all was."""
    unwritten: list[AsyncCpError] = []
    for path, text in ((show.report, _json), (show.html, _page)):
        try:
            if path:
                with interrupt.answered_by(_nothing):  # it is short, and would leave its temporary file
                    await to_thread.run_sync(lambda path, text: write_report(path, text(report)), path, text)
        except AsyncCpError as exc:
            unwritten.append(exc)
    if not show.quiet or show.output is Output.JSON:
        _print(report, show.output, err=show.events == _STDOUT)
    if show.quiet and (words := quiet_closing(report)):
        typer.echo(words, err=True)
    for one in unwritten:
        streams.tell(f"asynccp: {one}")
    return not unwritten


def _json(report: Report) -> str:
    return report.dumps() + "\n"


def _page(report: Report) -> str:
    from asynccp.ui.page import page  # few need it

    return page(report)


async def demonstrate(directory: Path, pods: int) -> int:
    """Run the two commands that the README opens with, as they would be typed."""
    from asynccp.cli.demo import staged  # aiohttp's server is for the demo alone

    async with staged(directory, pods) as stage:
        server = Server(kubeconfig=str(stage.kubeconfig))
        config, logs = str(stage.config), str(stage.logs)
        typer.echo(f"\n$ asynccp push {config} -l app=web:/etc/app", err=True)
        to = Selection(parse_selectors(["app=web:/etc/app"]))
        pushed = await push(Request(command="push", server=server), [config], to)
        if interrupt.heard():
            return pushed
        typer.echo(f"\n$ asynccp pull -l app=web:/var/log {logs}", err=True)
        of = Selection(parse_selectors(["app=web:/var/log"]))
        pulled = await pull(Request(command="pull", server=server), logs, of)
    typer.echo(f"\nThe pods' files are in {stage.pods}, what was pulled is in {logs}.", err=True)
    return pushed or pulled


async def serve(directory: Path, pods: int) -> int:
    from asynccp.cli.demo import staged

    stop = anyio.Event()
    async with staged(directory, pods) as stage:
        with _signal_calls(stop.set):
            typer.echo(f"{pods} pods run, labelled app=web. In another terminal:\n", err=True)
            typer.echo(f"export KUBECONFIG={shlex.quote(str(stage.kubeconfig.absolute()))}")
            typer.echo(f"export KUBECACHEDIR={shlex.quote(str(stage.cache.absolute()))}")
            typer.echo(f"\nasynccp push {stage.config} -l app=web:/etc/app", err=True)
            typer.echo(f"asynccp pull -l app=web:/var/log {stage.logs}\n\n^C ends it.", err=True)
            await stop.wait()
    return 0


@contextlib.contextmanager
def given_up_by_signal() -> Iterator[None]:
    """Let a signal cancel what is done meanwhile. Raises Interrupted then."""
    try:
        with anyio.CancelScope() as scope, _signal_calls(scope.cancel):
            yield
    finally:
        if interrupt.heard():
            raise Interrupted("interrupted")


@contextlib.contextmanager
def _signal_calls(answer: Callable[[], object]) -> Iterator[None]:
    """Have the event loop call `answer` when a first signal comes meanwhile."""
    loop = asyncio.get_running_loop()
    with interrupt.answered_by(lambda: loop.call_soon_threadsafe(answer)):
        yield


def _nothing() -> None:
    """Answer a signal with patience; a second one has none."""


def _print(
    subject: "PushPlan | PullPlan | ForwardPlan | RollbackPlan | Report", output: Output, *, err: bool = False
) -> None:
    if output is Output.JSON:
        streams.put_data(json.dumps(subject.to_json(), indent=2))
    else:
        typer.echo(closing(subject) if isinstance(subject, Report) else subject.to_text(), err=err)
