"""The slow line: when bytes arrive, how many wait, and that what it is given comes out at the other end."""

import anyio
import pytest
from anyio.abc import Listener, SocketAttribute, SocketStream

from benchmarks.link import BYTE_PER_S, QUEUE_SIZE, RTT_S, Wire, carry_both


def test_bytes_leave_one_after_the_other_whoever_sends_them() -> None:
    wire = Wire(byte_per_s=1000, delay_s=0.5)
    assert [wire.put(100, now=10.0), wire.put(100, now=10.0), wire.put(200, now=10.1)] == pytest.approx(
        [10.6, 10.7, 10.9]
    )


def test_a_line_that_was_idle_has_saved_nothing_up() -> None:
    wire = Wire(byte_per_s=1000, delay_s=0.0)
    wire.put(100, now=0.0)
    assert wire.put(100, now=60.0) == pytest.approx(60.1)


def test_no_more_than_the_queue_waits_for_the_line() -> None:
    wire = Wire(byte_per_s=1000, delay_s=0.5)
    wire.put(QUEUE_SIZE + 500, now=0.0)
    assert wire.room_at() == pytest.approx(0.5)


def test_it_stands_for_100_mbit_and_20_ms() -> None:
    assert 11.5e6 <= BYTE_PER_S <= 12.5e6
    wire = Wire(BYTE_PER_S, RTT_S / 2)
    assert wire.put(1, now=0.0) == pytest.approx(0.01, abs=1e-6)


async def test_what_goes_in_comes_out_and_each_end_is_told_of_the_others_end() -> None:
    """A half-closed connection still answers."""

    async def answer(far: SocketStream) -> None:
        async with far:
            got = b"".join([piece async for piece in far])
            await far.send(got[::-1])

    async def relay(near: SocketStream) -> None:
        async with (
            near,
            await _connected(server) as far,
        ):
            await carry_both(near, far, Wire(1e9, 0.0), Wire(1e9, 0.0))

    server = await anyio.create_tcp_listener(local_host="127.0.0.1")
    line = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with server, line, anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, answer)
        tasks.start_soon(line.serve, relay)
        async with await _connected(line) as near:
            sent = bytes(range(256)) * 1000
            await near.send(sent)
            await near.send_eof()
            assert b"".join([piece async for piece in near]) == sent[::-1]
        tasks.cancel_scope.cancel()


async def _connected(listener: Listener[SocketStream]) -> SocketStream:
    return await anyio.connect_tcp("127.0.0.1", listener.extra(SocketAttribute.local_port))
