"""Pods on a real cluster in which a stranger, uid 65534 in the container `side`, may write where `main` is pushed to.

The volume is VOLUME, and one more is mounted below it at NESTED. What must not be touched is all that `main` sees
elsewhere: SECRET, its own, and its image. `admin` is root and prepares.
"""

import hashlib
import itertools
import subprocess
from typing import Any

from tests.e2e.fleet import SHELLLESS, beside, environment, labels_for
from tests.e2e.real import RealFleet

VOLUME, NESTED, SECRET, CONTROL = "/v", "/v/nested", "/secret", "/control"
STRANGER = 65534
_numbers = itertools.count()
_MOUNTS = {
    "main": (VOLUME, NESTED, SECRET),
    "side": (VOLUME, NESTED, CONTROL),
    "admin": (VOLUME, NESTED, SECRET, CONTROL),
}
_OUTSIDE = """\
cd /; set --; for f in *; do case $f in proc | sys | dev | v) ;; *) set -- "$@" "$f" ;; esac; done
if command -v tar >/dev/null; then tar cf - "$@"
else ls -ldn --full-time "$@"; ls -lAnR --full-time "$@"; cat secret/k/*; fi"""


def add_pod(fleet: RealFleet, kind: str, *, user: int = 0, path: str = "") -> str:
    """Start a pod whose `main` is of a kind and runs as `user`, maybe with a PATH; return its name."""
    spec = fleet.spec(kind, user=user)
    spec["containers"] += fleet.spec("busybox", ["side"], user=STRANGER)["containers"]
    spec["containers"] += fleet.spec("busybox", ["admin"])["containers"]
    for one in spec["containers"]:
        one["volumeMounts"] = [{"name": at.rpartition("/")[2], "mountPath": at} for at in _MOUNTS[one["name"]]]
    names = {at.rpartition("/")[2] for mounts in _MOUNTS.values() for at in mounts}
    spec["volumes"] = [{"name": name, "emptyDir": {}} for name in sorted(names)]
    if path:
        spec["containers"][0]["env"] = [{"name": "PATH", "value": path}]
    pod = fleet.run(f"strangers-{kind}-{next(_numbers)}", labels := labels_for("strangers"), spec)
    if kind == SHELLLESS:
        beside(fleet, pod, labels, "-c", "main")
    return pod


def prepare(fleet: RealFleet, pod: str, user: int = 0, mode: str = "777") -> None:
    """Empty the volumes, give the destination a mode, and put five files of `main`'s user into its SECRET."""
    do(
        fleet,
        pod,
        "admin",
        f"""
        find {VOLUME} {SECRET} {CONTROL} -mindepth 1 ! -path {NESTED} -exec rm -rf {{}} + 2>/dev/null || :
        mkdir {SECRET}/k
        for n in id passwd shadow group hosts; do echo $n >{SECRET}/k/$n; done
        chown -R {user}:{user} {SECRET}; chmod 700 {SECRET}; chmod 777 {CONTROL}; chmod {mode} {VOLUME} {NESTED}""",
    )


def do(fleet: RealFleet, pod: str, container: str, script: str) -> str:
    """Run a script in a container, in the volume."""
    return fleet.execute_in(container, pod, ["sh", "-ec", f"cd {VOLUME}\n{script}"]).decode()


def digest(fleet: RealFleet, pod: str) -> str:
    """Return the SHA-256 of all that `main` sees outside the destination: names, kinds, modes, owners, times, bytes."""
    found = fleet.execute(fleet.namespace, pod, ["sh", "-c", f"{_OUTSIDE}; true"], b"")  # what may not be read is told
    assert all(f"{name}\n".encode() in found for name in ("id", "hosts"))
    return hashlib.sha256(found).hexdigest()


class Stranger:
    """A script that runs in `side` until it is left; `attempts` is what it printed last. STOP ends it: it looks."""

    def __init__(self, fleet: RealFleet, pod: str, script: str) -> None:
        self._fleet, self._pod = fleet, pod
        self.attempts = 0
        argv = ["kubectl", "-n", fleet.namespace, "exec", pod, "-c", "side", "--", "sh", "-c", f"cd {VOLUME}\n{script}"]
        pipe: Any = subprocess.PIPE
        self._process = subprocess.Popen(
            argv, stdout=pipe, stderr=subprocess.DEVNULL, env=environment(fleet), text=True
        )

    def __enter__(self) -> "Stranger":
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        do(self._fleet, self._pod, "side", f": >{CONTROL}/stop")
        said = self._process.communicate(timeout=60)[0].split()
        self.attempts = int(said[-1]) if said else 0
