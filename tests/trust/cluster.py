"""The real cluster that $KUBECONFIG names, for measurements that need one; and `kubectl cp` beside the real command."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.fleet import environment
from tests.e2e.real import RealFleet


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


def kubectl_cp(fleet: RealFleet, source: str | Path, destination: str | Path) -> subprocess.Popen[bytes]:
    """Start `kubectl cp`; either end may be POD:PATH."""
    argv = ["kubectl", "-n", fleet.namespace, "cp", str(source), str(destination)]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(fleet))
