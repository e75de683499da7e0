"""What the fake API server reads out, and to whom. Texts as a real 1.34 server says them."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from asynccp.target import Skipped, Target, label_query, match_pod, pods_query
from asynccp.testing.kinds import distroless
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.server import FakeCluster
from tests.testing.exec_client import Client

PODS = "/api/v1/namespaces/default/pods"


async def get(client: Client, path: str, **query: str) -> tuple[int, Any]:
    async with client.http.get(client.cluster.url + path, params=query) as answer:
        return answer.status, await answer.json()


async def names(client: Client, path: str = PODS, **query: str) -> list[str]:
    status, body = await get(client, path, **query)
    assert status == 200, body
    assert body["kind"] == "PodList"
    return [one["metadata"]["name"] for one in body["items"]]


@pytest.fixture
async def fleet(client: Client) -> Client:
    """Besides web-1: web-0 and db-0 in the default namespace, and web-9 in another."""
    add = client.cluster.add_pod
    await add("web-0", labels={"app": "web", "tier": "front"}, phase="Pending", node="")
    await add("db-0", labels={"app": "db"}, node="node-2")
    await add("web-9", labels={"app": "web"}, namespace="other")
    return client


async def test_lists_are_by_namespace_and_in_order(fleet: Client) -> None:
    assert await names(fleet) == ["db-0", "web-0", "web-1"]
    assert await names(fleet, "/api/v1/pods") == ["db-0", "web-0", "web-1", "web-9"]
    assert await names(fleet, "/api/v1/namespaces/nowhere/pods") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"labelSelector": "app=web"}, ["web-0", "web-1"]),
        ({"labelSelector": "app in (web, db),!tier"}, ["db-0", "web-1"]),
        ({"fieldSelector": "metadata.name=web-1"}, ["web-1"]),
        ({"fieldSelector": "status.phase!=Pending,spec.nodeName==node-2"}, ["db-0"]),
        ({"fieldSelector": "status.phase=Running", "labelSelector": "app=web"}, ["web-1"]),
    ],
)
async def test_selectors_choose(fleet: Client, query: dict[str, str], found: list[str]) -> None:
    assert await names(fleet, **query) == found


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"labelSelector": "app in"}, "unable to parse requirement: found '' expected: '('"),
        ({"fieldSelector": "spec.foo=1"}, "field label not supported: spec.foo"),
        ({"limit": "x"}, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"limit": "1", "continue": "abc"}, "invalid continue token: continue key is not valid: "),
    ],
)
async def test_a_bad_query_is_refused(fleet: Client, query: dict[str, str], message: str) -> None:
    status, body = await get(fleet, PODS, **query)
    assert (status, body["kind"], body["reason"], body["code"]) == (400, "Status", "BadRequest", 400)
    assert body["message"].startswith(message)


async def test_pages(fleet: Client) -> None:
    status, first = await get(fleet, "/api/v1/pods", limit="3")
    assert (status, len(first["items"])) == (200, 3)
    assert first["metadata"]["remainingItemCount"] == 1
    token = first["metadata"]["continue"]
    await fleet.cluster.delete_pod("web-1")  # the page that was read ended with it
    _, rest = await get(fleet, "/api/v1/pods", **{"limit": "3", "continue": token})
    assert [one["metadata"]["name"] for one in rest["items"]] == ["web-9"]
    assert "continue" not in rest["metadata"]
    _, selected = await get(fleet, "/api/v1/pods", limit="1", labelSelector="app=web")
    assert "continue" in selected["metadata"]
    assert "remainingItemCount" not in selected["metadata"]


async def test_one_pod(fleet: Client) -> None:
    status, pod = await get(fleet, PODS + "/db-0")
    assert (status, pod["kind"], pod["spec"]["nodeName"]) == (200, "Pod", "node-2")
    status, missing = await get(fleet, PODS + "/db-1")
    assert (status, missing["message"]) == (404, 'pods "db-1" not found')
    assert missing["details"] == {"name": "db-1", "kind": "pods"}


async def test_a_pod_is_read_as_a_target() -> None:
    pod = FakePod("web-1", {"app": "web"}, containers=[Container("app", restarts=3), Container("proxy", distroless())])
    target = match_pod(pod.to_json())
    assert isinstance(target, Target)
    assert (target.container, target.restarts, target.uid, target.node) == ("app", 3, pod.uid, "node-1")
    other = match_pod(pod.to_json(), "proxy")
    assert isinstance(other, Target)
    assert other.image != target.image
    twin = match_pod(FakePod("web-2", containers=[Container("x")]).to_json())
    assert isinstance(twin, Target)
    assert twin.image == target.image


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (FakePod("x", phase="Pending"), "container main is waiting (ContainerCreating)"),
        (
            FakePod("x", phase="Succeeded"),
            "container main is terminated (Completed); its log can still be pulled",
        ),
        (
            FakePod("x", containers=[Container(waiting="CrashLoopBackOff")]),
            "container main is waiting (CrashLoopBackOff)",
        ),
        (
            FakePod("x", containers=[Container(terminated="Error")]),
            "container main is terminated (Error); its log can still be pulled",
        ),
        (FakePod("x", deleting=datetime.now(UTC)), "is being deleted"),
    ],
)
def test_a_pod_that_does_not_run_says_why(pod: FakePod, reason: str) -> None:
    skipped = match_pod(pod.to_json())
    assert isinstance(skipped, Skipped)
    assert skipped.reason == reason


async def test_services(fleet: Client) -> None:
    """What a service selects is a plain map; one that leads elsewhere has none."""
    fleet.cluster.add_workload("svc", "web", {"app": "web"})
    fleet.cluster.add_workload("svc", "elsewhere", {}, "other")
    status, found = await get(fleet, "/api/v1/namespaces/default/services/web")
    assert (status, found["kind"], found["apiVersion"]) == (200, "Service", "v1")
    assert found["spec"]["selector"] == {"app": "web"}
    assert pods_query("services", found) == "app=web"
    _, services = await get(fleet, "/api/v1/services")
    assert (services["kind"], [one["spec"].get("selector") for one in services["items"]]) == (
        "ServiceList",
        [{"app": "web"}, None],
    )
    status, missing = await get(fleet, "/api/v1/namespaces/other/services/web")
    assert (status, missing["message"]) == (404, 'services "web" not found')
    assert missing["details"] == {"name": "web", "kind": "services"}


async def test_workloads(fleet: Client) -> None:
    fleet.cluster.add_deployment("web", {"app": "web"})
    expression = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["db"]}]}
    fleet.cluster.add_workload("sts", "db", expression)
    fleet.cluster.add_workload("job", "db", {"app": "db"}, "other")
    status, found = await get(fleet, "/apis/apps/v1/namespaces/default/deployments/web")
    assert (status, found["kind"], found["apiVersion"]) == (200, "Deployment", "apps/v1")
    assert (label_query(found["spec"]["selector"]), found["status"]["replicas"]) == ("app=web", 2)
    _, stateful = await get(fleet, "/apis/apps/v1/namespaces/default/statefulsets/db")
    assert stateful["spec"]["selector"] == expression
    _, jobs = await get(fleet, "/apis/batch/v1/jobs")
    assert (jobs["kind"], [one["metadata"]["namespace"] for one in jobs["items"]]) == ("JobList", ["other"])
    status, missing = await get(fleet, "/apis/batch/v1/namespaces/default/jobs/db")
    assert (status, missing["message"]) == (404, 'jobs.batch "db" not found')
    assert missing["details"] == {"name": "db", "group": "batch", "kind": "jobs"}


@pytest.mark.parametrize(
    ("verb", "resource", "path", "message"),
    [
        ("list", "pods", PODS, 'pods is forbidden: {} cannot list resource "pods" in API group "" {}'),
        ("get", "pods", f"{PODS}/web-1", 'pods "web-1" is forbidden: {} cannot get resource "pods" in API group "" {}'),
        (
            "get",
            "deployments",
            "/apis/apps/v1/namespaces/default/deployments/x",
            'deployments.apps "x" is forbidden: {} cannot get resource "deployments" in API group "apps" {}',
        ),
    ],
)
async def test_what_is_forbidden(client: Client, verb: str, resource: str, path: str, message: str) -> None:
    client.cluster.forbid(verb, resource)
    status, body = await get(client, path)
    expected = message.format('User "demo"', 'in the namespace "default"')
    assert (status, body["reason"], body["message"]) == (403, "Forbidden", expected)


async def test_a_list_of_all_namespaces_is_forbidden_at_the_cluster_scope(client: Client) -> None:
    client.cluster.forbid("list", "pods")
    status, body = await get(client, "/api/v1/pods")
    message = 'pods is forbidden: User "demo" cannot list resource "pods" in API group "" at the cluster scope'
    assert (status, body["message"]) == (403, message)


async def test_another_user_may_be_allowed_nothing(client: Client, tmp_path: Path) -> None:
    client.cluster.forbid("*", "*", "nobody")
    await client.cluster.write_kubeconfig(tmp_path / "nobody", "nobody")
    user = json.loads(await to_thread.run_sync((tmp_path / "nobody").read_text))["users"][0]["user"]
    headers = {"Authorization": f"Bearer {user['token']}"}
    async with client.http.get(client.cluster.url + PODS, headers=headers) as answer:
        assert answer.status == 403
        assert 'User "nobody" cannot list' in (await answer.json())["message"]
    assert await names(client) == ["web-1"]


async def test_the_kubeconfig_names_the_cluster_and_is_private(cluster: FakeCluster, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("an older one")
    await cluster.write_kubeconfig(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = json.loads(path.read_text())
    assert config["current-context"] == "demo"
    assert config["clusters"][0]["cluster"] == {"server": cluster.url}
    assert config["users"][0]["user"] == {}
    assert config["contexts"][0]["context"]["namespace"] == "default"


async def test_discovery_leads_to_every_resource(client: Client) -> None:
    assert (await get(client, "/version"))[1]["gitVersion"].startswith("v1.")
    assert (await get(client, "/api"))[1]["versions"] == ["v1"]
    _, groups = await get(client, "/apis")
    versions = [one["preferredVersion"]["groupVersion"] for one in groups["groups"]]
    assert versions == ["apps/v1", "batch/v1"]
    listed = [await get(client, path) for path in ("/api/v1", *(f"/apis/{version}" for version in versions))]
    found = {one["name"] for _, body in listed for one in body["resources"]}
    assert found == {
        "pods",
        "pods/exec",
        "services",
        "daemonsets",
        "deployments",
        "replicasets",
        "statefulsets",
        "jobs",
    }


async def test_kubectl_gets_a_table(client: Client) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=3, seconds=5)
    containers = [Container("a", restarts=2), Container("b", waiting="ImagePullBackOff")]
    await client.cluster.add_pod("old", containers=containers, created=hour_ago)
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    async with client.http.get(client.cluster.url + PODS, headers=accept) as answer:
        table = await answer.json()
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert table["rows"][0]["cells"] == ["old", "1/2", "ImagePullBackOff", "2", "3h"]
    assert table["rows"][1]["object"]["metadata"]["labels"] == {"app": "web"}


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope", "/apis/apps/v1/namespaces/default/pods"])
async def test_unknown_paths(client: Client, path: str) -> None:
    async with client.http.get(client.cluster.url + path) as answer:
        assert (answer.status, await answer.text()) == (404, "404 page not found\n")


async def test_what_it_does_not_do_it_refuses(client: Client) -> None:
    async with client.http.delete(client.cluster.url + PODS + "/web-1") as answer:
        assert (answer.status, (await answer.json())["reason"]) == (405, "MethodNotAllowed")


async def test_a_pod_of_the_same_name_is_another(client: Client) -> None:
    first = await client.cluster.add_pod("web-2")
    (first.root() / "mine").touch()
    await client.cluster.delete_pod("web-2")
    second = await client.cluster.add_pod("web-2")
    assert first.uid != second.uid
    assert not (second.root() / "mine").exists()
