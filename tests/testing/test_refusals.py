"""Execs that are refused, before the 101 and after it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from asynccp.kube.exec import V4, V5
from asynccp.testing.exec import negotiate
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.server import FakeCluster
from tests.testing.exec_client import Client

UNKNOWN = "v9.channel.k8s.io"


@pytest.mark.parametrize(
    ("offered", "supported", "chosen"),
    [
        ([V5, V4], [V5, V4], V5),
        ([V4, V5], [V5, V4], V5),  # the API server looks for v5 before anybody looks at the order
        ([V4], [V5, V4], V4),
        ([UNKNOWN, V4], [V5, V4], V4),
        ([V5, V4], [V4], V4),
        ([V5], [V4], None),
        ([UNKNOWN], [V5, V4], None),
        ([], [V5, V4], None),
    ],
)
def test_negotiation(offered: Sequence[str], supported: Sequence[str], chosen: str | None) -> None:
    assert negotiate(offered, supported) == chosen


async def test_an_old_server_refuses_v5_with_403_and_no_body(tmp_path: Path) -> None:
    async with FakeCluster(tmp_path, protocols=("v4",)) as cluster, aiohttp.ClientSession() as http:
        await cluster.add_pod("web-1")
        client = Client(cluster, http)
        assert await client.offer("web-1", V5) == (403, "")
        session = await http.ws_connect(client.url("web-1", ["true"]), protocols=(V5, V4))
        assert session.protocol == V4
        await session.close()


async def test_an_unknown_subprotocol_is_refused_with_403_and_no_body(client: Client) -> None:
    assert await client.offer("web-1", UNKNOWN) == (403, "")


@pytest.mark.parametrize(
    ("pod", "container", "status", "reason", "message"),
    [
        ("nobody", "", 404, "NotFound", 'pods "nobody" not found'),
        (
            "two",
            "",
            400,
            "BadRequest",
            "a container name must be specified for pod two, choose one of: [app proxy]",
        ),
        ("two", "db", 400, "BadRequest", "container db is not valid for pod two"),
        ("unscheduled", "", 400, "BadRequest", "pod unscheduled does not have a host assigned"),
    ],
)
async def test_pods_and_containers_that_are_not_there(
    client: Client, pod: str, container: str, status: int, reason: str, message: str
) -> None:
    await client.cluster.add_pod("two", containers=[Container("app"), Container("proxy")])
    await client.cluster.add_pod("unscheduled", phase="Pending", node="")
    code, body = await client.offer(pod, V4, container=container)
    assert code == status
    said = json.loads(body)
    assert (said["kind"], said["reason"], said["message"], said["code"]) == ("Status", reason, message, status)


async def test_a_request_without_upgrade_is_refused(client: Client) -> None:
    for request in (client.http.get, client.http.post):
        async with request(client.url("web-1", ["true"])) as answer:
            assert answer.status == 400
            assert (await answer.json())["message"] == "Upgrade request required"


async def test_a_websocket_by_post_is_refused(client: Client) -> None:
    assert await client.offer("web-1", V4, method="POST") == (405, "bad method")


async def test_without_get_an_exec_is_forbidden(client: Client) -> None:
    client.cluster.forbid("get", "pods/exec")
    status, body = await client.offer("web-1", V4)
    assert status == 403
    assert json.loads(body) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'pods "web-1" is forbidden: User "demo" cannot get resource "pods/exec" in API group "" in the '
        'namespace "default"',
        "reason": "Forbidden",
        "details": {"name": "web-1", "kind": "pods"},
        "code": 403,
    }


async def test_without_create_a_websocket_exec_is_forbidden_without_a_reason(client: Client) -> None:
    """By the source of 1.37: ensureAuthorizedForVerb hands on RBAC's reason, and RBAC gives none."""
    client.cluster.forbid("create", "pods/exec")
    status, body = await client.offer("web-1", V4)
    assert (status, json.loads(body)["message"]) == (403, 'pods "web-1" is forbidden: ')
    status, body = await client.offer("web-1", V4, method="POST")
    assert status == 403
    assert 'User "demo" cannot create resource "pods/exec"' in json.loads(body)["message"]


@pytest.mark.parametrize(
    "pod",
    [
        FakePod("stuck", phase="Pending"),
        FakePod("stuck", phase="Succeeded"),
        FakePod("stuck", containers=[Container(waiting="CrashLoopBackOff")]),
        FakePod("stuck", containers=[Container(terminated="OOMKilled")]),
    ],
)
async def test_a_container_that_does_not_run(client: Client, pod: FakePod) -> None:
    await client.cluster.add_pod(pod)
    assert await client.offer("stuck", V4) == (500, 'container not found ("main")')
    status = (await client.run("stuck", "true", protocol=V5)).status
    assert status is not None
    assert status.code is None
    assert status.message == 'Internal error occurred: unable to upgrade connection: container not found ("main")'


async def test_nothing_asked_for(client: Client) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError, match="400"):
        await client.open("web-1", "true", channels=[])
    heard = await client.run("web-1", "true", channels=[], protocol=V5)
    assert b"you must specify at least 1 of stdin, stdout, stderr" in heard.messages[-1]


@pytest.mark.parametrize("command", [[], [""]])
async def test_no_command(client: Client, command: list[str]) -> None:
    status = (await client.run("web-1", *command)).status
    assert status is not None
    assert status.code is None
    assert "OCI runtime exec failed: exec failed: " in status.message


async def test_a_pod_on_its_way_out_still_runs_commands(client: Client) -> None:
    await client.cluster.add_pod("leaving", deleting=datetime.now(UTC))
    assert (await client.run("leaving", "echo", "still here")).stdout == b"still here\n"
