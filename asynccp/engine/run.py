"""Run: one job for all transfers that a source finds, in the order that a schedule gives, each to its result.

A failed transfer is a result; anything that is no TransferError is a defect of ours, and stops the run.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from asynccp.engine.group import let_go, single_error
from asynccp.engine.ledger import Ledger
from asynccp.engine.limiter import SessionLimiter
from asynccp.engine.retry import Budget, delay_s
from asynccp.engine.schedule import AllAtOnce, Schedule
from asynccp.engine.state import TransferState
from asynccp.engine.targets import Found, Once, TargetSource
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import ClusterError, CommandFailed, ConnectFailed, Refused, SessionLost, Stalled, TransferError
from asynccp.events import Finished, Observer, Retrying
from asynccp.kube.base import Cluster
from asynccp.options import Options
from asynccp.report import Outcome, Report, Result, outcome_of, settled
from asynccp.target import Skipped, Target, Transfer, what_became_of

_LOG = logging.getLogger("asynccp.engine")
_ASK_TIMEOUT_S = 5.0  # for the question what became of a pod
GONE = "run it again for the pods that are there now"
_MAY_BE_THE_PODS_END = (SessionLost, Stalled, ConnectFailed, CommandFailed, Refused)


class Job(Protocol):
    """What a run does for each of its transfers; it holds what they share.

    direction: as the report calls it. digests_size: bytes for the digests that pods told of (`engine.ledger`); None:
    as many as there are, because they are of files that we know.
    """

    @property
    def direction(self) -> str: ...
    @property
    def digests_size(self) -> int | None: ...

    async def attempt(self, state: TransferState) -> None:
        """Make one attempt. Raises TransferError."""

    async def release(self, state: TransferState) -> None:
        """Give up what was kept for another attempt: there is none, however the transfer ended."""


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


class Run:
    """One job, carried out once."""

    def __init__(
        self, job: Job, cluster: Cluster, options: Options, observer: Observer, *, schedule: Schedule | None = None
    ) -> None:
        self._job = job
        self._cluster = cluster
        self._options = options
        self._observer = observer
        self._schedule = schedule or AllAtOnce()
        self._limiter = SessionLimiter(options)
        self._budget = Budget(options.failures.retries)
        self._ledger = Ledger(digests_size=job.digests_size)
        self._states: dict[Transfer, TransferState] = {}  # in the order in which they were found
        self._results: dict[Transfer, Result] = {}
        self._skipped: list[Skipped] = []
        self._begun = 0.0
        self._why_ended = ""  # before its time; empty when it was interrupted

    async def carry_out(self, plan: Plan, stop: anyio.Event | None = None) -> Report:
        """Return the report of a plan, in its order. Setting `stop` ends the run early."""
        self._begun = anyio.current_time()
        await self._all(Once(plan.transfers, plan.skipped), stop or anyio.Event())
        for state in self._states.values():
            if state.transfer not in self._results:
                self._over(state, self._unfinished(state))
        results = settled([self._results[transfer] for transfer in self._states])
        seconds = anyio.current_time() - self._begun
        strict = self._options.failures.strict
        return Report(self._job.direction, results, self._skipped, plan.left_out, seconds, plan.not_kept, strict)

    async def _all(self, source: TargetSource, stop: anyio.Event) -> None:
        with single_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_when, stop, tasks.cancel_scope)
                async with anyio.create_task_group() as batches:
                    async for found in source.found():
                        batches.start_soon(self._batch, self._taken(found), batches)
                tasks.cancel_scope.cancel()

    def _taken(self, found: Found) -> Sequence[Transfer]:
        self._skipped += found.skipped
        self._states |= {transfer: TransferState(transfer, self._observer) for transfer in found.transfers}
        self._budget.grow(len(found.transfers))
        return found.transfers

    async def _batch(self, transfers: Sequence[Transfer], batches: TaskGroup) -> None:
        """Run the waves of what was found together."""
        for wave in self._schedule.waves(transfers):
            async with anyio.create_task_group() as tasks:
                for transfer in wave:
                    tasks.start_soon(self._one, self._states[transfer], batches)
            if why := self._schedule.objection([self._results[transfer] for transfer in wave]):
                self._why_ended = why
                batches.cancel_scope.cancel()

    async def _one(self, state: TransferState, batches: TaskGroup) -> None:
        """Bring one transfer to its result."""
        try:
            while not isinstance(ended := await self._attempt(state), Result):
                await anyio.sleep(ended)
                state.tries += 1
        finally:
            await self._job.release(state)
        self._over(state, ended)
        if self._options.failures.fail_fast and not (ended.outcome.is_good or ended.outcome is Outcome.PARTIAL):
            self._why_ended = self._why_ended or f"{state.transfer} failed first"
            batches.cancel_scope.cancel()

    async def _attempt(self, state: TransferState) -> Result | float:
        """Make one attempt; return how the transfer ended, or the seconds to wait before the next attempt."""
        async with self._limiter.slot(state.transfer.target):
            state.attempt_begun = anyio.current_time()
            if state.begun is None:
                state.begun = state.attempt_begun
            elif became := await became_of(state.transfer.target, self._cluster):  # now it may be another pod
                return state.result(Outcome.FAILED, became, GONE)
            try:
                await self._job.attempt(state)
            except TransferError as exc:
                let_go(exc)
                return await self._failed(state, exc)
            return state.result(state.outcome)

    async def _failed(self, state: TransferState, error: TransferError) -> Result | float:
        attempt, became = state.failed(error), ""
        if isinstance(error, _MAY_BE_THE_PODS_END):
            became = await became_of(state.transfer.target, self._cluster)
        if not became and self._budget.allows(error, state.tries):
            wait_s = delay_s(state.tries, chance=random.random(), after_s=error.after_s)  # noqa: S311 (not a secret)
            _LOG.debug(
                "%s: attempt %d failed, again in %.1f s: %s: %s",
                state.transfer,
                state.tries,
                wait_s,
                attempt.error_class,
                error,
            )
            self._observer(Retrying(state.transfer, attempt, wait_s))
            return wait_s
        _LOG.debug("%s: attempt %d failed: %s: %s", state.transfer, state.tries, attempt.error_class, error)
        words, hint = (f"{became} ({error})", GONE) if became else (str(error), error.hint)
        return state.result(outcome_of(error), words, hint, attempt.error_class)

    def _over(self, state: TransferState, result: Result) -> None:
        if state.begun is not None:
            result = replace(result, begun_s=state.begun - self._begun)
        self._results[state.transfer] = result = self._ledger.keep(result)
        state.forget()
        self._observer(Finished(result))

    def _unfinished(self, state: TransferState) -> Result:
        if not self._why_ended:
            return state.result(Outcome.INTERRUPTED, "interrupted before it was complete")
        what = "not begun" if state.begun is None else "ended before it was complete"
        return state.result(Outcome.FAILED, f"{what}, because {self._why_ended}")


async def became_of(target: Target, cluster: Cluster) -> str:
    """Say what happened to the pod since it was matched; empty when it runs as before, or nobody knows."""
    with anyio.move_on_after(_ASK_TIMEOUT_S):
        try:
            return what_became_of(target, await cluster.find_pod(target))
        except ClusterError:
            return ""
    return ""


async def _cancel_when(stop: anyio.Event, scope: anyio.CancelScope) -> None:
    await stop.wait()
    scope.cancel()
