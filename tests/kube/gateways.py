"""What stands between a user and an API server, on loopback: TLS, a proxy, an identity provider, a plugin."""

import asyncio
import base64
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme
from aiohttp import web

FAR_AWAY = 4102444800  # seconds since 1970: the year 2100


def server_tls(
    ca: trustme.CA, name: str = "127.0.0.1", clients: ssl.VerifyMode = ssl.CERT_OPTIONAL, **more: Any
) -> ssl.SSLContext:
    """Return the server's side: a certificate for `name`, and whether clients may or must have one of the same CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name, **more).configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = clients
    return context


def client_pair(ca: trustme.CA, user: str) -> tuple[bytes, bytes]:
    """Return a client certificate and its key, as PEM."""
    issued = ca.issue_cert("user@example.org", common_name=user)
    return issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def kubeconfig(cluster: dict[str, Any], user: dict[str, Any]) -> str:
    """Return the text of a kubeconfig. JSON is YAML."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return json.dumps(document, indent=1)


def write_kubeconfig(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> None:
    path.write_text(kubeconfig(cluster, user))


def plugin(path: Path, answers: Iterable[dict[str, Any]], version: str = "v1") -> dict[str, Any]:
    """Write a plugin that gives these statuses in turn, and return the `exec` of a user that runs it."""
    for number, status in enumerate(answers, 1):
        answer = {"apiVersion": f"client.authentication.k8s.io/{version}", "kind": "ExecCredential", "status": status}
        path.with_name(f"{path.name}.{number}").write_text(json.dumps(answer))
    return script(
        path, 'n=$(($(wc -l < "$0.runs") + 1)); echo "$KUBERNETES_EXEC_INFO" >> "$0.runs"; cat "$0.$n"', version
    )


def script(path: Path, text: str, version: str = "v1") -> dict[str, Any]:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    path.with_name(f"{path.name}.runs").touch()
    return {"apiVersion": f"client.authentication.k8s.io/{version}", "command": str(path), "interactiveMode": "Never"}


def runs_of(path: Path) -> list[dict[str, Any]]:
    """Return what a plugin was told, run by run."""
    return [json.loads(line) for line in path.with_name(f"{path.name}.runs").read_text().splitlines()]


def id_token(name: str, expires: int = FAR_AWAY) -> str:
    parts = ({"alg": "none"}, {"sub": name, "exp": expires})
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts) + ".sig"


@dataclass
class IdentityProvider:
    """It gives `new` for the refresh token in `good`, which is then used up, and a new one follows.

    meanwhile: what happens before it answers. It runs nothing, and gives made-up tokens for its client's secret alone.
    endpoint: where it says that tokens are to be had, if not from itself. leads_to: where it sends who wants to know.
    """

    url: str = ""
    good: str = "refresh-1"
    new: str = field(default_factory=lambda: id_token("new"))
    client: tuple[str, str] = field(default_factory=lambda: ("asynccp", secrets.token_hex(16)))
    meanwhile: Callable[[], object] = lambda: None
    endpoint: object = None
    leads_to: str = ""

    def login(self, **more: str) -> dict[str, str]:
        """Return what a kubeconfig has of a user who is known here."""
        known = {"idp-issuer-url": self.url, "client-id": self.client[0], "client-secret": self.client[1]}
        return {**known, "refresh-token": self.good, **more}

    async def describe(self, _: web.Request) -> web.Response:
        if self.leads_to:
            return web.Response(status=302, headers={"Location": self.leads_to})
        return web.json_response({"token_endpoint": self.endpoint or f"{self.url}/token"})

    async def describe_elsewhere(self, _: web.Request) -> web.Response:
        return web.json_response({"token_endpoint": f"{self.url}/token"})

    async def refresh(self, request: web.Request) -> web.Response:
        form = await request.post()
        if request.headers.get("Authorization") != f"Basic {base64_of(':'.join(self.client).encode())}":
            return web.json_response({"error": "invalid_client"}, status=401)
        if form["grant_type"] != "refresh_token" or form["refresh_token"] != self.good:
            return web.json_response({"error": f"bad token {form['refresh_token']!r}"}, status=400)
        self.good += "+"
        self.meanwhile()
        return web.json_response({"id_token": self.new, "refresh_token": self.good})


@asynccontextmanager
async def identity_provider(tls: ssl.SSLContext | None) -> AsyncIterator[IdentityProvider]:
    provider, app = IdentityProvider(), web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.describe)
    app.router.add_get("/elsewhere", provider.describe_elsewhere)
    app.router.add_post("/token", provider.refresh)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    provider.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()


@asynccontextmanager
async def trusted_provider(directory: Path) -> AsyncIterator[tuple[IdentityProvider, dict[str, str]]]:
    """A provider with TLS, whose authority's certificate is put there, and a login that trusts it."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(directory / "idp.crt")
    async with identity_provider(server_tls(ca)) as provider:
        yield provider, provider.login(**{"idp-certificate-authority": str(directory / "idp.crt")})


@dataclass
class Proxy:
    """heard: the method and target of each request. password: what it wants as user:password, if anything."""

    port: int
    to: tuple[str, int]
    password: str = ""
    heard: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target = head.decode().split()[:2]
            self.heard.append(f"{method} {target}")
            if self.password and base64_of(self.password.encode()) not in head.decode():
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            far_reader, far_writer = await asyncio.open_connection(*self.to)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                far_writer.write(head)
            try:
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            finally:
                far_writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # 3.11 logs the cancellation of a connection's task as an error
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def proxy(to: str, password: str = "") -> AsyncIterator[Proxy]:
    """Run a proxy that connects every request to the server at the URL `to`, whatever host it names.

    Strangers win nothing by it: it leads to that server alone, which wants its secret from them as without a proxy.
    """
    parts = urlsplit(to)
    one, tasks = Proxy(0, (str(parts.hostname), parts.port or 0), password), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await one.serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
