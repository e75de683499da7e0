"""Comparisons: who copies when, what a median is taken of, whom we are compared to, and when an aim is held."""

import math
from collections.abc import Callable

import pytest

from benchmarks.compare import CLIENT_CPU, SERVER_CPU, TIME, Comparison, compare, rows
from benchmarks.row import OURS, Row
from benchmarks.sample import Incomplete, Sample


def sample(wall_s: float, client_cpu_s: float = 1.0, server_cpu_s: float | None = None) -> Sample:
    return Sample(wall_s, client_cpu_s, server_cpu_s, 50.0)


def scripted(*ends: Sample | Incomplete) -> Callable[[], Sample]:
    """Return a side whose copies end like that, one after the other."""
    coming = iter(ends)

    def side() -> Sample:
        end = next(coming)
        if isinstance(end, Incomplete):
            raise end
        return end

    return side


def quietly(_: str) -> None:
    pass


def test_sides_copy_in_turn_so_that_what_else_the_machine_does_hits_all() -> None:
    order: list[str] = []

    def side(name: str) -> Callable[[], Sample]:
        return lambda: order.append(name) or sample(1)  # type: ignore[func-returns-value]

    compare({name: side(name) for name in "ABC"}, 2, quietly)
    assert order == list("ABCABC")


def test_a_figure_is_the_median_and_the_ratio_says_how_many_times_better_we_are() -> None:
    sides = {OURS: scripted(sample(1), sample(9), sample(2)), "kubectl": scripted(sample(8), sample(5), sample(6))}
    row = compare(sides, 3, quietly).row("push", TIME, 2.9)
    assert (row.ours, row.theirs, row.ratio, row.held) == (2, 6, 3, True)
    assert row.samples == {OURS: [1, 9, 2], "kubectl": [8, 5, 6]}


def test_a_short_copy_is_a_failure_and_not_a_fast_one() -> None:
    quick = scripted(Incomplete("short in 1 of 8 pods"), sample(6), Incomplete("exit code 1"))
    row = compare({OURS: scripted(*[sample(2)] * 3), "kubectl": quick}, 3, quietly).row("push", TIME)
    assert row.theirs == 6
    assert row.failures == {"kubectl": 2}


def test_our_own_short_copy_loses_the_aim_however_fast_we_are() -> None:
    ours = scripted(sample(1), Incomplete("short in 1 of 8 pods"))
    row = compare({OURS: ours, "kubectl": scripted(sample(9), sample(9))}, 2, quietly).row("push", TIME, 1.9)
    assert row.ratio == 9
    assert not row.held


def test_each_measure_is_compared_to_the_best_of_the_others_in_it() -> None:
    samples = {OURS: [sample(1, 1)], "xargs -P4": [sample(5, 3)], "xargs -P32": [sample(4, 6)]}
    found = Comparison(samples)
    assert [found.row("push", measure).against for measure in (TIME, CLIENT_CPU)] == ["xargs -P32", "xargs -P4"]


def test_a_side_that_never_comes_through_is_not_the_best() -> None:
    found = Comparison({OURS: [sample(1)], "broken": [], "kubectl": [sample(5)]}, {"broken": 3})
    assert (found.row("push", TIME).against, found.row("push", TIME).failures) == ("kubectl", {"broken": 3})


def test_without_a_complete_copy_of_ours_no_aim_is_held() -> None:
    row = Comparison({OURS: [], "kubectl": [sample(5)]}, {OURS: 3}).row("push", TIME, 0.5)
    assert (row.ours, row.ratio, row.held) == (math.inf, 0, False)


def test_what_cannot_be_measured_here_has_no_row() -> None:
    found = Comparison({OURS: [sample(1)], "kubectl": [sample(5)]})
    assert [row.measure for row in rows(found, "push", [(TIME, None), (SERVER_CPU, 4)])] == ["time"]


@pytest.mark.parametrize(("ours", "held"), [(1.25, True), (1.26, False)])
def test_a_limit_of_one_and_a_quarter_is_a_ratio_of_four_fifths(ours: float, held: bool) -> None:
    assert Row("push", "time", ours, 1.0, "s", "the floor", 0.8).held is held


def test_a_lost_copy_of_one_of_our_sides_is_a_lost_copy_of_ours() -> None:
    found = Comparison({"again": [sample(1)], "first": [sample(4)], OURS: []}, {"again": 1})
    row = found.as_ours("again", "first").row("push again", TIME, 2)
    assert (row.ratio, row.failures, row.held) == (4, {OURS: 1}, False)
