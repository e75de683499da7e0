"""The end of TLS: a close loses nothing, an abort waits for nobody, and whatever happens is told once."""

import asyncio
import os
import ssl
import sys
from collections.abc import Awaitable, Callable

import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from asynccp.net.tls import TlsTransport, start_tls
from tests.kube.gateways import server_tls
from tests.kube.raw import Client
from tests.net.tlspeers import (
    CA,
    DATA,
    NAME,
    OURS,
    Streamed,
    a_while,
    opened,
    pair,
    read_all,
    until_closed,
    way_to,
    within,
)

pytestmark = pytest.mark.timeout(20)


async def test_a_close_sends_all_that_waits_and_then_says_so() -> None:
    async with pair(ear := Streamed()) as (transport, peer):
        transport.write(DATA)
        assert transport.get_write_buffer_size() > 0
        transport.close()
        transport.write(b"late")
        assert await to_thread.run_sync(read_all, peer) == DATA
        assert await ear.lost is None
    assert ear.told == ["pause", "resume", "lost"]


@pytest.mark.parametrize("unread", [b"", b"x"])
async def test_who_closes_when_told_to_go_on_writing_has_sent_all(unread: bytes) -> None:
    class Hasty(Streamed):
        def resume_writing(self) -> None:
            super().resume_writing()
            self.transport.close()

    async with pair(ear := Hasty()) as (transport, peer):
        transport.pause_reading()
        peer.send(unread)
        transport.write(DATA)
        assert await to_thread.run_sync(read_all, peer) == DATA
        assert await ear.lost is None
    assert ear.told == ["pause", "resume", "lost"]


@within
async def test_a_close_while_the_peer_talks_loses_nothing_of_ours(within: bool) -> None:
    talked, closed, heard = asyncio.Event(), asyncio.Event(), asyncio.Queue[bytes]()

    async def talk(client: Client) -> None:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.say(bytes(100_000))
        talked.set()
        await closed.wait()
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        heard.put_nowait(await client.gone())

    async with way_to(talk, server_tls(CA), within) as way:
        transport = await start_tls(way, ear := Streamed(), OURS, NAME)
        transport.pause_reading()
        await talked.wait()
        await a_while()
        transport.write(DATA[:200_000])
        transport.close()
        await a_while()
        closed.set()
        assert await ear.lost is None
        assert await heard.get() == DATA[:200_000]


async def test_a_close_is_told_although_the_socket_took_no_more() -> None:
    """Two connections: the first shows how many writes the socket takes, the second is closed after them."""
    count = 0
    async with pair(Streamed()) as (transport, _):
        while not transport.get_write_buffer_size():
            transport.write(DATA[:1000])
            count += 1
    async with pair(ear := Streamed()) as (transport, peer):
        for _ in range(count - 1):
            transport.write(DATA[:1000])
        assert not transport.get_write_buffer_size()
        transport.close()
        assert len(await to_thread.run_sync(read_all, peer)) == (count - 1) * 1000
        assert await ear.lost is None


async def test_a_peer_that_closes_first_hears_that_we_close_as_well() -> None:
    def close_and_listen(peer: ssl.SSLSocket) -> bytes:
        with peer.unwrap() as rest:
            return rest.recv(1)

    async with pair(ear := Streamed()) as (_, peer):
        assert await to_thread.run_sync(close_and_listen, peer) == b""
        assert await ear.lost is None
    assert ear.told == ["eof", "lost"]


@within
async def test_an_abort_does_not_wait_for_a_peer_that_reads_nothing(within: bool) -> None:
    async def talk(client: Client) -> None:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with way_to(talk, server_tls(CA), within) as way:
        transport = await start_tls(way, ear := Streamed(), OURS, NAME)
        transport.write(DATA * 8)
        await a_while()
        before, _ = opened()
        transport.abort()
        assert transport.get_write_buffer_size() == 0
        assert way.is_closing()
        await a_while()
        assert ear.lost.result() is None
        assert opened()[0] <= before - (3 if within else 1)


async def close_at_once(transport: TlsTransport, client: Client) -> None:
    transport.close()


async def close_and_abort(transport: TlsTransport, client: Client) -> None:
    transport.close()
    transport.abort()
    transport.close()
    transport.abort()


async def peer_closes(transport: TlsTransport, client: Client) -> None:
    client.writer.close()


async def peer_closes_while_we_do(transport: TlsTransport, client: Client) -> None:
    client.writer.close()
    transport.close()


async def peer_breaks_off(transport: TlsTransport, client: Client) -> None:
    client.writer.transport.abort()


async def peer_resets(transport: TlsTransport, client: Client) -> None:
    client.reset()


async def peer_resets_who_pauses(transport: TlsTransport, client: Client) -> None:
    transport.pause_reading()
    client.reset()
    await a_while()
    transport.write(b"x")
    transport.write(b"x")


async def peer_garbles(transport: TlsTransport, client: Client) -> None:
    os.write(client.writer.get_extra_info("socket").fileno(), bytes(99))


async def peer_resets_what_waits(transport: TlsTransport, client: Client) -> None:
    transport.write(DATA * 8)
    client.reset()


RESETS = () if sys.version_info >= (3, 12, 3) else (peer_resets, peer_resets_what_waits)
"""Of these Python's ssl tells as of an end (python/cpython#115627)."""


@within
@pytest.mark.parametrize(
    ("end", "told", "cause"),
    [
        (close_at_once, [], None),
        (close_and_abort, [], None),
        (peer_closes, ["eof"], None),
        (peer_closes_while_we_do, [], None),
        (peer_breaks_off, ["eof"], None),
        (peer_garbles, [], ssl.SSLError),
        (peer_resets, [], ConnectionResetError),
        (peer_resets_who_pauses, [], OSError),
        (peer_resets_what_waits, ["pause"], OSError),
    ],
)
async def test_the_end_is_told_once_with_its_cause_and_leaves_nothing_open(
    end: Callable[[TlsTransport, Client], Awaitable[None]], told: list[str], cause: type[OSError] | None, within: bool
) -> None:
    before, clients, ear = opened(), list[Client](), Streamed()

    async def talk(client: Client) -> None:
        clients.append(client)
        await client.gone()

    async with way_to(talk, server_tls(CA), within) as way:
        transport = await start_tls(way, ear, OURS, NAME)
        while not clients:
            await checkpoint()
        await end(transport, clients[0])
        error = await ear.lost
    await until_closed(before)
    assert ear.told.count("lost") == 1
    if not within and end not in RESETS:  # a proxy ends the one way as it does the other
        assert ear.told == [*told, "lost"]
        assert isinstance(error, cause) if cause else error is None
