"""Strangers at an API server's port on loopback: whoever can reach it, and was not given its address.

Another user of this machine guesses; a page in a browser can't read a private file, but may have seen the address, and
comes with its Origin, or by a name of its own that leads to loopback (DNS rebinding). Each tries every route, plainly
and as a WebSocket, on a connection of its own, in bytes, since no client would say all of this.
"""

import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

WITNESS = "a-stranger-was-here"
POD = "/api/v1/namespaces/default/pods/web-0"
ROUTES = (
    "GET /",
    "GET /version",
    "GET /apis",
    "GET /api/v1",
    "GET /api/v1/pods",
    "GET /api/v1/namespaces/default/pods?watch=1",
    f"GET {POD}",
    "GET /apis/apps/v1/namespaces/default/deployments/web",
    "GET /nothing/here",
    f"DELETE {POD}",
    f"GET {POD}/exec?command=touch&command={WITNESS}&stdout=1",
    f"POST {POD}/exec?command=touch&command={WITNESS}&stdout=1",
)
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: v4.channel.k8s.io",
)


@dataclass(frozen=True, slots=True)
class Stranger:
    """What it comes with. path: what precedes a route. query: what follows it. status: what it is to hear."""

    who: str
    path: str
    headers: tuple[str, ...]
    status: int
    query: str = ""


@dataclass(slots=True)
class Heard:
    """answered: who heard something else than a refusal, and on which route."""

    requests: int = 0
    answered: list[str] = field(default_factory=list)


def strangers(url: str) -> Iterator[Stranger]:
    """Yield those who come to the server at `url`, whose path is its secret."""
    parts = urlsplit(url)
    here, port, secret = f"Host: {parts.netloc}", parts.port, parts.path
    token = secret.removeprefix("/")
    for who, path, *headers in (
        ("nobody's", ""),
        ("another token", f"/{secrets.token_hex(16)}"),
        ("half the token", secret[: len(secret) // 2]),
        ("the token and more", f"{secret}0"),
        ("the token in capitals", secret.upper() + "A"),
        ("no ASCII", "/%C3%A9%FF"),
        ("the token as second part", f"/api{secret}"),
        ("the token behind an empty part", f"/{secret}"),
        ("the token behind a dot", f"/%2E{secret}"),
        ("the token as bearer", "", f"Authorization: Bearer {token}"),
        ("the token as password", "", f"Authorization: Basic {token}"),
        ("the token as cookie", "", f"Cookie: token={token}"),
        ("the token as user", "", f"Impersonate-User: {token}"),
        ("a page without the token", "", "Origin: http://page.example"),
    ):
        yield Stranger(who, path, (here, *headers), 401)
    yield Stranger("the token in the query", "", (here,), 401, f"token={token}")
    yield Stranger("the demo's name", "", (here, "Authorization: Bearer demo"), 401)
    for origin in ("http://page.example", "null", f"http://{parts.netloc}", f"http://localhost:{port}", "file://", ""):
        yield Stranger(f"a page of origin {origin!r}", secret, (here, f"Origin: {origin}"), 403)
    for host in (
        "page.example",
        f"page.example:{port}",
        f"127.0.0.1.page.example:{port}",
        f"127.0.0.1:{port}.page.example",
        f"localhost.page.example:{port}",
        f"page.example@127.0.0.1:{port}",
        f"127.0.0.1:{port},page.example",
        "127.0.0.1",
        "localhost",
        "localhost:80",
        f"0.0.0.0:{port}",
        f"127.0.0.2:{port}",
        "",
    ):
        yield Stranger(f"a page of host {host!r}", secret, (f"Host: {host}",), 403)
    # No HTTP: aiohttp's parser says so, without a look at what was asked.
    yield Stranger("a page of two hosts", secret, (f"Host: page.example:{port}", here), 400)
    yield Stranger("nobody's host", secret, (), 400)


def visit(url: str) -> Heard:
    """Let every stranger try every route, plainly and as a WebSocket."""
    heard = Heard()
    for stranger in strangers(url):
        for route in ROUTES:
            for upgrade in ((), UPGRADE):
                heard.requests += 1
                status = ask(url, route, stranger, upgrade)
                if status != stranger.status:
                    heard.answered.append(f"{stranger.who}: {route}: {status}")
    return heard


def ask(url: str, route: str, stranger: Stranger, upgrade: tuple[str, ...] = ()) -> int:
    """Return the status that a request hears, 0 for none."""
    method, target = route.split()
    query = f"{'&' if '?' in target else '?'}{stranger.query}" if stranger.query else ""
    lines = [f"{method} {stranger.path}{target}{query} HTTP/1.1", *stranger.headers, *upgrade, "", ""]
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode())
        line = connection.makefile("rb").readline().split()
    return int(line[1]) if len(line) > 1 else 0


def witnesses(pods: Path) -> list[Path]:
    """Return what strangers' commands have left below `pods`."""
    return list(pods.rglob(WITNESS))
