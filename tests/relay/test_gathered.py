"""What workers tell, as one run: each transfer once, whatever dies."""

from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry, Kind
from asynccp.errors import Interrupted, WorkerLost
from asynccp.events import Advanced, Event, Finished, Retrying, Started
from asynccp.options import Failures, Options
from asynccp.plan.plan import PushPlan
from asynccp.relay.gathered import Gathered
from asynccp.report import Outcome, Result
from asynccp.target import Target, Transfer

FIRST, SECOND, THIRD = (Transfer(Target("shop", f"web-{number}", "main"), "/a") for number in range(3))
PLAN = PushPlan(("a",), ArchiveLayout([Entry(b"a", Kind.FILE, 1)], "0" * 16), (FIRST, SECOND, THIRD))
LOST = WorkerLost("its worker process was killed by signal 9")


def gathered(options: Options = Options()) -> tuple[Gathered, list[Event]]:  # noqa: B008 (a value)
    heard: list[Event] = []
    return Gathered(PLAN, options, heard.append), heard


def complete(transfer: Transfer, size: int = 1) -> Finished:
    return Finished(Result(transfer, Outcome.COMPLETE, size=size, begun_s=1.0))


def test_results_are_in_the_plans_order_and_placed_in_the_whole_run() -> None:
    run, heard = gathered()
    for one in (THIRD, FIRST, SECOND):
        run.hear(complete(one), 9.0, 5.0)
    report = run.report(10.0)
    assert [one.transfer for one in report.results] == [FIRST, SECOND, THIRD]
    assert {one.begun_s for one in report.results} == {6.0}
    assert (report.direction, report.exit_code, len(heard)) == ("push", 0, 3)


def test_what_a_dead_worker_had_begun_is_told_as_an_attempt_and_the_next_ones_result_counts() -> None:
    run, heard = gathered()
    run.hear(Started(FIRST, 100), 1.0, 0.0)
    run.hear(Advanced(FIRST, 50), 2.0, 0.0)
    run.hear(complete(SECOND), 2.0, 0.0)
    run.lose((FIRST, SECOND, THIRD), LOST, 3.0)
    assert run.unfinished((FIRST, SECOND, THIRD)) == [FIRST, THIRD]
    (told,) = [one for one in heard if isinstance(one, Retrying)]
    assert (told.transfer, told.attempt.error_class, told.attempt.seconds) == (FIRST, "WorkerLost", 2.0)
    for one in (FIRST, THIRD):
        run.hear(complete(one), 4.0, 3.0)
    first, second, third = run.report(5.0).results
    assert (first.tries, [one.error for one in first.attempts]) == (2, [str(LOST)])
    assert (second.tries, third.tries, third.attempts) == (1, 1, ())


def test_a_result_that_is_told_twice_counts_once() -> None:
    run, heard = gathered()
    for size in (1, 2):
        run.hear(complete(FIRST, size), 1.0, 0.0)
    run.hear(Started(FIRST, 1), 1.0, 0.0)
    assert [one.result.size for one in heard if isinstance(one, Finished)] == [1]
    assert len(heard) == 1


def test_what_no_worker_brought_to_an_end_is_failed_and_named() -> None:
    run, _ = gathered()
    run.hear(complete(FIRST), 1.0, 0.0)
    run.give_up((FIRST, SECOND), WorkerLost(str(LOST), hint="see"))
    run.give_up((THIRD,), Interrupted("interrupted before it was complete"))
    results = run.report(1.0).results
    assert [one.outcome.value for one in results] == ["complete", "failed", "interrupted"]
    assert (results[1].error_class, results[1].hint) == ("WorkerLost", "see")


def test_with_fail_fast_the_first_failure_is_the_reason_of_all_others() -> None:
    run, _ = gathered(Options(failures=Failures(fail_fast=True)))
    run.hear(Finished(Result(FIRST, Outcome.FAILED, error="no room")), 1.0, 0.0)
    assert run.why_ended == f"{FIRST} failed first"
    run.hear(Finished(Result(SECOND, Outcome.INTERRUPTED, begun_s=1.0)), 2.0, 0.0)
    run.hear(Finished(Result(THIRD, Outcome.INTERRUPTED)), 2.0, 0.0)
    assert [one.error for one in run.report(1.0).results] == [
        "no room",
        f"ended before it was complete, because {FIRST} failed first",
        f"not begun, because {FIRST} failed first",
    ]
