"""Who we are: every kind of credentials, renewed in the middle of a run, through `connect()` and a kubeconfig."""

import os
import shutil
import ssl
import stat
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
import yaml
from anyio import to_thread
from anyio.streams.text import TextReceiveStream

from asynccp import ClusterError, Options, Outcome, Selection, Selector, connect, parse_selectors, plan_push, push
from asynccp.auth import access, renewal
from asynccp.auth.access import Access
from asynccp.auth.renewal import Renewal
from asynccp.options import Concurrency
from asynccp.testing.server import FakeCluster
from benchmarks.trust.credentials.outlive import KINDS, PODS, AfterTheFirst, an_id_token, outlive
from tests.kube.gateways import (
    base64_of,
    client_pair,
    id_token,
    identity_provider,
    kubeconfig,
    plugin,
    runs_of,
    script,
    server_tls,
    trusted_provider,
)

WEB = Selector("labels", "app=web", "/x")
V1 = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"'


async def names_seen(path: Path | None, context: str | None = None) -> list[str]:
    """Return the pods that are found with a kubeconfig."""
    async with connect(str(path) if path else None, context) as cluster:
        return [pod["metadata"]["name"] async for page in cluster.list_pods(WEB, "default", "") for pod in page]


async def refused(path: Path) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        await names_seen(path)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_outlives_its_credentials(kind: str, tmp_path: Path) -> None:
    report, _ = await outlive(KINDS[kind], tmp_path)
    assert [result.outcome for result in report.results] == [Outcome.COMPLETE] * PODS
    assert report.exit_code == 0
    files = [(tmp_path / "pods" / "default" / f"web-{number}").rglob("tmp/source/file") for number in range(PODS)]
    assert [[file.read_text() for file in found] for found in files] == [["content"]] * PODS


async def test_new_oidc_tokens_are_kept_in_the_kubeconfig_as_kubectl_does(tmp_path: Path) -> None:
    """An identity provider may take each refresh token only once: the next run, and kubectl, need the new one."""
    _, scene = await outlive(an_id_token, tmp_path)
    assert scene.kubeconfig is not None
    config = yaml.safe_load(scene.kubeconfig.read_text())["users"][0]["user"]["auth-provider"]["config"]
    assert (config["id-token"], config["refresh-token"]) == (scene.new, "refresh-1+")
    assert [name for name in os.listdir(tmp_path) if name.startswith(".asynccp")] == []


async def test_a_push_by_command_outlives_its_token(tmp_path: Path) -> None:
    """The pods come one by one; the token is taken back when the first is reported."""
    async with FakeCluster(tmp_path / "pods") as cluster:
        for number in range(8):
            await cluster.add_pod(f"web-{number}", labels={"app": "web"})
        path = tmp_path / "kubeconfig"
        run = plugin(tmp_path / "get-token", ({"token": "old"}, {"token": "new"}))
        path.write_text(kubeconfig({"server": cluster.url}, {"exec": run}))
        (tmp_path / "file").write_text("content")
        cluster.accept_only("old")
        command = [sys.executable, "-m", "asynccp", "push", str(tmp_path / "file"), "-l", "app=web:/tmp", "-j", "1"]
        heard = ""
        async with await anyio.open_process([*command, "--kubeconfig", str(path)]) as process:
            assert process.stderr is not None
            async for text in TextReceiveStream(process.stderr):
                heard += text
                if "[1/8]" in heard:
                    cluster.accept_only("new")
        assert (process.returncode, heard.count("complete")) == (0, 8), heard
        assert len(runs_of(tmp_path / "get-token")) == 2


async def test_credentials_that_stay_refused_name_the_pods_and_are_not_tried_again(tmp_path: Path) -> None:
    async with FakeCluster(tmp_path / "pods") as cluster:
        for number in range(PODS):
            await cluster.add_pod(f"web-{number}", labels={"app": "web"})
        path = tmp_path / "kubeconfig"
        path.write_text(kubeconfig({"server": cluster.url}, {"token": "old"}))
        cluster.accept_only("old")
        async with connect(str(path)) as connected:
            plan = await plan_push(connected, [str(path)], Selection(parse_selectors(["app=web:/tmp"])))
            observer = AfterTheFirst(lambda: cluster.accept_only("somebody else"))
            report = await push(
                connected, plan, options=Options(concurrency=Concurrency(sessions=1)), observer=observer
            )
    first, *others = report.results
    assert first.outcome is Outcome.COMPLETE
    assert {(one.outcome, one.tries, one.error) for one in others} == {
        (Outcome.FAILED, 1, "the API server refused exec: Unauthorized")
    }
    assert {one.hint for one in others} == {"the credentials were not accepted: log in again"}


