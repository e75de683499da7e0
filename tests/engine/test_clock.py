"""The clock that the other tests here rely on."""

import asyncio
import threading

import anyio
from anyio import to_thread

from .clock import JumpingLoop


async def test_it_is_the_clock_of_the_loop_that_runs(clock: JumpingLoop) -> None:
    assert asyncio.get_running_loop() is clock
    assert anyio.current_time() == clock.now


async def test_an_hour_of_nothing_takes_no_time_and_is_exactly_an_hour(clock: JumpingLoop) -> None:
    begun = clock.now
    await anyio.sleep(3600)
    assert clock.now - begun == 3600


async def test_deadlines_come_in_their_order(clock: JumpingLoop) -> None:
    begun, ends = clock.now, []

    async def sleep(seconds: float) -> None:
        await anyio.sleep(seconds)
        ends.append(clock.now - begun)

    async with anyio.create_task_group() as tasks:
        for seconds in (30, 10, 20):
            tasks.start_soon(sleep, seconds)
    assert ends == [10, 20, 30]


async def test_time_stands_still_while_a_thread_works(clock: JumpingLoop) -> None:
    begun, go_on = clock.now, threading.Event()
    with anyio.fail_after(60):
        threading.Timer(0.01, go_on.set).start()
        assert await to_thread.run_sync(go_on.wait, 10)
    assert clock.now == begun
