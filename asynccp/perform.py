"""Perform: what the command line asked for, from the first connection to the exit code.

Apart from `cli`, which reads the flags, because what this needs takes half of a small copy's CPU to load, and --help
needs none of it.
"""

import contextlib
import functools
import json
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import anyio
import typer
from anyio import to_thread

from asynccp.cli import Flags, Output
from asynccp.cluster.base import Cluster
from asynccp.cluster.kubernetes import connect
from asynccp.engine.group import single_error
from asynccp.engine.planning import plan_pull, plan_push
from asynccp.errors import AsyncCpError
from asynccp.escape import printable
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.report import Report
from asynccp.target import Selection
from asynccp.ui.opening import opening
from asynccp.ui.printer import draw_while, observer_for

AnyPlan = TypeVar("AnyPlan", PushPlan, PullPlan)


async def push(flags: Flags, sources: Sequence[str], selection: Selection) -> int:
    from asynccp.engine.push import push as push_plan  # each loads what it needs: a push no extraction

    return await _perform(flags, lambda cluster: plan_push(cluster, sources, selection), push_plan)


async def pull(flags: Flags, destination: str, selection: Selection) -> int:
    from asynccp.engine.pull import pull as pull_plan

    return await _perform(flags, lambda cluster: plan_pull(cluster, destination, selection), pull_plan)


async def _perform(
    flags: Flags,
    make_plan: Callable[[Cluster], Awaitable[AnyPlan]],
    carry_out: Callable[..., Awaitable[Report]],
) -> int:
    """Plan, show, carry out, report; return the exit code."""
    options = flags.options()
    async with connect(flags.kubeconfig, flags.context) as cluster:
        plan = await make_plan(cluster)
        if flags.dry_run:
            _print(plan, flags.output)
            return 0
        if not flags.quiet:
            typer.echo(opening(plan), err=True)
        stop = anyio.Event()
        printer = observer_for(
            sys.stderr,
            quiet=flags.quiet,
            verbose=flags.verbose,
            count=len(plan.transfers),
            expected_total=plan.expected_total,
        )
        work = functools.partial(carry_out, cluster, plan, options=options, observer=printer, stop=stop)
        async with _stopped_by_signals(stop):
            report = await draw_while(printer, work)
    if not flags.quiet or flags.output is Output.JSON:
        _print(report, flags.output)
    if flags.report:  # last: where it can't be written, the report has been seen
        await to_thread.run_sync(_write_report, flags.report, report)
    return report.exit_code


async def demonstrate(directory: Path, pods: int) -> int:
    """Run the two commands that the README opens with, as they would be typed."""
    from asynccp.fake.demo import staged  # aiohttp's server is for the demo alone

    async with staged(directory, pods) as stage:
        flags = functools.partial(Flags, kubeconfig=str(stage.kubeconfig))
        config, logs = str(stage.config), str(stage.logs)
        typer.echo(f"\n$ asynccp push {config} -l app=web:/etc/app", err=True)
        to = flags(selector=["app=web:/etc/app"])
        pushed = await push(to, [config], to.selection([]))
        typer.echo(f"\n$ asynccp pull -l app=web:/var/log {logs}", err=True)
        of = flags(selector=["app=web:/var/log"])
        pulled = await pull(of, logs, of.selection([]))
    typer.echo(f"\nThe pods' files are in {stage.pods}, what was pulled is in {logs}.", err=True)
    return pushed or pulled


async def serve(directory: Path, pods: int) -> int:
    from asynccp.fake.demo import staged

    async with staged(directory, pods) as stage:
        typer.echo(f"{pods} pods run, labelled app=web. In another terminal:\n", err=True)
        typer.echo(f"export KUBECONFIG={shlex.quote(str(stage.kubeconfig.absolute()))}")
        typer.echo(f"\nasynccp push {stage.config} -l app=web:/etc/app", err=True)
        typer.echo(f"asynccp pull -l app=web:/var/log {stage.logs}\n\n^C ends it.", err=True)
        stop = anyio.Event()
        async with _stopped_by_signals(stop):
            await stop.wait()
    return 0


@contextlib.asynccontextmanager
async def _stopped_by_signals(stop: anyio.Event) -> AsyncIterator[None]:
    """Let ^C and SIGTERM set `stop` once; a second one ends the program at once, as it does without us."""

    async def listen() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                stop.set()
                return

    with single_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            yield
            tasks.cancel_scope.cancel()


def _print(subject: PushPlan | PullPlan | Report, output: Output) -> None:
    typer.echo(json.dumps(subject.to_json(), indent=2) if output is Output.JSON else subject.to_text())


def _write_report(path: Path, report: Report) -> None:
    try:
        path.write_text(report.dumps() + "\n")
    except OSError as exc:
        raise AsyncCpError(f"the report could not be written to {printable(str(path))}: {exc.strerror}") from exc
