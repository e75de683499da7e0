"""An API server that lies or errs: each answer ends in one sentence, in bounded memory, after a bounded time."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from anyio import to_thread

from asynccp.errors import ClusterError, ConnectFailed
from asynccp.kube import cluster as kubernetes
from asynccp.kube import documents
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import V4
from asynccp.net import http
from asynccp.target import Selector, Skipped, match_pod
from tests.kube.test_cluster import TARGET, Handler, answers, names_of, page, served

MIB = 1024 * 1024
POD = {
    "metadata": {"namespace": "default", "name": "a", "uid": "u", "labels": {"app": "web"}},
    "spec": {"nodeName": "n", "containers": [{"name": "main", "image": "x"}]},
    "status": {
        "phase": "Running",
        "containerStatuses": [{"name": "main", "state": {"running": {"startedAt": "now"}}, "restartCount": 1}],
    },
}
ELSE = "answered with something else than it was asked for"


def asked_for(document: object) -> tuple[Handler, list[web.Request]]:
    return answers((200, json.dumps(document), {}))


# Shapes


@pytest.mark.parametrize(
    "items",
    [
        [[]], [None], ["a"], [7], "a", 7, {"a": 1}, [[[]]],
        [{"metadata": []}, {"metadata": [1]}], [{"metadata": "a"}], [{"metadata": {"name": {"a": 1}}}],
        [{"metadata": {"annotations": ["a"]}}], [{"metadata": {"labels": ["a"]}}], [{"metadata": {"labels": {"a": 7}}}],
        [{"metadata": {"deletionTimestamp": 1}}],
        [{"spec": ["a"]}], [{"spec": {"containers": {"a": 1}}}], [{"spec": {"containers": ["a"]}}],
        [{"spec": {"containers": [None]}}], [{"spec": {"initContainers": [["a"]]}}], [{"spec": {"nodeName": 7}}],
        [{"status": 7}], [{"status": {"containerStatuses": ["a"]}}],
        [{"status": {"containerStatuses": [{"name": "a", "state": "running"}]}}],
        [{"status": {"containerStatuses": [{"name": "a", "state": {"running": "now"}}]}}],
        [{"status": {"containerStatuses": [{"name": "a", "state": {"waiting": ["why"]}}]}}],
        [{"status": {"containerStatuses": [{"name": "a", "restartCount": "often"}]}}],
        [{"status": {"containerStatuses": [{"name": "a", "restartCount": [1]}]}}],
        [{"status": {"phase": {"a": 1}}}],
    ],
)  # fmt: skip
async def test_a_list_that_is_none_is_one_sentence(items: object) -> None:
    handler, _ = asked_for({"items": items})
    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match=ELSE):
            await names_of(cluster)


@pytest.mark.parametrize("document", [[], [[]], "a", 7, None, True, {"items": [], "metadata": {"continue": 7}}])
async def test_a_document_that_is_no_object_is_one_sentence(document: object) -> None:
    handler, _ = asked_for(document)
    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match=ELSE):
            await names_of(cluster)


@pytest.mark.parametrize("document", [[], None, "a", {"metadata": [1]}, {"status": {"containerStatuses": [7]}}])
async def test_a_pod_that_is_none_is_one_sentence(document: object) -> None:
    handler, _ = asked_for(document)
    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match=ELSE):
            await cluster.find_pod(TARGET)
        with pytest.raises(ClusterError, match=ELSE):
            await names_of(cluster, Selector("pod", "web-0", "/x"))


@pytest.mark.parametrize(
    ("kind", "selector"),
    [
        ("svc", ["a"]), ("svc", "a"), ("svc", {"app": ["web"]}), ("svc", {"app": {"matchLabels": {}}}),
        ("deploy", "app=web"), ("deploy", {"matchLabels": ["a"]}), ("deploy", {"matchLabels": {"a": 1}}),
        ("deploy", {"matchExpressions": {"a": 1}}), ("deploy", {"matchExpressions": ["a"]}),
        ("deploy", {"matchExpressions": [{"key": "a", "operator": "Near", "values": ["b"]}]}),
        ("deploy", {"matchExpressions": [{"operator": "Exists"}]}),
        ("deploy", {"matchExpressions": [{"key": "a"}]}),
        ("job", {"matchExpressions": [{"key": "a", "operator": "In", "values": "b"}]}),
        ("job", {"matchExpressions": [{"key": "a", "operator": "In", "values": [1]}]}),
    ],
)  # fmt: skip
async def test_an_owner_that_is_none_is_one_sentence(kind: str, selector: object) -> None:
    handler, asked = asked_for({"spec": {"selector": selector}})
    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match=ELSE):
            await names_of(cluster, Selector(kind, "web", "/x"))
    assert len(asked) == 1, "no pods were asked for"


def test_what_is_kept_of_a_pod_means_what_all_of_it_meant() -> None:
    (kept,), after, *_ = documents.page_of({"items": [{**POD, "kind": "Pod"}], "metadata": {"continue": "x"}})
    assert after == "x"
    assert match_pod(kept, labels=("app",)) == match_pod(POD, labels=("app",))
    assert not isinstance(match_pod(kept, labels=("app",)), Skipped)
    assert "kind" not in kept


def test_of_a_text_that_is_too_long_the_beginning_is_kept() -> None:
    pod = {"metadata": {"namespace": "default", "name": "a" * MIB}}
    ((kept,), _, size, _) = documents.page_of({"items": [pod]})
    assert len(kept["metadata"]["name"]) < size < 2000
    assert isinstance(match_pod(kept), Skipped)


@pytest.mark.parametrize(
    "body", [b"[]", b'{"message": ["a"], "kind": "Status"}', b"[" * 100_000, b"\xff", b'{"kind": {}, "message": 7}']
)
async def test_a_refusal_of_any_shape_is_one_sentence(body: bytes) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500, body=body)

    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match="can't be listed"):
            await names_of(cluster)
        with pytest.raises(ConnectFailed, match="exec could not be started"):
            async with cluster.open_exec(TARGET, ["true"], V4):
                pytest.fail("no session was opened")


async def test_a_refusal_without_an_end_is_not_read_to_it() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=403, body=bytes(MIB))

    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match="more than anybody can read"):
            await names_of(cluster)
        with pytest.raises(ConnectFailed, match="an answer that does not end"):
            async with cluster.open_exec(TARGET, ["true"], V4):
                pytest.fail("no session was opened")


# Pages


def paged(after: Callable[[int], str]) -> tuple[Handler, list[str]]:
    """Return a handler whose pages name the one that follows, and the list of those that were asked for."""
    asked = list[str]()

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.query.get("continue", ""))
        return web.json_response(page("a", after=after(len(asked))))

    return handler, asked


@pytest.mark.parametrize("after", [lambda _: "same", lambda count: "ab"[count % 2]], ids=["same", "in turn"])
async def test_a_page_that_was_read_is_not_read_again(after: Callable[[int], str]) -> None:
    handler, asked = paged(after)
    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match=r"list of pods with labels app=web has no end"):
            await names_of(cluster)
    assert len(asked) <= 3


@pytest.mark.parametrize(("name", "most"), [("_MOST_PAGES", 20), ("_MOST_PODS", 20), ("_MOST_SIZE", 700)])
async def test_pages_without_an_end_are_left(name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, name, most)
    handler, asked = paged(str)
    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match="has no end"):
            await names_of(cluster)
    assert len(asked) in (21, 22)


async def test_a_token_that_no_request_can_hold_is_refused() -> None:
    handler, asked = paged(lambda _: "a" * 100_000)
    async with served(handler) as cluster:
        with pytest.raises(ClusterError, match=ELSE):
            await names_of(cluster)
    assert len(asked) == 1


async def test_a_page_of_large_pods_is_asked_for_in_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred pods of an honest server may have 1.5 MiB each."""
    monkeypatch.setattr(http, "MAX_ANSWER_SIZE", 30_000)
    asked = list[tuple[int, int]]()

    async def handler(request: web.Request) -> web.StreamResponse:
        limit, start = int(request.query["limit"]), int(request.query.get("continue", "0"))
        asked.append((start, limit))
        names = [f"web-{number}" for number in range(start, min(start + limit, 60))]
        items = [{"metadata": {"name": name, "annotations": {"much": "x" * 1000}}} for name in names]
        more = {"continue": str(start + limit)} if start + limit < 60 else {}
        return web.json_response({"metadata": more, "items": items})

    async with served(handler) as cluster:
        assert await names_of(cluster) == [f"web-{number}" for number in range(60)]
    assert asked == [(0, 500), (0, 50), *((start, 5) for start in range(0, 60, 5))]


