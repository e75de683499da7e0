"""The client of the API server, against a server that answers as a test asks: pages, refusals, lost sessions."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from asynccp.auth.access import Access
from asynccp.errors import (
    ClusterError,
    ConnectFailed,
    Knob,
    NoTargets,
    ProtocolRefused,
    Refused,
    SessionLost,
    UsageError,
)
from asynccp.kube import cluster as kubernetes
from asynccp.kube.base import Session
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import MAX_MESSAGE_SIZE, V4, V5
from asynccp.target import Json, Selector, Target
from tests.kube.raw import next_message

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TARGET = Target("default", "web-0", "main")
WEB = Selector("labels", "app=web", "/x")


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[KubernetesCluster]:
    """Run a server, and connect to it. It has answers that stand in this file, for a stranger too, and nothing else."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    access = Access(f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        async with KubernetesCluster(access) as cluster:
            yield cluster
    finally:
        await runner.cleanup()


def answers(*responses: tuple[int, dict[str, Any] | str, dict[str, str]]) -> tuple[Handler, list[web.Request]]:
    """Return a handler that gives these answers in turn, the last one for ever, and the list of what it was asked."""
    asked: list[web.Request] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        status, body, headers = responses[min(len(asked), len(responses) - 1)]
        asked.append(request)
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers)

    return handler, asked


def status(message: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "message": message}


def page(*names: str, after: str = "") -> dict[str, Any]:
    return {"metadata": {"continue": after}, "items": [{"metadata": {"name": name}} for name in names]}


async def names_of(
    cluster: KubernetesCluster, selector: Selector = WEB, namespace: str | None = "default"
) -> list[str]:
    found: list[Json] = []
    async for one in cluster.list_pods(selector, namespace, ""):
        found += one
    return [pod["metadata"]["name"] for pod in found]


async def test_every_page_of_a_long_list_is_asked_for() -> None:
    handler, asked = answers((200, page("a", "b", after="x y&z"), {}), (200, page("c"), {}))
    async with served(handler) as cluster:
        assert await names_of(cluster) == ["a", "b", "c"]
    assert [request.query.get("continue") for request in asked] == [None, "x y&z"]
    assert {request.query["labelSelector"] for request in asked} == {"app=web"}


@pytest.mark.parametrize(
    ("kind", "path", "selects"),
    [
        ("deploy", "/apis/apps/v1/namespaces/default/deployments/web", {"matchLabels": {"app": "web"}}),
        ("statefulset.apps", "/apis/apps/v1/namespaces/default/statefulsets/web", {"matchLabels": {"app": "web"}}),
        ("job.batch", "/apis/batch/v1/namespaces/default/jobs/web", {"matchLabels": {"app": "web"}}),
        ("svc", "/api/v1/namespaces/default/services/web", {"app": "web"}),
    ],
)
async def test_the_pods_of_a_workload_or_service_are_those_that_it_selects(
    kind: str, path: str, selects: dict[str, Any]
) -> None:
    handler, asked = answers((200, {"spec": {"selector": selects}}, {}), (200, page("a"), {}))
    async with served(handler) as cluster:
        assert await names_of(cluster, Selector(kind, "web", "/x")) == ["a"]
    assert [request.path for request in asked] == [path, "/api/v1/namespaces/default/pods"]
    assert asked[1].query["labelSelector"] == "app=web"


@pytest.mark.parametrize("owner", [{"spec": {"type": "ExternalName"}}, {"spec": {"selector": {}}}, {}])
async def test_a_service_without_a_selector_never_means_every_pod(owner: dict[str, Any]) -> None:
    handler, asked = answers((200, owner, {}), (200, page("a", "b"), {}))
    async with served(handler) as cluster:
        with pytest.raises(NoTargets, match=r"^svc/web in namespace default has no selector") as caught:
            await names_of(cluster, Selector("svc", "web", "/x"))
    assert Knob.LABELS in caught.value.hint
    assert len(asked) == 1


@pytest.mark.parametrize("busy", [429, 503])
async def test_a_busy_server_is_asked_again(busy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "_BUSY_WAITS_S", (0.0, 0.0))
    handler, asked = answers((busy, "", {"Retry-After": "1"}), (200, page("a"), {}))
    async with served(handler) as cluster:
        assert await names_of(cluster) == ["a"]
    assert len(asked) == 2


async def test_a_server_that_stays_busy_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "_BUSY_WAITS_S", (0.0, 0.0))
    handler, asked = answers((429, status("too many requests"), {}))
    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match="too many requests"):
            await names_of(cluster)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("code", "body", "error", "says"),
    [
        (400, status("unable to parse requirement"), UsageError, "unable to parse requirement"),
        (401, status("Unauthorized"), ClusterError, "Unauthorized"),
        (403, status("pods is forbidden: \x1b[31mno"), ClusterError, r"forbidden: \\x1b\[31mno"),
        (500, "boom", ClusterError, "boom"),
        (200, "no JSON at all", ClusterError, "can't be reached"),
    ],
)
async def test_a_refused_list_says_why(
    code: int, body: dict[str, Any] | str, error: type[Exception], says: str
) -> None:
    handler, _ = answers((code, body, {}))
    async with served(handler) as cluster:
        with pytest.raises(error, match=says):
            await names_of(cluster)


async def test_a_redirect_is_not_followed() -> None:
    """It could lead to another server, which would get our proof of who we are."""
    handler, asked = answers((307, "", {"Location": "/elsewhere"}))
    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match="HTTP 307"):
            await names_of(cluster)
        with pytest.raises(Refused, match="HTTP 307"):
            async with cluster.open_exec(TARGET, ["true"], V4):
                pytest.fail("no session was opened")
    assert [request.path for request in asked if request.path == "/elsewhere"] == []


