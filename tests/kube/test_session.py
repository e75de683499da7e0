"""Sessions: bounded memory and bounded waits, whatever the other end does or leaves undone."""

import asyncio
import os
import random
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from asynccp.auth.access import Access
from asynccp.errors import SessionLost
from asynccp.kube import session as websocket
from asynccp.kube.buffers import Hops
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import MAX_MESSAGE_SIZE, V4, encode_status
from asynccp.kube.session import WRITE_SIZE, WebSocket
from asynccp.net.http import Upgraded
from asynccp.options import hop_size
from asynccp.status import ExitStatus
from tests.kube.gateways import server_tls
from tests.kube.raw import TARGET, Client, Server, Talk, at, next_message, serving

CHUNK = bytes(64 * 1024)
MOST_HELD = 2 * hop_size(1) + MAX_MESSAGE_SIZE  # bytes: a hop, one read beyond it, a message that isn't whole


def frame(opcode: Opcode, payload: bytes = b"", fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=False)


def frames_in(data: bytes) -> list[tuple[Opcode, bytes]]:
    """Return what a client has sent, as another library reads it."""
    server = Protocol(Side.SERVER, max_size=None)
    server.receive_data(data)
    assert server.parser_exc is None
    return [(one.opcode, bytes(one.data)) for one in server.events_received() if isinstance(one, Frame)]


@asynccontextmanager
async def session_with(talk: Talk, tls: trustme.CA | None = None) -> AsyncIterator[tuple[WebSocket, Server]]:
    async with (
        serving(talk, server_tls(tls) if tls else None) as server,
        client_of(server, tls) as cluster,
        cluster.open_exec(TARGET, ["cat"], V4) as session,
    ):
        assert isinstance(session, WebSocket)
        yield session, server


def client_of(server: Server, tls: trustme.CA | None) -> KubernetesCluster:
    if tls is None:
        return at(server)
    context = ssl.create_default_context()
    tls.configure_trust(context)
    return KubernetesCluster(Access(f"https://127.0.0.1:{server.port}", ssl=context))


either_way = pytest.mark.parametrize("tls", [None, trustme.CA()], ids=["plain", "tls"])


async def send_until_it_waits(session: WebSocket) -> int:
    """Send to a peer that doesn't read; return how many messages went before the first that had to wait."""
    sent = 0
    with anyio.move_on_after(0.2) as limit:  # which is only looked at when something waits
        while True:
            assert sent < 10_000, "nothing holds it back"
            await session.send(CHUNK)
            sent += 1
    assert limit.cancelled_caught
    return sent


# What comes


async def test_what_came_together_with_the_101_is_heard() -> None:
    async def talk(client: Client) -> None:
        await client.upgrade(frame(Opcode.BINARY, b"\x01ab") + frame(Opcode.BINARY, b"\x02cd")[:3])
        await client.say(frame(Opcode.BINARY, b"\x02cd")[3:])
        await client.gone()

    async with session_with(talk) as (session, _):
        assert [await next_message(session), await next_message(session)] == [b"\x01ab", b"\x02cd"]


@either_way
async def test_a_whole_session_that_came_together_with_the_101(tls: trustme.CA | None) -> None:
    async def talk(client: Client) -> None:
        await client.upgrade(frame(Opcode.BINARY, b"\x01ab") + frame(Opcode.CLOSE, b"\x03\xe8"))

    async with session_with(talk, tls) as (session, _):
        assert [await next_message(session), await next_message(session)] == [b"\x01ab", None]
        assert session.ending == ""


