"""A long answer: read as it comes, whole or an error, and never faster than it is wanted."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from asynccp.auth.access import Access
from asynccp.errors import ConnectFailed, Refused, SessionLost
from asynccp.kube.cluster import KubernetesCluster
from asynccp.net.http import Streamed, open_connection
from asynccp.target import Log, Target
from tests.kube.raw import Client, Talk, answer, at, serving

TARGET = Target("default", "web-0", "main")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
SIZE, PIECE = 32 * 1024 * 1024, 64 * 1024


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def saying(*parts: bytes) -> Talk:
    async def talk(client: Client) -> None:
        await client.request()
        for part in parts:
            await client.say(part)

    return talk


async def all_of(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def log_of(cluster: KubernetesCluster, log: Log = Log()) -> bytes:  # noqa: B008 (a value)
    async with cluster.open_log(TARGET, log) as pieces:
        return await all_of(pieces)


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD + chunk(b"one\n") + chunk(b"two") + END],
        [HEAD, chunk(b"one\n"), chunk(b"two"), END],
        [HEAD, chunk(b"one\n")[:5], chunk(b"one\n")[5:], chunk(b"two") + END],
        [answer(b"one\ntwo")],
    ],
)
async def test_a_log_is_all_of_the_answer(parts: list[bytes]) -> None:
    async with serving(saying(*parts)) as server, at(server) as cluster:
        assert await log_of(cluster) == b"one\ntwo"


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD + chunk(b"one")],
        [HEAD + chunk(b"one")[:-3]],
        [HEAD + chunk(b"one") + END[:-2]],
        [HEAD + chunk(b"one") + b"x\r\n"],
        [answer(b"one")[:-1]],
    ],
)
async def test_an_answer_that_breaks_off_is_no_whole_log(parts: list[bytes]) -> None:
    async with serving(saying(*parts)) as server, at(server) as cluster:
        with pytest.raises(SessionLost, match="broke off"):
            await log_of(cluster)


async def test_an_answer_whose_end_is_the_connections_is_none() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\none"
    async with serving(saying(said)) as server, at(server) as cluster:
        with pytest.raises(ConnectFailed):
            await log_of(cluster)


async def test_what_is_refused_says_why() -> None:
    body = b'{"kind":"Status","message":"container \\"main\\" in pod \\"web-0\\" is waiting to start"}'
    async with serving(saying(answer(body, status="400 Bad Request"))) as server, at(server) as cluster:
        with pytest.raises(Refused, match='there is no such log: container "main" in pod "web-0" is waiting'):
            await log_of(cluster)


@pytest.mark.parametrize(
    ("log", "query"),
    [
        (Log(), b"container=main"),
        (Log(tail=0), b"container=main&tailLines=0"),
        (
            Log(previous=True, since_s=60, tail=5, timestamps=True),
            b"container=main&previous=true&timestamps=true&sinceSeconds=60&tailLines=5",
        ),
    ],
)
async def test_the_node_is_asked_for_what_is_wanted(log: Log, query: bytes) -> None:
    heard = []

    async def talk(client: Client) -> None:
        heard.append((await client.request()).splitlines()[0])
        await client.say(answer(b""))

    async with serving(talk) as server, at(server) as cluster:
        await log_of(cluster, log)
    assert heard == [b"GET /api/v1/namespaces/default/pods/web-0/log?%b HTTP/1.1" % query]


async def test_a_log_that_nobody_reads_on_is_not_read_on_here_either() -> None:
    sent = 0

    async def talk(client: Client) -> None:
        nonlocal sent
        await client.request()
        await client.say(HEAD)
        for _ in range(SIZE // PIECE):
            await client.say(chunk(bytes(PIECE)))
            sent += PIECE
        await client.say(END)

    async with serving(talk) as server:
        connection = await open_connection(Access(f"http://127.0.0.1:{server.port}"))
        answered = await connection.stream("x", "/", ())
        assert isinstance(answered, Streamed)
        size = most = 0
        async for piece in answered.pieces():
            size += len(piece)
            for _ in range(3):  # the server may go on meanwhile, if it is let
                await asyncio.sleep(0)
            most = max(most, len(connection._http.trailing_data[0]))
        assert size == sent == SIZE
        assert most < 1024 * 1024
        connection.abort()


async def test_a_reader_that_leaves_ends_the_connection() -> None:
    gone = asyncio.Event()

    async def talk(client: Client) -> None:
        await client.request()
        await client.say(HEAD + chunk(b"one"))
        await client.gone()
        gone.set()

    async with serving(talk) as server, at(server) as cluster:
        async with cluster.open_log(TARGET, Log()) as pieces:
            assert await anext(pieces) == b"one"
        await gone.wait()


async def test_a_node_that_says_it_could_not_read_on_has_sent_no_whole_log() -> None:
    excuse = b"unable to retrieve container logs for containerd://0123456789abcdef"
    for parts in ([HEAD, chunk(b"one\n"), chunk(excuse[:20]), chunk(excuse[20:]), END], [HEAD, chunk(excuse), END]):
        async with serving(saying(*parts)) as server, at(server) as cluster:
            with pytest.raises(SessionLost, match="the node has not found the log: unable to retrieve"):
                await log_of(cluster)
