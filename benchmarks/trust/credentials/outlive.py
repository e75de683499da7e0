"""Every kind of credentials, with what makes them new: a run that outlives the old ones must be complete.

For the tests, and for `benchmarks.trust.promises.credentials`, which counts them.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from anyio import to_thread

from asynccp import Listener, Options, Report, Result, Selection, connect, parse_selectors, plan_push, push
from asynccp.auth import access
from asynccp.options import Concurrency
from asynccp.testing.server import FakeCluster
from tests.kube.gateways import base64_of, client_pair, id_token, identity_provider, kubeconfig, plugin, server_tls

PODS = 4


@dataclass(frozen=True, slots=True)
class Scene:
    """One kind of credentials for one server.

    kubeconfig: None in a cluster. old, new: whom the server sees. make_new: what happens outside while the run goes on.
    """

    kubeconfig: Path | None
    old: str = "old"
    new: str = "new"
    make_new: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a kind is tried: a directory, a server at a URL, and the authority that all trust."""

    directory: Path
    url: str
    ca: trustme.CA

    def write(self, user: dict[str, object]) -> Path:
        cluster = {"server": self.url, "certificate-authority-data": base64_of(self.ca.cert_pem.bytes())}
        (self.directory / "kubeconfig").write_text(kubeconfig(cluster, user))
        return self.directory / "kubeconfig"

    def pair(self, user: str) -> dict[str, object]:
        certificate, key = client_pair(self.ca, user)
        return {"client-certificate-data": base64_of(certificate), "client-key-data": base64_of(key)}


@asynccontextmanager
async def a_token(place: Place) -> AsyncIterator[Scene]:
    yield Scene(place.write({"token": "old"}), make_new=lambda: place.write({"token": "new"}))


@asynccontextmanager
async def a_token_file(place: Place) -> AsyncIterator[Scene]:
    file = place.directory / "token"
    file.write_text("old\n")
    yield Scene(place.write({"tokenFile": "token"}), make_new=lambda: file.write_text("new\n"))


@asynccontextmanager
async def a_plugins_token(place: Place) -> AsyncIterator[Scene]:
    answers = ({"token": "old", "expirationTimestamp": "2001-01-01T00:00:00Z"}, {"token": "new"})
    yield Scene(place.write({"exec": plugin(place.directory / "get-token", answers)}))


@asynccontextmanager
async def a_plugins_certificate(place: Place) -> AsyncIterator[Scene]:
    pairs = [client_pair(place.ca, user) for user in ("old", "new")]
    answers = [{"clientCertificateData": one.decode(), "clientKeyData": key.decode()} for one, key in pairs]
    yield Scene(place.write({"exec": plugin(place.directory / "get-certificate", answers)}))


@asynccontextmanager
async def an_id_token(place: Place) -> AsyncIterator[Scene]:
    async with identity_provider(server_tls(place.ca)) as provider:
        authority = base64_of(place.ca.cert_pem.bytes())
        config = provider.login(**{"idp-certificate-authority-data": authority, "id-token": id_token("old")})
        path = place.write({"auth-provider": {"name": "oidc", "config": config}})
        yield Scene(path, id_token("old"), provider.new)


@asynccontextmanager
async def a_service_account(place: Place) -> AsyncIterator[Scene]:
    """Where a pod finds its account is fixed, so a directory stands in for that one place."""
    parts = urlsplit(place.url)
    (place.directory / "token").write_text("old")
    (place.directory / "namespace").write_text("default")
    (place.directory / "ca.crt").write_bytes(place.ca.cert_pem.bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access, "SERVICE_ACCOUNT", place.directory)
        patch.setenv("KUBECONFIG", str(place.directory / "no-kubeconfig"))
        patch.setenv("KUBERNETES_SERVICE_HOST", str(parts.hostname))
        patch.setenv("KUBERNETES_SERVICE_PORT", f"{parts.port}{parts.path}")  # the fake's secret is part of its address
        yield Scene(None, make_new=lambda: (place.directory / "token").write_text("new"))


@asynccontextmanager
async def certificate_files(place: Place) -> AsyncIterator[Scene]:
    def write(user: str) -> None:
        certificate, key = client_pair(place.ca, user)
        (place.directory / "user.crt").write_bytes(certificate)
        (place.directory / "user.key").write_bytes(key)

    write("old")
    path = place.write({"client-certificate": "user.crt", "client-key": "user.key"})
    yield Scene(path, make_new=lambda: write("new"))


@asynccontextmanager
async def certificate_data(place: Place) -> AsyncIterator[Scene]:
    yield Scene(place.write(place.pair("old")), make_new=lambda: place.write(place.pair("new")))


KINDS: dict[str, Callable[[Place], AbstractAsyncContextManager[Scene]]] = {
    "a token that a new login replaces in the kubeconfig": a_token,
    "a token file": a_token_file,
    "a plugin's token": a_plugins_token,
    "a plugin's certificate": a_plugins_certificate,
    "an OIDC id token": an_id_token,
    "a pod's service account": a_service_account,
    "a client certificate in files": certificate_files,
    "a client certificate in the kubeconfig": certificate_data,
}


class AfterTheFirst(Listener):
    """Calls `act` when the first transfer is over."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def finished(self, result: Result) -> None:
        act, self._act = self._act, lambda: None
        act()


async def outlive(kind: Callable[[Place], AbstractAsyncContextManager[Scene]], directory: Path) -> tuple[Report, Scene]:
    """Push to pods one by one; after the first, the old credentials are worth nothing. Return the report."""
    ca = trustme.CA()
    (directory / "source").mkdir()
    (directory / "source" / "file").write_text("content")
    async with FakeCluster(directory / "pods", tls=server_tls(ca)) as cluster:
        for number in range(PODS):
            await cluster.add_pod(f"web-{number}", labels={"app": "web"})
        async with kind(Place(directory, cluster.url, ca)) as scene:
            cluster.accept_only(scene.old)
            async with connect(str(scene.kubeconfig) if scene.kubeconfig else None) as connected:
                plan = await plan_push(
                    connected, [str(directory / "source")], Selection(parse_selectors(["app=web:/tmp"]))
                )
                await to_thread.run_sync(scene.make_new)
                observer = AfterTheFirst(lambda: cluster.accept_only(scene.new))
                return await push(
                    connected, plan, options=Options(concurrency=Concurrency(sessions=1)), observer=observer
                ), scene