# Memory. Each answer is small on the wire; the most that it makes here is measured in a process of its own.

CHILD = """
import re, sys, anyio
from pathlib import Path
from asynccp import AsyncCpError, Selection, parse_selectors
from asynccp.kube import cluster as kubernetes
from asynccp.auth.access import Access
from asynccp.engine.select import select

kubernetes._MOST_SIZE = 32 * 1024 * 1024

async def main():
    async with kubernetes.KubernetesCluster(Access(sys.argv[1])) as cluster:
        try:
            await select(cluster, Selection(parse_selectors(["app=web:/x"])))
        except AsyncCpError as exc:
            print(str(exc)[:300])

def peak_mib():  # not getrusage's, which begins with that of the process before exec
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024

before = peak_mib()
anyio.run(main)
print(peak_mib() - before)
"""


def repeated(start: bytes, unit: bytes, end: bytes, size: int) -> bytes:
    return start + unit * ((size - len(start) - len(end)) // len(unit)) + end


def long_pods() -> dict[str, Any]:
    name = "a" * 5000
    pod = {"metadata": {"namespace": name, "name": name, "uid": name}, "spec": {"containers": [{"name": name}] * 10}}
    return {"items": [pod] * 400}


FULL = http.MAX_ANSWER_SIZE - 1
BOMBS = {
    "lists, 84 million": repeated(b'{"items":[[]', b",[]", b"]}", 252 * MIB),
    "lists, as many as fit": repeated(b'{"items":[[]', b",[]", b"]}", FULL),
    "lists, as many as are read": repeated(b'{"items":[[]', b",[]", b"]}", 3 * 499_990),
    "objects in objects": repeated(b'{"items":[0', b"," + b'{"a":' * 500 + b"0" + b"}" * 500, b"]}", 6 * 990_000),
    "numbers": repeated(b'{"items":[1', b",1.5e300", b"]}", FULL),
    "one long text": repeated(b'{"items":[{"metadata":{"name":"\\ud83d\\ude00', b"a", b'"}}]}', FULL),
    "escapes": repeated(b'{"items":[{"metadata":{"name":"', b"\\u0101", b'"}}]}', FULL),
    "many pods": repeated(b'{"items":[{}', b',{"metadata":{"name":"a"}}', b"]}", 26 * 330_000),
}


def unpacked_to(body: bytes) -> Handler:
    small = gzip.compress(body)

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=small, headers={"Content-Encoding": "gzip"})

    return handler


