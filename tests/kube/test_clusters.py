"""Several clusters behind the seam of one: nothing of one goes to another."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import anyio
import pytest
from anyio.abc import ByteReceiveStream, ByteSendStream, SocketAttribute, SocketStream

from asynccp import ClusterError, Options, Outcome, plan_push, push
from asynccp.cli.connecting import connected
from asynccp.cli.request import Server
from asynccp.kube.clusters import JoinedCluster, Unreached, matching_contexts
from asynccp.remote.commands import PLAIN
from asynccp.target import Selection, parse_selectors
from asynccp.testing.server import FakeCluster

_ = PLAIN.sync  # which is read when it is first asked for
WEB = Selection(parse_selectors(["app=web:/tmp/to"]))


def kubeconfig(path: Path, servers: dict[str, str], **more: Mapping[str, object]) -> str:
    """Write a kubeconfig with a context, a cluster and a user for each server; the user's token is TOKEN-OF-CONTEXT."""
    users: dict[str, Mapping[str, object]] = {name: {"token": f"TOKEN-OF-{name}"} for name in servers}
    document = {
        "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
        "users": [{"name": name, "user": user} for name, user in (users | more).items()],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in servers],
    }
    path.write_text(json.dumps(document))
    return str(path)


class Relay:
    """Stands before a server, and writes down all that it is sent. there: its URL. port: of ours."""

    def __init__(self, port: int) -> None:
        self.sent = bytearray()
        self.there = ""
        self.port = port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """What leads to the server through us."""
        return urlunsplit(urlsplit(self.there)._replace(netloc=self.host))

    async def serve(self, client: SocketStream) -> None:
        there = urlsplit(self.there)
        server = await anyio.connect_tcp(str(there.hostname), there.port or 0)
        async with client, server, anyio.create_task_group() as tasks:
            tasks.start_soon(carry, client, server, self.sent)
            tasks.start_soon(carry, server, client, bytearray())


async def carry(source: ByteReceiveStream, to: ByteSendStream, into: bytearray) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async for data in source:
            into += data
            await to.send(data)
        await to.aclose()


@asynccontextmanager
async def relayed() -> AsyncIterator[Relay]:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        relay = Relay(listener.extra(SocketAttribute.local_port))
        tasks.start_soon(listener.serve, relay.serve)
        yield relay
        tasks.cancel_scope.cancel()


async def test_the_credentials_of_a_context_go_to_no_other(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    async with (
        relayed() as to_a,
        relayed() as to_b,
        FakeCluster(tmp_path / "of-a", host=to_a.host) as a,
        FakeCluster(tmp_path / "of-b", host=to_b.host) as b,
    ):
        for cluster, relay in ((a, to_a), (b, to_b)):
            await cluster.add_pod("web-0", labels={"app": "web"})
            relay.there = cluster.url
        path = kubeconfig(tmp_path / "kubeconfig", {"a": to_a.url, "b": to_b.url})
        async with connected(Server(path, ("a", "b"))) as joined:
            plan = await plan_push(joined, [str(tmp_path / "file")], WEB)
            report = await push(joined, plan, options=Options())
    assert [one.outcome for one in report.results] == [Outcome.COMPLETE] * 2
    for relay, own, other in ((to_a, b"TOKEN-OF-a", b"TOKEN-OF-b"), (to_b, b"TOKEN-OF-b", b"TOKEN-OF-a")):
        assert own in relay.sent
        assert other not in relay.sent
        assert relay.sent.count(b"/exec?") == 1


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["prod-*"], ["prod-a", "prod-b"]),
        (["test", "prod-b", "prod-*"], ["test", "prod-b", "prod-a"]),
        (["[t]est"], ["test"]),
        (["odd*"], ["odd*"]),
    ],
)
async def test_contexts_are_named_or_match_a_pattern(tmp_path: Path, wanted: list[str], names: list[str]) -> None:
    path = kubeconfig(tmp_path / "k", dict.fromkeys(("test", "prod-a", "prod-b", "odd*", "odd-1"), "https://127.0.0.1"))
    assert await matching_contexts(path, wanted) == names


async def test_a_context_that_there_is_not_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k", {"a": "https://127.0.0.1"})
    for wanted in (["a", "b"], ["prod-*"]):
        with pytest.raises(ClusterError, match=rf"^the kubeconfig .*k has no context '{re.escape(wanted[-1])}'$"):
            await matching_contexts(path, wanted)
    (tmp_path / "k").write_text("contexts: [1]")
    with pytest.raises(ClusterError, match=r"can't be used: a field is missing, or holds what it can't$"):
        await matching_contexts(path, ["a*"])


async def test_one_that_cannot_even_be_asked_keeps_no_other_from_it(tmp_path: Path) -> None:
    plugin = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/no/such/plugin"}}
    async with FakeCluster(tmp_path / "of-a") as a:
        await a.add_pod("web-0", labels={"app": "web"})
        path = kubeconfig(tmp_path / "k", {"a": a.url, "b": "https://127.0.0.1:1"}, b=plugin)
        async with connected(Server(path, ("*",))) as joined:
            assert isinstance(joined, JoinedCluster)
            assert isinstance(joined.members["b"], Unreached)
            plan = await plan_push(joined, [path], WEB)
            assert await joined.zones() == {}
    assert [str(one.target) for one in plan.transfers] == ["a/default/web-0"]
    (skipped,) = plan.skipped
    assert (skipped.pod, skipped.named) == ("b", True)
    assert "/no/such/plugin" in skipped.reason


async def test_nodes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    async with FakeCluster(tmp_path / "of-a") as a, FakeCluster(tmp_path / "of-b") as b:
        a.place("node-1", "east")
        b.place("node-1", "west")
        path = kubeconfig(tmp_path / "k", {"a": a.url, "b": b.url})
        async with connected(Server(path, ("a", "b"))) as joined:
            assert await joined.zones() == {"a/node-1": "east", "b/node-1": "west"}