async def test_a_renewal_that_fails_is_the_reason_that_is_given(tmp_path: Path) -> None:
    async with FakeCluster(tmp_path / "pods") as cluster:
        for number in range(PODS):
            await cluster.add_pod(f"web-{number}", labels={"app": "web"})
        path = tmp_path / "kubeconfig"
        run = plugin(tmp_path / "get-token", ({"token": "old"},))  # and no second answer
        path.write_text(kubeconfig({"server": cluster.url}, {"exec": run}))
        cluster.accept_only("old")
        async with connect(str(path)) as connected:
            plan = await plan_push(connected, [str(path)], Selection(parse_selectors(["app=web:/tmp"])))
            observer = AfterTheFirst(lambda: cluster.accept_only("new"))
            report = await push(
                connected, plan, options=Options(concurrency=Concurrency(sessions=1)), observer=observer
            )
    assert [result.outcome for result in report.results] == [Outcome.COMPLETE] + [Outcome.FAILED] * (PODS - 1)
    for result in report.results[1:]:
        assert f"the credential plugin '{tmp_path}/get-token' failed with exit code 1" in (result.error or "")
    assert len(runs_of(tmp_path / "get-token")) == 2, "one failure for all, not a plugin for each pod"


async def test_a_run_stays_in_its_cluster_when_the_current_context_is_switched(tmp_path: Path) -> None:
    """A renewal reads the kubeconfig again, which somebody may have changed with kubectl config use-context."""
    path = tmp_path / "kubeconfig"
    async with FakeCluster(tmp_path / "here") as here, FakeCluster(tmp_path / "there") as there:
        for number in range(PODS):
            await here.add_pod(f"web-{number}", labels={"app": "web"})
            await there.add_pod(f"web-{number}", labels={"app": "web"})

        def write(current: str, token: str) -> None:
            servers = {"here": here.url, "there": there.url}
            document = {
                "current-context": current,
                "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
                "users": [{"name": name, "user": {"token": token}} for name in servers],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in servers],
            }
            path.write_text(yaml.safe_dump(document))

        write("here", "old")
        here.accept_only("old")
        async with connect(str(path)) as connected:
            plan = await plan_push(connected, [__file__], Selection(parse_selectors(["app=web:/tmp"])))
            await to_thread.run_sync(write, "there", "new")
            observer = AfterTheFirst(lambda: here.accept_only("new"))
            report = await push(
                connected, plan, options=Options(concurrency=Concurrency(sessions=1)), observer=observer
            )
        assert report.exit_code == 0
        files = [(tmp_path / place).rglob(Path(__file__).name) for place in ("here", "there")]
        assert [len(list(found)) for found in files] == [PODS, 0]


async def test_a_renewal_that_leads_to_another_server_is_refused() -> None:
    async def load() -> Access:
        return Access("http://elsewhere")

    one = Renewal(Access("http://here"), load)
    with pytest.raises(ClusterError, match="names another server"):
        await one.after_refusal(one.access)
    assert one.access.url == "http://here"


async def test_one_renewal_serves_all_who_wait() -> None:
    loads, go = 0, anyio.Event()

    async def load() -> Access:
        nonlocal loads
        loads += 1
        await go.wait()
        return Access("http://here", headers=(("authorization", "new"),))

    old = Access("http://here", headers=(("authorization", "old"),))
    one, answers = Renewal(old, load), []

    async def ask() -> None:
        answers.append(await one.after_refusal(old))

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        go.set()
    assert (loads, answers) == (1, [True] * 100)
    assert one.access.headers == (("authorization", "new"),)


async def test_renewals_keep_their_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    async def load() -> Access:
        nonlocal count
        count += 1
        return Access("http://here")

    one = Renewal(Access("http://here"), load)
    assert await one.after_refusal(one.access)
    assert not await one.after_refusal(one.access)
    monkeypatch.setattr(renewal, "RENEW_EVERY_S", 0.0)
    assert await one.after_refusal(one.access)
    assert count == 2


