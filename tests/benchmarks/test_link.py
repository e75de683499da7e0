"""The slow line: when bytes arrive, how many wait, and that what it is given comes out at the other end."""

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from benchmarks.link import BYTE_PER_S, QUEUE_SIZE, RTT_S, Wire, relay


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
        got = b"".join([piece async for piece in far])
        await far.send(got[::-1])

    async with _line(answer) as near:
        sent = bytes(range(256)) * 100
        await near.send(sent)
        await near.send_eof()
        assert b"".join([piece async for piece in near]) == sent[::-1]


async def test_what_a_server_said_before_it_closed_arrives_though_the_client_goes_on_talking() -> None:
    """Else the end of a pull would be lost by the relay, and counted against the peers."""
    said = bytes(256 * 1024)

    async def answer(far: SocketStream) -> None:
        await far.send(said)

    async with _line(answer) as near:
        got = b""
        async for piece in near:
            got += piece
            with contextlib.suppress(anyio.BrokenResourceError):
                await near.send(b"ping")
        assert len(got) == len(said)


@contextlib.asynccontextmanager
async def _line(answer: Callable[[SocketStream], Awaitable[None]]) -> AsyncIterator[SocketStream]:
    """Connect through the relay to a server that answers like that, and closes: with bytes of a test, whoever asks."""

    async def closing(far: SocketStream) -> None:
        async with far:
            await answer(far)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        server = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with server, anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, closing)
            tasks.start_soon(relay, listener, "127.0.0.1", server.extra(SocketAttribute.local_port))
            async with await anyio.connect_tcp("127.0.0.1", listener.getsockname()[1]) as near:
                yield near
            tasks.cancel_scope.cancel()
