"""kubernetes_asyncio in and out: a caller's own client, and one that is made of our access."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
import trustme
from aiohttp import web
from kubernetes_asyncio.client import ApiClient, ApiException, Configuration, CoreV1Api

from asynccp import ClusterError, Outcome, Selection, UsageError, connect, parse_selectors, plan_push, push
from asynccp.auth.access import Access
from asynccp.errors import TransferError
from asynccp.kube.apiclient import BroughtCluster, access_of, asked
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import V4
from asynccp.target import Selector, Target
from asynccp.testing.server import FakeCluster
from tests.kube.gateways import base64_of, client_pair, kubeconfig, proxy, server_tls

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TARGET = Target("default", "web-1", "main")
WEB = Selector("labels", "app=web", "/x")
LIST = {"items": [{"metadata": {"name": "a"}}]}


@asynccontextmanager
async def served(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run a server that answers with what stands in this file; return its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answers(status: int, body: object, **headers: str) -> tuple[Handler, list[web.Request]]:
    """Return a handler that always gives this answer, and the list of what it was asked."""
    heard: list[web.Request] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        heard.append(request)
        return web.Response(status=status, text=body if isinstance(body, str) else json.dumps(body), headers=headers)

    return handler, heard


def client(url: str, token: str = "", **fields: Any) -> ApiClient:
    """Return the client that somebody brings along. fields: of its Configuration."""
    configuration = Configuration(host=url)
    if token:
        configuration.api_key = {"BearerToken": f"Bearer {token}"}
    for name, value in fields.items():
        setattr(configuration, name, value)
    return ApiClient(configuration)


async def names(cluster: KubernetesCluster) -> list[str]:
    return [pod["metadata"]["name"] async for page in cluster.list_pods(WEB, "default", "") for pod in page]


async def refusal(cluster: KubernetesCluster) -> TransferError:
    with pytest.raises(TransferError) as caught:
        async with cluster.open_exec(TARGET, ["true"], V4):
            pytest.fail("no session was opened")
    return caught.value


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    ca.cert_pem.write_to_path(tmp_path / "ca.crt")
    return str(tmp_path / "ca.crt")


async def test_a_push_by_a_clients_own_configuration_leaves_the_client_open(
    ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    async with FakeCluster(tmp_path / "pods", tls=server_tls(ca)) as fake:
        await fake.add_pod("web-1", labels={"app": "web"})
        fake.accept_only("secret")
        async with client(fake.url, "secret", ssl_ca_cert=ca_file) as api:
            async with connect(api_client=api) as cluster:
                plan = await plan_push(cluster, [str(tmp_path / "file")], Selection(parse_selectors(["app=web:/tmp"])))
                report = await push(cluster, plan)
                async with cluster.api_client() as theirs:
                    assert theirs is api
            assert [one.outcome for one in report.results] == [Outcome.COMPLETE]
            assert (await asked(api, "GET", "api/v1/pods")).status == 200


async def test_the_client_lists_and_we_exec_as_the_same_user() -> None:
    handler, heard = answers(403, {"kind": "Status", "message": "no"})
    async with served(handler) as url, client(url, "secret") as api:
        api.user_agent = "theirs"
        api.set_default_header("Impersonate-User", "jane")
        api.set_default_header("sec-websocket-protocol", "v5.channel.k8s.io")  # as who wants that of its own exec
        async with connect(api_client=api, namespace="shop") as cluster:
            assert cluster.namespace == "shop"
            with pytest.raises(ClusterError):
                await names(cluster)
            await refusal(cluster)
    listed, execed = heard
    assert [one.headers["User-Agent"] for one in heard] == ["theirs", "asynccp"]
    assert [one.headers["Authorization"] for one in heard] == ["Bearer secret"] * 2
    assert [one.headers["Impersonate-User"] for one in heard] == ["jane"] * 2
    assert listed.query["labelSelector"] == "app=web"
    assert execed.headers.getall("Sec-WebSocket-Protocol") == [V4]


async def test_who_is_impersonated_may_what_that_user_may(tmp_path: Path) -> None:
    async with FakeCluster(tmp_path / "pods") as fake:
        await fake.add_pod("web-1", labels={"app": "web"})
        fake.forbid("get", "pods/exec", "jane")
        async with client(fake.url, "root") as api:
            api.set_default_header("Impersonate-User", "jane")
            async with connect(api_client=api) as cluster:
                assert await names(cluster) == ["web-1"]
                assert 'User "jane" cannot get resource "pods/exec"' in str(await refusal(cluster))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, LIST),
        (200, {"items": []}),
        (200, "no JSON"),
        (200, {"items": "none"}),
        (400, {"kind": "Status", "message": "unable to parse requirement"}),
        (401, {"kind": "Status", "message": "Unauthorized"}),
        (403, {"kind": "Status", "message": "forbidden: \x1b[31mno"}),
        (404, ""),
        (500, "boom"),
    ],
)
async def test_a_list_means_the_same_whoever_asks_for_it(status: int, body: object) -> None:
    handler, _ = answers(status, body)
    came: list[object] = []
    async with served(handler) as url, client(url) as api:
        for cluster in (KubernetesCluster(Access(url)), BroughtCluster(api, Access(url), lambda: access_of(api))):
            async with cluster:
                try:
                    came.append(await names(cluster))
                except Exception as exc:
                    came.append((type(exc), str(exc), getattr(exc, "hint", "")))
    assert came[0] == came[1]


@pytest.mark.parametrize("way", ["nothing there", "no proxy there", "a proxy that wants a password", "an unknown CA"])
async def test_a_server_that_is_out_of_reach_is_told_in_the_same_words(
    way: str, ca: trustme.CA, tmp_path: Path
) -> None:
    said = []
    async with FakeCluster(tmp_path / "pods", tls=server_tls(ca)) as fake, proxy(fake.url, "a:b") as between:
        url = "https://127.0.0.1:1" if way == "nothing there" else fake.url
        through = {
            "no proxy there": "http://secret:x@127.0.0.1:1",
            "a proxy that wants a password": f"http://127.0.0.1:{between.port}",
        }
        async with client(url, proxy=through.get(way)) as api:
            access = await access_of(api)
            for made in (KubernetesCluster(access), BroughtCluster(api, access, None)):
                async with made as cluster:
                    with pytest.raises(ClusterError) as caught:
                        await names(cluster)
                    said.append((str(caught.value), caught.value.hint))
    assert said[0] == said[1]
    assert "secret" not in str(said)


async def test_a_list_that_does_not_end_is_not_read_to_the_end() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1024 * 1024))

    async with served(endless) as url, client(url) as api, connect(api_client=api) as cluster:
        with pytest.raises(ClusterError, match="more than anybody can read"):
            await names(cluster)


async def test_a_token_that_the_clients_hook_renews_is_what_exec_shows_too(tmp_path: Path) -> None:
    tokens = ["old"]

    async def hook(configuration: Configuration) -> None:
        configuration.api_key = {"BearerToken": f"Bearer {tokens[-1]}"}

    async with FakeCluster(tmp_path / "pods") as fake:
        await fake.add_pod("web-1", labels={"app": "web"})
        fake.accept_only("old")
        async with client(fake.url, "none", refresh_api_key_hook=hook) as api, connect(api_client=api) as cluster:
            assert await names(cluster) == ["web-1"]
            tokens.append("new")
            fake.accept_only("new")
            assert await names(cluster) == ["web-1"]
            async with cluster.open_exec(TARGET, ["true"], V4) as session:
                assert await session.receive() is not None


async def test_a_client_that_stays_refused_is_told_to_log_in(tmp_path: Path) -> None:
    handler, heard = answers(401, {"kind": "Status", "message": "Unauthorized"})
    async with served(handler) as url, client(url, "old") as api, connect(api_client=api) as cluster:
        with pytest.raises(ClusterError) as caught:
            await names(cluster)
    assert "log in again" in caught.value.hint
    assert len(heard) == 2, "asked once more, since a hook might have renewed it"


async def test_a_hook_that_fails_is_named_without_its_words() -> None:
    """At first, and in the middle of a run, where any error of another kind would be ours and end it."""

    async def hook(_: Configuration) -> None:
        raise ValueError("the secret is xyzzy")

    async with client("http://127.0.0.1:1", "old") as api, connect(api_client=api) as cluster:
        api.configuration.refresh_api_key_hook = hook
        for ask in (names(cluster), access_of(api)):
            with pytest.raises(ClusterError) as caught:
                await ask
            assert str(caught.value) == "the ApiClient's refresh_api_key_hook failed: ValueError"


async def test_a_token_from_a_file_may_end_with_a_line_and_wins_over_a_header_of_that_name() -> None:
    """kubernetes_asyncio itself fails on it: `Forbidden control character`."""
    handler, heard = answers(200, LIST)
    async with served(handler) as url, client(url, "secret\n") as api:
        api.set_default_header("AUTHORIZATION", "Bearer other")
        assert dict((await access_of(api)).headers) == {"Authorization": "Bearer secret"}
        del api.default_headers["AUTHORIZATION"]
        async with connect(api_client=api) as cluster:
            assert await names(cluster) == ["a"]
    assert heard[0].headers.getall("Authorization") == ["Bearer secret"]


async def test_what_is_no_server_is_refused() -> None:
    for fields, says in (
        ({"host": "ftp://x"}, "neither http"),
        ({"host": "https://me:secret@x"}, "a password in its host"),
        ({"proxy_headers": {"a": "b"}}, "proxy_headers"),
    ):
        async with client("http://x", **fields) as api:
            with pytest.raises(ClusterError, match=says) as caught:
                await access_of(api)
        assert "secret" not in f"{caught.value} {caught.value.hint}"


async def test_exec_goes_the_way_that_the_client_goes(ca: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    """kubernetes_asyncio's own goes past the proxy, and believes any name."""
    certificate, key = client_pair(ca, "jane")
    (tmp_path / "user.crt").write_bytes(certificate)
    (tmp_path / "user.key").write_bytes(key)
    files = {"ssl_ca_cert": ca_file, "cert_file": str(tmp_path / "user.crt"), "key_file": str(tmp_path / "user.key")}
    tls = server_tls(ca, "api.example", ssl.CERT_REQUIRED)
    async with FakeCluster(tmp_path / "pods", tls=tls, host="far.example") as fake, proxy(fake.url) as way:
        await fake.add_pod("web-1", labels={"app": "web"})
        fake.accept_only("jane")
        url = fake.url.replace(fake.url.split("/")[2], "far.example")
        through = {"proxy": f"http://127.0.0.1:{way.port}", "tls_server_name": "api.example"}
        async with client(url, **files, **through) as api, connect(api_client=api) as cluster:
            assert await names(cluster) == ["web-1"]
            async with cluster.open_exec(TARGET, ["true"], V4) as session:
                assert await session.receive() is not None
        assert way.heard == ["CONNECT far.example:443"] * 2
        async with client(url, **files, proxy=through["proxy"]) as api, connect(api_client=api) as cluster:
            assert "is not trusted: its certificate is not for far.example" in str(await refusal(cluster))


