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

from msgspec.structs import replace

from tests.e2e import forked
from tests.schema import conforming
from tests.trees import Facts, describe_archive

REAL = os.environ.get("ASYNCCP_TEST_KUBECONFIG", "")
"""Kubeconfigs of the real cluster to run on; empty: the fake one."""
WITH_TAR = ("busybox", "gnu", "bsdtar", "toybox")
TARLESS = "shell-only"  # a shell, and a few of coreutils: no tar, no find, nothing that makes digests
SHELLLESS = "distroless"  # nothing: copied to and from through an ephemeral container, which has BusyBox
_IMAGES = dict(pair.split("=", 1) for pair in os.environ.get("ASYNCCP_TEST_IMAGES", "").split())
BESIDE = {"ASYNCCP_EPHEMERAL": _IMAGES.get("busybox", "asynccp.test/busybox:1")}
_beside: set[str] = set()  # words of commands that mean pods without a shell


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
        """Run a command in a pod's container `main`; return its stdout. Where that has no shell, which the pod's name
        tells, beside it, if `add_any` has made it: it is an applet of BusyBox then."""

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
"""A pod of each kind, by its kind; `pods["labels"]` is the selector of all."""


def one_of_each(fleet: Fleet, name: str) -> Pods:
    """Start them. What `asynccp` runs for them goes through ephemeral containers where there is no shell."""
    labels = labels_for(name)
    found = {
        kind: add_any(fleet, kind, f"{name}-{kind}", {**labels, "digests": "no" if kind == TARLESS else "yes"})
        for kind in any_kind(fleet)
    }
    return {**found, "labels": selector(labels)}


def any_kind(fleet: Fleet) -> list[str]:
    """Return all kinds that this fleet has."""
    kinds = fleet.kinds(*WITH_TAR, TARLESS, SHELLLESS)
    return kinds if "busybox" in kinds else [kind for kind in kinds if kind != SHELLLESS]


def add_any(fleet: Fleet, kind: str, name: str, labels: dict[str, str]) -> str:
    """Start a pod, as `one_of_each`."""
    fleet.add(kind, name, labels)
    if kind == SHELLLESS:
        beside(fleet, name, labels)
    return name


def beside(fleet: Fleet, pod: str, labels: dict[str, str], *options: str) -> None:
    """Give a pod its ephemeral container; from here on `asynccp` uses it for this pod, and for all with its labels."""
    _beside.update((pod, labels["app"]))
    assert asynccp(fleet, "push", __file__, f"{pod}:/ready/", *options).code == 0


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
    own = {"KUBECONFIG": str(fleet.kubeconfig), "XDG_CACHE_HOME": str(fleet.kubeconfig.parent / "cache")}
    return {**kept, **own, **more}


def asynccp(fleet: Fleet, *arguments: str | bytes | Path, cwd: Path | None = None, **more: str) -> Ran:
    """Run the real command to its end."""
    argv = [os.fsdecode(one) for one in arguments]
    env = environment(fleet, **(BESIDE if any(word in one for word in _beside for one in argv) else {}), **more)
    done = forked.run(argv, env, cwd, timeout_s=300)
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
        (top,) = {path.split(b"/")[0] for path in found if path}  # the pod's name
        below = {path.removeprefix(top).lstrip(b"/"): facts for path, facts in found.items() if path not in (b"", top)}
        return {path: replace(facts, same_as=facts.same_as.removeprefix(top + b"/")) for path, facts in below.items()}
    return describe_archive(sh(fleet, pod, "tar", "cf", "-", "-C", directory, "."))


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