@either_way
@pytest.mark.parametrize("message", [b"\x01" + bytes(32 * 1024), b"\x02" + bytes(99)], ids=["stdout", "small"])
async def test_what_nobody_receives_stays_with_the_server(message: bytes, tls: trustme.CA | None) -> None:
    together, blocks = 128 * 1024 // len(message), 192
    block = frame(Opcode.BINARY, message) * together

    async def talk(client: Client) -> None:
        await client.upgrade()
        for _ in range(blocks):
            await client.say(block)
        await client.say(frame(Opcode.CLOSE, b"\x03\xe8"))
        await client.gone()

    async with session_with(talk, tls) as (session, server):
        _, stuck = await asyncio.wait(server.tasks, timeout=0.2)
        assert stuck, "the server is held back"
        received, most = 0, session._held
        while (got := await next_message(session)) is not None:
            received += len(got) - 1
            most = max(most, session._held)
        assert received == blocks * together * (len(message) - 1)
        assert most <= MOST_HELD
        assert session.ending == ""


@either_way
@pytest.mark.parametrize(
    "sizes",
    [[10_240] * 200, [32 * 1024] * 100, [7] * 5000, [MAX_MESSAGE_SIZE] * 4, [600_000, 3, 100_000, 5000, 900_000] * 3],
    ids=["10 KiB", "32 KiB", "tiny", "the largest", "mixed"],
)
async def test_stdout_is_whole_and_in_its_order_whatever_its_messages_sizes(
    sizes: list[int], tls: trustme.CA | None
) -> None:
    whole = os.urandom(sum(sizes))

    async def talk(client: Client) -> None:
        at = 0
        await client.upgrade()
        for size in sizes:
            await client.say(frame(Opcode.BINARY, b"\x01" + whole[at : at + size]))
            at += size
        await client.say(frame(Opcode.BINARY, encode_status(ExitStatus(1))) + frame(Opcode.CLOSE, b"\x03\xe8"))
        await client.gone()

    async with session_with(talk, tls) as (session, _):
        came = bytearray()
        with anyio.fail_after(30):
            while (got := await next_message(session)) is not None and got[0] == 1:
                came += got[1:]
        assert got == encode_status(ExitStatus(1))
        assert came == whole


class Held(asyncio.Transport):
    """A transport that only knows whether it is read."""

    paused = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


@given(
    st.lists(st.tuples(st.sampled_from(b"\1\1\1\2"), st.integers(0, 70_000)), max_size=12),
    st.lists(st.integers(1, 50_000)),
)
async def test_stdout_is_whole_however_it_is_cut_read_and_received(
    messages: list[tuple[int, int]], cuts: list[int]
) -> None:
    source, sent = random.Random(1), {1: b"", 2: b""}
    stream = b""
    for channel, size in messages:
        payload = source.randbytes(size)
        stream += frame(Opcode.BINARY, bytes((channel,)) + payload)
        sent[channel] += payload
    transport, heard = Held(), {1: b"", 2: b""}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(websocket, "GATHER_SIZE", 0)
        session = WebSocket(Upgraded(transport, {}, b""), V4, Hops(lambda: 48 * 1024))
        while stream or session._messages:
            if transport.paused or not stream:
                got = await next_message(session)
                assert got is not None
                heard[got[0]] += got[1:]
                continue
            room = session.get_buffer(-1)
            count = min(len(room), len(stream), cuts.pop() if cuts else len(room))
            room[:count], stream = stream[:count], stream[count:]
            session.buffer_updated(count)
    assert heard == sent


