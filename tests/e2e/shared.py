"""Pods on a real cluster in which somebody else, root, shares a volume with the container that is copied from."""

import base64
import itertools
from typing import Any

from tests.e2e.fleet import labels_for
from tests.e2e.real import RealFleet
from tests.trees import Facts, describe_archive

VOLUME = "/v"
_numbers = itertools.count()


def add_shared(fleet: RealFleet, kind: str, *, user: int = 1000, path: str = "") -> str:
    """Start a pod with the containers `main`, of a kind, which runs as `user`, and `side`; return its name.

    path: PATH in `main`; empty: the image's.
    """
    return fleet.run(f"shared-{kind}-{next(_numbers)}", labels_for("shared"), shared_spec(fleet, kind, user, path))


def shared_spec(fleet: RealFleet, kind: str, user: int = 1000, path: str = "") -> dict[str, Any]:
    spec = fleet.spec(kind, user=user)
    spec["containers"] += fleet.spec("toybox", ["side"])["containers"]
    spec["volumes"] = [{"name": "shared", "emptyDir": {}}]
    for one in spec["containers"]:
        one["volumeMounts"] = [{"name": "shared", "mountPath": VOLUME}]
    if path:
        spec["containers"][0]["env"] = [{"name": "PATH", "value": path}]
    return spec


def as_root(fleet: RealFleet, pod: str, script: str) -> str:
    """Run a script in `side`, in the shared volume."""
    return fleet.kubectl("exec", pod, "-c", "side", "--", "sh", "-ec", f"cd {VOLUME}\n{script}")


def seen_by_side(fleet: RealFleet, pod: str, directory: str) -> dict[bytes, Facts]:
    """Return what a directory of the volume holds, as `side` sees it."""
    return describe_archive(base64.b64decode(as_root(fleet, pod, f"tar cf - -C {directory} . | base64")))
