"""Secrets planted in every field that can hold one, and failures that would quote them: what comes out of the command.

For the tests, and for `benchmarks.trust.promises.credentials`, which counts them.
"""

import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import trustme
from anyio import to_thread

from asynccp.testing.server import FakeCluster
from tests.kube.gateways import id_token, identity_provider, kubeconfig, proxy, script, server_tls


@dataclass
class Ground:
    """Where secrets are planted: a directory, the servers around it, and the secrets so far."""

    directory: Path
    plain: str
    secure: str
    issuer: str
    closed_proxy: str
    planted: list[str] = field(default_factory=list)

    def secret(self) -> str:
        self.planted.append(f"s3cr3t{len(self.planted)}x" + os.urandom(6).hex())
        return self.planted[-1]

    def found_in(self, text: str) -> list[str]:
        return [one for one in self.planted if one in text]

    def plugin(self, text: str) -> dict[str, Any]:
        secrets = {"args": [f"--password={self.secret()}"], "env": [{"name": "PASSWORD", "value": self.secret()}]}
        return {**script(self.directory / "plugin", f"echo {self.secret()} >&2\n{text}"), **secrets}

    def oidc(self, issuer: str, token: str) -> dict[str, Any]:
        config = {"idp-issuer-url": issuer, "client-id": "me", "client-secret": self.secret(), "id-token": token}
        return {"auth-provider": {"name": "oidc", "config": {**config, "refresh-token": self.secret()}}}

    def password(self) -> dict[str, Any]:
        user = {"username": "me", "password": self.secret()}
        self.planted.append(base64.b64encode(f"me:{user['password']}".encode()).decode())
        return user


Planted = str | tuple[dict[str, Any], dict[str, Any]]  # the text of a kubeconfig, or its cluster and its user


def _environment_proxy(ground: Ground) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"server": "https://api.example"}, {"token": ground.secret()}


