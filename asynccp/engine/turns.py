"""Turns: work of the CPU's in threads, a little of each at a time, such as digests of large files.

The steps of all take turns in as many threads as there are CPUs but one, which is the loop's; between two turns a task
can be cancelled. A turn without any bytes, in a hole of a file, is followed by a rest: a hole is a number that a pod
says, and may be worked on for days.
"""

import os
from collections.abc import Callable, Generator
from time import perf_counter
from typing import TypeVar

from anyio import CapacityLimiter, sleep, to_thread
from anyio.lowlevel import RunVar

Result = TypeVar("Result")

TURN_S = 0.02
REST = 3  # times TURN_S
_limiter = RunVar[CapacityLimiter]("asynccp_turns")


async def in_turns(steps: Generator[int, None, Result], moved: Callable[[], None] = lambda: None) -> Result:
    """Take all the steps, and return what they return. moved: called after a turn that dealt with any bytes."""
    results: list[Result] = []

    def turn() -> int:
        until_s, size = perf_counter() + TURN_S, 0
        while perf_counter() < until_s:
            try:
                size += next(steps)
            except StopIteration as end:
                results.append(end.value)
                break
        return size

    try:
        while not results:
            if await to_thread.run_sync(turn, limiter=limiter()):
                moved()
            elif not results:
                await sleep(REST * TURN_S)
    finally:
        steps.close()
    return results[0]


def limiter() -> CapacityLimiter:
    """Return what the threads are taken from, in one event loop."""
    try:
        return _limiter.get()
    except LookupError:
        made = CapacityLimiter(max(1, (os.cpu_count() or 1) - 1))
        _limiter.set(made)
        return made
