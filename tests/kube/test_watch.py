"""A watch passes nothing over: not between the list and it, not when a connection ends, not when its news are gone."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from asynccp.errors import ClusterError
from asynccp.kube import watch
from asynccp.kube.base import Watched
from asynccp.kube.cluster import KubernetesCluster
from asynccp.target import Selector
from asynccp.testing.server import FakeCluster
from tests.kube.test_cluster import WEB, served, status

Script = Callable[[web.StreamResponse], Awaitable[None]]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "WAITS_S", (0.0,))


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name, "uid": f"u-{name}"}}


def listed(version: int, *names: str) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version)}, "items": [pod(name) for name in names]}


def line(kind: str, version: int, name: str = "") -> bytes:
    found = pod(name)
    found["metadata"]["resourceVersion"] = str(version)
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


GONE = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410}}).encode() + b"\n"
BROKEN = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 500}}).encode() + b"\n"


class Server:
    """Gives lists and watches in turn; of a watch its lines, and then its end. asked: where each watch goes on from."""

    def __init__(self, lists: list[dict[str, Any]], watches: list[list[bytes] | int]) -> None:
        self._lists = lists
        self._watches = watches
        self.asked: list[str] = []
        self.lists = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") != "1":
            self.lists += 1
            return web.json_response(self._lists[self.lists - 1])
        assert request.query["allowWatchBookmarks"] == "true"
        assert 0 < int(request.query["timeoutSeconds"]) < watch.SILENCE_S
        assert request.query["labelSelector"] == "app=web"
        self.asked.append(request.query["resourceVersion"])
        lines = self._watches[len(self.asked) - 1]
        if isinstance(lines, int):
            return web.json_response(status("no"), status=lines)
        answer = web.StreamResponse()
        await answer.prepare(request)
        for one in lines:
            await answer.write(one)
        return answer


async def heard(cluster: KubernetesCluster, count: int) -> list[tuple[list[str], list[str], bool]]:
    """Return the names in so many news."""
    found = []

    def names(pods: Any) -> list[str]:
        return [one["metadata"]["name"] for one in pods]

    news: Any = cluster.watch_pods(WEB, "default", "")
    async with aclosing(news):
        async for one in news:
            found.append((names(one.pods), names(one.gone), one.whole))
            if len(found) == count:
                return found
    raise AssertionError("a watch has no end")


async def test_pods_that_are_there_and_then_what_becomes_of_them() -> None:
    lines = [line("ADDED", 11, "b"), line("MODIFIED", 12, "b"), line("DELETED", 13, "a")]
    server = Server([listed(10, "a")], [lines])
    async with served(server.answer) as cluster:
        assert await heard(cluster, 4) == [
            (["a"], [], True),
            (["b"], [], False),
            (["b"], [], False),
            ([], ["a"], False),
        ]
    assert server.asked == ["10"]


async def test_a_watch_that_ends_goes_on_from_its_last_line_be_it_a_bookmark() -> None:
    watches: list[list[bytes] | int] = [[line("ADDED", 11, "b"), line("BOOKMARK", 20)], [], [line("ADDED", 21, "c")]]
    server = Server([listed(10)], watches)
    async with served(server.answer) as cluster:
        assert [names for names, *_ in await heard(cluster, 3)] == [[], ["b"], ["c"]]
    assert (server.asked, server.lists) == (["10", "20", "20"], 1)


@pytest.mark.parametrize("gone", [[GONE], 410])
async def test_news_that_the_server_has_no_more_are_listed_anew(gone: list[bytes] | int) -> None:
    server = Server([listed(10, "a"), listed(30, "c")], [[line("ADDED", 11, "b")], gone, [line("ADDED", 31, "d")]])
    async with served(server.answer) as cluster:
        assert await heard(cluster, 4) == [
            (["a"], [], True), (["b"], [], False), (["c"], [], True), (["d"], [], False),
        ]  # fmt: skip
    assert server.asked == ["10", "11", "30"]


@pytest.mark.parametrize("trouble", [503, 429, [BROKEN], [b"no JSON\n"], [b"[]\n"]])
async def test_a_server_that_is_not_well_is_asked_again(trouble: list[bytes] | int) -> None:
    server = Server([listed(10, "a")], [[], trouble, trouble, [line("ADDED", 11, "b")]])
    async with served(server.answer) as cluster:
        assert [names for names, *_ in await heard(cluster, 2)] == [["a"], ["b"]]
    assert server.asked == ["10"] * 4


async def test_who_may_not_watch_is_told_the_verb() -> None:
    server = Server([listed(10, "a")], [403])
    async with served(server.answer) as cluster:
        with pytest.raises(ClusterError, match="pods with labels app=web can't be watched: no") as caught:
            await heard(cluster, 1)
    assert "the user needs the verb watch on pods" in caught.value.hint


async def test_a_server_that_never_was_there_is_an_error() -> None:
    async with served(Server([listed(10)], [503]).answer) as cluster:
        with pytest.raises(ClusterError, match="the API server is not well: HTTP 503"):
            await heard(cluster, 1)


async def watching(cluster: KubernetesCluster, selector: Selector) -> AsyncIterator[Watched]:
    async for one in cluster.watch_pods(selector, "default", ""):
        yield one


@pytest.mark.parametrize("selector", [Selector("pod", "web-1", "/x"), Selector("deploy", "web", "/x")])
async def test_pods_that_are_named_or_belong_to_a_workload_are_watched(
    cluster: FakeCluster, selector: Selector, tmp_path: Any
) -> None:
    from asynccp import connect

    cluster.add_deployment("web", {"app": "web"})
    await cluster.write_kubeconfig(tmp_path / "kubeconfig")
    async with connect(str(tmp_path / "kubeconfig")) as there:
        news: Any = watching(there, selector)
        async with aclosing(news):
            assert [one["metadata"]["name"] for one in (await anext(news)).pods] == ["web-1"]
            await cluster.add_pod("other", labels={"app": "other"})
            await cluster.delete_pod("web-1")
            assert [one["metadata"]["name"] for one in (await anext(news)).gone] == ["web-1"]
            await cluster.add_pod("web-1", labels={"app": "web"})
            assert [one["metadata"]["name"] for one in (await anext(news)).pods] == ["web-1"]
