"""The relays' image for a cluster that has no Docker: the file system that asynccp/relay/Dockerfile describes.

python -m tests.e2e.relayimage FOLDER: make what the Dockerfile puts on its base, of what is installed here.
"""

import compileall
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import Distribution, distribution
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import TYPE_CHECKING

import asynccp

if TYPE_CHECKING:
    from tests.e2e.real import RealFleet

PLACE = "opt/asynccp"
NAME = "asynccp.test/relay"
BUILT = os.environ.get("ASYNCCP_TEST_RELAY_IMAGE", "")
"""An image that the Dockerfile has built, and the cluster's nodes have."""
_TOOL = os.environ.get("ASYNCCP_TEST_COMPONENT", "")  # of the cluster: `TOOL image REFERENCE BASE FOLDER COMMAND…`
IS_THERE = bool(BUILT or _TOOL)
REACH = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"} if _TOOL and not BUILT else {}
"""Variables by which a pod on its node's network reaches the API server of that cluster, without a service network."""


def build(folder: Path) -> None:
    """Make the file system."""
    top = folder / PLACE
    top.mkdir(parents=True)
    package = Path(asynccp.__file__).parent
    shutil.copytree(package, top / "asynccp", ignore=shutil.ignore_patterns("__pycache__"))
    for one in _needed("asynccp", {"objects"}, {}).values():
        _copy(one, top)
    mode = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(top, quiet=2, invalidation_mode=mode, stripdir=str(folder))


def ready() -> str:
    """Import the image into the cluster; return its name, which is another one for other sources of ours."""
    if BUILT:
        return BUILT
    with tempfile.TemporaryDirectory() as directory:
        build(Path(directory))
        image = f"{NAME}:{_digest(Path(directory, PLACE, 'asynccp'))}"
        argv = [_TOOL, "image", image, "python", directory, "python3", "-m", "asynccp.relay.presence"]
        subprocess.run(argv, check=True, capture_output=True, timeout=600)
    return image


def words(image: str, template: Path, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a command needs for relays, but for their number. variables: of their environment."""
    env = [{"name": name, "value": value} for name, value in {**REACH, **variables}.items()]
    container = {"name": "relay", "imagePullPolicy": "IfNotPresent", "env": env}
    template.write_text(json.dumps({"spec": {"hostNetwork": bool(REACH), "containers": [container]}}))
    return ("--relay-image", image, "--relay-template", str(template))


def left(fleet: "RealFleet") -> list[str]:
    """Return what is in the cluster of relays, by kind and name."""
    kinds = "jobs,pods,serviceaccounts,roles,rolebindings"
    return fleet.kubectl("get", kinds, "-l", "app.kubernetes.io/component=relay", "-o", "name").split()


def _digest(package: Path) -> str:
    found = sha256()
    for path in sorted(package.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _needed(name: str, extras: set[str], found: dict[str, Distribution]) -> dict[str, Distribution]:
    """Return the distributions that one needs, itself left out, on this Python."""
    from packaging.requirements import Requirement

    for line in distribution(name).requires or ():
        wanted = Requirement(line)
        holds = not wanted.marker or any(wanted.marker.evaluate({"extra": one}) for one in (extras or {""}))
        key = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if holds and key not in found:
            found[key] = distribution(wanted.name)
            _needed(wanted.name, set(wanted.extras), found)
    return found


def _copy(one: Distribution, top: Path) -> None:
    for file in one.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        target = top / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(one.locate_file(file)), target)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