def pages_of_long_pods() -> Handler:
    asked, document = list[int](), long_pods()

    async def handler(_: web.Request) -> web.StreamResponse:
        asked.append(1)
        body = json.dumps({**document, "metadata": {"continue": str(len(asked))}}).encode()
        return web.Response(body=gzip.compress(body, 1), headers={"Content-Encoding": "gzip"})

    return handler


measurable = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")


async def measured(handler: Handler) -> tuple[str, int]:
    """Return what a run says of a server, and the MiB that it took for that."""

    async def run(cluster: KubernetesCluster) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", CHILD, cluster._credentials.access.url]
        return await to_thread.run_sync(lambda: subprocess.run(command, capture_output=True, text=True, check=True))

    async with served(handler) as cluster:
        said, size = (await run(cluster)).stdout.strip().rsplit("\n", 1)
    return said, int(size)


@measurable
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", BOMBS)
async def test_an_answer_that_unpacks_to_much_takes_bounded_memory(name: str) -> None:
    said, size = await measured(unpacked_to(BOMBS[name]))
    assert said.count("\n") == 0
    assert said.startswith(("the API server at http://127.0.0.1:", "nothing can be copied to or from"))
    assert size < 400, f"{size} MiB"


@measurable
@pytest.mark.timeout(60)
async def test_pages_without_an_end_take_bounded_memory() -> None:
    said, size = await measured(pages_of_long_pods())
    assert "has no end" in said
    assert size < 400, f"{size} MiB"