async def test_what_does_not_exist_has_no_pods() -> None:
    handler, _ = answers((404, status("not found"), {}))
    async with served(handler) as cluster:
        assert await names_of(cluster, Selector("pod", "web-0", "/x")) == []
        assert await names_of(cluster, Selector("deploy", "web", "/x")) == []
        assert await cluster.find_pod(TARGET) is None


@pytest.mark.parametrize(
    ("code", "body", "error", "says"),
    [
        (403, status('cannot create resource "pods/exec"'), Refused, 'cannot create resource "pods/exec"'),
        (403, "", ProtocolRefused, "protocol"),
        (400, "bad subprotocol", ProtocolRefused, "bad subprotocol"),
        (404, status('pods "web-0" not found'), Refused, "not found"),
        (500, status('container not found ("main")'), ConnectFailed, "container not found"),
        (503, "", ConnectFailed, "HTTP 503"),
    ],
)
async def test_a_refused_exec_says_why(
    code: int, body: dict[str, Any] | str, error: type[Exception], says: str
) -> None:
    """aiohttp itself throws the body of a refused upgrade away."""
    handler, _ = answers((code, body, {"Retry-After": "7"}))
    async with served(handler) as cluster:
        with pytest.raises(error, match=says) as caught:
            async with cluster.open_exec(TARGET, ["true"], V4):
                pytest.fail("no session was opened")
    assert getattr(caught.value, "after_s", 0) == (7 if error is ConnectFailed else 0)


async def test_a_server_that_is_not_there() -> None:
    access = Access("http://127.0.0.1:1")
    async with KubernetesCluster(access) as cluster:
        with pytest.raises(ClusterError, match="can't be reached"):
            await names_of(cluster)
        with pytest.raises(ConnectFailed, match="can't be reached"):
            async with cluster.open_exec(TARGET, ["true"], V4):
                pytest.fail("no session was opened")


def websocket(talk: Callable[[web.WebSocketResponse, web.Request], Awaitable[None]], speaks: str = V4) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        session = web.WebSocketResponse(protocols=(speaks,), max_msg_size=0)
        await session.prepare(request)
        await talk(session, request)
        return session

    return handler


async def test_an_argv_arrives_byte_for_byte() -> None:
    argv = ["sh", "-c", "a b&c=d;%41+é\n", "", "not-utf8-\udcff"]
    heard: list[str] = []

    async def talk(session: web.WebSocketResponse, request: web.Request) -> None:
        heard.append(request.rel_url.raw_query_string)
        await session.close()

    async with served(websocket(talk)) as cluster, cluster.open_exec(TARGET, argv, V4) as session:
        assert await next_message(session) is None
    words = [word.removeprefix("command=") for word in heard[0].split("&") if word.startswith("command=")]
    assert words == ["sh", "-c", "a+b%26c%3Dd%3B%2541%2B%C3%A9%0A", "", "not-utf8-%FF"]


async def test_a_server_that_agrees_to_another_protocol_is_not_spoken_to() -> None:
    async def talk(session: web.WebSocketResponse, request: web.Request) -> None:
        await session.close()

    async with served(websocket(talk, speaks=V5)) as cluster:
        with pytest.raises(ProtocolRefused):
            async with cluster.open_exec(TARGET, ["true"], V4):
                pytest.fail("a session without a protocol")


async def test_messages_go_both_ways_and_the_end_is_none() -> None:
    async def talk(session: web.WebSocketResponse, request: web.Request) -> None:
        await session.send_bytes(b"\x01")
        await session.send_bytes(b"\x01" + await session.receive_bytes())
        await session.send_str("\x02text")
        await session.close()

    async with served(websocket(talk)) as cluster, cluster.open_exec(TARGET, ["cat"], V4) as session:
        await session.send(memoryview(b"hello"))
        assert [await next_message(session) for _ in range(3)] == [b"\x01\x00hello", b"\x02text", None]


async def test_a_message_over_the_limit_ends_the_session() -> None:
    async def talk(session: web.WebSocketResponse, request: web.Request) -> None:
        await session.send_bytes(bytes(MAX_MESSAGE_SIZE + 2))
        await session.receive()

    async with served(websocket(talk)) as cluster, cluster.open_exec(TARGET, ["cat"], V4) as session:
        assert await next_message(session) is None
        assert (
            session.ending
            == f"the connection broke: the server sent a message of more than {MAX_MESSAGE_SIZE + 1} bytes"
        )


async def send_much(session: Session) -> None:
    for _ in range(100):
        await session.send(bytes(65536))


async def test_a_connection_that_is_cut_ends_the_session() -> None:
    async def talk(session: web.WebSocketResponse, request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()

    async with served(websocket(talk)) as cluster, cluster.open_exec(TARGET, ["cat"], V4) as session:
        assert await next_message(session) is None
        assert session.ending == "the connection broke off"
        with pytest.raises(SessionLost):
            await send_much(session)


@pytest.mark.parametrize(
    ("code", "reason", "ending"),
    [
        (1000, b"", ""),
        (1011, b"", "the server closed the connection with code 1011"),
        (1001, b"going\x1b[2J away", "the server closed the connection with code 1001: going\\x1b[2J away"),
    ],
)
async def test_how_a_session_was_closed_is_told_in_words(code: int, reason: bytes, ending: str) -> None:
    async def talk(session: web.WebSocketResponse, request: web.Request) -> None:
        await session.close(code=code, message=reason)

    async with served(websocket(talk)) as cluster, cluster.open_exec(TARGET, ["cat"], V4) as session:
        assert await next_message(session) is None
        assert session.ending == ending
        assert await next_message(session) is None, "it stays ended"
        assert session.ending == ending
