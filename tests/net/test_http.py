"""HTTP to the API server: whatever comes, a list is whole or an error, and no connection is used or left by mistake."""

import asyncio
import gzip
import socket
import ssl
import traceback
from pathlib import Path

import anyio
import pytest
import trustme

from asynccp.auth.access import Access
from asynccp.errors import ClusterError, ConnectFailed
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import V4
from tests.kube.gateways import proxy, server_tls
from tests.kube.raw import EMPTY, LIST, TARGET, Client, Server, Talk, answer, at, names, next_message, serving

FAR = "api.cluster.example"  # a name that only a proxy can reach


async def answers_all(client: Client) -> None:
    while not client.reader.at_eof():
        try:
            await client.request()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        await client.say(answer())


# Connections are kept


async def test_lists_share_a_connection() -> None:
    async with serving(answers_all) as server, at(server) as cluster:
        for _ in range(3):
            assert await names(cluster) == ["a"]
        assert server.connections == 1
    async with serving(answers_all) as server:
        async with at(server) as cluster:
            await names(cluster)
        await server.done()  # the connection is closed with the cluster


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_connection_that_the_server_ends_when_it_is_used_again_costs_no_error(how: str) -> None:
    async def talk(client: Client) -> None:
        await client.request()
        await client.say(answer())
        await client.request()
        if client.number:
            await client.say(answer())
        elif how == "reset":
            client.reset()

    async with serving(talk) as server, at(server) as cluster:
        for _ in range(3):
            assert await names(cluster) == ["a"]
        assert server.connections == 2


async def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    heard = list[int]()

    async def talk(client: Client) -> None:
        await client.request()
        heard.append(client.number)
        await client.say(answer())

    async with serving(talk) as server, at(server) as cluster:
        for _ in range(3):
            assert await names(cluster) == ["a"]
            ((_, kept),) = cluster._idle
            await kept.lost.wait()
    assert heard == [0, 1, 2]


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_an_answer_that_has_begun_is_not_asked_for_again(how: str) -> None:
    async def talk(client: Client) -> None:
        await client.request()
        await client.say(answer())
        await client.request()
        await client.say(answer()[:-5])
        if how == "reset":
            client.reset()

    async with serving(talk) as server, at(server) as cluster:
        await names(cluster)
        with pytest.raises(ClusterError, match="can't be reached"):
            await names(cluster)
        assert server.connections == 1


@pytest.mark.parametrize("together", [True, False])
async def test_an_answer_to_no_question_is_nobodys(together: bool) -> None:
    """Load balancers say 408 on a connection that was idle for long."""
    late = answer(EMPTY, status="408 Request Timeout")
    idle, gone = asyncio.Event(), asyncio.Event()

    async def talk(client: Client) -> None:
        await client.request()
        await client.say(answer() + late if together else answer())
        if not together and client.number == 0:
            await idle.wait()
            await client.say(late)
        await client.gone()
        gone.set()

    async with serving(talk) as server, at(server) as cluster:
        assert await names(cluster) == ["a"]
        idle.set()
        await gone.wait()
        assert await names(cluster) == ["a"]
        assert server.connections == 2


async def test_a_connection_made_with_old_credentials_is_not_used() -> None:
    heard = list[tuple[int, bool]]()

    async def talk(client: Client) -> None:
        while True:
            new = b"new" in await client.request()
            heard.append((client.number, new))
            await client.say(answer() if new else answer(b"", status="401 Unauthorized"))

    async with serving(talk) as server:
        url = f"http://127.0.0.1:{server.port}"

        async def renew() -> Access:
            return Access(url, headers=(("authorization", "Bearer new"),))

        async with KubernetesCluster(Access(url, headers=(("authorization", "Bearer old"),)), renew) as cluster:
            assert await names(cluster) == ["a"]
    assert heard == [(0, False), (1, True)]


async def test_a_question_that_is_cancelled_leaves_no_connection() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def talk(client: Client) -> None:
        await client.request()
        if client.number:
            await client.say(answer())
            return
        await client.say(answer()[:20])
        asked.set()
        await client.gone()
        gone.set()

    async with serving(talk) as server, at(server) as cluster:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(names, cluster)
            await asked.wait()
            tasks.cancel_scope.cancel()
        await gone.wait()
        assert await names(cluster) == ["a"]
        assert server.connections == 2


# Bodies


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


