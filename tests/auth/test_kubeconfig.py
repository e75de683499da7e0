"""Which cluster and which user: merged files, precedence, and what is refused rather than half understood."""

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from anyio import to_thread

from asynccp import ClusterError
from asynccp.auth.kubeconfig import Choice, choose, impersonation, kubeconfig_paths, read_kubeconfig
from asynccp.testing.server import FakeCluster
from tests.auth.test_credentials import names_seen
from tests.kube.gateways import kubeconfig

SERVER = {"server": "https://one.example"}


def chosen(cluster: dict[str, Any], user: dict[str, Any]) -> Choice:
    return choose([("/home/me/config", yaml.safe_load(kubeconfig(cluster, user)))], None)


def entry(context: str, server: str, token: str) -> dict[str, Any]:
    """Return a document whose cluster and user have the same names in all such documents."""
    return {
        "current-context": context,
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u", "namespace": context}}],
    }


@pytest.mark.parametrize(
    ("given", "environment", "paths"),
    [
        ("/a:b", "/c", ["/a:b"]),  # --kubeconfig is one file
        (None, "/a:/b", ["/a", "/b"]),
        (None, ":/a:", ["/a"]),
        (None, "", [os.path.expanduser("~/.kube/config")]),
        (None, None, [os.path.expanduser("~/.kube/config")]),
    ],
)
def test_the_files_that_are_read(given: str | None, environment: str | None, paths: list[str]) -> None:
    assert kubeconfig_paths(given, environment) == paths


def test_the_first_file_to_name_something_wins() -> None:
    """With kubernetes_asyncio the last file's current-context wins: another cluster than kubectl's."""
    documents = [("/1", entry("one", "https://1", "t1")), ("/2", entry("two", "https://2", "t2"))]
    choice = choose(documents, None)
    assert (choice.cluster["server"], choice.user["token"], choice.namespace) == ("https://1", "t1", "one")
    assert choose(documents, "two").namespace == "two"
    assert choose([("/0", {"current-context": ""}), *documents], None).namespace == "one"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
async def test_kubectl_chooses_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(yaml.safe_dump(entry(name, f"https://{name}.example", name)))
    files = os.pathsep.join(str(tmp_path / name) for name in ("missing", "one", "two"))
    command = ["kubectl", "config", "view", "--minify", "--raw", "-o", "json"]
    run = partial(subprocess.run, command, env={**os.environ, "KUBECONFIG": files}, capture_output=True, check=True)
    kubectls = yaml.safe_load((await to_thread.run_sync(run)).stdout)
    ours = await to_thread.run_sync(read_kubeconfig, kubeconfig_paths(None, files), None)
    assert [one["cluster"] for one in kubectls["clusters"]] == [ours.cluster]
    assert [one["user"] for one in kubectls["users"]] == [ours.user]
    assert [one["context"]["namespace"] for one in kubectls["contexts"]] == [ours.namespace]


async def test_a_missing_first_file_is_no_matter(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b").write_text(kubeconfig({"server": cluster.url}, {}))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/a:{tmp_path}/b")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert await names_seen(None) == ["web-1"]