async def test_what_is_full_is_received_at_once_however_small_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many sessions there is less room in each than is waited for: a thousand pulls took twice the time."""
    monkeypatch.setattr(websocket, "GATHER_S", 3600.0)
    transport, received = Held(), 0
    session = WebSocket(Upgraded(transport, {}, b""), V4, Hops(lambda: 48 * 1024))
    block = frame(Opcode.BINARY, b"\x01" + bytes(10_000))
    with anyio.fail_after(10):
        for _ in range(20):
            while not transport.paused:
                session.get_buffer(-1)[: len(block)] = block
                session.buffer_updated(len(block))
            got = await next_message(session)
            assert got is not None
            received += len(got) - 1
    assert received > 20 * websocket.LEAST_READ_SIZE


async def test_nothing_is_heard_of_a_message_that_is_cut() -> None:
    async def talk(client: Client) -> None:
        await client.upgrade(frame(Opcode.BINARY, b"\x01" + bytes(20_000)))
        await client.say(frame(Opcode.BINARY, b"\x01" + bytes(20_000))[:-1])

    async with session_with(talk) as (session, _):
        assert await next_message(session) == b"\x01" + bytes(20_000)
        assert await next_message(session) is None
        assert session.ending == "the connection broke off"


async def test_nothing_is_heard_after_a_close() -> None:
    heard = list[bytes]()

    async def talk(client: Client) -> None:
        after = frame(Opcode.BINARY, b"\x01late") + frame(Opcode.PING, b"late") + frame(Opcode.CLOSE, b"\x03\xf3")
        await client.upgrade(frame(Opcode.BINARY, b"\x01ab") + frame(Opcode.CLOSE, b"\x03\xe9") + after)
        heard.append(await client.gone())

    async with session_with(talk) as (session, server):
        assert [await next_message(session), await next_message(session)] == [b"\x01ab", None]
        assert session.ending == "the server closed the connection with code 1001"
        await session.close()
        await server.done()
    assert frames_in(heard[0]) == [(Opcode.CLOSE, b"\x03\xe9")]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frame(Opcode.BINARY, b"\x01ab", fin=False) + frame(Opcode.BINARY, b"\x01ab"), 1002),
        (frame(Opcode.CLOSE, b"\x03"), 1002),
        (frame(Opcode.TEXT, b"\xff"), 1007),
        (b"\x82\x7f" + b"\xff" * 8, 1009),
    ],
)
async def test_a_server_that_breaks_the_protocol_is_told_how(said: bytes, code: int) -> None:
    heard = list[bytes]()

    async def talk(client: Client) -> None:
        await client.upgrade(frame(Opcode.BINARY, b"\x01before") + said)
        heard.append(await client.gone())

    async with session_with(talk) as (session, server):
        assert [await next_message(session), await next_message(session)] == [b"\x01before", None]
        assert session.ending.startswith("the connection broke: the server sent ")
        await server.done()
        with pytest.raises(SessionLost, match="the server sent"):
            await session.send(CHUNK)
    assert frames_in(heard[0]) == [(Opcode.CLOSE, code.to_bytes(2, "big"))]


async def test_two_clusters_in_two_threads_do_not_read_into_each_other() -> None:
    """A library's user may have an event loop in each thread."""
    size, wrong = 48 * 1024 * 1024, list[bytes]()

    async def pull(channel_byte: bytes) -> None:
        block = frame(Opcode.BINARY, b"\x01" + channel_byte * 32 * 1024) * 8

        async def talk(client: Client) -> None:
            await client.upgrade()
            for _ in range(size // len(block)):
                await client.say(block)
            await client.say(frame(Opcode.CLOSE, b"\x03\xe8"))
            await client.gone()

        async with session_with(talk) as (session, _):
            received = 0
            while (got := await next_message(session)) is not None:
                received += len(got) - 1
                if bytes(got[1:]).strip(channel_byte):
                    wrong.append(bytes(got[:9]))
            if received != size // len(block) * 8 * 32 * 1024:
                wrong.append(b"bytes are missing")

    threads = [threading.Thread(target=asyncio.run, args=(pull(byte),)) for byte in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join)
    assert wrong == []


# What is sent


@either_way
async def test_a_peer_that_reads_nothing_is_sent_no_more_than_fits(
    tls: trustme.CA | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CLOSE_GRACE_S", 0.1)

    async def talk(client: Client) -> None:
        await client.upgrade()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with session_with(talk, tls) as (session, _):
        await send_until_it_waits(session)
        assert session._transport.get_write_buffer_size() <= WRITE_SIZE + 3 * len(CHUNK)
        await session.close()  # which waits for no longer than that


@either_way
@pytest.mark.parametrize("how", ["reset", "closed"])
async def test_a_sender_that_waits_hears_that_the_connection_is_lost(how: str, tls: trustme.CA | None) -> None:
    waits = asyncio.Event()

    async def talk(client: Client) -> None:
        await client.upgrade()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await waits.wait()
        if how == "reset":
            client.reset()
        else:
            client.writer.transport.abort()

    async with session_with(talk, tls) as (session, _):
        await send_until_it_waits(session)
        waits.set()
        with pytest.raises(SessionLost, match="the connection broke"):
            await session.send(CHUNK)
        with pytest.raises(SessionLost, match="the connection broke"):
            await session.ping()
        assert await next_message(session) is None


async def test_pings_are_answered() -> None:
    async def talk(client: Client) -> None:
        await client.upgrade(frame(Opcode.PING, b"1") + frame(Opcode.PING, b"2") + frame(Opcode.BINARY, b"\x01x"))
        heard.append(await client.gone())

    heard = list[bytes]()
    async with session_with(talk) as (session, server):
        await next_message(session)
        await session.ping()
        await session.close()
        await server.done()
    close = (Opcode.CLOSE, b"\x03\xe8")
    assert frames_in(heard[0]) == [(Opcode.PONG, b"1"), (Opcode.PONG, b"2"), (Opcode.PING, b""), close]


async def test_pings_of_a_peer_that_reads_nothing_fill_no_memory() -> None:
    """The last one is answered as soon as it reads."""
    pings, count, heard = asyncio.Event(), 50_000, list[bytes]()
    read = asyncio.Event()

    async def talk(client: Client) -> None:
        await client.upgrade()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await pings.wait()
        await client.say(b"".join(frame(Opcode.PING, b"%d" % number) for number in range(count)))
        await client.say(frame(Opcode.BINARY, b"\x01x"))
        await read.wait()
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        heard.append(await client.gone())

    async with session_with(talk) as (session, server):
        sent = await send_until_it_waits(session) + 1  # the one that waited was sent as well
        before = session._transport.get_write_buffer_size()
        pings.set()
        assert await next_message(session) == b"\x01x"
        assert session._transport.get_write_buffer_size() <= before
        read.set()
        await session.send(CHUNK)
        await session.close()
        await server.done()
    found = frames_in(heard[0])
    assert [payload for opcode, payload in found if opcode is Opcode.PONG] == [b"%d" % (count - 1)]
    assert [payload for opcode, payload in found if opcode is Opcode.BINARY] == [b"\0" + CHUNK] * (sent + 1)


# The end


@either_way
async def test_leaving_a_session_in_the_middle_of_a_pull_does_not_wait_for_the_grace(
    tls: trustme.CA | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody receives, so nothing is read; the server's farewell must be heard all the same."""
    monkeypatch.setattr(websocket, "CLOSE_GRACE_S", 3600.0)

    async def talk(client: Client) -> None:
        await client.upgrade()
        pump = asyncio.create_task(say_on(client))
        await client.reader.read(1)
        pump.cancel()

    async def say_on(client: Client) -> None:
        while True:
            await client.say(frame(Opcode.BINARY, b"\x01" + bytes(32 * 1024)))

    async with session_with(talk, tls) as (session, _):
        while not session._paused:
            await session._news.wait()
            await anyio.lowlevel.checkpoint()


@either_way
async def test_no_descriptor_is_left(tls: trustme.CA | None) -> None:
    async def talk(client: Client) -> None:
        match client.number % 4:
            case 0:
                await client.upgrade(frame(Opcode.BINARY, b"\x01x"))
                await client.gone()
            case 1:
                await client.upgrade(frame(Opcode.CLOSE, b"\x03\xe8"))
            case 2:
                await client.upgrade(b"\xff\xff")
                await client.gone()
            case 3:
                await client.upgrade()
                client.reset()

    async with serving(talk, server_tls(tls) if tls else None) as server:
        before = len(os.listdir("/dev/fd"))
        async with client_of(server, tls) as cluster:
            for _ in range(12):
                async with cluster.open_exec(TARGET, ["cat"], V4) as session:
                    await next_message(session)
        await server.done()
        await anyio.lowlevel.checkpoint()
        assert len(os.listdir("/dev/fd")) <= before
