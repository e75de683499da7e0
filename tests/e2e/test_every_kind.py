"""Every kind of container in one command, two pods of each: by tar, by shell, and from beside those that have neither.

A tree with every kind of name and entry arrives in all of them, and comes back from all of them, as it was: as root, as
a user who may write nothing but a volume, and where a pod's containers share their processes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import trees
from tests.e2e.fleet import SHELLLESS, TARLESS, WITH_TAR, Ran, asynccp, labels_for
from tests.e2e.real import IMAGES, RealFleet

pytestmark = pytest.mark.cluster
VOLUME: dict[str, Any] = {"volumes": [{"name": "data", "emptyDir": {}}]}
MOUNTED = [{"name": "data", "mountPath": "/data"}]


@dataclass(frozen=True)
class Setting:
    """What pods are besides their kind. pod: a v1.PodSpec's. container: who they run as."""

    pod: dict[str, Any] = field(default_factory=dict)
    user: int = 0
    read_only: bool = False


SETTINGS = {
    "root": Setting(),
    "no-root": Setting(user=1000, read_only=True),
    "shared": Setting({"shareProcessNamespace": True}),
    "no-root-shared": Setting({"shareProcessNamespace": True}, user=1000, read_only=True),
}


@pytest.fixture(params=SETTINGS)
def pods(real_fleet: RealFleet, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Two pods of each kind, by their names → `app`, of which those with a tar have one, and those without another."""
    setting, web, slim = SETTINGS[request.param], labels_for("web")["app"], labels_for("slim")["app"]
    kinds = [*WITH_TAR, TARLESS, SHELLLESS]
    made = {f"{kind}-{number}-{request.param}": kind for kind in kinds for number in (1, 2)}
    items = []
    for name, kind in made.items():
        spec = real_fleet.spec(kind, user=setting.user, read_only=setting.read_only) | VOLUME | setting.pod
        spec["containers"][0]["volumeMounts"] = MOUNTED
        metadata = {"name": name, "labels": {"app": web if kind in WITH_TAR else slim}}
        items.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    real_fleet.apply({"apiVersion": "v1", "kind": "List", "items": items})
    real_fleet.wait_ready(*made)
    yield {name: web if kind in WITH_TAR else slim for name, kind in made.items()}
    real_fleet.delete(*made)  # a node with all these is slower for whoever comes next


def test_a_tree_is_identical_in_all_of_them_and_comes_back_identical(
    real_fleet: RealFleet, pods: dict[str, str], tmp_path: Path
) -> None:
    tree = trees.build(tmp_path / "tree")
    query = f"app in ({', '.join(sorted(set(pods.values())))})"
    beside = ("--ephemeral", IMAGES["busybox"], "-o", "json")
    pushed = asynccp(real_fleet, "push", tree, "-l", f"{query}:/data", *beside)
    assert all_whole(pushed, pods), pushed.out
    again = asynccp(real_fleet, "push", tree, "-l", f"{query}:/data", *beside)
    assert again.code == 0, again.out
    assert all(not one["tally"]["changed"] for one in again.report["pods"]), "what stands there is what was sent"
    pulled = asynccp(real_fleet, "pull", "-l", f"{query}:/data/tree", tmp_path / "back", "--preserve-modes", *beside)
    assert all_whole(pulled, pods), pulled.out
    wanted = trees.describe(tree)
    for one in pulled.report["pods"]:
        found = trees.describe(tmp_path / "back" / one["pod"] / "tree")
        assert without(found, one, pushed) == without(wanted, one, pushed), one["pod"]


def all_whole(ran: Ran, pods: dict[str, str]) -> bool:
    ways = {one["pod"]: one["way"] for one in ran.report["pods"]}
    assert ways.keys() == pods.keys()
    assert {ways[name] for name in pods if name.startswith(WITH_TAR)} == {"tar"}
    assert {ways[name] for name in pods if name.startswith(TARLESS)} == {"shell"}
    assert not {ways[name] for name in pods if name.startswith(SHELLLESS)} & {"tar", "shell", "tar-alone"}
    return ran.code == 0


def without(facts: dict[bytes, trees.Facts], one: dict[str, Any], pushed: Ran) -> dict[bytes, trees.Facts]:
    """Return what a report does not name as not kept, on the way there or back."""
    there = next(other for other in pushed.report["pods"] if other["pod"] == one["pod"])
    named = json.dumps([there["not_kept"], one["not_kept"]])
    return {path: fact for path, fact in facts.items() if path.decode("utf-8", "surrogateescape") not in named}
