"""What a trace tells of the way to the server, of what is asked there and of who asks; and what it never tells."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from asynccp import ClusterError, connect
from asynccp.errors import TransferError
from asynccp.kube.apiclient import asked
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import V4
from asynccp.target import Selector, Target
from asynccp.testing.faults import Close, Place, Refuse
from asynccp.testing.server import FakeCluster
from tests.kube.gateways import base64_of, plugin, proxy, server_tls, trusted_provider, write_kubeconfig
from tests.kube.test_apiclient import answers, served

TARGET = Target("default", "web-1", "main")
Trace = Callable[[], list[str]]


@pytest.fixture
def trace(caplog: pytest.LogCaptureFixture) -> Trace:
    """Return the lines so far; seconds and ports are 0 and PORT, as nobody knows them beforehand."""
    caplog.set_level(logging.DEBUG, "asynccp")

    def lines() -> list[str]:
        found = [f"{one.name} {one.getMessage()}" for one in caplog.records if one.name.startswith("asynccp.")]
        return [
            re.sub(r"127.0.0.1:[0-9]+", "127.0.0.1:PORT", re.sub(r"[0-9]+\.[0-9]{3} s", "0 s", one)) for one in found
        ]

    return lines


async def listed(cluster: KubernetesCluster, labels: str = "app=web") -> None:
    async for _ in cluster.list_pods(Selector("labels", labels, "/x"), "default", ""):
        pass


async def run_true(cluster: KubernetesCluster) -> None:
    async with cluster.open_exec(TARGET, ["true"], V4) as session:
        while await session.receive():
            pass


async def test_each_connection_each_request_and_each_session_has_a_line_when_it_begins_and_when_it_ends(
    tmp_path: Path, trace: Trace
) -> None:
    ca, path = trustme.CA(), tmp_path / "kubeconfig"
    async with FakeCluster(tmp_path / "pods", tls=server_tls(ca)) as fake:
        await fake.add_pod("web-1", labels={"app": "web"})
        known = {"server": fake.url, "certificate-authority-data": base64_of(ca.cert_pem.bytes())}
        write_kubeconfig(path, known, {"token": "s3cr3t"})
        async with connect(str(path)) as cluster:
            await listed(cluster)
            await run_true(cluster)
            await listed(cluster)
    way = "127.0.0.1:PORT in 0 s, TLSv1.3"
    get = "asynccp.kube GET api/v1/namespaces/default/pods?labelSelector=app%3Dweb&limit=500: HTTP 200"
    exec_ = "asynccp.kube exec in default/web-1 by v4.channel.k8s.io"
    found = [re.sub(r"\d+ bytes", "N bytes", line) for line in trace()]
    assert found == [
        f"asynccp.auth context x of {path}: user 'u' with a token",
        f"asynccp.net connected to {way}",
        f"{get}, N bytes, 0 s",
        f"{exec_}, a URL of N bytes: open after 0 s",
        f"{exec_}: over after 0 s",
        f"asynccp.net connected to {way}",
        f"{get}, N bytes, 0 s",
        "asynccp.net the connection to 127.0.0.1:PORT is closed",
    ]
    assert "s3cr3t" not in "".join(found)
    assert urlsplit(fake.url).path not in "".join(found), "a server's path may be a secret, as the fake's is"


async def test_a_session_that_is_refused_or_closed_has_a_line_that_says_so(
    cluster: FakeCluster, tmp_path: Path, trace: Trace
) -> None:
    path = tmp_path / "kubeconfig"
    await cluster.write_kubeconfig(path)
    pod = await cluster.add_pod("web-1")
    cluster.strike(pod, Refuse(code=503))
    cluster.strike(pod, Close(Place(3), code=1011))
    async with connect(str(path)) as connected:
        with pytest.raises(TransferError) as caught:
            await run_true(connected)
        await run_true(connected)
    assert f"none after 0 s: {caught.value}" in "".join(trace())
    assert "over after 0 s: the server closed the connection with code 1011" in "".join(trace())


async def test_a_server_that_is_not_there_and_one_that_is_busy(
    cluster: FakeCluster, tmp_path: Path, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asynccp.kube.cluster._BUSY_WAITS_S", (0.25,))
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, {"server": "http://127.0.0.1:1"}, {})
    async with connect(str(path)) as connected:
        with pytest.raises(ClusterError) as caught:
            await listed(connected)
    lost, told = trace()[-2:]
    assert lost == "asynccp.net no connection to 127.0.0.1:PORT after 0 s: ConnectionRefusedError"
    assert told.endswith(f"no answer after 0 s: {caught.value}".replace(":1 ", ":PORT "))


async def test_credentials_that_are_renewed_are_told_but_not_shown(tmp_path: Path, trace: Trace) -> None:
    path, program = tmp_path / "kubeconfig", tmp_path / "get-token"
    async with FakeCluster(tmp_path / "pods") as fake:
        await fake.add_pod("web-1", labels={"app": "web"})
        fake.accept_only("s3cr3t-2")
        made = plugin(program, ({"token": "s3cr3t-1"}, {"token": "s3cr3t-2"}))
        write_kubeconfig(path, {"server": fake.url}, {"exec": {**made, "args": ["--password=s3cr3t-3"]}})
        async with connect(str(path)) as cluster:
            await listed(cluster)
    ran = f"asynccp.auth the credential plugin '{program}' ended with exit code 0 after 0 s"
    context = f"asynccp.auth context x of {path}: user 'u' with a plugin"
    assert [line for line in trace() if line.startswith("asynccp.auth")] == [
        context, ran, "asynccp.auth the credentials were refused, and are loaded anew", context, ran,
    ]  # fmt: skip
    assert "s3cr3t" not in "".join(trace())


async def test_an_identity_provider_that_gives_a_new_token_is_told_with_how_long_it_is_good(
    tmp_path: Path, trace: Trace
) -> None:
    path = tmp_path / "kubeconfig"
    async with FakeCluster(tmp_path / "pods") as fake, trusted_provider(tmp_path) as (_, login):
        write_kubeconfig(path, {"server": fake.url}, {"auth-provider": {"name": "oidc", "config": login}})
        async with connect(str(path)) as cluster:
            await listed(cluster)
    (line,) = [line for line in trace() if "id token" in line]
    assert re.fullmatch(r"asynccp.auth the identity provider gave a new id token, for [0-9]+ s", line)


async def test_a_proxy_is_named_without_its_password(cluster: FakeCluster, tmp_path: Path, trace: Trace) -> None:
    path = tmp_path / "kubeconfig"
    async with proxy(cluster.url, "me:s3cr3t") as one:
        way = f"http://me:s3cr3t@127.0.0.1:{one.port}"
        write_kubeconfig(path, {"server": cluster.url, "proxy-url": way}, {})
        async with connect(str(path)) as connected:
            await listed(connected)
    assert "asynccp.net connected to 127.0.0.1:PORT through the proxy 127.0.0.1:PORT in 0 s, without TLS" in trace()
    assert "s3cr3t" not in "".join(trace())


async def test_a_client_of_kubernetes_asyncio_that_is_ours_is_traced_as_well(
    cluster: FakeCluster, tmp_path: Path, trace: Trace
) -> None:
    path = tmp_path / "kubeconfig"
    await cluster.write_kubeconfig(path)
    async with connect(str(path)) as connected, connected.api_client() as api:
        await asked(api, "GET", "api/v1/namespaces/default/pods?labelSelector=app%3Dweb")
    assert trace()[-1] == "asynccp.kube GET api/v1/namespaces/default/pods: HTTP 200, 0 s"


async def test_what_a_server_says_is_shown_without_what_moves_a_cursor(trace: Trace, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    async with served(answers(403, {"kind": "Status", "message": "\x1b[2J\nfine"})[0]) as url:
        write_kubeconfig(path, {"server": url}, {})
        async with connect(str(path)) as connected:
            with pytest.raises(TransferError):
                await run_true(connected)
    assert "\\x1b[2J\\nfine" in "".join(trace())
    assert all(map(str.isprintable, trace()))
