"""Fleet: pods of one kind on the cluster that $KUBECONFIG names, in a namespace of their own, for one scenario."""

import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import yaml

# On another cluster name other images: ASYNCCP_BENCH_IMAGES="busybox=busybox:1.36 gnu=debian:12".
IMAGES = {kind: f"asynccp.test/{kind}:1" for kind in ("busybox", "gnu")}
IMAGES |= dict(pair.split("=", 1) for pair in os.environ.get("ASYNCCP_BENCH_IMAGES", "").split())

SELECTOR = "app=bench"
_AT_ONCE = 8  # processes of kubectl that check and clean up
_DIGESTS = '[ -d "$1" ] || exit 0; cd "$1" && find . -type f -exec sha256sum {} +'

Digests = dict[str, str]
"""The SHA-256 of every file under a directory, by its path in it."""


@dataclass(frozen=True, slots=True)
class Fleet:
    namespace: str
    pods: tuple[str, ...]

    def digests(self, directory: str) -> list[Digests]:
        """Return what each pod has in a directory. By kubectl exec, which has no interest of ours."""
        return [parsed(output) for output in self.run(["sh", "-c", _DIGESTS, "sh", directory])]

    def run(self, argv: Sequence[str]) -> list[str]:
        """Run a command in each pod and return what they print."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(lambda pod: kubectl("-n", self.namespace, "exec", pod, "--", *argv), self.pods))


@contextmanager
def fleet(kind: str, pods: int) -> Iterator[Fleet]:
    """Start pods, wait until they run, and remove them in the end."""
    namespace = f"asynccp-bench-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    try:
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump(_deployment(namespace, kind, pods)))
        kubectl("-n", namespace, "rollout", "status", "deployment/bench", "--timeout=900s")
        names = "jsonpath={.items[*].metadata.name}"
        found = kubectl("-n", namespace, "get", "pods", "-l", SELECTOR, "-o", names).split()
        yield Fleet(namespace, tuple(found))
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


def _deployment(namespace: str, kind: str, pods: int) -> dict[str, object]:
    labels = {"app": "bench"}
    command = ["sleep", "2147483647"]
    container = {"name": "main", "image": IMAGES[kind], "imagePullPolicy": "IfNotPresent", "command": command}
    template = {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "bench", "namespace": namespace},
        "spec": {"replicas": pods, "selector": {"matchLabels": labels}, "template": template},
    }