ZIPPED = gzip.compress(LIST)
HEAD = b"HTTP/1.1 200 OK\r\n"
IN_CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = HEAD + b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [
        answer(),
        IN_CHUNKS + chunked(LIST[:5], LIST[5:6], LIST[6:]),
        UNTIL_CLOSE + LIST,
        b"HTTP/1.0 200 OK\r\n\r\n" + LIST,
        answer(ZIPPED, "Content-Encoding: gzip"),
        HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(ZIPPED[:9], ZIPPED[9:]),
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(),
    ],
)
@pytest.mark.parametrize("slowly", [True, False])
async def test_a_body_of_every_kind_is_whole(said: bytes, slowly: bool) -> None:
    async def talk(client: Client) -> None:
        await client.request()
        for start in range(len(said)) if slowly else ():
            await client.say(said[start : start + 1])
            await asyncio.sleep(0)  # the other end's turn
        if not slowly:
            await client.say(said)

    async with serving(talk) as server, at(server) as cluster:
        assert await names(cluster) == ["a"]


@pytest.mark.parametrize(
    "said",
    [
        answer()[:-1],
        IN_CHUNKS + chunked(LIST, end=b""),
        IN_CHUNKS + chunked(LIST, end=b"0\r\n"),
        IN_CHUNKS + b"100\r\n" + LIST,
        UNTIL_CLOSE + LIST[:-1],
        answer(ZIPPED[:-1], "Content-Encoding: gzip"),
        answer(ZIPPED + gzip.compress(b" "), "Content-Encoding: gzip"),
        answer(LIST, "Content-Encoding: gzip"),
        answer()[:20],
        b"",
    ],
)
async def test_a_body_that_ends_early_is_no_list(said: bytes) -> None:
    async def talk(client: Client) -> None:
        await client.request()
        await client.say(said)

    async with serving(talk) as server, at(server) as cluster:
        with pytest.raises(ClusterError, match="can't be reached"):
            await names(cluster)


async def test_a_connection_that_breaks_does_not_end_a_body() -> None:
    """Here the list is whole as JSON goes; what would have followed is not known."""

    async def talk(client: Client) -> None:
        await client.request()
        await client.say(UNTIL_CLOSE + LIST)
        client.reset()

    async with serving(talk) as server, at(server) as cluster:
        with pytest.raises(ClusterError, match=r"reset by peer"):
            await names(cluster)


# What is no HTTP