# Plugins


async def test_a_plugin_learns_of_the_cluster_if_it_wants_to(cluster: FakeCluster, tmp_path: Path) -> None:
    """kubernetes_asyncio never tells."""
    run = plugin(tmp_path / "tell-me", ({"token": "a"},)) | {"provideClusterInfo": True}
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig({"server": cluster.url, "extensions": [extension]}, {"exec": run}))
    await names_seen(path)
    (told,) = runs_of(tmp_path / "tell-me")
    assert told["spec"] == {"interactive": False, "cluster": {"server": cluster.url, "config": {"audience": "x"}}}


async def test_a_plugin_beside_the_kubeconfig_gets_its_arguments_and_variables(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    text = 'printf \'{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", '
    script(tmp_path / "here", text + '"status": {"token": "%s-%s"}}\' "$1" "$WHO"')
    run = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "./here", "args": ["a"]}
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig({"server": cluster.url}, {"exec": {**run, "env": [{"name": "WHO", "value": "b"}]}}))
    cluster.accept_only("a-b")
    assert await names_seen(path) == ["web-1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("exit 7", "failed with exit code 7"),
        ("echo garbage", "its answer is not an ExecCredential"),
        ("echo '[]'", "its answer is not an ExecCredential"),
        ('echo \'{"kind": "ExecCredential"}\'', "its answer is not an ExecCredential"),
        (
            'echo \'{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential"}\'',
            "it answered in another API version than it was asked in",
        ),
        (
            f"echo '{V1}, \"status\": {{}}}}'",
            "there is neither a token nor a certificate in its answer",
        ),
        (
            f'echo \'{V1}, "status": {{"clientCertificateData": "x"}}}}\'',
            "a client certificate and its key come together, or not at all",
        ),
        (f'echo \'{V1}, "status": {{"token": {{"a": 1}}}}}}\'', "its token is none that a header can hold"),
        (f'echo \'{V1}, "status": {{"token": "a\\\\nb"}}}}\'', "its token is none that a header can hold"),
        (f'echo \'{V1}, "status": ["a"]}}\'', "its answer is not an ExecCredential"),
        ("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done", "its answer does not end"),
    ],
)
async def test_a_plugin_that_gives_nothing_is_named(cluster: FakeCluster, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig({"server": cluster.url}, {"exec": script(tmp_path / "broken", text)}))
    error = await refused(path)
    assert str(error).startswith(f"the credential plugin '{tmp_path}/broken' ")
    assert str(error).endswith(says)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"command": "no-such-plugin"}, "'no-such-plugin' can't be run: No such file or directory"),
        ({"interactiveMode": "Always"}, "needs a person at a terminal"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "speaks an API version that is not known"),
        ({"env": [{"name": "WHO"}]}, "its arguments or variables are not understood"),
    ],
)
async def test_a_plugin_that_can_not_be_run(
    cluster: FakeCluster, tmp_path: Path, fields: dict[str, Any], says: str
) -> None:
    run = {**script(tmp_path / "plugin", "exit 1"), "installHint": "install it with brew", **fields}
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig({"server": cluster.url}, {"exec": run}))
    error = await refused(path)
    assert says in str(error)
    assert error.hint == ("install it with brew" if "command" in fields else error.hint)


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"certificate-authority": "gone.crt"}, "its CA can't be read: No such file or directory"),
        ({"extensions": ["a"]}, "its extensions are not understood"),
    ],
)
async def test_what_a_plugin_can_not_be_told(
    cluster: FakeCluster, tmp_path: Path, about: dict[str, Any], says: str
) -> None:
    run = script(tmp_path / "plugin", "exit 1") | {"provideClusterInfo": True}
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig({"server": cluster.url, **about}, {"exec": run}))
    assert str(await refused(path)).endswith(f"can't be told of the cluster: {says}")


# OIDC


