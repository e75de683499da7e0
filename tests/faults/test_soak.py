"""The soak at small size; `nox -s trust -- soak` goes on for five minutes."""

from pathlib import Path

from asynccp.report import Outcome
from benchmarks.trust.faults.soak import Soaked, soak


def test_copies_that_fail_or_are_interrupted_leave_nothing_in_the_process_or_in_a_pod(tmp_path: Path) -> None:
    soaked = soak(tmp_path, rounds=24)
    assert soaked.left == []
    assert {Outcome.COMPLETE, Outcome.FAILED, Outcome.INTERRUPTED} <= soaked.outcomes.keys()


def test_growth_is_seen_after_the_warm_up() -> None:
    assert Soaked(memory=[1, 5, 9, 9, 9, 9, 9, 9, 9, 9]).growth == 0
    assert Soaked(memory=[10 * number for number in range(10)]).growth == 60
