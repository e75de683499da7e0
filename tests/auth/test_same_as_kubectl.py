"""A server sees of us what it sees of kubectl, with the same kubeconfig: the same proof, the same impersonation.

But for a user without credentials: kubectl asks its terminal for a name and a password then, and fails without one.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from aiohttp import web

from asynccp import ClusterError
from tests.auth.test_credentials import names_seen
from tests.kube.gateways import base64_of, plugin, server_tls, write_kubeconfig

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")

PLUGIN: dict[str, Any] = {"exec": "a plugin"}  # stands for one that is made for the test


@asynccontextmanager
async def refusing(user: dict[str, Any], path: Path) -> AsyncIterator[list[list[tuple[str, str]]]]:
    """Serve TLS to whoever asks, and write a user's kubeconfig for it. Yields what each request said of who it is."""
    seen: list[list[tuple[str, str]]] = []

    async def refuse(request: web.Request) -> web.Response:
        headers = [(name.lower(), value) for name, value in request.headers.items()]
        seen.append(sorted(one for one in headers if one[0].startswith(("authorization", "impersonate-"))))
        return web.json_response({"kind": "Status", "message": "no", "code": 403}, status=403)

    ca, app = trustme.CA(), web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls(ca)).start()
    about = {"server": f"https://127.0.0.1:{runner.addresses[0][1]}"}
    about["certificate-authority-data"] = base64_of(ca.cert_pem.bytes())
    write_kubeconfig(path, about, user)
    try:
        yield seen
    finally:
        await runner.cleanup()


@needs_kubectl
@pytest.mark.parametrize(
    "user",
    [
        {"token": "a"},
        {"tokenFile": "token"},
        {"token": "a", "tokenFile": "token"},
        {"username": "a", "password": "b"},
        {"token": "a", "username": "b", "password": "c"},
        PLUGIN,
        {"token": "a", **PLUGIN},
        {"tokenFile": "token", **PLUGIN},
        {"token": "a", "as": "b"},
        {"token": "a", "as": "b", "as-uid": "1", "as-groups": ["g", "h"], "as-user-extra": {"x.y/Z": ["1", "2"]}},
        {"token": "a", "as-groups": ["g"]},
        {**PLUGIN, "as": "b"},
        {"token": "a", "auth-provider": {"name": "gcp"}},
        {"auth-provider": {"name": "gcp"}},
        {"auth-provider": {"name": "oidc"}, **PLUGIN},
    ],
)
async def test_the_server_sees_the_same_user(user: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    (tmp_path / "token").write_text("in-a-file\n")
    made = {"exec": plugin(tmp_path / "plugin", [{"token": "of-a-plugin"}] * 9)} if "exec" in user else {}
    async with refusing({**user, **made}, path) as seen:
        with pytest.raises(ClusterError):
            await names_seen(path)
        ours = seen[:1]
        seen.clear()
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(path)}
        command = ["kubectl", "get", "--raw", "/"]
        await anyio.run_process(command, stdin=subprocess.DEVNULL, env=environment, check=False)
        assert ours == seen[:1]


async def test_a_user_without_credentials_shows_none_and_nobody_is_asked(tmp_path: Path) -> None:
    async with refusing({}, tmp_path / "kubeconfig") as seen:
        with pytest.raises(ClusterError):
            await names_seen(tmp_path / "kubeconfig")
    assert seen == [[]]
