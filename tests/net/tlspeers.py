"""Both ends of TLS: a protocol that keeps what it is told, servers, a proxy that speaks TLS, a peer in a thread."""

import asyncio
import os
import random
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio
import pytest
import trustme
from anyio import to_thread
from anyio.lowlevel import checkpoint

from asynccp.net.tls import TlsTransport, start_tls
from tests.kube.gateways import server_tls
from tests.kube.raw import Client, Talk, serving

NAME, RECORD = "127.0.0.1", 16 * 1024  # bytes that OpenSSL decrypts at once
MIB = 1024 * 1024
DATA = random.Random(1).randbytes(3 * MIB)
CA, OURS = trustme.CA(), ssl.create_default_context()
CA.configure_trust(OURS)

within = pytest.mark.parametrize("within", [False, True], ids=["tls", "tls-within-tls"])


class Ear:
    """What a protocol is told. most: it pauses when it has heard so many bytes."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.most = most
        self.heard, self.told = bytearray(), list[str]()
        self.lost = asyncio.get_running_loop().create_future()
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TlsTransport)
        self.transport = transport

    def hear(self, data: bytes | bytearray) -> None:
        self.heard += data
        if len(self.heard) >= self.most:
            self.transport.pause_reading()

    def eof_received(self) -> None:
        self.told.append("eof")

    def pause_writing(self) -> None:
        self.told.append("pause")
        self.writable.clear()

    def resume_writing(self) -> None:
        self.told.append("resume")
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")
        self.lost.set_result(exc)  # which fails the second time

    async def has_heard(self, size: int) -> None:
        while len(self.heard) < size:
            await checkpoint()


class Streamed(Ear, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        self.hear(data)


class Buffered(Ear, asyncio.BufferedProtocol):
    def __init__(self, room: int, most: int = 1 << 30) -> None:
        super().__init__(most)
        self.room = bytearray(room)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.room

    def buffer_updated(self, nbytes: int) -> None:
        self.hear(self.room[:nbytes])


def ear_of(room: int | None) -> Streamed | Buffered:
    return Buffered(room) if room else Streamed()


def opened() -> tuple[int, int]:
    """Return how many descriptors are open, and how many of them the loop watches."""
    return len(os.listdir("/dev/fd")), len(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]


async def until_closed(before: tuple[int, int]) -> None:
    with anyio.move_on_after(5):
        while opened() != before:
            await checkpoint()
    assert opened() == before


async def a_while() -> None:
    """Let the loop look many times at what there is."""
    for _ in range(30):
        await checkpoint()


@asynccontextmanager
async def way_to(talk: Talk, theirs: ssl.SSLContext | None, within: bool) -> AsyncIterator[asyncio.Transport]:
    """Connect to a server, which speaks TLS with `theirs`; through a proxy to which we speak TLS, if `within`."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(talk, theirs))
        if within:
            server = await stack.enter_async_context(serving(forwarding(server.port), server_tls(CA)))
        loop = asyncio.get_running_loop()
        way, _ = await loop.create_connection(asyncio.Protocol, NAME, server.port)
        yield await start_tls(way, asyncio.Protocol(), OURS, NAME) if within else way


def forwarding(port: int) -> Talk:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(MIB):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def talk(client: Client) -> None:
        reader, writer = await asyncio.open_connection(NAME, port)
        try:
            await asyncio.gather(pump(client.reader, writer), pump(reader, client.writer))
        finally:
            writer.close()

    return talk


@asynccontextmanager
async def pair(ear: Streamed | Buffered) -> AsyncIterator[tuple[TlsTransport, ssl.SSLSocket]]:
    """Speak TLS with a peer that does only what the test does with its socket, which blocks: in a thread."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    peer = server_tls(CA).wrap_socket(
        theirs, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
    )
    way, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_thread.run_sync, lambda: peer.do_handshake())
        transport = await start_tls(way, ear, OURS, NAME)
    try:
        yield transport, peer
    finally:
        transport.abort()
        peer.close()


def read_all(peer: ssl.SSLSocket) -> bytes:
    """Read until the other end says that it closes; only that is no broken connection. Then close as well."""
    data = bytearray()
    while one := peer.recv(MIB):
        data += one
    peer.close()
    return bytes(data)


def fill(peer: ssl.SSLSocket) -> int:
    """Send zeros until the socket takes no more; return how many went."""
    peer.setblocking(False)
    size = 0
    with suppress(ssl.SSLWantWriteError):
        while size < 64 * MIB:
            size += peer.send(bytes(RECORD))
    peer.settimeout(10)
    return size
