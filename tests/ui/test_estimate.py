"""How far a run is, when only some of its pods have told how much they have."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.ui.estimate import MOST_TOO_FAR, Over, Steady, expected_bytes, fraction_done


@dataclass(frozen=True)
class Pod:
    moved: int
    expected: int | None = None


NONE = Over()


@pytest.mark.parametrize(
    ("count", "share", "over", "underway", "expected"),
    [
        # Nothing is known: nobody can tell.
        (3, None, NONE, [], None),
        (3, None, NONE, [Pod(50)], None),
        (3, None, Over(2, 70), [Pod(50)], None),  # those that failed tell nothing
        # One told its size: the others are expected to be as large.
        (3, None, NONE, [Pod(0, 100)], 300),
        (3, None, NONE, [Pod(50, 100), Pod(10, 300)], 600),
        (2, None, NONE, [Pod(150, 100)], 300),  # a size is told as `about`
        # One has ended.
        (3, None, Over(1, 100, 1, 100), [], 300),
        (3, None, Over(1, 100, 1, 100), [Pod(0, 200)], 450),
        (3, None, Over(2, 107, 1, 100), [], 207),  # 7 bytes came from one that failed
        (3, None, Over(3, 107, 1, 100), [], 107),
        # One that has not told its size has half of what it moved still to come, and half the average at least.
        (2, None, Over(1, 100, 1, 100), [Pod(0)], 200),
        (2, None, Over(1, 100, 1, 100), [Pod(50)], 200),
        (2, None, Over(1, 100, 1, 100), [Pod(100)], 250),
        (2, None, Over(1, 100, 1, 100), [Pod(1000)], 1600),
        # A push knows each.
        (3, 100, NONE, [], 300),
        (3, 100, NONE, [Pod(10, 120)], 320),
        (3, 100, Over(1, 0), [Pod(10, 100)], 200),
        # Empty pods.
        (3, None, Over(1, 0, 1, 0), [], 0),
        (0, None, NONE, [], None),
        (1, None, Over(2, 10, 2, 10), [], 10),  # more ended than there are
    ],
)
def test_bytes_that_a_run_will_have_moved(
    count: int, share: int | None, over: Over, underway: Sequence[Pod], expected: float | None
) -> None:
    assert expected_bytes(count, share, over, underway) == expected


@pytest.mark.parametrize(
    ("count", "over", "moved", "expected", "done"),
    [
        (4, NONE, 50, 200.0, 0.25),
        (4, NONE, 300, 200.0, 1.0),
        (4, NONE, 50, None, 0.0),
        (4, Over(2, 0, 2, 0), 0, 0.0, 0.5),  # empty pods count as themselves
        (4, Over(2, 0, 1, 0), 0, 0.0, 1 / 3),
        (4, Over(2), 0, None, 0.0),  # what failed is not done
        (4, Over(4), 0, None, 1.0),
        (0, NONE, 0, None, 1.0),
    ],
)
def test_how_much_is_done(count: int, over: Over, moved: int, expected: float | None, done: float) -> None:
    assert fraction_done(count, over, moved, expected) == pytest.approx(done)


@pytest.mark.parametrize(
    ("fractions", "shown"),
    [
        ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]),
        ([0.3, 0.25, 0.28, 0.31], [0.3, 0.3, 0.3, 0.31]),
        ([0.3, 0.19, 0.2], [0.3, 0.19, 0.2]),
        ([0.5, 0.02], [0.5, 0.02]),
        ([0.5, 0.45, 0.41, 0.39], [0.5, 0.5, 0.5, 0.39]),
        ([1.0, 0.97, 1.0], [1.0, 0.99, 1.0]),
    ],
)
def test_a_bar_waits_for_the_truth_unless_it_was_far_too_high(fractions: list[float], shown: list[float]) -> None:
    steady = Steady()
    assert [steady.show(one) for one in fractions] == shown


@given(st.lists(st.floats(0, 1), max_size=50))
def test_what_is_shown_is_never_less_than_the_truth_and_never_much_more(fractions: list[float]) -> None:
    steady = Steady()
    for one in fractions:
        shown = steady.show(one)
        assert min(one, 0.99) <= shown <= one + MOST_TOO_FAR
