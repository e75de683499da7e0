"""Guard: the fake API server answers who was given its address, and nobody else.

Its pods' commands run on this machine, as whoever started it, and anybody here reaches a port of loopback: other users,
and each page in a browser. So a secret is part of the address: the first part of every path, and of the kubeconfig's
`server`. A bearer token would not do: kubectl sends none by plain HTTP (client-go, clientcmd/client_config.go: "only
try to read the auth information if we are secure"), and the standard library makes no certificates for TLS.

A page that has learned the address is told by its Origin, which browsers put on every WebSocket and every request that
is not a plain GET of its own site; one that gave loopback a name of its own (DNS rebinding), by its Host.
"""

import hmac
import secrets

from aiohttp import web
from aiohttp.typedefs import Handler

from asynccp.testing.documents import ApiError


class Guard:
    """secret: new with each server. host: a name by which it is asked for too, such as a proxy's clients do."""

    def __init__(self, host: str = "") -> None:
        self.secret = secrets.token_hex(32)
        self._hosts = {host} if host else set()

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request pass to its handler. Raises ApiError: 401 for a stranger, 403 for a page in a browser."""
        first = request.path.removeprefix("/").partition("/")[0]
        if not hmac.compare_digest(first.encode(errors="surrogateescape"), self.secret.encode()):
            raise ApiError(401, "Unauthorized", "Unauthorized")
        if "Origin" in request.headers:
            raise ApiError(403, "Forbidden", "pages in a browser are not answered")
        port = request.get_extra_info("sockname", ("", 0))[1]
        ours = {f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"} | self._hosts
        if not ours.issuperset(request.headers.getall("Host", [""])):
            raise ApiError(403, "Forbidden", "this is not the host that was asked for")
        return await handler(request)
