"""Run: one job for all transfers that a source finds, in the order that a schedule gives, each to its result.

A failed transfer is a result; anything that is no TransferError is a defect of ours, and stops the run.
"""

import logging
import random
from collections.abc import Sequence
from typing import Protocol

import anyio
from anyio.abc import TaskGroup
from msgspec.structs import replace

from asynccp.engine.gate import Gate, Open
from asynccp.engine.group import let_go, single_error
from asynccp.engine.ledger import Ledger
from asynccp.engine.limiter import SessionLimiter
from asynccp.engine.retry import Budget, delay_s
from asynccp.engine.schedule import AllAtOnce, Schedule
from asynccp.engine.state import TransferState
from asynccp.engine.targets import Found, Once, TargetSource
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import ClusterError, CommandFailed, ConnectFailed, Refused, SessionLost, Stalled, TransferError
from asynccp.events import Amended, Finished, Observer, Retrying, WaveBegun, WaveEnded
from asynccp.kube.base import Cluster
from asynccp.options import Options
from asynccp.plan.waves import numbers_of
from asynccp.report import UNSETTLED, Outcome, Report, Result, outcome_of, settled
from asynccp.target import Skipped, Target, Transfer, what_became_of
from asynccp.wave import Passed, Wave, pods_of

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
    @property
    def waves(self) -> tuple[Wave, ...]: ...


class Run:
    """One job, carried out once. schedule: None: all at once. gate: None: nothing is between its waves."""

    def __init__(
        self,
        job: Job,
        cluster: Cluster,
        options: Options,
        observer: Observer,
        *,
        schedule: Schedule | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._job = job
        self._cluster = cluster
        self._options = options
        self._observer = observer
        self._schedule = schedule or AllAtOnce()
        self._gate = gate or Open()
        self._limiter = SessionLimiter(options)
        self._budget = Budget(options.failures.retries)
        self._ledger = Ledger(digests_size=job.digests_size)
        self._states: dict[Transfer, TransferState] = {}  # in the order in which they were found
        self._results: dict[Transfer, Result] = {}
        self._skipped: list[Skipped] = []
        self._failures: list[Result] = []
        self._passed: dict[int, Passed] = {}  # the waves that began
        self._begun = 0.0
        self._why_ended = ""  # before its time; empty when it was interrupted

    async def carry_out(
        self,
        plan: Plan,
        stop: anyio.Event | None = None,
        source: TargetSource | None = None,
        *,
        begun: float | None = None,
    ) -> Report:
        """Return the report of a plan, in its order. Setting `stop` ends the run early.

        source: of the transfers, where they are not the plan's. begun: when, if something else came first.
        """
        self._begun = anyio.current_time() if begun is None else begun
        await self._all(source or Once(plan.transfers, plan.skipped), stop or anyio.Event())
        for state in self._states.values():
            if state.transfer not in self._results:
                self._over(state, self._unfinished(state))
        number = numbers_of(plan.waves)
        results = settled([replace(self._results[one], wave=number.get(one, 0)) for one in self._states])
        return Report(
            self._job.direction,
            results,
            self._skipped,
            plan.left_out,
            anyio.current_time() - self._begun,
            plan.not_kept,
            self._options.failures.strict,
            waves=[self._passed.get(one.number, Passed(one.number, one.name, len(one.pods))) for one in plan.waves],
        )

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
        for transfer in found.transfers:  # a source may find one anew whose last try is over
            self._results.pop(transfer, None)
        self._budget.grow(len(found.transfers))
        return found.transfers

    async def _batch(self, transfers: Sequence[Transfer], batches: TaskGroup) -> None:
        """Run the waves of what was found together."""
        for wave in self._schedule.waves(transfers):
            if why := await self._gate.opens(wave):
                self._why_ended = why
                self._passed[wave.number] = Passed(wave.number, wave.name, len(wave.pods), stopped=why)
            else:
                await self._wave(wave, batches)
            if self._why_ended:
                batches.cancel_scope.cancel()
                return

    async def _wave(self, wave: Wave, batches: TaskGroup) -> None:
        begun = anyio.current_time()
        passed = Passed(wave.number, wave.name, len(wave.pods), begun - self._begun)
        self._passed[wave.number] = passed  # also of a wave that does not come to its end
        if wave.number:
            self._observer(WaveBegun(wave))
        async with anyio.create_task_group() as tasks:
            for transfer in wave.transfers:
                tasks.start_soon(self._one, self._states[transfer], batches)
        if not self._why_ended:
            await self._watch(wave)
        self._why_ended = self._schedule.objection(self._failures) or self._why_ended
        failed = pods_of([one.transfer for one in self._failures if one.transfer in wave.transfers])
        seconds = anyio.current_time() - begun
        passed = replace(passed, seconds=seconds, failed=len(failed), stopped=self._why_ended)
        self._passed[wave.number] = passed
        if wave.number:
            self._observer(WaveEnded(passed))

    async def _watch(self, wave: Wave) -> None:
        """Wait until it is known which pods of a wave bear what was done; one that does not has failed."""
        whole = [one for one in wave.transfers if not self._results[one].outcome.is_failure]
        async for pod, why in self._gate.troubled(wave, [one.target for one in whole]):
            for one in whole:
                if one.target.of_pod == pod:
                    self._amend(one, f"{why}, after all was copied")
            if self._object():
                return

    def _amend(self, transfer: Transfer, error: str) -> None:
        result = replace(self._results[transfer], outcome=Outcome.FAILED, error=error, error_class=UNSETTLED, hint="")
        self._results[transfer] = result
        self._failures.append(result)
        self._observer(Amended(result))

    def _object(self) -> str:
        """Return why nothing more may begin, empty if it may."""
        self._why_ended = self._why_ended or self._schedule.objection(self._failures)
        return self._why_ended

    async def _one(self, state: TransferState, batches: TaskGroup) -> None:
        """Bring one transfer to its result."""
        try:
            while isinstance(ended := await self._attempt(state), float):
                await anyio.sleep(ended)
                state.tries += 1
        finally:
            await self._job.release(state)
        if ended is None:
            return
        self._over(state, ended)
        if ended.outcome.is_failure and state.begun is not None:
            self._failures.append(ended)
        if self._object():
            return
        if self._options.failures.fail_fast and ended.outcome.is_failure:
            self._why_ended = self._why_ended or f"{state.transfer} failed first"
            batches.cancel_scope.cancel()

    async def _attempt(self, state: TransferState) -> Result | float | None:
        """Make one attempt; return how the transfer ended, or the seconds to wait before the next attempt.

        None: it is not begun, because too many others have failed; how many those are is known later.
        """
        async with self._limiter.slot(state.transfer.target):
            state.attempt_begun = anyio.current_time()
            if state.begun is None and self._why_ended:
                return None
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
            chance = random.random()  # noqa: S311 (not a secret)
            wait_s = 0.0 if error.at_once else delay_s(state.tries, chance=chance, after_s=error.after_s)
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
            what = "interrupted before it was complete"
            if state.begun is None:
                what = "not begun, because the run was interrupted"
            return state.result(Outcome.INTERRUPTED, what)
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
