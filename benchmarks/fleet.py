"""Fleet: pods of one kind on the cluster that $KUBECONFIG names, in a namespace of their own, for one scenario."""

import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

# On another cluster name other images: ASYNCCP_BENCH_IMAGES="busybox=busybox:1.36 gnu=debian:12".
IMAGES = {kind: f"asynccp.test/{kind}:1" for kind in ("busybox", "gnu", "shell-only")}
IMAGES |= dict(pair.split("=", 1) for pair in os.environ.get("ASYNCCP_BENCH_IMAGES", "").split())

SELECTOR = "app=bench"
CHECKER = "checker"
_AT_ONCE = 8  # processes of kubectl that check and clean up
_DIGESTS = '[ -d "$1" ] || exit 0; cd "$1" && find . -type f -exec sha256sum {} +'

Digests = dict[str, str]
"""The SHA-256 of every file under a directory, by its path in it."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """checker: the container that makes digests, where the first one can't; they share /tmp."""

    namespace: str
    pods: tuple[str, ...]
    checker: str = "main"

    def digests(self, directory: str) -> list[Digests]:
        """Return what each pod has in a directory. By kubectl exec, which has no interest of ours."""
        return [parsed(output) for output in self.run(["sh", "-c", _DIGESTS, "sh", directory])]

    def run(self, argv: Sequence[str]) -> list[str]:
        """Run a command in each pod and return what they print."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            exec_ = ("-n", self.namespace, "exec", "-c", self.checker)
            return list(threads.map(lambda pod: kubectl(*exec_, pod, "--", *argv), self.pods))


@contextmanager
def fleet(kind: str, pods: int, *, checked_apart: bool = False) -> Iterator[Fleet]:
    """Start pods, wait until they run, and remove them in the end. checked_apart: digests are made by a container of
    its own in each."""
    namespace = f"asynccp-bench-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    try:
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump(_deployment(namespace, kind, pods, checked_apart)))
        kubectl("-n", namespace, "rollout", "status", "deployment/bench", "--timeout=900s")
        names = "jsonpath={.items[*].metadata.name}"
        found = kubectl("-n", namespace, "get", "pods", "-l", SELECTOR, "-o", names).split()
        yield Fleet(namespace, tuple(found), CHECKER if checked_apart else "main")
    finally:
        kubectl("delete", "namespace", namespace, "--timeout=600s")


def kubectl(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"kubectl {' '.join(arguments[:4])} …: {done.stderr.strip()}")
    return done.stdout


def parsed(output: str) -> Digests:
    """Return what sha256sum has printed."""
    pairs = [line.split(maxsplit=1) for line in output.splitlines()]
    return {path.removeprefix("./"): digest for digest, path in pairs}


def _deployment(namespace: str, kind: str, pods: int, checked_apart: bool) -> dict[str, object]:
    labels = {"app": "bench"}
    images = {"main": IMAGES[kind]} | ({CHECKER: IMAGES["busybox"]} if checked_apart else {})
    spec: dict[str, Any] = {
        "terminationGracePeriodSeconds": 0,
        "containers": [_container(*one) for one in images.items()],
    }
    if checked_apart:
        spec["volumes"] = [{"name": "tmp", "emptyDir": {}}]
        for container in spec["containers"]:
            container["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "bench", "namespace": namespace},
        "spec": {"replicas": pods, "selector": {"matchLabels": labels}, "template": template},
    }


def _container(name: str, image: str) -> dict[str, Any]:
    return {"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "2147483647"]}
