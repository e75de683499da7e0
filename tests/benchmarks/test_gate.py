"""The gate: which release a tree is measured against, what is read of valgrind's words, and what is too much."""

import pytest

from benchmarks.gate import MOST, Cost, counted, last_release


@pytest.mark.parametrize(
    ("tags", "last"),
    [
        ([], ""),
        (["v0.1.0"], "v0.1.0"),
        (["v0.9.0", "v0.10.0", "v0.2.11"], "v0.10.0"),
        (["v1.0.0rc1", "v0.1.0", "vendored", "v2"], "v0.1.0"),
    ],
)
def test_the_newest_release_is_what_a_tree_is_measured_against(tags: list[str], last: str) -> None:
    assert last_release(tags) == last


def test_what_callgrind_has_counted() -> None:
    words = "==7== Events    : Ir\n==7== Collected : 854456000\n==7== \n==7== I   refs:      854,456,000\n"
    assert counted(words) == 854_456_000


@pytest.mark.parametrize(("now", "is_too_much"), [(50.0, False), (100.0 * MOST, False), (110.2, True)])
def test_a_tenth_more_is_too_much(now: float, is_too_much: bool) -> None:
    cost = Cost("push", 100.0, now)
    assert cost.is_too_much is is_too_much
    assert ("more than" in str(cost)) is is_too_much