FAILURES: dict[str, Callable[[Ground], Planted]] = {
    "a token that nobody knows": lambda g: ({"server": g.plain}, {"token": g.secret()}),
    "a token with a line break": lambda g: ({"server": g.plain}, {"token": f"{g.secret()}\n{g.secret()}"}),
    "a token that is a mapping": lambda g: ({"server": g.plain}, {"token": {g.secret(): g.secret()}}),
    "a user that is a text": lambda g: json.dumps({**json.loads(kubeconfig({"server": g.plain}, {})), "users": [
        {"name": "u", "user": g.secret()}]}),
    "users that are a text": lambda g: json.dumps(
        {**json.loads(kubeconfig({"server": g.plain}, {})), "users": g.secret()}),
    "YAML that breaks off": lambda g: f"users:\n- name: u\n  user: {{token: {g.secret()}: [\n",
    "YAML with a tab": lambda g: f"users:\n\ttoken: {g.secret()}\n",
    "YAML with a tag": lambda g: f"users: !{g.secret()} {{}}\n",
    "no YAML": lambda g: f"{g.secret()}\0",
    "a wrong password": lambda g: ({"server": g.plain}, g.password()),
    "a password in the server's URL": lambda g: ({"server": g.plain.replace("//", f"//me:{g.secret()}@")}, {}),
    "a key that is no base64": lambda g: (
        {"server": g.secure}, {"client-certificate-data": g.secret(), "client-key-data": g.secret()}),
    "a key that is no PEM": lambda g: (
        {"server": g.secure},
        {"client-certificate-data": base64.b64encode(g.secret().encode()).decode(),
         "client-key-data": base64.b64encode(g.secret().encode()).decode()}),
    "a key where its path belongs": lambda g: (
        {"server": g.secure}, {"client-certificate": g.secret(), "client-key": g.secret()}),
    "a token where its path belongs": lambda g: ({"server": g.plain}, {"tokenFile": g.secret()}),
    "an authority that is not known": lambda g: ({"server": g.secure}, {"token": g.secret()}),
    "a proxy that is not there": lambda g: (
        {"server": g.secure, "proxy-url": f"http://me:{g.secret()}@127.0.0.1:1"}, {"token": g.secret()}),
    "a proxy that refuses": lambda g: (
        {"server": g.secure, "proxy-url": g.closed_proxy.replace("//", f"//me:{g.secret()}@")}, {"token": g.secret()}),
    "a proxy that refuses plain HTTP": lambda g: (
        {"server": g.plain, "proxy-url": g.closed_proxy.replace("//", f"//me:{g.secret()}@")}, {"token": g.secret()}),
    "a proxy of an unknown kind": lambda g: (
        {"server": g.secure, "proxy-url": f"socks5://me:{g.secret()}@127.0.0.1:1"}, {}),
    "a proxy whose URL is none": lambda g: (
        {"server": g.secure, "proxy-url": f"http://me:{g.secret()}@127.0.0.1:{g.secret()}"}, {}),
    "a proxy of the environment": _environment_proxy,
    "a plugin that fails": lambda g: ({"server": g.plain}, {"exec": g.plugin("exit 1")}),
    "a plugin that prints garbage": lambda g: ({"server": g.plain}, {"exec": g.plugin(f"echo {g.secret()}")}),
    "a plugin that is not there": lambda g: (
        {"server": g.plain}, {"exec": {**g.plugin("exit 1"), "command": "/no/such/plugin"}}),
    "a plugin whose token nobody knows": lambda g: ({"server": g.plain}, {"exec": g.plugin(
        'echo \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
         f'"status": {{"token": "{g.secret()}"}}}}\'')}),
    "an identity provider that refuses": lambda g: (
        {"server": g.plain}, g.oidc(g.issuer, id_token(g.secret(), expires=1))),
    "an identity provider that is not there": lambda g: ({"server": g.plain}, g.oidc("http://127.0.0.1:1", "")),
    "an id token that is none": lambda g: ({"server": g.plain}, g.oidc(g.issuer, g.secret())),
    "an unknown auth-provider": lambda g: (
        {"server": g.plain}, {"auth-provider": {"name": "gcp", "config": {"access-token": g.secret()}}}),
    "a token and a password": lambda g: ({"server": g.plain}, {"token": g.secret(), **g.password()}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """planted: how many secrets. found: those that came out. said: all that came out."""

    code: int
    planted: int
    found: list[str]
    said: str


@asynccontextmanager
async def planted(name: str, directory: Path) -> AsyncIterator[tuple[Ground, dict[str, str]]]:
    """Make a kubeconfig in `directory` with which all fails; give what was planted, and the environment it needs."""
    ca = trustme.CA()
    async with (
        FakeCluster(directory / "plain") as plain,
        FakeCluster(directory / "secure", tls=server_tls(ca)) as secure,
        identity_provider(server_tls(ca)) as provider,
        proxy(plain.url, "nobody:knows") as closed,
    ):
        plain.accept_only("somebody else")
        ground = Ground(directory, plain.url, secure.url, provider.url, f"http://127.0.0.1:{closed.port}")
        environment = {"SSL_CERT_FILE": str(directory / "none")}
        if name == "a proxy of the environment":
            environment["HTTPS_PROXY"] = f"http://me:{ground.secret()}@127.0.0.1:1"
        if name.startswith("an identity provider"):
            environment["SSL_CERT_FILE"] = str(directory / "ca.crt")
        await to_thread.run_sync(_plant, FAILURES[name], ground, ca)
        yield ground, environment


async def fail(name: str, directory: Path, program: str = "asynccp") -> Outcome:
    """Run a command into a failure; return what it gave away on stdout, on stderr and in its report.

    program: asynccp, or kubectl, whose `cp` is then run.
    """
    async with planted(name, directory) as (ground, more):
        command = [sys.executable, "-m", "asynccp", "push", __file__, "-l", "app=web:/tmp", "--retries", "0"]
        command += ["-o", "json", "--report", str(directory / "report.json"), "--verbose"]
        if program == "kubectl":
            command = ["kubectl", "cp", __file__, "web-0:/tmp/file"]
        environment = {key: value for key, value in os.environ.items() if key != "ASYNCCP_TRACEBACK"}
        done = await anyio.run_process(
            [*command, "--kubeconfig", str(directory / "kubeconfig")], env={**environment, **more}, check=False
        )
    said = (done.stdout + done.stderr).decode() + await to_thread.run_sync(_text_of, directory / "report.json")
    return Outcome(done.returncode, len(ground.planted), ground.found_in(said), said)


def one_error(said: str) -> bool:
    """Tell whether all that was said is one sentence, perhaps with a hint, and no defect."""
    return re.fullmatch(r"asynccp: (?!a defect).*\n(    .*\n)?", said) is not None


def _plant(failure: Callable[[Ground], Planted], ground: Ground, ca: trustme.CA) -> None:
    planted = failure(ground)
    (ground.directory / "kubeconfig").write_text(planted if isinstance(planted, str) else kubeconfig(*planted))
    ca.cert_pem.write_to_path(ground.directory / "ca.crt")


def _text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""