async def test_a_session_that_was_replaced_has_its_tls_told(ca: trustme.CA, tmp_path: Path) -> None:
    tls = ssl.create_default_context()
    ca.configure_trust(tls)
    async with FakeCluster(tmp_path / "pods", tls=server_tls(ca)) as fake, client(fake.url) as api:
        await fake.add_pod("web-1", labels={"app": "web"})
        await api.rest_client.close()
        api.rest_client.pool_manager = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls))
        async with connect(api_client=api, ssl_context=tls) as cluster:
            assert await names(cluster) == ["web-1"]
            async with cluster.open_exec(TARGET, ["true"], V4) as session:
                assert await session.receive() is not None
        async with connect(api_client=api) as cluster:
            assert await names(cluster) == ["web-1"]
            assert "is not trusted" in str(await refusal(cluster))


async def test_a_client_and_a_kubeconfig_are_two_answers_to_one_question() -> None:
    async with client("http://127.0.0.1:1") as api:
        with pytest.raises(UsageError):
            async with connect("kubeconfig", api_client=api):
                pytest.fail("which of the two?")
    with pytest.raises(UsageError):
        async with connect(ssl_context=ssl.create_default_context()):
            pytest.fail("a kubeconfig names its own authority")


@asynccontextmanager
async def ours(directory: Path, cluster: dict[str, Any], user: dict[str, Any]) -> AsyncIterator[ApiClient]:
    """Return the client that is made of a kubeconfig's access."""
    (directory / "kubeconfig").write_text(kubeconfig(cluster, user))
    async with connect(str(directory / "kubeconfig")) as connected, connected.api_client() as api:
        yield api