@pytest.mark.parametrize(
    "said",
    [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n", b"HTTP/1.1 2OO OK\r\n\r\n", b"a" * 70000],
)
@pytest.mark.parametrize("first", [True, False])
async def test_what_speaks_no_http(said: bytes, first: bool) -> None:
    async def talk(client: Client) -> None:
        if not first:
            await client.request()
        await client.say(said)
        await client.gone()

    async with serving(talk) as server, at(server) as cluster:
        with pytest.raises(ClusterError, match="can't be reached: what answers speaks no HTTP"):
            await names(cluster)
        with pytest.raises(ConnectFailed, match="can't be reached: what answers speaks no HTTP"):
            async with cluster.open_exec(TARGET, ["true"], V4):
                pytest.fail("a session with whom?")


async def test_a_head_without_an_end_fills_no_memory() -> None:
    async def talk(client: Client) -> None:
        await client.request()
        client.writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:  # until the other end has had enough
            try:
                await client.say(b"X-Filler: " + b"a" * 1000 + b"\r\n")
            except ConnectionError:
                return

    async with serving(talk) as server, at(server) as cluster:
        with pytest.raises(ClusterError, match="speaks no HTTP"):
            await names(cluster)
        await server.done()


async def test_a_101_that_nobody_asked_for() -> None:
    async def talk(client: Client) -> None:
        await client.request()
        await client.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        await client.gone()

    async with serving(talk) as server, at(server) as cluster:
        with pytest.raises(ClusterError, match="speaks no HTTP"):
            await names(cluster)


# What is asked


async def asked(server_path: str = "", namespace: str = "default", *headers: tuple[str, str]) -> str:
    """Return the request for a list of pods."""
    heard = list[bytes]()

    async def talk(client: Client) -> None:
        heard.append(await client.request())
        await client.say(answer())

    async with serving(talk) as server:
        access = Access(f"http://127.0.0.1:{server.port}{server_path}", headers=headers)
        async with KubernetesCluster(access) as cluster:
            await names(cluster, namespace)
    return heard[0].decode()


async def test_a_server_with_a_path_of_its_own() -> None:
    request = await asked("/k8s/clusters/c-1")
    assert request.startswith("GET /k8s/clusters/c-1/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")


async def test_a_namespace_that_is_no_name_is_asked_for_and_nothing_else() -> None:
    """The server says what is wrong with it."""
    assert (await asked("", "a b/../ü?x")).startswith("GET /api/v1/namespaces/a%20b%2F..%2F%C3%BC%3Fx/pods?")


async def test_a_header_is_sent_as_kubectl_sends_it() -> None:
    assert "\r\nimpersonate-user: jürgen\r\n" in (await asked("", "default", ("Impersonate-User", " jürgen "))).lower()


async def test_a_header_that_can_not_be_sent_is_not_told() -> None:
    secret = "s3cr3t"[::-1]  # so that a traceback doesn't have it from here
    with pytest.raises(ClusterError, match="the request holds what HTTP can't") as caught:
        await asked("", "default", ("Authorization", f"Bearer {secret}\r\nX: y"))
    assert secret not in "".join(traceback.format_exception(caught.value))


async def test_a_server_at_an_address_of_ipv6() -> None:
    heard = list[bytes]()

    async def talk(client: Client) -> None:
        heard.append(await client.request())
        await client.say(answer())

    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with serving(talk, host="::1") as server, KubernetesCluster(Access(f"http://[::1]:{server.port}")) as cluster:
        assert await names(cluster) == ["a"]
        assert f"Host: [::1]:{server.port}\r\n".encode() in heard[0]


# Proxies


def behind(server: Server, user: str = "", scheme: str = "http", ca: trustme.CA | None = None) -> KubernetesCluster:
    """Return the client of a far server, by way of a proxy."""
    tls = ssl.create_default_context()
    if ca:
        ca.configure_trust(tls)
    return KubernetesCluster(Access(f"https://{FAR}", ssl=tls, proxy=f"{scheme}://{user}127.0.0.1:{server.port}"))


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "speaks no HTTP"),
        (b"", "disconnected"),
        (b"HTTP/1.1 200 OK\r\nX: ", "disconnected"),
    ],
)
async def test_a_proxy_that_answers_with_rubbish_is_named(said: bytes, says: str) -> None:
    async def talk(client: Client) -> None:
        await client.request()
        await client.say(said)

    async with serving(talk) as server, behind(server, "user:s3cret@") as cluster:
        with pytest.raises(ClusterError, match=f"the proxy 127.0.0.1:{server.port} can't be: .*{says}") as caught:
            await names(cluster)
    assert "s3cret" not in str(caught.value)


async def test_a_proxy_that_leads_to_what_speaks_no_tls_is_left_alone() -> None:
    gone = asyncio.Event()

    async def talk(client: Client) -> None:
        assert (await client.request()).startswith(f"CONNECT {FAR}:443 HTTP/1.1\r\n".encode())
        await client.say(b"HTTP/1.1 200 OK\r\n\r\n")
        await client.reader.read(1)
        await client.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await client.gone()
        gone.set()

    async with serving(talk) as server, behind(server) as cluster:
        with pytest.raises(ClusterError, match="what answers there speaks no TLS"):
            await names(cluster)
        await gone.wait()


async def test_a_tunnel_through_a_proxy_that_wants_tls_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS within TLS: a list, and a session that is closed in time."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))  # of proxies the system's authorities are the judge

    async def talk(client: Client) -> None:
        await client.request()
        await client.say(answer())
        await client.upgrade(b"\x82\x03\x01ab")
        await client.gone()

    async with (
        serving(talk, server_tls(ca, FAR)) as server,
        proxy(f"https://127.0.0.1:{server.port}") as plain,
        serving(passed_on(plain.port), server_tls(ca)) as secure,
        behind(secure, "", "https", ca) as cluster,
    ):
        assert await names(cluster) == ["a"]
        async with cluster.open_exec(TARGET, ["true"], V4) as session:
            assert await next_message(session) == b"\x01ab"


def passed_on(port: int) -> Talk:
    """Return a conversation that is another server's."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def talk(client: Client) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(pump(client.reader, writer), pump(reader, client.writer))
        finally:
            writer.close()

    return talk