def test_paths_belong_to_the_file_that_names_them() -> None:
    """kubernetes_asyncio looks for a user's certificate beside the cluster's file."""
    first, second = entry("x", "https://1", ""), entry("x", "https://2", "")
    first["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    first["users"] = []
    second["users"][0]["user"] = {
        "client-certificate": "../user.crt",
        "client-key": "/keys/user.key",
        "exec": {"command": "bin/plugin"},
    }
    choice = choose([("/a/config", first), ("/b/config", second)], None)
    assert choice.cluster["certificate-authority"] == "/a/ca.crt"
    assert choice.user["client-certificate"] == "/b/../user.crt"
    assert choice.user["client-key"] == "/keys/user.key"
    assert choice.user["exec"]["command"] == "/b/bin/plugin"
    assert choice.user_file == "/b/config"
    assert chosen(SERVER, {"exec": {"command": "aws"}}).user["exec"]["command"] == "aws", "for PATH to find"


@pytest.mark.parametrize(
    ("user", "used"),
    [
        ({"token": "a", "tokenFile": "/b"}, {"tokenFile": "/b"}),
        ({"token": "a", "exec": {"command": "b"}}, {"token": "a"}),
        ({"token": "a", "auth-provider": {"name": "oidc"}}, {"token": "a"}),
        ({"username": "a", "password": "b"}, {"username": "a", "password": "b"}),
    ],
)
def test_of_several_credentials_kubectls_are_used(user: dict[str, Any], used: dict[str, Any]) -> None:
    assert chosen(SERVER, user).user == used


@pytest.mark.parametrize(
    ("server", "sent"),
    [
        ("https://one.example", True),
        ("http://one.example", False),
        ("http://10.0.0.1:8080", False),
        ("http://127.0.0.1:8001", True),
        ("http://localhost:8001", True),
    ],
)
def test_nothing_that_proves_who_we_are_is_sent_in_the_clear(server: str, sent: bool) -> None:
    """As with kubectl; a plugin isn't even run. On this machine nobody listens in between."""
    user = {"exec": {"command": "a"}, "client-key-data": "b", "as": "c"}
    assert chosen({"server": server}, user).user == (user if sent else {"as": "c"})


@pytest.mark.parametrize(
    ("cluster", "user", "says"),
    [
        (SERVER, {"token": "a", "username": "b"}, "has a token and a password"),
        (SERVER, {"exec": {"command": "a"}, "auth-provider": {"name": "oidc"}}, "has both exec and auth-provider"),
        (SERVER, {"as-groups": ["system:masters"]}, "impersonates groups, a uid or extra fields, but nobody"),
        (SERVER, {"auth-provider": {"name": "gcp"}}, "has the auth-provider 'gcp', which kubectl dropped in 1.26"),
        (SERVER, {"auth-provider": {"name": "x"}}, "has an unknown auth-provider, 'x'"),
        (SERVER, {"exec": "aws"}, "has a field exec that is not understood"),
        ({}, {}, "has no server, or one that is not http:// or https://"),
        ({"server": "ftp://x"}, {}, "has no server, or one that is not http:// or https://"),
        ({"server": "https://a:b@x"}, {}, "has a password in its server's URL"),
        ({"server": "https://x:y"}, {}, "has a server that is no URL"),
        ({**SERVER, "proxy-url": "socks5://x:1"}, {}, "has a proxy-url that is not http:// or https://"),
        ({**SERVER, "proxy-url": "http://x:y"}, {}, "has a proxy-url that is no URL"),
        (
            {**SERVER, "certificate-authority": "a", "insecure-skip-tls-verify": True},
            {},
            "has a certificate authority and insecure-skip-tls-verify",
        ),
    ],
)
def test_what_can_not_be_honoured_is_refused(cluster: dict[str, Any], user: dict[str, Any], says: str) -> None:
    with pytest.raises(ClusterError) as caught:
        chosen(cluster, user)
    assert str(caught.value).endswith(says)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "the kubeconfig has no current context"),
        ({"current-context": "x"}, "the kubeconfig has no context 'x'"),
        ({"current-context": "x", "contexts": [{"name": "x"}]}, "the kubeconfig has no cluster ''"),
        ({"current-context": "x", "contexts": ["x"]}, "the kubeconfig /f is not one: contexts holds something else"),
    ],
)
def test_what_is_missing_is_named(document: dict[str, Any], says: str) -> None:
    with pytest.raises(ClusterError) as caught:
        choose([("/f", document)], None)
    assert str(caught.value) == says


def test_the_headers_of_impersonation() -> None:
    user = {"as": "a", "as-uid": "1", "as-groups": ["g", "h"], "as-user-extra": {"x.y/z": ["1", "2"]}}
    assert impersonation(user) == [
        ("Impersonate-User", "a"),
        ("Impersonate-Uid", "1"),
        ("Impersonate-Group", "g"),
        ("Impersonate-Group", "h"),
        ("Impersonate-Extra-x.y%2Fz", "1"),
        ("Impersonate-Extra-x.y%2Fz", "2"),
    ]
    assert impersonation({}) == []