@pytest.mark.parametrize("token", [id_token("old", expires=1), ""])
async def test_an_expired_id_token_is_renewed_before_it_is_shown(
    cluster: FakeCluster, tmp_path: Path, token: str
) -> None:
    async with trusted_provider(tmp_path) as (provider, config):
        config["id-token"] = token
        path = tmp_path / "kubeconfig"
        path.write_text(kubeconfig({"server": cluster.url}, {"auth-provider": {"name": "oidc", "config": config}}))
        path.chmod(0o600)
        cluster.accept_only(provider.new)
        assert await names_seen(path) == ["web-1"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await names_seen(path) == ["web-1"]
        assert provider.good == "refresh-1+", "the second time the new token was good"


async def test_a_refresh_token_is_not_sent_to_a_provider_that_can_not_prove_itself(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    """kubernetes_asyncio checks no certificate here."""
    async with identity_provider(server_tls(trustme.CA())) as provider:
        config = {"idp-issuer-url": provider.url, "client-id": "asynccp", "refresh-token": provider.good}
        path = tmp_path / "kubeconfig"
        path.write_text(kubeconfig({"server": cluster.url}, {"auth-provider": {"name": "oidc", "config": config}}))
        error = await refused(path)
    assert str(error) == "the identity provider can't be reached: ClientConnectorCertificateError"
    assert provider.good == "refresh-1"


# Client certificates


@pytest.mark.parametrize("where", ["in files", "as data"])
async def test_a_server_that_demands_a_client_certificate(tmp_path: Path, where: str) -> None:
    ca, path = trustme.CA(), tmp_path / "kubeconfig"
    certificate, key = client_pair(ca, "alice")
    (tmp_path / "user.crt").write_bytes(certificate)
    (tmp_path / "user.key").write_bytes(key)
    user = {
        "in files": {"client-certificate": "user.crt", "client-key": "user.key"},
        "as data": {"client-certificate-data": base64_of(certificate), "client-key-data": base64_of(key)},
    }[where]
    async with FakeCluster(tmp_path / "pods", tls=server_tls(ca, clients=ssl.CERT_REQUIRED)) as cluster:
        await cluster.add_pod("web-1", labels={"app": "web"})
        about = {"server": cluster.url, "certificate-authority-data": base64_of(ca.cert_pem.bytes())}
        path.write_text(kubeconfig(about, user))
        cluster.accept_only("alice")
        assert await names_seen(path) == ["web-1"]
        path.write_text(kubeconfig(about, {}))
        error = await refused(path)
    assert str(error).startswith(f"the API server at {cluster.url} ")
    assert "client certificate" in f"{error} {error.hint}"


async def test_no_private_key_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    ca, path = trustme.CA(), tmp_path / "kubeconfig"
    certificate, key = client_pair(ca, "alice")
    async with FakeCluster(tmp_path / "pods", tls=server_tls(ca)) as cluster:
        about = {"server": cluster.url, "certificate-authority-data": base64_of(ca.cert_pem.bytes())}
        user = {"client-certificate-data": base64_of(certificate), "client-key-data": base64_of(key)}
        path.write_text(kubeconfig(about, user))
        async with connect(str(path)):
            assert os.listdir(tmp_path / "tmp") == []


async def test_a_pod_without_an_account_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    with pytest.raises(ClusterError) as caught:
        await names_seen(None)
    assert str(caught.value) == f"the pod's service account can't be used: {tmp_path}/token: No such file or directory"


async def test_new_tokens_that_can_not_be_kept_end_the_run(cluster: FakeCluster, tmp_path: Path) -> None:
    """As with kubectl: to go on would use up the only refresh token."""
    async with trusted_provider(tmp_path) as (provider, config):
        path = tmp_path / "gone" / "kubeconfig"
        path.parent.mkdir()
        path.write_text(kubeconfig({"server": cluster.url}, {"auth-provider": {"name": "oidc", "config": config}}))
        provider.meanwhile = lambda: shutil.rmtree(path.parent)
        error = await refused(path)
    assert str(error) == f"renewed OIDC tokens can't be written to {path}: No such file or directory"


# Acting as another


async def test_impersonation_is_honoured(cluster: FakeCluster, tmp_path: Path) -> None:
    """Ignoring `as` would act with more rights than kubectl: the token's own."""
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig({"server": cluster.url}, {"token": "admin", "as": "guest", "as-groups": ["a", "b"]}))
    cluster.forbid("list", "pods", "guest")
    error = await refused(path)
    assert 'User "guest" cannot list' in str(error)
