"""A fleet to run the real command against: pods of every kind, on the fake cluster or on a real one.

The tests see the same methods on both, so that the fake stays true.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tests.schema import conforming
from tests.trees import Facts, describe_archive

REAL = os.environ.get("ASYNCCP_TEST_KUBECONFIG", "")
"""Kubeconfigs of the real cluster to run on; empty: the fake one."""
WITH_TAR = ("busybox", "gnu", "bsdtar", "toybox")
TARLESS = "shell-only"  # a shell, and a few of coreutils: no tar, no find, nothing that makes digests


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @cached_property
    def report(self) -> dict[str, Any]:
        """Stdout as the JSON that `-o json` prints: a report or a plan. Fails if it isn't what their schema says."""
        return conforming(self.out)

    @property
    def outcomes(self) -> dict[str, str]:
        return {one["pod"]: one["outcome"] for one in self.report["pods"]}

    @property
    def errors(self) -> dict[str, str]:
        return {one["pod"]: one["error"] or "" for one in self.report["pods"]}


class Fleet(Protocol):
    """Pods to copy to and from. `kubeconfig` may do everything; `namespace` is the configuration's own."""

    kubeconfig: Path
    namespace: str

    def add(
        self,
        kind: str,
        name: str,
        labels: dict[str, str],
        *,
        node: str = "",
        user: int = 0,
        wait: bool = True,
        annotations: dict[str, str] | None = None,
        containers: Sequence[str] = ("main",),
        read_only: bool = False,
        namespace: str = "",
    ) -> str:
        """Start a pod and return its name. A pod whose `node` does not exist stays Pending."""

    def add_deployment(self, name: str, kind: str, labels: dict[str, str], replicas: int) -> list[str]:
        """Start a Deployment and return its pods' names."""

    def add_service(self, name: str, labels: dict[str, str]) -> None:
        """Make a service of the pods with these labels; without labels it selects none."""

    def add_namespace(self) -> str:
        """Make one more namespace and return its name."""

    def delete(self, pod: str) -> None:
        """Delete a pod at once, without waiting for it."""

    def execute(self, namespace: str, pod: str, argv: Sequence[str], stdin: bytes) -> bytes:
        """Run a command in a pod's container `main`; return its stdout."""

    def forbidden(self) -> Path:
        """Return the kubeconfig of a user whom RBAC allows nothing."""

    def kinds(self, *kinds: str) -> list[str]:
        """Return those of the kinds that this fleet has."""


def labels_for(test: str) -> dict[str, str]:
    """Return labels that no other test's pods have."""
    return {"app": f"{test}-{secrets.token_hex(3)}"}


def selector(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


Pods = dict[str, str]
"""A pod of each kind that has a shell, by its kind; `pods["labels"]` is the selector of all."""


def one_of_each(fleet: Fleet, name: str) -> Pods:
    labels = labels_for(name)
    found = {
        kind: fleet.add(kind, f"{name}-{kind}", {**labels, "digests": "no" if kind == TARLESS else "yes"})
        for kind in fleet.kinds(*WITH_TAR, TARLESS)
    }
    return {**found, "labels": selector(labels)}


def with_digests(pods: Pods) -> Pods:
    """Return those of the pods that have a program for them."""
    found = {kind: pod for kind, pod in pods.items() if kind != TARLESS}
    return {**found, "labels": f"{pods['labels']},digests=yes"}


def names(pods: Pods) -> Iterator[str]:
    return (pod for kind, pod in pods.items() if kind != "labels")


def command(*arguments: str | bytes | Path) -> list[str]:
    """Return the argv of the real command."""
    return [sys.executable, "-m", "asynccp", *(os.fsdecode(one) for one in arguments)]


def environment(fleet: Fleet, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASYNCCP_", "KUBE"))}
    return {**kept, "KUBECONFIG": str(fleet.kubeconfig), **more}


def asynccp(fleet: Fleet, *arguments: str | bytes | Path, cwd: Path | None = None, **more: str) -> Ran:
    """Run the real command to its end."""
    done = subprocess.run(
        command(*arguments), capture_output=True, cwd=cwd, env=environment(fleet, **more), timeout=300, check=False
    )
    ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ran.err, ran.err
    return ran


def sh(fleet: Fleet, pod: str, *argv: str, stdin: bytes = b"", namespace: str = "") -> bytes:
    """Run a command in a pod and return its stdout. Fails with its stderr when it fails."""
    return fleet.execute(namespace or fleet.namespace, pod, argv, stdin)


def snapshot(fleet: Fleet, pod: str, directory: str) -> dict[bytes, Facts]:
    """Return what a directory of a pod holds, read by the pod's own tar and Python's tarfile: none of our code.

    Where there is no tar it is our own pull that reads it: tests/remote/test_without_tar.py holds that against GNU tar.
    """
    if TARLESS in pod:
        argv = command("pull", f"{fleet.namespace}/{pod}:{directory}/", "-", "--ignore-times")
        done = subprocess.run(argv, capture_output=True, env=environment(fleet), timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        found = describe_archive(done.stdout)
        tops = {path.split(b"/")[0] for path in found if path}
        assert len(tops) == 1, "of one pod"
        return {path.partition(b"/")[2]: facts for path, facts in found.items() if path}
    script = 'tar cf - -C "$1" .; rc=$?; read -r _; exit $rc'  # it waits for a line, so that its tail can't be cut
    return describe_archive(sh(fleet, pod, "sh", "-c", script, "sh", directory, stdin=b"\n"))


# A small process in between: what is started straight from here is charged with this process's own peak (Linux keeps
# it over exec).
_MEASURED = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss * 1024, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_memory(fleet: Fleet, *arguments: str | Path, code: int = 0) -> tuple[int, dict[str, Any]]:
    """Run the real command, which ends with `code`; return its peak resident set in bytes and its report."""
    argv = [sys.executable, "-S", "-c", _MEASURED, *command(*arguments, "-o", "json", "-q")]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment(fleet), timeout=600, check=False)
    assert done.returncode == code, done.stderr
    return int(done.stderr.split()[-1]), conforming(done.stdout)
