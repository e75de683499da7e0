"""TLS: no handshake that fails leaves anything, every byte arrives, and nobody is sent more than it takes."""

import asyncio
import errno
import os
import socket
import ssl
from typing import TYPE_CHECKING

import anyio
import pytest
import trustme
from anyio import to_thread

from asynccp.net.tls import TlsTransport, start_tls
from tests.kube.gateways import server_tls
from tests.kube.raw import Client, Talk
from tests.net.tlspeers import (
    CA,
    DATA,
    MIB,
    NAME,
    OURS,
    RECORD,
    Buffered,
    Streamed,
    a_while,
    ear_of,
    fill,
    opened,
    pair,
    read_all,
    until_closed,
    way_to,
    within,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

pytestmark = pytest.mark.timeout(20)


async def closes(client: Client) -> None:
    await client.reader.read(1)


async def resets(client: Client) -> None:
    client.reset()


async def speaks_http(client: Client) -> None:
    await client.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await client.gone()


async def breaks_off(client: Client) -> None:
    await client.say(b"\x16\x03\x03\x00\x40\x02")


async def waits(client: Client) -> None:
    await client.gone()


@within
@pytest.mark.parametrize(
    ("talk", "theirs"),
    [
        (closes, None),
        (resets, None),
        (speaks_http, None),
        (breaks_off, None),
        pytest.param(waits, server_tls(trustme.CA()), id="unknown authority"),
        pytest.param(waits, server_tls(CA, "other.example"), id="another name"),
    ],
)
async def test_a_handshake_that_fails_is_an_oserror_and_leaves_nothing_open(
    talk: Talk, theirs: ssl.SSLContext | None, within: bool
) -> None:
    before, ear = opened(), Streamed()
    async with way_to(talk, theirs, within) as way:
        with pytest.raises(OSError):  # noqa: PT011 (there are many)
            await start_tls(way, ear, OURS, NAME)
    await until_closed(before)
    assert ear.told == []


@within
@pytest.mark.parametrize("begun", [False, True])
async def test_a_handshake_that_is_cancelled_closes_the_connection(begun: bool, within: bool) -> None:
    before, scope, closed = opened(), anyio.CancelScope(), asyncio.Event()

    async def talk(client: Client) -> None:
        if await client.reader.read(1):
            scope.cancel()
        await client.gone()
        closed.set()

    async with way_to(talk, None, within) as way:
        if not begun:
            scope.cancel()
        with scope:
            await start_tls(way, Streamed(), OURS, NAME)
        assert scope.cancelled_caught
        await closed.wait()
    await until_closed(before)


async def test_a_handshake_that_is_cancelled_does_not_wait_for_a_proxy_that_does_nothing() -> None:
    async with pair(Streamed()) as (outer, _):
        before, _ = opened()
        with anyio.CancelScope() as scope:
            asyncio.get_running_loop().call_soon(scope.cancel)
            await start_tls(outer, Streamed(), OURS, NAME)
        await a_while()
        assert opened()[0] == before - 1


@within
async def test_when_no_descriptor_is_left_the_connection_is_closed(
    within: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async with way_to(waits, None, within) as way:
        monkeypatch.setattr(os, "dup", none_left)
        monkeypatch.setattr(socket, "socketpair", none_left)
        with pytest.raises(OSError, match="Too many"):
            await start_tls(way, Streamed(), OURS, NAME)
        assert way.is_closing()


# Bytes


@within
@pytest.mark.parametrize("room", [None, 256 * 1024, 1000], ids=["streamed", "buffered", "less than a record"])
@pytest.mark.parametrize("size", [len(DATA), 99_991, 4099])
async def test_bytes_arrive_both_ways_as_they_were(room: int | None, size: int, within: bool) -> None:
    async def echo(client: Client) -> None:
        while data := await client.reader.read(size):
            await client.say(data)

    before, ear = opened(), ear_of(room)
    async with way_to(echo, server_tls(CA), within) as way:
        transport = await start_tls(way, ear, OURS, NAME)
        for at in range(0, len(DATA), size):
            transport.write(DATA[at : at + size])
        await ear.has_heard(len(DATA))
        transport.close()
        assert await ear.lost is None
    assert ear.heard == DATA
    await until_closed(before)


@pytest.mark.parametrize("room", [None, 256 * 1024, 1000], ids=["streamed", "buffered", "less than a record"])
async def test_who_pauses_hears_nothing_and_holds_the_peer_back(room: int | None) -> None:
    async with pair(ear := ear_of(room)) as (transport, peer):
        ear.most = 1
        size = fill(peer)
        await ear.has_heard(1)
        heard = len(ear.heard)
        size += fill(peer)
        await a_while()
        assert len(ear.heard) == heard < size < 64 * MIB
        ear.most = 1 << 30
        transport.resume_reading()
        await ear.has_heard(size)


async def test_what_waits_within_openssl_is_heard_after_a_pause() -> None:
    """Of a record that was read in part, the socket knows nothing."""
    async with pair(ear := Buffered(room=1000, most=1000)) as (transport, peer):
        peer.send(DATA[:RECORD])
        await ear.has_heard(1000)
        for size in range(1000, RECORD, 1000):
            await a_while()
            assert ear.heard == DATA[:size]
            ear.most += 1000
            transport.resume_reading()
        await ear.has_heard(RECORD)
        assert ear.heard == DATA[:RECORD]


@within
async def test_a_sender_that_obeys_holds_little_and_goes_on_when_the_peer_reads(within: bool) -> None:
    read, heard = asyncio.Event(), list[bytes]()
    chunk, most = 50_000, 0

    async def talk(client: Client) -> None:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await read.wait()
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        heard.append(await client.reader.readexactly(len(data)))

    data, ear = DATA * 8, Streamed()
    async with way_to(talk, server_tls(CA), within) as way:
        transport = await start_tls(way, ear, OURS, NAME)
        transport.set_write_buffer_limits(high=RECORD)
        for at in range(0, len(data), chunk):
            if not ear.writable.is_set():
                await a_while()
            if not ear.writable.is_set():
                read.set()
                await ear.writable.wait()
            transport.write(data[at : at + chunk])
            most = max(most, transport.get_write_buffer_size())
            if isinstance(way, TlsTransport):
                assert way.get_write_buffer_size() < MIB, "the proxy's connection holds it instead"
        await ear.writable.wait()
        transport.close()
        assert await ear.lost is None
    assert heard == [data]
    assert 0 < most <= RECORD + chunk
    assert set(zip(ear.told[:-1:2], ear.told[1:-1:2], strict=True)) == {("pause", "resume")}


# What OpenSSL asks for. A server that asks a client of TLS 1.2 to shake hands anew has it read before it can write.


class Renegotiating(ssl.SSLSocket):
    """Stands in for a socket in the middle of a handshake: it sends once it has read, or reads once it may send."""

    calls = 0
    sends_after: int | None = None  # bytes that are to come first
    reads_after: int | None = None  # attempts that find no room

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        self.calls += 1
        if self.sends_after:
            raise ssl.SSLWantReadError
        return super().send(data, flags)

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        self.calls += 1
        if self.reads_after:
            self.reads_after -= 1
            raise ssl.SSLWantWriteError
        size = super().recv_into(buffer, nbytes, flags)
        self.sends_after = max(0, self.sends_after - size) if self.sends_after else self.sends_after
        return size


@pytest.fixture
def renegotiating(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OURS, "sslsocket_class", Renegotiating)


def handshaking(transport: TlsTransport) -> Renegotiating:
    assert isinstance(transport._sock, Renegotiating)
    return transport._sock


@pytest.mark.usefixtures("renegotiating")
async def test_who_has_to_read_before_it_can_write_waits_for_bytes_and_asks_no_more() -> None:
    async with pair(Streamed()) as (transport, peer):
        sock = handshaking(transport)
        await a_while()  # the tickets that follow a handshake are read, together or one by one
        sock.sends_after, sock.calls = 1, 0
        transport.write(DATA)
        await a_while()
        assert sock.calls == 1, "to send"
        assert transport.get_write_buffer_size() == len(DATA)
        await to_thread.run_sync(peer.send, b"x")
        transport.close()
        assert await to_thread.run_sync(read_all, peer) == DATA


@pytest.mark.usefixtures("renegotiating")
async def test_who_has_to_read_more_than_came_goes_on_waiting() -> None:
    async with pair(ear := Streamed()) as (transport, peer):
        sock = handshaking(transport)
        await a_while()
        sock.sends_after, sock.calls = 3, 0
        transport.write(b"answer")
        for size in (1, 2):
            await to_thread.run_sync(peer.send, b"x")
            await ear.has_heard(size)
            await a_while()
            assert transport.get_write_buffer_size() == len(b"answer")
        assert sock.calls <= 7, "one to send; for each byte that came two to read, and one more attempt"
        await to_thread.run_sync(peer.send, b"x")
        assert await to_thread.run_sync(peer.recv, 10) == b"answer"


@pytest.mark.usefixtures("renegotiating")
async def test_who_has_to_write_before_it_can_read_waits_for_room_and_asks_no_more() -> None:
    async with pair(ear := Streamed()) as (transport, peer):
        sock = handshaking(transport)
        transport.write(DATA)  # more than the socket takes while the peer doesn't read
        await a_while()
        before, sock.reads_after = sock.calls, 1
        await to_thread.run_sync(peer.send, b"x")
        await a_while()
        assert (sock.calls, bytes(ear.heard)) == (before + 1, b"")
        assert len(await to_thread.run_sync(peer.recv, MIB)) > 0
        transport.close()
        assert len(await to_thread.run_sync(read_all, peer)) > 0
