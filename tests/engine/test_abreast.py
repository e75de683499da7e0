"""How many pods of a node are given what has changed at a time: what their copies have taken tells."""

from collections.abc import Callable

import pytest

from asynccp.engine.abreast import LEAST, Abreast


def settled(takes_s: Callable[[int], float], pods: int) -> int:
    """Return how many of some pods are begun at last. takes_s: how long one takes beside how many."""
    abreast = Abreast()
    for _ in range(10):
        at_once = min(pods, abreast.most("node"))
        for beside in range(1, at_once + 1):
            abreast.learn("node", takes_s(beside), beside)
    return min(pods, abreast.most("node"))


@pytest.mark.parametrize(
    ("takes_s", "at_once"),
    [
        (lambda beside: 0.07 * beside, LEAST),  # one core, which is busy
        (lambda beside: 0.14 * max(1.0, beside / 2), LEAST),  # two, as measured
        (lambda beside: 0.14 * max(1.0, beside / 16), 32),  # sixteen
        (lambda _: 1.2, 100),  # a long way
        (lambda _: 0.0, 100),  # none at all
        (lambda beside: 1.2 + 0.01 * beside, 100),  # a long way, and a fast node
    ],
)
def test_as_many_as_a_node_works_on_and_some_more(takes_s: Callable[[int], float], at_once: int) -> None:
    assert settled(takes_s, 100) == pytest.approx(at_once, rel=0.1)


def test_nodes_differ_and_one_that_gets_busy_gets_fewer() -> None:
    abreast = Abreast()
    for number in range(5):
        abreast.learn("fast", 1.0, 4 * (1 + number))
        abreast.learn("slow", 1.0 * (1 + number), 1 + number)
    assert (abreast.most("fast"), abreast.most("slow"), abreast.most("new")) == (40, LEAST, LEAST)
    abreast.learn("fast", 10.0, 20)
    assert abreast.most("fast") == LEAST