async def test_our_client_follows_no_redirect(tmp_path: Path) -> None:
    handler, heard = answers(307, "", Location="/elsewhere")
    async with served(handler) as url, ours(tmp_path, {"server": url}, {"token": "a", "as": "jane"}) as api:
        assert (await asked(api, "GET", "api/v1/pods")).status == 307
    assert [(one.path, one.headers["Impersonate-User"]) for one in heard] == [("/api/v1/pods", "jane")]


async def test_our_client_gives_no_password_of_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    handler, heard = answers(200, {})
    async with served(handler) as url, ours(tmp_path, {"server": url}, {}) as api:
        assert (await asked(api, "GET", "version")).status == 200
    assert "Authorization" not in heard[0].headers


async def test_our_client_keeps_no_key_on_disk(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    certificate, key = client_pair(ca, "jane")
    user = {"client-certificate-data": base64_of(certificate), "client-key-data": base64_of(key)}
    async with FakeCluster(tmp_path / "pods", tls=server_tls(ca, clients=ssl.CERT_REQUIRED)) as fake:
        fake.accept_only("jane")
        server = {"server": fake.url, "certificate-authority-data": base64_of(ca.cert_pem.bytes())}
        async with ours(tmp_path, server, user) as api:
            assert (await asked(api, "GET", "api/v1/pods")).status == 200
            assert list((tmp_path / "temporary").iterdir()) == []


async def test_our_client_is_who_we_are_with_every_group_and_nobody_else(tmp_path: Path) -> None:
    handler, heard = answers(200, {})
    user = {"token": "a", "as": "jane", "as-groups": ["one", "two"]}
    async with served(handler) as url, ours(tmp_path, {"server": url}, user) as api:
        api.set_default_header("Impersonate-User", "somebody-else")
        await asked(api, "GET", "version")
    assert heard[0].headers.getall("Impersonate-User") == ["jane"]
    assert heard[0].headers.getall("Impersonate-Group") == ["one", "two"]
    assert heard[0].headers.getall("Authorization") == ["Bearer a"]


async def test_our_client_serves_kubernetes_asyncios_own_calls(tmp_path: Path) -> None:
    async with FakeCluster(tmp_path / "pods") as fake:
        await fake.add_pod("web-1", labels={"app": "web"})
        async with ours(tmp_path, {"server": fake.url}, {}) as api:
            found = await CoreV1Api(api).list_namespaced_pod("default", label_selector="app=web")
            assert [pod.metadata.name for pod in found.items] == ["web-1"]
            with pytest.raises(ApiException, match="not found"):
                await CoreV1Api(api).read_namespaced_pod("web-2", "default")


async def test_our_client_outlives_its_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    async with FakeCluster(tmp_path / "pods") as fake:
        fake.accept_only("old")
        async with ours(tmp_path, {"server": fake.url}, {"tokenFile": "token"}) as api:
            assert (await asked(api, "GET", "api/v1/pods")).status == 200
            (tmp_path / "token").write_text("new")
            fake.accept_only("new")
            assert (await asked(api, "GET", "api/v1/pods")).status == 200
            fake.accept_only("nobody")
            assert (await asked(api, "GET", "api/v1/pods")).status == 401


async def test_our_client_has_no_bound_that_blocks_in_silence(tmp_path: Path) -> None:
    """By default the 101st request would wait for ever here."""
    here, count = anyio.Event(), 0

    async def together(_: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count > 100:
            here.set()
        await here.wait()
        return web.Response()

    async with served(together) as url, ours(tmp_path, {"server": url}, {}) as api, anyio.create_task_group() as tasks:
        for _ in range(101):
            tasks.start_soon(asked, api, "GET", "version")


async def test_our_client_sends_a_body_again_after_a_refusal(tmp_path: Path) -> None:
    heard: list[tuple[str, object]] = []

    async def refuse_old(request: web.Request) -> web.StreamResponse:
        heard.append((request.headers["Authorization"], await request.json()))
        return web.Response(status=401 if request.headers["Authorization"] == "Bearer old" else 201)

    (tmp_path / "token").write_text("old")
    async with served(refuse_old) as url, ours(tmp_path, {"server": url}, {"tokenFile": "token"}) as api:
        (tmp_path / "token").write_text("new")
        assert (await asked(api, "POST", "apis/batch/v1/jobs", {"a": 1})).status == 201
    assert heard == [("Bearer old", {"a": 1}), ("Bearer new", {"a": 1})]
