"""The way to the API server: TLS that is checked, proxies, and what is said when either is in the way."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from asynccp import Options, Selection, Target, connect, parse_selectors, plan_push, push
from asynccp.errors import ConnectFailed
from asynccp.kube.exec import V4
from asynccp.net.proxy import environment_proxy
from asynccp.options import Failures
from asynccp.testing.server import FakeCluster
from tests.auth.test_credentials import names_seen, refused
from tests.kube.gateways import base64_of, proxy, server_tls, write_kubeconfig

FAR = "api.cluster.example"  # a name that only a proxy can reach


@asynccontextmanager
async def secure(directory: Path, tls: ssl.SSLContext) -> AsyncIterator[FakeCluster]:
    async with FakeCluster(directory / "pods", tls=tls) as cluster:
        await cluster.add_pod("web-1", labels={"app": "web"})
        yield cluster


def trusting(ca: trustme.CA, **more: Any) -> dict[str, Any]:
    return {"certificate-authority-data": base64_of(ca.cert_pem.bytes()), **more}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kubeconfig"


async def copied(path: Path | None) -> bool:
    """Push a file through the real client: a list, and an exec."""
    async with connect(str(path) if path else None) as cluster:
        plan = await plan_push(cluster, [__file__], Selection(parse_selectors(["app=web:/tmp"])))
        return (await push(cluster, plan, options=Options(failures=Failures(retries=0)))).exit_code == 0


async def test_a_servers_certificate_is_checked_by_the_authority(tmp_path: Path, path: Path) -> None:
    ca = trustme.CA()
    async with secure(tmp_path, server_tls(ca)) as cluster:
        write_kubeconfig(path, {"server": cluster.url, **trusting(ca)}, {})
        assert await copied(path)


@pytest.mark.parametrize("known", [{}, trusting(trustme.CA())])
async def test_an_authority_that_is_not_known(tmp_path: Path, path: Path, known: dict[str, Any]) -> None:
    async with secure(tmp_path, server_tls(trustme.CA())) as cluster:
        write_kubeconfig(path, {"server": cluster.url, **known}, {"token": "a"})
        error = await refused(path)
    assert "is not trusted: no certificate authority that we know has signed its certificate" in str(error)
    assert error.hint.startswith("name its authority in the kubeconfig as certificate-authority; insecure-skip-tls")


async def test_insecure_skip_tls_verify_is_honoured(tmp_path: Path, path: Path) -> None:
    async with secure(tmp_path, server_tls(trustme.CA())) as cluster:
        write_kubeconfig(path, {"server": cluster.url, "insecure-skip-tls-verify": True}, {})
        assert await copied(path)


async def test_a_server_name_that_the_kubeconfig_gives(tmp_path: Path, path: Path) -> None:
    ca = trustme.CA()
    async with secure(tmp_path, server_tls(ca, FAR)) as cluster:
        write_kubeconfig(path, {"server": cluster.url, **trusting(ca)}, {})
        error = await refused(path)
        assert str(error).endswith("is not trusted: its certificate is not for 127.0.0.1")
        assert error.hint.startswith("tls-server-name names what it is for")
        write_kubeconfig(path, {"server": cluster.url, **trusting(ca), "tls-server-name": FAR}, {})
        assert await copied(path)


async def test_a_certificate_that_has_expired(tmp_path: Path, path: Path) -> None:
    ca = trustme.CA()
    past = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    async with secure(tmp_path, server_tls(ca, not_before=past[0], not_after=past[1])) as cluster:
        write_kubeconfig(path, {"server": cluster.url, **trusting(ca)}, {})
        error = await refused(path)
    assert str(error).endswith("is not trusted: its certificate has expired")


async def test_a_server_without_tls(cluster: FakeCluster, path: Path) -> None:
    write_kubeconfig(path, {"server": cluster.url.replace("http:", "https:")}, {})
    error = await refused(path)
    assert str(error).endswith("what answers there speaks no TLS")
    assert error.hint == "is the server's URL http:// ?"


async def test_an_exec_that_meets_another_certificate_is_not_opened(tmp_path: Path, path: Path) -> None:
    async with secure(tmp_path, server_tls(trustme.CA())) as cluster:
        write_kubeconfig(path, {"server": cluster.url}, {})
        async with connect(str(path)) as connected:
            with pytest.raises(ConnectFailed, match="is not trusted"):
                async with connected.open_exec(Target("default", "web-1", "main"), ["true"], V4):
                    pytest.fail("no session was opened")


# Proxies


@pytest.mark.parametrize("password", ["", "user:s3cret"])
@pytest.mark.parametrize("tls", [True, False])
async def test_list_and_exec_go_through_the_kubeconfigs_proxy(
    tmp_path: Path, path: Path, password: str, tls: bool
) -> None:
    ca = trustme.CA()
    async with (
        FakeCluster(tmp_path / "pods", tls=server_tls(ca, FAR) if tls else None, host=FAR) as cluster,
        proxy(cluster.url, password) as between,
    ):
        await cluster.add_pod("web-1", labels={"app": "web"})
        url = f"http://{password}@127.0.0.1:{between.port}" if password else f"http://127.0.0.1:{between.port}"
        far = cluster.url.replace(urlsplit(cluster.url).netloc, FAR)
        server = {"server": far, **trusting(ca)} if tls else {"server": far}
        write_kubeconfig(path, {**server, "proxy-url": url}, {"token": "a"})
        assert await copied(path)
        if tls:
            assert set(between.heard) == {f"CONNECT {FAR}:443"}
        else:
            assert all(one.startswith(f"GET {far}/api/v1/namespaces/default/pods") for one in between.heard)


@pytest.mark.parametrize("tls", [True, False])
async def test_a_proxy_that_wants_a_password(tmp_path: Path, path: Path, tls: bool) -> None:
    async with proxy("http://127.0.0.1:1", "user:s3cret") as between:
        url = f"http://user:wr0ng@127.0.0.1:{between.port}"
        write_kubeconfig(path, {"server": f"http{'s' if tls else ''}://{FAR}", "proxy-url": url}, {})
        error = await refused(path)
    if tls:
        assert str(error).endswith(f"can't be reached: the proxy 127.0.0.1:{between.port} answered HTTP 407")
        assert error.hint == "put user:password@ into the proxy's URL"
    else:
        assert "407" in str(error)


async def test_a_proxy_that_is_not_there(path: Path) -> None:
    write_kubeconfig(path, {"server": f"https://{FAR}", "proxy-url": "http://user:s3cret@127.0.0.1:1"}, {})
    error = await refused(path)
    assert "the proxy 127.0.0.1:1 can't be" in str(error)
    assert "s3cret" not in str(error)


async def test_a_proxy_of_the_environment(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca = trustme.CA()
    async with (
        FakeCluster(tmp_path / "pods", tls=server_tls(ca, FAR), host=FAR) as cluster,
        proxy(cluster.url) as between,
    ):
        await cluster.add_pod("web-1", labels={"app": "web"})
        far = cluster.url.replace(urlsplit(cluster.url).netloc, FAR)
        write_kubeconfig(path, {"server": far, **trusting(ca)}, {})
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{between.port}")
        monkeypatch.setenv("NO_PROXY", "other.example")
        assert await names_seen(path) == ["web-1"]
        assert between.heard == [f"CONNECT {FAR}:443"]


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxied"),
    [
        ("https://api.example", "", True),
        ("https://api.example", "example", False),
        ("https://api.example", "api.example", False),
        ("https://10.1.2.3:6443", "10.0.0.0/8", False),  # urllib knows no networks
        ("https://10.1.2.3:6443", "192.168.0.0/16, 10.0.0.0/8", False),
        ("https://11.1.2.3:6443", "10.0.0.0/8", True),
        ("https://[fd00::1]:6443", "fd00::/8", False),
        ("https://127.0.0.1:6443", "", False),
        ("https://localhost:6443", "", False),
        ("https://[::1]:6443", "", False),
        ("http://api.example", "", False),  # HTTPS_PROXY is for https alone
        ("https://api.example", "*", False),
    ],
)
def test_whom_the_environments_proxy_is_for(
    url: str, no_proxy: str, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "no_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert environment_proxy(url) == ("http://proxy:3128" if proxied else None)
