"""The real cluster that $KUBECONFIG names, for measurements that need one; and `kubectl cp` beside the real command."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.fleet import asynccp, environment
from tests.e2e.processes import remains
from tests.e2e.real import RealFleet
from tests.e2e.running import eventually
from tests.e2e.shared import VOLUME, seen_by_side
from tests.trees import describe

ENDS_WITHIN_S = 10.0


@contextmanager
def real_fleet() -> Iterator[tuple[RealFleet, Path]]:
    """Return a fleet in a namespace of its own, and a directory; both are gone afterwards."""
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        sys.exit("set KUBECONFIG to the cluster to measure on")
    with tempfile.TemporaryDirectory(prefix="asynccp-trust-") as directory:
        fleet = RealFleet(Path(kubeconfig.split(os.pathsep)[0]), Path(directory))
        try:
            yield fleet, Path(directory)
        finally:
            fleet.close()


def kubectl_cp(
    fleet: RealFleet, source: str | Path, destination: str | Path, container: str = ""
) -> subprocess.Popen[bytes]:
    """Start `kubectl cp`; either end may be POD:PATH."""
    argv = ["kubectl", "-n", fleet.namespace, "cp", str(source), str(destination)]
    argv += ["-c", container] if container else []
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(fleet))


def put_beside(fleet: RealFleet, pod: str, tree: Path) -> None:
    """Put a tree below `there` in a pod's shared volume, by way of its container `side`."""
    ran = asynccp(fleet, "push", tree, f"{pod}:{VOLUME}/there/", "-c", "side")
    assert ran.code == 0, ran.err
    assert seen_by_side(fleet, pod, f"there/{tree.name}") == describe(tree)


def left(fleet: RealFleet, pods: Iterable[str]) -> list[str]:
    """Return name and state of what is in some pods besides their first process, now."""
    return [f"{one} in {pod}" for pod in pods for one in remains(fleet, pod)]


def left_at_last(fleet: RealFleet, pods: Iterable[str]) -> list[str]:
    """Return the same when what was about to end has."""
    with suppress(AssertionError):
        eventually("nothing is left", lambda: not left(fleet, pods), ENDS_WITHIN_S)
    return left(fleet, pods)
