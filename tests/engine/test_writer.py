"""Writer: whoever asks is answered, by no more threads than it takes, and nothing is left of what is done."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext, suppress
from itertools import count
from typing import Any, Self

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from asynccp.engine import writer as module
from asynccp.engine.writer import FREE_SIZE, MOST_THREADS, TURN_SIZE, Work, Writer

pytestmark = pytest.mark.timeout(20)

NAME = "asynccp writer"


class Clock:
    """What stands for the module `time`: each look is a second later, with so much CPU time of ours in it."""

    def __init__(self, cpu_share: float) -> None:
        self.now, self.cpu_share = count(), cpu_share

    def monotonic(self) -> float:
        self.now_s = next(self.now)
        return self.now_s

    def process_time(self) -> float:
        return self.now_s * self.cpu_share


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


async def all_ended() -> bool:
    """Wait for threads that were told to end."""
    for thread in threads():
        await to_thread.run_sync(thread.join, 10)
    return not threads()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    for thread in threads():
        thread.join(10)
    assert not threads()


class Gate:
    """A function that blocks, as on a slow disk, until it is let go; by the end of a `with`, whatever happens."""

    def __init__(self) -> None:
        self.opened, self.entered = threading.Event(), list[object]()

    def __call__(self, argument: object) -> object:
        self.entered.append(argument)
        assert self.opened.wait(10)
        return argument

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.set()

    async def has(self, number: int) -> None:
        while len(self.entered) < number:
            await checkpoint()


def itself(argument: object) -> object:
    return argument


def fail(argument: object) -> None:
    raise OSError(28, "No space left on device", argument)


async def asked(writer: Writer, function: Callable[[Any], Any], argument: Any) -> Any:
    """Have a function called in one step; return what it returns."""

    def steps() -> Generator[int, None, Any]:
        yield 0
        return function(argument)

    work = Work(steps())
    assert await writer.run(work)
    return work.result


async def worked(writer: Writer, work: Work[Any]) -> None:
    while not await writer.run(work):  # noqa: ASYNC110 # it is not polled: it rests so long
        await anyio.sleep(work.rest_s)


# Answers


async def test_many_tasks_at_once_each_get_their_own_result_or_error() -> None:
    got = dict[int, object]()

    async def ask(number: int) -> None:
        if number % 3:
            got[number] = await asked(writer, lambda argument: argument * 2, number)
        else:
            with pytest.raises(OSError, match="No space left on device") as caught:
                await asked(writer, fail, number)
            got[number] = caught.value.filename

    async with Writer() as writer, anyio.create_task_group() as tasks:
        for number in range(500):
            tasks.start_soon(ask, number)
    assert got == {number: number * 2 if number % 3 else number for number in range(500)}


async def test_what_one_task_asks_is_done_in_its_order() -> None:
    done = list[tuple[int, int]]()

    async def ask(task: int) -> None:
        for number in range(50):
            await asked(writer, done.append, (task, number))

    async with Writer() as writer, anyio.create_task_group() as tasks:
        for task in range(10):
            tasks.start_soon(ask, task)
    for task in range(10):
        assert [number for one, number in done if one == task] == list(range(50))


async def test_an_exit_of_the_function_is_the_askers_not_the_threads() -> None:
    def leave(argument: object) -> None:
        raise KeyboardInterrupt

    async with Writer() as writer:
        with pytest.raises(KeyboardInterrupt):
            await asked(writer, leave, None)
        assert await asked(writer, len, "ab") == 2


# Cancelled


async def test_a_cancelled_task_waits_until_its_function_is_done() -> None:
    left = list[str]()

    async def ask() -> None:
        try:
            await asked(writer, gate, "x")
        finally:
            left.append("the function is done" if gate.opened.is_set() else "it works with what it was given")

    async with Writer() as writer, anyio.create_task_group() as tasks:
        with Gate() as gate, anyio.CancelScope(shield=True):
            tasks.start_soon(ask)
            await gate.has(1)
            tasks.cancel_scope.cancel()
            for _ in range(30):
                await checkpoint()
    assert left == ["the function is done"]


@pytest.mark.parametrize("do", [itself, fail])
async def test_a_task_cancelled_by_asyncios_own_means_breaks_no_other(do: Callable[[object], object]) -> None:
    def work(argument: object) -> object:
        return do(gate(argument))

    async with Writer() as writer:
        with Gate() as gate:
            cancelled, other = (asyncio.create_task(asked(writer, one, "x")) for one in (work, len))
            await gate.has(1)
            cancelled.cancel()
            for _ in range(30):
                await checkpoint()
            assert not cancelled.done(), "its function works with what it was given"
        with pytest.raises((asyncio.CancelledError, OSError)):
            await cancelled
        assert await other == 1
        assert await asked(writer, len, "ab") == 2


# Turns


class Bomb:
    """Work without an end, of which each step makes so many bytes; `made` in all."""

    def __init__(self, size: int) -> None:
        self.made, self.size, self.begun = 0, size, threading.Event()

    def steps(self) -> Generator[int, None, None]:
        while True:
            self.begun.set()
            self.made += self.size
            yield self.size


async def test_work_without_an_end_lets_others_have_their_turns_and_ends_when_told() -> None:
    bomb = Bomb(TURN_SIZE // 4)
    async with Writer() as writer, anyio.create_task_group() as tasks:
        tasks.start_soon(worked, writer, Work(bomb.steps()))
        await to_thread.run_sync(bomb.begun.wait)
        before = bomb.made
        for number in range(100):
            assert await asked(writer, itself, number) == number
        await anyio.sleep(1)
        assert bomb.made > before, "it has turns as well, after its rests"
        tasks.cancel_scope.cancel()
    made = bomb.made
    assert await all_ended()
    assert bomb.made == made


async def test_pods_share_the_writer_by_what_their_bytes_become(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_THREADS", 1)
    bomb, turns = Bomb(TURN_SIZE // 8), list[float]()

    def honest() -> Generator[int, None, None]:
        for _ in range(16):
            yield TURN_SIZE
        turns.append(bomb.made / TURN_SIZE)

    async with Writer() as writer, anyio.create_task_group() as tasks:
        with Gate() as gate:  # until all of them wait for a turn
            tasks.start_soon(asked, writer, gate, 0)
            await gate.has(1)
            tasks.start_soon(worked, writer, Work(bomb.steps()))
            async with anyio.create_task_group() as copies:
                for _ in range(20):
                    copies.start_soon(writer.run, Work(honest()))
                for _ in range(30):
                    await checkpoint()
                gate.opened.set()
        tasks.cancel_scope.cancel()
    assert len(turns) == 20
    assert max(turns) <= 18, "as many as each of the others"


async def test_what_makes_more_than_any_log_rests_after_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST_AFTER_S", 0)
    bomb, others = Bomb(TURN_SIZE), Bomb(TURN_SIZE)
    async with Writer() as writer:
        work = Work(bomb.steps())
        for turns in range(1, 4):
            assert not await writer.run(work)
            assert bomb.made == FREE_SIZE + turns * TURN_SIZE
            assert work.rest_s > 0
        assert not await writer.run(Work(others.steps()))
        assert others.made == FREE_SIZE + TURN_SIZE, "each has its own"


async def test_work_that_is_held_stands_still_until_it_is_taken_up_again() -> None:
    done, holds = list[int](), True

    def steps() -> Generator[int, None, str]:
        for number in range(3):
            done.append(number)
            yield TURN_SIZE
        return "whole"

    async with Writer() as writer:
        work = Work(steps(), lambda: holds)
        assert not await writer.run(work)
        assert (done, work.ended) == ([0], False)
        holds = False
        assert await writer.run(work)
        assert (done, work.result) == ([0, 1, 2], "whole")


# Threads


async def test_fast_jobs_are_one_threads() -> None:
    names = set[int]()

    async def ask() -> None:
        for _ in range(20):
            await asked(writer, lambda _: names.add(threading.get_ident()), None)

    async with Writer() as writer:
        assert not threads(), "there is none before there is a job"
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)
        assert len(threads()) == len(names) == 1
    assert await all_ended()


@pytest.mark.parametrize(("cpu_share", "most"), [(0.0, MOST_THREADS), (0.4, MOST_THREADS), (0.6, 1)])
async def test_more_threads_come_while_a_slow_disk_leaves_us_idle(
    cpu_share: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it is the CPU that is busy, more threads take only more of it."""
    monkeypatch.setattr(module, "time", Clock(cpu_share))
    numbers = range(4 * MOST_THREADS)
    async with Writer() as writer, anyio.create_task_group() as tasks:
        with Gate() as gate:
            for number in numbers:
                tasks.start_soon(asked, writer, gate, number)
            await gate.has(most)
            for _ in range(30):
                await checkpoint()
            assert len(threads()) == len(gate.entered) == most
    assert set(gate.entered) == set(numbers)
    assert await all_ended()


