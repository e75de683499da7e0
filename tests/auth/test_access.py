"""From a kubeconfig's fields, or a pod's service account, to an address, certificates and headers."""

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from asynccp import ClusterError
from asynccp.auth import access
from asynccp.auth.access import Access, load_access
from tests.kube.gateways import kubeconfig

SERVER = {"server": "https://one.example/"}


async def loaded(directory: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Access:
    path = directory / "kubeconfig"
    path.write_text(kubeconfig(cluster, user))
    return await load_access(str(path))


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pod's service account: where a pod finds it is fixed, so a directory stands in for that one place."""
    monkeypatch.setattr(access, "SERVICE_ACCOUNT", tmp_path)
    for name, value in (("KUBECONFIG", str(tmp_path / "none")), ("SERVICE_HOST", "10.0.0.1"), ("SERVICE_PORT", "443")):
        monkeypatch.setenv(name if name == "KUBECONFIG" else f"KUBERNETES_{name}", value)
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "namespace").write_text("mine\n")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.crt")
    return tmp_path


@pytest.mark.parametrize(
    ("user", "headers"),
    [
        ({}, ()),
        ({"token": "a"}, (("Authorization", "Bearer a"),)),
        ({"token": 12345}, (("Authorization", "Bearer 12345"),)),  # YAML makes a number of it
        ({"tokenFile": "token"}, (("Authorization", "Bearer from a file"),)),
        ({"username": "a", "password": "b:c"}, (("Authorization", "Basic YTpiOmM="),)),
        ({"username": "a"}, (("Authorization", "Basic YTo="),)),
        ({"token": "a", "as": "b"}, (("Authorization", "Bearer a"), ("Impersonate-User", "b"))),
        ({"as": "b"}, (("Impersonate-User", "b"),)),
    ],
)
async def test_how_a_user_proves_who_it_is(tmp_path: Path, user: dict[str, Any], headers: tuple[Any, ...]) -> None:
    (tmp_path / "token").write_text("from a file\n")
    assert (await loaded(tmp_path, SERVER, user)).headers == headers


async def test_what_else_a_cluster_says(tmp_path: Path) -> None:
    one = await loaded(tmp_path, {**SERVER, "tls-server-name": "two", "proxy-url": "http://three:1"}, {})
    assert (one.url, one.server_hostname, one.proxy) == ("https://one.example", "two", "http://three:1")
    assert one.ssl is not None
    assert one.ssl.verify_mode == ssl.CERT_REQUIRED
    assert one.ssl.check_hostname
    unchecked = await loaded(tmp_path, {**SERVER, "insecure-skip-tls-verify": True}, {})
    assert unchecked.ssl is not None
    assert unchecked.ssl.verify_mode == ssl.CERT_NONE
    assert (await loaded(tmp_path, {"server": "http://127.0.0.1:1"}, {})).ssl is None


@pytest.mark.parametrize(
    ("cluster", "user", "says"),
    [
        ({**SERVER, "certificate-authority-data": "bm8gY2VydGlmaWNhdGU="}, {}, "a certificate or a key is not valid"),
        ({**SERVER, "certificate-authority-data": "abcde"}, {}, "a field is missing, or holds what it can't"),
        (SERVER, {"token": "a\nHost: b"}, "a field is missing, or holds what it can't"),
        (SERVER, {"client-certificate-data": "bm8="}, "a certificate or a key is not valid"),
        (SERVER, {"tokenFile": "gone"}, "tokenFile names a file that is not there"),
        (SERVER, {"tokenFile": "empty"}, "empty is empty"),
    ],
)
async def test_what_can_not_be_used_is_said_without_what_it_holds(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], says: str
) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(ClusterError) as caught:
        await loaded(tmp_path, cluster, user)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("host", "url"),
    [("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443"), ("k", "https://k:443")],
)
async def test_the_account_of_a_pod(account: Path, monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    found = await load_access()
    assert (found.url, found.namespace, found.context) == (url, "mine", None)
    assert found.headers == (("Authorization", "Bearer secret"),)
    assert found.ssl is not None
    assert len(found.ssl.get_ca_certs()) == 1, "the cluster's authority, and none of this machine's"


@pytest.mark.parametrize(("name", "reason"), [("token", "is empty"), ("ca.crt", "a certificate or a key is not valid")])
async def test_an_account_with_an_empty_file_is_told_so(account: Path, name: str, reason: str) -> None:
    (account / name).write_text("")
    with pytest.raises(ClusterError, match=reason):
        await load_access()


async def test_an_account_without_a_port_is_told_so(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_PORT")
    with pytest.raises(ClusterError, match="KUBERNETES_SERVICE_HOST and _PORT name no server"):
        await load_access()
