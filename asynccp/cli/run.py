"""Perform: a request, from the first connection to the exit code.

Apart from `cli.app`, which makes it of words, because what this needs takes half of a small copy's CPU to load, and
--help needs none of it.
"""

import asyncio
import contextlib
import functools
import json
import shlex
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import typer
from anyio import to_thread

from asynccp.cli import interrupt, streams
from asynccp.cli.hints import hearing_flags, result_in_flags
from asynccp.cli.reportfile import try_report, write_report
from asynccp.cli.request import Output, Request, Server, Showing
from asynccp.cli.trace import verbosity
from asynccp.engine.planning import plan_cp_from, plan_cp_to, plan_forward, plan_pull, plan_push
from asynccp.errors import AsyncCpError, Interrupted, UsageError
from asynccp.kube.base import Cluster
from asynccp.kube.cluster import connect
from asynccp.plan.plan import PullPlan, PushPlan, unit
from asynccp.report import Report
from asynccp.target import Selection, Selector, parse_selectors
from asynccp.ui.opening import opening
from asynccp.ui.printer import draw_while, observer_for
from asynccp.ui.text import closing, quiet_closing

if TYPE_CHECKING:
    from asynccp.plan.forward import ForwardPlan

AnyPlan = TypeVar("AnyPlan", PushPlan, PullPlan, "ForwardPlan")


async def push(request: Request, sources: Sequence[str], selection: Selection) -> int:
    from asynccp.engine.push import push as push_plan  # each loads what it needs: a push no extraction

    if request.compares:
        return await diff(request, sources, selection)
    if request.showing.unified:
        raise UsageError("--unified shows what a push would change, but this one changes it", hint="add --dry-run")
    attributes, filtering = request.options.attributes, request.options.filtering
    return await _perform(
        request,
        lambda cluster: plan_push(cluster, sources, selection, attributes=attributes, filtering=filtering),
        push_plan,
    )


async def diff(request: Request, sources: Sequence[str], selection: Selection) -> int:
    """Show what a push would change; of a push's dry run that is no more than what it would do."""
    from asynccp.engine.diff import diff as compare

    attributes, filtering = request.options.attributes, request.options.filtering
    extras = request.command != "push" or request.options.sync.delete
    return await _perform(
        request,
        lambda cluster: plan_push(cluster, sources, selection, attributes=attributes, filtering=filtering),
        functools.partial(compare, extras=extras, unified=request.showing.unified),
    )


async def pull(request: Request, destination: str, selection: Selection) -> int:
    from asynccp.engine.pull import pull as pull_plan

    template, is_archive = request.template, bool(request.archive)
    return await _perform(
        request,
        lambda cluster: plan_pull(cluster, destination, selection, template=template, is_archive=is_archive),
        functools.partial(pull_plan, worded=functools.partial(result_in_flags, command=request.command)),
    )


async def cp(request: Request, source: str | Selector, destination: str | Selector) -> int:
    """Copy as kubectl cp does: where nobody looks in silence, and in the last namespace that is named."""
    show = request.showing
    quiet = not show.verbose and not show.dry_run and not sys.stderr.isatty()
    request = request._replace(showing=show._replace(quiet=quiet))

    def selection(of: Selector) -> Selection:
        return request.where._replace(selectors=(of,), namespaces=request.where.namespaces[-1:])

    if isinstance(source, Selector) and isinstance(destination, Selector):
        from asynccp.engine.forward import forward

        of, to = selection(source), selection(destination)
        return await _perform(request, lambda cluster: plan_forward(cluster, of, to), forward)
    if isinstance(destination, Selector):
        from asynccp.engine.push import push as push_plan

        local, to = str(source), selection(destination)
        return await _perform(
            request, lambda cluster: plan_cp_to(cluster, local, to, preserve=request.preserve), push_plan
        )
    from asynccp.engine.pull import pull as pull_plan

    assert isinstance(source, Selector)
    of = selection(source)
    return await _perform(request, lambda cluster: plan_cp_from(cluster, of, destination), pull_plan)


async def _perform(
    request: Request,
    make_plan: Callable[[Cluster], Awaitable[AnyPlan]],
    carry_out: Callable[..., Awaitable[Report]],
) -> int:
    """Plan, show, carry out, report; return the exit code."""
    show = request.showing
    options = request.options._replace(want_size=sys.stderr.isatty() and not show.quiet)
    if show.report:
        await to_thread.run_sync(try_report, show.report)
    async with contextlib.AsyncExitStack() as stack:
        with given_up_by_signal():
            cluster = await stack.enter_async_context(connect(request.server.kubeconfig, request.server.context))
            plan = await make_plan(cluster)
        if show.dry_run and not request.compares:
            _print(plan, show.output)
            return 0
        if not show.quiet:
            typer.echo(opening(plan, compares=request.compares), err=True)
        stop = anyio.Event()
        printer = observer_for(
            sys.stderr,
            quiet=show.quiet,
            verbose=verbosity(show.verbose),
            count=len(plan.transfers),
            unit=unit(plan.transfers),
            expected_total=plan.expected_total,
        )
        heard = hearing_flags(printer, request.command)
        work = functools.partial(carry_out, cluster, plan, options=options, observer=heard, stop=stop)
        with _signal_calls(stop.set):
            report = await draw_while(printer, work)
    report.tells_differences = show.exit_code
    report.results = [result_in_flags(one, request.command) for one in report.results]
    return await _report(show, report)


async def _report(show: Showing, report: Report) -> int:
    """Write the report to its file, then show it: a pipe that nobody reads costs no report. Return the exit code."""
    unwritten: AsyncCpError | None = None
    if show.report:
        try:
            with interrupt.answered_by(_nothing):  # it is short, and would leave its temporary file
                await to_thread.run_sync(write_report, show.report, report.dumps() + "\n")
        except AsyncCpError as exc:
            unwritten = exc
    if not show.quiet or show.output is Output.JSON:
        _print(report, show.output)
    if show.quiet and (words := quiet_closing(report)):
        typer.echo(words, err=True)
    if unwritten:
        streams.tell(f"asynccp: {unwritten}")
        return report.exit_code or streams.UNTOLD
    return report.exit_code


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


def _print(subject: "PushPlan | PullPlan | ForwardPlan | Report", output: Output) -> None:
    if output is Output.JSON:
        streams.put_data(json.dumps(subject.to_json(), indent=2))
    else:
        typer.echo(closing(subject) if isinstance(subject, Report) else subject.to_text())
