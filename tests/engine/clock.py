"""A clock that jumps: while nothing can happen but that time passes, it has passed.

Two minutes of silence take no time, and end at exactly two minutes. The clock stands still while a worker thread works.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

import pytest
from anyio import to_thread

from asynccp.engine import turns
from asynccp.engine.writer import Work, Writer

Ready = list[tuple[selectors.SelectorKey, int]]


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop with such a clock. `threads_work` says whether one of its worker threads is at work."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.threads_work: Callable[[], bool] = lambda: False
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now


def running_clock(monkeypatch: pytest.MonkeyPatch) -> JumpingLoop:
    """Return the clock of the running loop, which stands still while a worker thread works, anyio's or a Writer's."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    threads, jobs, run = to_thread.current_default_thread_limiter(), set[object](), Writer.run

    async def counted(writer: Writer, work: Work[Any]) -> bool:
        jobs.add(job := object())
        try:
            return await run(writer, work)
        finally:
            jobs.remove(job)

    monkeypatch.setattr(Writer, "run", counted)
    loop.threads_work = lambda: threads.borrowed_tokens + turns.limiter().borrowed_tokens > 0 or bool(jobs)
    return loop


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready: Ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self._loop.threads_work():
            return super().select(timeout)
        self._loop.now += timeout
        return ready
