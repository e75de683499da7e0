"""On a real cluster: a caller's own ApiClient, which impersonates; and ours, for what no fake can answer."""

import json
from pathlib import Path

import pytest
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, Configuration

from asynccp import ClusterError, Outcome, Selection, TransferError, connect, parse_selectors, plan_push, push
from asynccp.kube.apiclient import asked
from asynccp.kube.exec import V4
from asynccp.target import Target
from tests.e2e.fleet import labels_for, selector, sh
from tests.e2e.real import RealFleet

pytestmark = pytest.mark.cluster


async def client(fleet: RealFleet) -> ApiClient:
    """Return the client that kubernetes_asyncio's own loader makes."""
    configuration = Configuration()
    await config.load_kube_config(str(fleet.kubeconfig), client_configuration=configuration, persist_config=False)
    configuration.disable_strict_ssl_verification = True  # a cluster's CA is often older than RFC 5280
    return ApiClient(configuration)


async def test_a_push_by_a_callers_client_and_as_whom_it_impersonates(real_fleet: RealFleet, tmp_path: Path) -> None:
    labels = labels_for("brought")
    real_fleet.add("gnu", "brought-0", labels)
    (tmp_path / "file").write_text("x")
    may = Selection(parse_selectors([f"{selector(labels)}:/tmp"]))
    name, _ = real_fleet.account("get,list on pods")
    async with await client(real_fleet) as api:
        async with connect(api_client=api, namespace=real_fleet.namespace) as cluster:
            plan = await plan_push(cluster, [str(tmp_path / "file")], may)
            assert [one.outcome for one in (await push(cluster, plan)).results] == [Outcome.COMPLETE]
        api.set_default_header("Impersonate-User", f"system:serviceaccount:{real_fleet.namespace}:{name}")
        async with connect(api_client=api, namespace=real_fleet.namespace) as cluster:
            plan = await plan_push(cluster, [str(tmp_path / "file")], may)
            with pytest.raises(TransferError, match=f'{name}" cannot get resource "pods/exec"|is forbidden'):
                async with cluster.open_exec(Target(real_fleet.namespace, "brought-0", "main"), ["true"], V4):
                    pytest.fail("whom it impersonates may not exec")
        api.set_default_header("Impersonate-User", "nobody-at-all")
        async with connect(api_client=api, namespace=real_fleet.namespace) as cluster:
            with pytest.raises(ClusterError, match='User "nobody-at-all" cannot list'):
                await plan_push(cluster, [str(tmp_path / "file")], may)
        del api.default_headers["Impersonate-User"]
        assert (await asked(api, "GET", "version")).status == 200, "it is still open"
    assert sh(real_fleet, "brought-0", "cat", "/tmp/file") == b"x"


async def test_our_client_creates_patches_and_watches(real_fleet: RealFleet) -> None:
    where = f"api/v1/namespaces/{real_fleet.namespace}/configmaps"
    async with connect(str(real_fleet.kubeconfig)) as cluster, cluster.api_client() as api:
        made = await asked(api, "POST", where, {"metadata": {"name": "made"}, "data": {"a": "1"}})
        assert made.status == 201
        version = json.loads(made.body)["metadata"]["resourceVersion"]
        patched = await api.call_api(
            f"/{where}/made", "PATCH", body={"data": {"a": "2"}}, auth_settings=["BearerToken"],
            header_params={"Content-Type": "application/merge-patch+json"}, _preload_content=False,
        )  # fmt: skip
        assert patched.status == 200
        watching = await api.call_api(
            f"/{where}", "GET", query_params=[("watch", "1"), ("resourceVersion", version), ("timeoutSeconds", "1")],
            auth_settings=["BearerToken"], _preload_content=False,
        )  # fmt: skip
        async with watching:
            event = json.loads(await watching.content.readline())
            await watching.read()  # to its end: aiohttp waits for no connection that it gives up
        assert (event["type"], event["object"]["data"]) == ("MODIFIED", {"a": "2"})
