"""Another attempt: for connections alone, later each time, not for ever, and never into another pod."""

import anyio
import pytest
from msgspec.structs import replace

from asynccp.engine.retry import FREE_RETRIES, MOST_DELAY_S, RETRY_SHARE, Budget, delay_s
from asynccp.engine.state import TransferState
from asynccp.errors import (
    CommandFailed,
    ConnectFailed,
    DestinationError,
    ProtocolViolation,
    Refused,
    SessionLost,
    SourceChanged,
    Stalled,
    TransferError,
    UnsafeEntry,
)
from asynccp.events import Event, Finished, Retrying
from asynccp.options import Concurrency, Failures, Options
from asynccp.report import Outcome, Report
from asynccp.target import Json

from .clock import JumpingLoop
from .jobs import Copying, carried_out
from .scripted import Recorder, running, scripted, target, targets
from .test_run import plan_of

LOST = SessionLost("gone")


@pytest.mark.parametrize(
    ("attempt", "chance", "after_s", "expected"),
    [
        (1, 0.0, 0.0, 0.5),
        (1, 1.0, 0.0, 1.0),
        (2, 1.0, 0.0, 2.0),
        (3, 0.0, 0.0, 2.0),
        (6, 1.0, 0.0, MOST_DELAY_S),
        (60, 1.0, 0.0, MOST_DELAY_S),
        (1, 1.0, 7.0, 7.0),
        (5, 1.0, 7.0, 16.0),
    ],
)
def test_the_delay_doubles_spreads_and_obeys_the_server(
    attempt: int, chance: float, after_s: float, expected: float
) -> None:
    assert delay_s(attempt, chance=chance, after_s=after_s) == expected


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectFailed("x"), True),
        (LOST, True),
        (Stalled("x"), False),
        (Refused("x"), False),
        (CommandFailed("x"), False),
        (DestinationError("x"), False),
        (SourceChanged("x"), False),
        (UnsafeEntry("x"), False),
        (ProtocolViolation("x"), False),
    ],
)
def test_only_a_failed_connection_is_worth_another_attempt(error: TransferError, again: bool) -> None:
    assert Budget(retries=2).allows(error, 1) is again


def test_a_transfer_has_so_many_retries_and_a_run_has_a_share() -> None:
    budget = Budget(retries=2)
    budget.grow(100)
    assert [budget.allows(LOST, attempt) for attempt in (1, 2, 3)] == [True, True, False]
    assert sum(budget.allows(LOST, 1) for _ in range(1000)) == FREE_RETRIES + 100 * RETRY_SHARE - 2


class Failing:
    """Fails so many times for each pod, then succeeds."""

    def __init__(self, times: int, error: TransferError = LOST) -> None:
        self._times = times
        self._error = error
        self.begun_at: list[float] = []

    async def __call__(self, state: TransferState) -> None:
        self.begun_at.append(anyio.current_time())
        await anyio.lowlevel.checkpoint()
        if state.tries <= self._times:
            raise type(self._error)(str(self._error), after_s=self._error.after_s)


async def run(copy: Failing, pods: int = 1, now: dict[str, Json | Exception | None] | None = None) -> Report:
    async with scripted() as cluster:
        cluster.now.update(now or {})
        return await carried_out(
            Copying(copy), plan_of(targets(pods)), cluster, Options(failures=Failures(retries=2)), Recorder()
        )


async def test_a_lost_session_is_made_good_and_the_report_tells_the_attempts() -> None:
    report = await run(Failing(2))
    assert [(one.outcome, one.tries) for one in report.results] == [(Outcome.COMPLETE, 3)]
    assert report.exit_code == 0
    assert 1.5 <= report.results[0].seconds <= 3.1, "after about 1 and 2 seconds"


async def test_what_each_failed_attempt_died_of_is_an_event_and_in_the_report() -> None:
    events = list[Event]()
    async with scripted() as cluster:
        plan, copy = plan_of(targets(1)), Failing(2)
        report = await carried_out(Copying(copy), plan, cluster, Options(failures=Failures(retries=2)), events.append)
    again = [event for event in events if isinstance(event, Retrying)]
    (result,) = report.results
    assert [event.attempt for event in again] == list(result.attempts)
    assert [(one.error, one.error_class) for one in result.attempts] == [("gone", "SessionLost")] * 2
    assert 0.5 <= again[0].delay_s <= 1 <= again[1].delay_s <= 2
    assert events[-1] == Finished(result)


async def test_it_gives_up_after_the_last_attempt_with_the_cause() -> None:
    (result,) = (await run(Failing(9))).results
    assert (result.outcome, result.tries, result.error) == (Outcome.FAILED, 3, "gone")
    assert (result.error_class, len(result.attempts)) == ("SessionLost", 3), "the last one's as well"


async def test_a_server_that_asks_for_time_gets_it() -> None:
    copy = Failing(1, ConnectFailed("busy", after_s=42.0))
    assert (await run(copy)).ok
    assert copy.begun_at[1] - copy.begun_at[0] == pytest.approx(42, abs=0.1)


@pytest.mark.parametrize(
    "now", [None, running(replace(target(), uid="another")), running(replace(target(), restarts=7))]
)
async def test_another_pod_or_a_restarted_one_is_not_the_target(now: Json | None) -> None:
    copy = Failing(1)
    report = await run(copy, now={"web-0": now})
    assert report.results[0].outcome is Outcome.FAILED
    assert len(copy.begun_at) == 1


async def test_a_dying_cluster_is_not_hammered() -> None:
    copy = Failing(9)
    report = await run(copy, pods=1000)
    assert {one.outcome for one in report.results} == {Outcome.FAILED}
    assert len(copy.begun_at) == 1000 + FREE_RETRIES + 1000 * RETRY_SHARE


async def test_a_pod_that_waits_for_its_next_attempt_holds_no_place(clock: JumpingLoop) -> None:
    order: list[str] = []

    async def copy(state: TransferState) -> None:
        order.append(f"{state.transfer.target.pod} {state.tries}")
        await anyio.lowlevel.checkpoint()
        if state.transfer.target.pod == "web-0" and state.tries == 1:
            raise LOST

    async with scripted() as cluster:
        options = Options(concurrency=Concurrency(sessions=1), failures=Failures(retries=1))
        await carried_out(Copying(copy), plan_of(targets(3)), cluster, options, Recorder())
    assert order == ["web-0 1", "web-1 1", "web-2 1", "web-0 2"]
