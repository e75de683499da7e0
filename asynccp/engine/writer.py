"""Writer: the thread in which what pulls receive goes to the disk, a turn at a time.

anyio has many worker threads, and each hop costs 0.2 ms to hand over and several waits for the interpreter's lock. Here
one thread takes hop after hop without a pause, and tells at once of all that it has done: a pull of 2 GiB from 64 pods
of a server that does nothing else took 10.6 CPU-seconds with anyio's, 7.2 with this, and 6.7 when the loop itself
wrote, which it must not: a disk may be slow.

If it is, more threads come: small files from many pods to a network disk wait for the disk, not for us.

A hop is bounded by what came, not by what it makes: four bytes of zstd may stand for 128 KiB, a thousand for half a
million members. So work is done in steps, and after a turn of TURN_SIZE or TURN_S it goes behind what waits; between
two steps it may be told to stop. What makes more of a hop than any log does rests between its turns, so that it leaves
the machine, and the interpreter, to others: one pod's bomb costs them no more than one honest pod more.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter, thread_time
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import anyio

from asynccp.options import MOST_HOP_SIZE

Result = TypeVar("Result")

TURN_SIZE = MOST_HOP_SIZE
"""Bytes of output in a turn: what an honest hop makes that isn't compressed, so that those take one turn each."""

TURN_S = 0.05
"""Seconds of a turn, where a little output takes long."""

FREE_SIZE = 16 * TURN_SIZE
"""Bytes that work may make before it rests: a log that shrinks to a thirtieth, compressed, in a hop of 256 KiB."""

REST_AFTER_S, REST = 0.005, 1
"""Seconds that it works until it rests, or fewer where others wait; and for how many times of that it rests. Beside 20
pods of 8 MiB of logs, on two cores, a bomb that took whatever they left cost them 27 % of their time, and so 10."""

MOST_THREADS = 16
SLOW_S, IDLE_SHARE = 0.05, 0.5
"""A disk is slow when all threads were at work for so many seconds, in which this process took less CPU time than that
share of them."""


class Work(Generic[Result]):
    """What is to be done, in steps. A step blocks, for some milliseconds at most, and yields the output that it made.

    held: asked at the end of a turn, in the thread; tells whether the work is to wait, where it is.

    result: what the steps have returned, once they have `ended`. cpu_s: CPU seconds that they took. rest_s: seconds
    that it is to rest after a turn.
    """

    __slots__ = ("_made", "_steps", "cpu_s", "done", "ended", "held", "is_over", "rest_s", "result", "stopped")

    result: Result

    def __init__(self, steps: Generator[int, None, Result], held: Callable[[], bool] = bool) -> None:
        self._steps = steps
        self.held = held
        self.ended = False
        self.stopped = False
        self.is_over = False  # for now: nothing of it is under way
        self.done: asyncio.Future[None] | None = None  # while somebody waits for it
        self.cpu_s = 0.0
        self.rest_s = 0.0
        self._made = 0  # bytes

    def turn(self, is_wanted: Callable[[], bool]) -> bool:
        """Make a turn, and others while nobody else wants one; tell whether there is to be another later."""
        begun_s, since_s, size = thread_time(), perf_counter(), 0
        until_s = since_s + TURN_S
        try:
            while True:
                size += next(self._steps)
                if self.stopped:
                    self._steps.close()
                    return False
                if size >= TURN_SIZE or perf_counter() >= until_s:
                    if self.held():
                        return False
                    self._made += size
                    wanted, size = is_wanted(), 0
                    if self._made > FREE_SIZE:
                        worked_s = perf_counter() - since_s
                        if wanted or worked_s >= REST_AFTER_S:
                            self.rest_s = REST * worked_s
                            return False
                    elif wanted:
                        return True
                    until_s = perf_counter() + TURN_S
        except StopIteration as end:
            self.result, self.ended = end.value, True
            return False
        finally:
            self.cpu_s += thread_time() - begun_s


class Writer:
    """Used as `async with`, in one event loop; leaving it ends the threads."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[Work[Any] | None] = SimpleQueue()
        self._under_way = 0
        self._threads: list[threading.Thread] = []
        self._busy_since: tuple[float, float] | None = None  # all threads are: seconds of the clock, of our CPU time
        self._done: deque[tuple[Work[Any], BaseException | None]] = deque()
        self._told = False  # the loop is going to look at what is done

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._jobs.put(None)

    async def run(self, work: Work[Any]) -> bool:
        """Have work done; raise what its steps raise. Tell whether it has ended: else it rests, or is held, until it is
        run again.

        When cancelled it stops the work, and waits for the step under way: until then what it works with is in use.
        """
        done = work.done = self._loop.create_future()
        work.is_over = False
        self._under_way += 1
        if self._is_thread_wanted():
            thread = threading.Thread(target=self._work, name="asynccp writer", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(work)
        try:
            await done
            return work.ended
        except asyncio.CancelledError:
            work.stopped = True
            if not work.is_over:
                done = work.done = self._loop.create_future()
                with anyio.CancelScope(shield=True):
                    await done
            raise
        finally:
            self._under_way -= 1
            work.done = None
            del work, done  # an error has this frame, and would have itself by it, and keep the work

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

    def _is_turn_wanted(self) -> bool:
        return not self._jobs.empty()

    def _work(self) -> None:
        while work := self._jobs.get():
            error = None
            try:
                if work.turn(self._is_turn_wanted):
                    self._jobs.put(work)
                    continue
            except BaseException as exc:
                error = exc
            self._done.append((work, error))
            del work, error  # nothing here lives until the next work comes
            if not self._told:
                self._told = True
                with suppress(RuntimeError):  # the loop is closed, and whoever waited is gone with it
                    self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._told = False  # before the look: what is done after it is told of again
        while self._done:
            work, error = self._done.popleft()
            work.is_over = True
            if work.done is None or work.done.done():
                continue  # whoever waits is being cancelled
            if error is None:
                work.done.set_result(None)
            else:
                work.done.set_exception(error)