async def test_one_job_after_another_is_one_threads_however_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", Clock(0.0))
    async with Writer() as writer:
        for number in range(20):
            await asked(writer, itself, number)
        assert len(threads()) == 1


async def test_no_thread_comes_before_all_were_at_work_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", Clock(0.0))
    monkeypatch.setattr(module, "SLOW_S", 10)
    async with Writer() as writer, anyio.create_task_group() as tasks:
        with Gate() as gate:
            for number in range(10):
                tasks.start_soon(asked, writer, gate, number)
            await gate.has(1)
            assert len(threads()) == 1


@pytest.mark.parametrize("error", [None, ValueError("out")])
async def test_leaving_ends_all_threads_after_what_is_under_way(error: Exception | None) -> None:
    done = list[int]()
    with pytest.raises(ValueError, match="out") if error else nullcontext():
        async with Writer() as writer:
            tasks = [asyncio.create_task(asked(writer, done.append, number)) for number in range(5)]
            await checkpoint()
            if error:
                raise error
    await asyncio.gather(*tasks)
    assert done == list(range(5))
    assert await all_ended()


# What is done


class Hop:
    """A large argument."""


@pytest.mark.parametrize("function", [id, itself, fail], ids=["returns", "returns its argument", "fails"])
async def test_nothing_of_a_done_job_is_kept(function: Callable[[object], object]) -> None:
    """Not even until the collector comes: it is the memory of a hop."""
    gc.disable()
    try:
        async with Writer() as writer:
            hop = Hop()
            seen = weakref.ref(hop)
            with suppress(OSError):
                await asked(writer, function, hop)
            del hop
            await checkpoint()  # asyncio's wakeup holds the result
            assert seen() is None
    finally:
        gc.enable()
