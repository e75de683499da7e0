"""Commands in pods of a real cluster, by kubernetes_asyncio's WebSocket client: tests look with none of our code.

In this process, since `kubectl exec` takes 0.07 s of CPU for itself, more than all others that have a part in it, and
tests look thousands of times.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import aiohttp
import anyio
from anyio.from_thread import start_blocking_portal
from kubernetes_asyncio import config
from kubernetes_asyncio.client import CoreV1Api
from kubernetes_asyncio.client.configuration import Configuration
from kubernetes_asyncio.stream import WsApiClient

_STDIN, _STDOUT, _STDERR, _STATUS = range(4)
# A command that stays until it is told to go: of one that ends at once the last of its stdout, or all, can be lost on
# the way (seen with kubectl: nothing at all of an `ls`, exit code 0). $0 says that there is no more.
_END = b"this is all\n"
_STAY = ("sh", "-c", '"$@" </dev/null; code=$?; echo "$0"; read -r _; exit $code', _END.decode().rstrip())


Done = subprocess.CompletedProcess[bytes]


class Looker:
    """Runs commands without input. Its event loop has a thread of its own, until it is closed."""

    def __init__(self, kubeconfig: Path) -> None:
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            client = self._portal.call(_client, kubeconfig)
            self._client = stack.enter_context(self._portal.wrap_async_context_manager(client))
            self.close = stack.pop_all().close

    def run(self, namespace: str, pod: str, container: str, argv: Sequence[str], timeout_s: float) -> Done:
        """Run a command. Raises AssertionError where it can't be told how it ended."""
        try:
            return self._portal.call(self._run, namespace, pod, container, argv, timeout_s)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise AssertionError(f"{argv} in {pod}: {exc!r}") from exc

    async def _run(self, namespace: str, pod: str, container: str, argv: Sequence[str], timeout_s: float) -> Done:
        command = [os.fsencode(one) for one in (*_STAY, *argv)]
        opened: Any = await CoreV1Api(self._client).connect_get_namespaced_pod_exec(
            pod, namespace, container=container, command=cast("Any", command),
            stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
        )  # fmt: skip
        with anyio.fail_after(timeout_s):
            async with opened as socket:
                return await _heard(socket, argv)


async def _client(kubeconfig: Path) -> WsApiClient:
    found = Configuration()
    await config.load_kube_config(str(kubeconfig), client_configuration=found)
    return WsApiClient(found)


async def _heard(socket: Any, argv: Sequence[str]) -> Done:
    """Return what comes on the channels, to the end, which is asked for when all of stdout is here."""
    heard = {channel: bytearray() for channel in (_STDOUT, _STDERR, _STATUS)}
    async for message in socket:
        heard[message.data[0]] += message.data[1:]
        if message.data[0] == _STDOUT and heard[_STDOUT].endswith(_END):
            await socket.send_bytes(bytes([_STDIN]) + b"go\n")
    out, code = bytes(heard[_STDOUT]), _code(bytes(heard[_STATUS]))
    assert code or out.endswith(_END), f"stdout ends early: {out[-200:]!r}"
    return Done(argv, code, out.removesuffix(_END), bytes(heard[_STDERR]))


def _code(status: bytes) -> int:
    """Return the exit code of a v1.Status, as the kubelet writes it. Raises AssertionError for what is none."""
    found = json.loads(status or b"{}")
    causes = {one["reason"]: one["message"] for one in (found.get("details") or {}).get("causes") or ()}
    assert found.get("status") == "Success" or "ExitCode" in causes, f"it ended without an exit code: {found}"
    return int(causes.get("ExitCode", 0))
