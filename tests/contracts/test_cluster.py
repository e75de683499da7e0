"""The contract of `kube.base.Cluster`, clause by clause."""

import math

import pytest
from msgspec.structs import replace

from asynccp.auth.access import Access
from asynccp.errors import ClusterError, ConnectFailed, ProtocolRefused, Refused, UsageError
from asynccp.kube.base import Cluster
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import V4, V5
from asynccp.target import Log, Selector, Target
from tests.contracts.sites import LABELS, Place

WEB = ",".join(f"{key}={value}" for key, value in LABELS.items())


async def pages(cluster: Cluster, kind: str, name: str, where: str | None, fields: str = "") -> list[list[str]]:
    found = [page async for page in cluster.list_pods(Selector(kind, name, "/x"), where, fields)]
    return [[str(pod["metadata"]["name"]) for pod in page] for page in found]


async def test_labels_find_their_pods_in_one_namespace_or_in_all(cluster_site: Place) -> None:
    async with cluster_site() as site:
        for where in (site.target.namespace, None):
            found = await pages(site.cluster, "labels", WEB, where)
            assert [name for page in found for name in page] == ["web-1"]


async def test_labels_that_no_pod_has_are_an_empty_page(cluster_site: Place) -> None:
    async with cluster_site() as site:
        assert await pages(site.cluster, "labels", "app=none-has-it", site.target.namespace) == [[]]


@pytest.mark.parametrize(("fields", "found"), [("status.phase=Running", ["web-1"]), ("metadata.name=web-2", [])])
async def test_fields_narrow_what_labels_find(cluster_site: Place, fields: str, found: list[str]) -> None:
    async with cluster_site() as site:
        assert await pages(site.cluster, "labels", WEB, site.target.namespace, fields) == [found]


async def test_a_pod_that_is_named_is_one_page(cluster_site: Place) -> None:
    async with cluster_site() as site:
        assert await pages(site.cluster, "pod", "web-1", site.target.namespace) == [["web-1"]]


@pytest.mark.parametrize("kind", ["pod", "deploy", "sts", "ds", "rs", "job", "svc"])
async def test_what_is_named_and_does_not_exist_is_no_page(cluster_site: Place, kind: str) -> None:
    async with cluster_site() as site:
        assert await pages(site.cluster, kind, "nothing", site.target.namespace) == []


async def test_a_selector_that_is_none_is_the_users_error(cluster_site: Place) -> None:
    async with cluster_site() as site:
        with pytest.raises(UsageError):
            await pages(site.cluster, "labels", "a in (", site.target.namespace)


async def test_a_pod_is_found_as_it_is_now_until_it_is_gone(cluster_site: Place) -> None:
    async with cluster_site() as site:
        found = await site.cluster.find_pod(site.target)
        assert found is not None
        assert found["metadata"]["uid"] == site.target.uid
        assert await site.cluster.find_pod(replace(site.target, pod="web-2")) is None


async def test_nodes_that_have_a_zone_are_told_with_it(cluster_site: Place) -> None:
    async with cluster_site() as site:
        assert all(name and zone for name, zone in (await site.cluster.zones()).items())


async def test_a_cluster_knows_its_namespace_and_how_long_a_connection_took_once_it_has_made_one(
    cluster_site: Place,
) -> None:
    async with cluster_site() as site:
        assert site.cluster.namespace == site.target.namespace
        assert site.cluster.connect_s == math.inf
        async with site.run("true", V4):
            pass
        assert 0 < site.cluster.connect_s < 60


@pytest.mark.parametrize("protocol", [V4, V5])
@pytest.mark.parametrize("of_target", [{"pod": "web-2"}, {"container": "other"}, {"namespace": "no-such-namespace"}])
async def test_an_exec_in_what_does_not_exist_is_refused_and_not_for_its_protocol(
    cluster_site: Place, protocol: str, of_target: dict[str, str]
) -> None:
    async with cluster_site() as site:
        with pytest.raises(Refused) as caught:
            async with site.cluster.open_exec(replace(site.target, **of_target), ["true"], protocol):
                pytest.fail("a session was opened")
    assert not isinstance(caught.value, ProtocolRefused)
    assert not caught.value.retryable


async def test_a_log_comes_to_its_end_and_one_that_there_is_not_is_refused(cluster_site: Place) -> None:
    async with cluster_site() as site:
        async with site.cluster.open_log(site.target, Log(tail=5)) as pieces:
            assert len([piece async for piece in pieces]) < 100
        for of_target, log in (({"pod": "web-2"}, Log()), ({"container": "other"}, Log()), ({}, Log(previous=True))):
            with pytest.raises(Refused) as caught:
                async with site.cluster.open_log(replace(site.target, **of_target), log):
                    pytest.fail("there was a log")
            assert not caught.value.retryable


async def test_an_exec_by_a_protocol_that_the_server_does_not_speak_is_refused_for_that(cluster_site: Place) -> None:
    async with cluster_site() as site:
        with pytest.raises(ProtocolRefused):
            async with site.cluster.open_exec(site.target, ["true"], "v9.channel.k8s.io"):
                pytest.fail("a session was opened")


async def test_a_server_that_is_not_there_fails_a_list_for_good_and_an_exec_for_now() -> None:
    target = Target("default", "web-1", "main")
    async with KubernetesCluster(Access("http://127.0.0.1:1")) as cluster:
        with pytest.raises(ClusterError):
            await pages(cluster, "labels", WEB, "default")
        with pytest.raises(ClusterError):
            await cluster.find_pod(target)
        with pytest.raises(ConnectFailed) as caught:
            async with cluster.open_exec(target, ["true"], V4):
                pytest.fail("a session was opened")
        assert caught.value.retryable
        with pytest.raises(ConnectFailed):
            async with cluster.open_log(target, Log()):
                pytest.fail("there was a log")
