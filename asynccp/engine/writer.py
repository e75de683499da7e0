"""Writer: the thread in which what pulls receive goes to the disk, a hop at a time.

anyio has many worker threads, and each hop costs 0.2 ms to hand over and several waits for the interpreter's lock. Here
one thread takes hop after hop without a pause, and tells at once of all that it has done: a pull of 2 GiB from 64 pods
of a server that does nothing else took 10.6 CPU-seconds with anyio's, 7.2 with this, and 6.7 when the loop itself
wrote, which it must not: a disk may be slow.

If it is, more threads come: small files from many pods to a network disk wait for the disk, not for us.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import anyio

Argument = TypeVar("Argument")
Result = TypeVar("Result")

MOST_THREADS = 16
SLOW_S, IDLE_SHARE = 0.05, 0.5
"""A disk is slow when all threads were at work for so many seconds, in which this process took less CPU time than that
share of them."""


class _Job(NamedTuple):
    done: asyncio.Future[Any]
    function: Callable[[Any], Any]
    argument: Any


class Writer:
    """Used as `async with`, in one event loop; leaving it ends the threads."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._under_way = 0
        self._threads: list[threading.Thread] = []
        self._busy_since: tuple[float, float] | None = None  # all threads are: seconds of the clock, of our CPU time
        self._done: deque[tuple[_Job, Any, BaseException | None]] = deque()
        self._told = False  # the loop is going to look at what is done

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._jobs.put(None)

    async def run(self, function: Callable[[Argument], Result], argument: Argument) -> Result:
        """Call a function that blocks in a thread; return what it returns, raise what it raises.

        Waits for its end even when cancelled: until then what it works with is in use.
        """
        job = _Job(self._loop.create_future(), function, argument)
        self._under_way += 1
        if self._is_thread_wanted():
            thread = threading.Thread(target=self._work, name="asynccp writer", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)
        try:
            with anyio.CancelScope(shield=True):
                await job.done
            result: Result = job.done.result()
            return result
        finally:
            self._under_way -= 1
            del job  # an error has this frame, and would have itself by it, and keep the argument

    def _is_thread_wanted(self) -> bool:
        """Tell whether there is none yet, or all that there are wait for the disk."""
        if self._under_way <= len(self._threads):
            self._busy_since = None
            return False
        now_s, cpu_s = time.monotonic(), time.process_time()
        if not self._threads:
            return True
        since_s, since_cpu_s = self._busy_since = self._busy_since or (now_s, cpu_s)
        if now_s - since_s < SLOW_S:
            return False
        self._busy_since = None
        return cpu_s - since_cpu_s < IDLE_SHARE * (now_s - since_s) and len(self._threads) < MOST_THREADS

    def _work(self) -> None:
        while job := self._jobs.get():
            try:
                result, error = job.function(job.argument), None
            except BaseException as exc:
                result, error = None, exc
            self._done.append((job, result, error))
            del job, result, error  # nothing here lives until the next job comes
            if not self._told:
                self._told = True
                with suppress(RuntimeError):  # the loop is closed, and whoever waited is gone with it
                    self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._told = False  # before the look: what is done after it is told of again
        while self._done:
            job, result, error = self._done.popleft()
            if job.done.done():
                continue  # whoever waited was cancelled by asyncio's own means, which no shield keeps off
            if error is None:
                job.done.set_result(result)
            else:
                job.done.set_exception(error)
