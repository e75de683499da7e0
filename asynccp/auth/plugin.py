"""Plugin: a program that hands out credentials (client-go's exec plugins: `aws eks get-token`, `kubelogin` …).

Run by us, not by kubernetes_asyncio, whose errors quote the plugin's stderr, which never tells a plugin about the
cluster, and which hides what a plugin has to say to a person. The protocol: client.authentication.k8s.io/v1.

What a plugin prints may hold secrets: stdout is never shown; stderr goes to the terminal if a person sits there, as
with kubectl ("open this page and enter the code …"), and nowhere else.
"""

import base64
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread
from anyio.abc import Process

from asynccp.errors import ClusterError
from asynccp.text import printable

_LOG = logging.getLogger("asynccp.auth")
_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_MAX_ANSWER_SIZE = 1024 * 1024  # bytes; a certificate and its key take some KiB
_CLUSTER_FIELDS = (
    "server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url",
    "disable-compression",
)  # fmt: skip


async def credentials_of(plugin: dict[str, Any], cluster: dict[str, Any]) -> dict[str, str]:
    """Run a plugin; return the fields of a user that it gave: a token, a client certificate and its key, or all three.

    plugin: `exec` of a kubeconfig's user. cluster: the fields of the cluster. Raises ClusterError, which names the
    command, but neither its arguments nor what it said.
    """
    command = str(plugin.get("command") or "")
    about, hint = f"the credential plugin {printable(command)!r}", "run it with the kubeconfig's arguments to see why"
    interactive = _interactive(plugin, about)
    begun_s = time.monotonic()
    person = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    try:
        info = await to_thread.run_sync(_info, plugin, cluster, interactive)
    except OSError as exc:
        raise ClusterError(f"{about} can't be told of the cluster: its CA can't be read: {exc.strerror}") from None
    except (TypeError, ValueError, AttributeError):  # what YAML knows and JSON doesn't
        raise ClusterError(f"{about} can't be told of the cluster: its extensions are not understood") from None
    try:
        process = await anyio.open_process(
            [command, *map(str, plugin.get("args") or ())],
            stdin=None if interactive else subprocess.DEVNULL,
            stderr=None if person else subprocess.DEVNULL,
            env={**os.environ, **_variables(plugin), "KUBERNETES_EXEC_INFO": info},
        )
    except OSError as exc:
        install = printable(str(plugin.get("installHint") or "").strip())
        raise ClusterError(f"{about} can't be run: {exc.strerror}", hint=install) from None
    except (TypeError, ValueError, KeyError):  # a NUL byte, an `env` of another shape
        raise ClusterError(f"{about} can't be run: its arguments or variables are not understood") from None
    try:
        async with process:
            said = await _said(process)
            code = await process.wait()
        _LOG.debug("%s ended with exit code %d after %.3f s", about, code, time.monotonic() - begun_s)
        if code:
            raise ClusterError(f"{about} failed with exit code {code}", hint=hint)
        return _answered(json.loads(said), str(plugin.get("apiVersion")))
    except _NotUnderstood as exc:
        raise ClusterError(f"{about} gave no credentials: {exc}", hint=hint) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ClusterError(f"{about} gave no credentials: its answer is not an ExecCredential", hint=hint) from None


class _NotUnderstood(Exception):
    pass


async def _said(process: Process) -> bytes:
    said = bytearray()
    assert process.stdout is not None
    async for part in process.stdout:
        said += part
        if len(said) > _MAX_ANSWER_SIZE:
            process.kill()
            raise _NotUnderstood("its answer does not end")
    return bytes(said)


def _interactive(plugin: dict[str, Any], about: str) -> bool:
    """Tell whether the plugin may ask a person something: it gets our stdin."""
    mode, terminal = plugin.get("interactiveMode") or "IfAvailable", sys.stdin is not None and sys.stdin.isatty()
    if plugin.get("apiVersion") not in _VERSIONS:
        raise ClusterError(f"{about} speaks an API version that is not known", hint=f"known are {', '.join(_VERSIONS)}")
    if mode == "Always" and not terminal:
        raise ClusterError(f"{about} needs a person at a terminal", hint="log in by hand first, or use another user")
    return bool(mode != "Never" and terminal)


def _variables(plugin: dict[str, Any]) -> dict[str, str]:
    return {str(one["name"]): str(one["value"]) for one in plugin.get("env") or ()}


def _info(plugin: dict[str, Any], cluster: dict[str, Any], interactive: bool) -> str:
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = {key: cluster[key] for key in _CLUSTER_FIELDS if cluster.get(key)}
        if cluster.get("certificate-authority") and not cluster.get("certificate-authority-data"):
            pem = Path(cluster["certificate-authority"]).read_bytes()
            spec["cluster"]["certificate-authority-data"] = base64.b64encode(pem).decode()
        for one in cluster.get("extensions") or ():
            if one.get("name") == "client.authentication.k8s.io/exec":
                spec["cluster"]["config"] = one.get("extension")
    return json.dumps({"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": spec})


def _answered(answer: dict[str, Any], version: str) -> dict[str, str]:
    if answer["kind"] != "ExecCredential" or answer["apiVersion"] != version:
        raise _NotUnderstood("it answered in another API version than it was asked in")
    status = answer.get("status") or {}
    token, certificate, key = (status.get(one) for one in ("token", "clientCertificateData", "clientKeyData"))
    if not token and not certificate:
        raise _NotUnderstood("there is neither a token nor a certificate in its answer")
    if bool(certificate) != bool(key):
        raise _NotUnderstood("a client certificate and its key come together, or not at all")
    pair = {"client-certificate-data": certificate, "client-key-data": key} if certificate else {}
    encoded = {name: base64.b64encode(pem.encode()).decode() for name, pem in pair.items()}
    if token and not (isinstance(token, str) and token.strip().isprintable()):
        raise _NotUnderstood("its token is none that a header can hold")
    return {**encoded, **({"token": token} if token else {})}
