"""Turns: steps of a long work end in the same result; in a hole others get time, and it can be told."""

from collections.abc import Generator
from itertools import count

import anyio
import pytest

from asynccp.engine import turns
from asynccp.engine.turns import REST, TURN_S, in_turns

from .clock import JumpingLoop


@pytest.fixture(autouse=True)
def _a_turn_is_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = count()
    monkeypatch.setattr(turns, "perf_counter", lambda: next(looks) * TURN_S * 0.6)


def steps(sizes: list[int]) -> Generator[int, None, str]:
    yield from sizes
    return "whole"


@pytest.mark.parametrize(
    ("sizes", "rests", "moves"),
    [([1] * 10, 0, 10), ([0] * 10, 10, 0), ([1, 0, 0, 1], 2, 2), ([], 0, 0)],
    ids=["a file", "a hole", "a file with a hole", "nothing"],
)
async def test_only_after_a_turn_in_a_hole_is_there_a_rest(
    sizes: list[int], rests: int, moves: int, clock: JumpingLoop
) -> None:
    begun_s, moved = clock.now, list[None]()
    assert await in_turns(steps(sizes), lambda: moved.append(None)) == "whole"
    assert clock.now - begun_s == pytest.approx(rests * REST * TURN_S)
    assert len(moved) == moves


async def test_a_hole_without_an_end_can_be_told_to_end() -> None:
    dealt = list[int]()

    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 0
        finally:
            dealt.append(1)

    with anyio.move_on_after(1) as scope:
        await in_turns(endless())
    assert scope.cancelled_caught
    assert dealt == [1], "what it held is closed"
