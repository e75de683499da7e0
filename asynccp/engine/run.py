"""Run: all transfers of a plan, so many at a time, each to its result.

A failed transfer is a result; anything that is no TransferError is a defect of ours, and stops the run.
"""

import math
import random
import resource
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

from asynccp.engine.group import let_go, single_error
from asynccp.engine.ledger import Ledger
from asynccp.engine.retry import Budget, delay_s
from asynccp.engine.tally import Tally
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import ClusterError, CommandFailed, ConnectFailed, Refused, SessionLost, Stalled, TransferError
from asynccp.events import Finished, Observer, Retrying
from asynccp.kube.base import Cluster
from asynccp.options import OPENS_AT_ONCE, OPENS_PER_S, Options
from asynccp.report import Outcome, Report, Result, outcome_of
from asynccp.target import Skipped, Target, Transfer, what_became_of

_ASK_TIMEOUT_S = 5.0  # for the question what became of a pod
GONE = "run it again for the pods that are there now"
_MAY_BE_THE_PODS_END = (SessionLost, Stalled, ConnectFailed, CommandFailed, Refused)


class Plan(Protocol):
    """What a run needs to know of a plan."""

    @property
    def transfers(self) -> tuple[Transfer, ...]: ...
    @property
    def skipped(self) -> tuple[Skipped, ...]: ...
    @property
    def left_out(self) -> tuple[LeftOut, ...]: ...
    @property
    def not_kept(self) -> tuple[NotKept, ...]: ...


async def run_transfers(
    direction: str,
    plan: Plan,
    copy: Callable[[Tally], Awaitable[None]],
    cluster: Cluster,
    options: Options,
    observer: Observer,
    stop: anyio.Event | None,
    over: Callable[[Tally], Awaitable[None]] | None = None,
) -> Report:
    """Run `copy` for every transfer of the plan and return the report, in the plan's order.

    copy: makes one attempt. over: called when a transfer gets no further attempt, however it ended.
    """
    _make_room_for_descriptors(options.sessions)
    begun = anyio.current_time()
    tallies = [Tally(transfer, observer) for transfer in plan.transfers]
    results: dict[Transfer, Result] = {}
    first_failed: list[Transfer] = []
    gate, budget = _Gate(options), Budget.of(len(tallies), options.retries)
    ledger = Ledger(digests_size=None if direction == "push" else options.limits.memory)  # we know what we push

    async def run(tally: Tally) -> None:
        try:
            while True:
                async with gate.passage(tally.transfer.target):
                    ended = await _attempt(tally, copy, cluster, budget)
                if isinstance(ended, Result):
                    break
                await anyio.sleep(ended)
                tally.tries += 1
        finally:
            if over is not None:
                await over(tally)
        results[tally.transfer] = result = ledger.keep(ended)
        tally.forget()
        observer(Finished(result))
        if options.fail_fast and result.outcome not in (Outcome.COMPLETE, Outcome.PARTIAL):
            first_failed.append(tally.transfer)
            transfers.cancel_scope.cancel()

    with single_error():
        async with anyio.create_task_group() as tasks:
            if stop is not None:
                tasks.start_soon(_cancel_when, stop, tasks.cancel_scope)
            async with anyio.create_task_group() as transfers:
                for tally in tallies:
                    transfers.start_soon(run, tally)
            tasks.cancel_scope.cancel()

    for tally in tallies:
        if tally.transfer not in results:
            results[tally.transfer] = result = ledger.keep(_unfinished(tally, first_failed))
            tally.forget()
            observer(Finished(result))
    ordered = [results[transfer] for transfer in plan.transfers]
    seconds = anyio.current_time() - begun
    return Report(direction, ordered, plan.skipped, plan.left_out, seconds, plan.not_kept, strict=options.strict)


def _unfinished(tally: Tally, first_failed: list[Transfer]) -> Result:
    if first_failed:
        return tally.result(Outcome.FAILED, f"ended before it was complete, because {first_failed[0]} failed first")
    return tally.result(Outcome.INTERRUPTED, "interrupted before it was complete")


async def _attempt(
    tally: Tally, copy: Callable[[Tally], Awaitable[None]], cluster: Cluster, budget: Budget
) -> Result | float:
    """Make one attempt; return how the transfer ended, or the seconds to wait before the next attempt."""
    tally.attempt_begun = anyio.current_time()
    if tally.begun is None:
        tally.begun = tally.attempt_begun
    elif became := await became_of(tally.transfer.target, cluster):  # told late: now it may be another pod
        return tally.result(Outcome.FAILED, became, GONE)
    try:
        await copy(tally)
    except TransferError as exc:
        let_go(exc)
        attempt = tally.failed(exc)
        became = await became_of(tally.transfer.target, cluster) if isinstance(exc, _MAY_BE_THE_PODS_END) else ""
        if not became and budget.allows(exc, tally.tries):
            wait_s = delay_s(tally.tries, chance=random.random(), after_s=exc.after_s)  # noqa: S311 (not a secret)
            tally.observer(Retrying(tally.transfer, attempt, wait_s))
            return wait_s
        error, hint = (f"{became} ({exc})", GONE) if became else (str(exc), exc.hint)
        return tally.result(outcome_of(exc), error, hint, attempt.error_class)
    return tally.result(Outcome.PARTIAL if tally.left_out or tally.partial else Outcome.COMPLETE)


async def became_of(target: Target, cluster: Cluster) -> str:
    """Say what happened to the pod since it was matched; empty when it runs as before, or nobody knows."""
    with anyio.move_on_after(_ASK_TIMEOUT_S):
        try:
            return what_became_of(target, await cluster.find_pod(target))
        except ClusterError:
            return ""
    return ""


def _make_room_for_descriptors(sessions: int) -> None:
    """Raise the soft limit of open files when the default (1,024 on most machines, 256 on macOS) would not do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 128 + 8 * sessions  # a session has one socket, a pull a file and up to four directories
    if soft != resource.RLIM_INFINITY and soft < needed:
        limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


async def _cancel_when(stop: anyio.Event, scope: anyio.CancelScope) -> None:
    await stop.wait()
    scope.cancel()


class _Gate:
    """How many may be under way, in all and on one node, and how fast they may begin."""

    def __init__(self, options: Options) -> None:
        self._all = anyio.Semaphore(options.sessions)
        self._nodes: dict[str, anyio.Semaphore] = defaultdict(lambda: anyio.Semaphore(options.sessions_per_node))
        self._next_at = -math.inf

    @asynccontextmanager
    async def passage(self, target: Target) -> AsyncIterator[None]:
        # The node first, so that pods that wait for it don't hold places that other nodes' pods could use.
        async with self._nodes[target.node], self._all:
            apart_s = random.uniform(0.5, 1.5) / OPENS_PER_S  # noqa: S311 (not a secret)
            self._next_at = max(self._next_at, anyio.current_time() - OPENS_AT_ONCE / OPENS_PER_S) + apart_s
            await anyio.sleep_until(self._next_at)
            yield
