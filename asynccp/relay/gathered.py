"""Gathered: what workers tell of one plan, as one run: its events, its results, its report.

Each transfer has one result, the first that is told. What a worker that died had not finished is told as an attempt
that failed, and the next worker's result counts.
"""

from collections.abc import Collection

from msgspec.structs import replace

from asynccp.engine.ledger import Ledger
from asynccp.errors import AsyncCpError, Interrupted, WorkerLost
from asynccp.events import Event, Finished, Observer, Retrying, Started
from asynccp.options import Options
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay.lines import transfer_of
from asynccp.relay.shards import in_order
from asynccp.report import Attempt, Outcome, Report, Result, settled
from asynccp.target import Transfer


class Gathered:
    """why_ended: why the run is to end before its time; empty while it isn't, or was interrupted."""

    def __init__(self, plan: PushPlan | PullPlan, options: Options, observer: Observer) -> None:
        self.why_ended = ""
        self._plan = plan
        self._options = options
        self._observer = observer
        self._results: dict[Transfer, Result] = {}
        self._begun: dict[Transfer, float] = {}  # when the newest attempt that is known began
        self._lost: dict[Transfer, tuple[Attempt, ...]] = {}
        self._ledger = Ledger(digests_size=None if isinstance(plan, PushPlan) else options.limits.memory)

    def unfinished(self, transfers: Collection[Transfer]) -> list[Transfer]:
        return [one for one in transfers if self.awaits(one)]

    def awaits(self, transfer: Transfer) -> bool:
        """Tell whether nobody has told yet how it ended."""
        return transfer not in self._results

    def hear(self, event: Event, now_s: float, begun_s: float) -> None:
        """Take one event of a worker. now_s, begun_s: seconds since the run began, of now and of the worker's run."""
        transfer = transfer_of(event)
        if transfer is None or transfer in self._results:
            return
        match event:
            case Finished(result):
                self._finish(self._placed(result, begun_s))
            case Started():
                self._begun.setdefault(transfer, now_s)
                self._observer(event)
            case _:
                self._observer(event)

    def lose(self, transfers: Collection[Transfer], error: WorkerLost, now_s: float) -> None:
        """A worker has died before it had finished these, and another one will have them."""
        for one in self.unfinished(transfers):
            if (since_s := self._begun.pop(one, None)) is not None:
                attempt = Attempt(str(error), type(error).__name__, now_s - since_s)
                self._lost[one] = (*self._lost.get(one, ()), attempt)
                self._observer(Retrying(one, attempt, 0.0))

    def give_up(self, transfers: Collection[Transfer], error: AsyncCpError) -> None:
        """There will be no other worker for these."""
        outcome = Outcome.INTERRUPTED if isinstance(error, Interrupted) else Outcome.FAILED
        error_class = type(error).__name__ if outcome is Outcome.FAILED else ""
        for one in self.unfinished(transfers):
            ended = Result(one, outcome, error=str(error), hint=error.hint, error_class=error_class)
            self._finish(self._placed(ended, 0.0))

    def report(self, seconds: float) -> Report:
        plan = self._plan
        results = settled([self._results[one] for one in in_order(plan, self._results.keys())])
        direction = "push" if isinstance(plan, PushPlan) else "pull"
        strict = self._options.failures.strict
        return Report(direction, results, plan.skipped, plan.left_out, seconds, plan.not_kept, strict)

    def _placed(self, result: Result, begun_s: float) -> Result:
        """Return a worker's result as one of the whole run."""
        lost = self._lost.get(result.transfer, ())
        if self.why_ended and result.outcome is Outcome.INTERRUPTED:
            what = "not begun" if result.begun_s is None else "ended before it was complete"
            result = replace(result, outcome=Outcome.FAILED, error=f"{what}, because {self.why_ended}")
        if result.begun_s is not None:
            result = replace(result, begun_s=result.begun_s + begun_s)
        return replace(result, attempts=(*lost, *result.attempts), tries=result.tries + len(lost))

    def _finish(self, result: Result) -> None:
        self._results[result.transfer] = result = self._ledger.keep(result)
        is_bad = not (result.outcome.is_good or result.outcome is Outcome.PARTIAL)
        if self._options.failures.fail_fast and is_bad and not self.why_ended:
            self.why_ended = f"{result.transfer} failed first"
        self._observer(Finished(result))
