"""Containers without a shell: copied to and from through an ephemeral container, on either cluster.

What only a real one can show: that the files are the target's, whoever it runs as and however its processes are shared,
and that no link leads out of it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import trees
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import Fleet, asynccp, labels_for, selector
from tests.e2e.real import IMAGES, RealFleet

BESIDE = ("--ephemeral", IMAGES["busybox"])
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source = tmp_path / "tree"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "file").write_text("x" * 100_000)
    (source / "a name\nwith a newline").write_text("y")
    (source / "link").symlink_to("sub/file")
    (source / "sub" / "file").chmod(0o640)
    return source


@pytest.fixture(autouse=True)
def _has_busybox(fleet: Fleet) -> None:
    if not fleet.kinds("busybox", "distroless")[1:]:
        pytest.skip("there is no busybox")


def there_and_back(fleet: Fleet, who: str, tree: Path, tmp_path: Path, directory: str = "/tmp") -> None:
    pushed = asynccp(fleet, "push", tree, f"{who}:{directory}", *BESIDE, "-o", "json")
    assert pushed.code == 0, pushed.report
    again = asynccp(fleet, "push", tree, f"{who}:{directory}", *BESIDE, "--checksum", "-o", "json")
    assert again.code == 0, again.report
    assert again.report["pods"][0]["tally"]["same"] > 0
    pulled = asynccp(fleet, "pull", f"{who}:{directory}/tree", tmp_path / "back", *BESIDE, "-o", "json")
    assert pulled.code == 0, pulled.report
    assert trees.describe(tmp_path / "back" / who / "tree") == trees.describe(tree)


def test_a_container_without_a_shell_is_copied_to_and_from(fleet: Fleet, tree: Path, tmp_path: Path) -> None:
    there_and_back(fleet, fleet.add("distroless", "beside", labels_for("beside")), tree, tmp_path)


def test_who_has_a_shell_and_who_has_none_are_copied_to_in_one_run(fleet: Fleet, tree: Path) -> None:
    labels = labels_for("mixed")
    for kind in ("gnu", "distroless"):
        fleet.add(kind, f"mixed-{kind}", labels)
    ran = asynccp(fleet, "push", tree, "-l", f"{selector(labels)}:/tmp", *BESIDE, "-o", "json")
    assert ran.code == 0, ran.report
    assert set(ran.outcomes.values()) == {"complete"}


def test_without_the_flag_nothing_is_added_and_the_flag_is_named(fleet: Fleet, tree: Path) -> None:
    pod = fleet.add("distroless", "unasked", labels_for("unasked"))
    ran = asynccp(fleet, "push", tree, f"{pod}:/tmp", "-o", "json")
    assert ran.code == 1
    assert "--ephemeral IMAGE" in ran.report["pods"][0]["hint"]
    asked = asynccp(fleet, "push", tree, f"{pod}:/tmp", "--all-containers", *BESIDE, "-o", "json")
    assert asked.code == 0, asked.report
    all_again = asynccp(fleet, "push", tree, f"{pod}:/tmp", "--all-containers", *BESIDE, "-o", "json")
    assert [one["container"] for one in all_again.report["pods"]] == ["main"], "what we added is no target"


def test_an_image_that_cannot_be_pulled_is_that_pods_failure(fleet: Fleet, tree: Path) -> None:
    labels = labels_for("unpulled")
    for kind in ("gnu", "distroless"):
        fleet.add(kind, f"unpulled-{kind}", labels)
    ran = asynccp(
        fleet, "push", tree, "-l", f"{selector(labels)}:/tmp", "--ephemeral", "asynccp.test/nothing:1", "-o", "json"
    )
    assert ran.outcomes == {"unpulled-gnu": "complete", "unpulled-distroless": "failed"}
    assert "ImagePullBackOff" in ran.errors["unpulled-distroless"]


@pytest.mark.fake_only
def test_who_may_not_add_one_hears_which_verb_is_missing(fake_fleet: FakeFleet, tree: Path) -> None:
    pod = fake_fleet.add("distroless", "forbidden", labels_for("forbidden"))
    fake_fleet.forbid("patch", "pods/ephemeralcontainers", "copier")
    login = fake_fleet.login("copier")
    ran = asynccp(fake_fleet, "push", tree, f"{pod}:/tmp", *BESIDE, "-o", "json", "--kubeconfig", login)
    assert "may not be added" in ran.errors[pod]
    assert "patch on pods/ephemeralcontainers" in ran.report["pods"][0]["hint"]


@pytest.mark.fake_only
def test_one_is_used_again_until_it_has_ended(fake_fleet: FakeFleet, tree: Path) -> None:
    pod = fake_fleet.add("distroless", "again", labels_for("again"))
    for _ in range(2):
        assert asynccp(fake_fleet, "push", tree, f"{pod}:/tmp", *BESIDE).code == 0
    made = fake_fleet.cluster._store.pods["default", pod].ephemeral
    assert [one.name for one in made] == ["asynccp-1"]
    made[0].terminated = "Completed"
    assert asynccp(fake_fleet, "push", tree, f"{pod}:/tmp", *BESIDE).code == 0
    assert [one.name for one in made] == ["asynccp-1", "asynccp-2"]


# What follows needs processes with roots of their own.


def distroless(fleet: RealFleet, name: str, context: dict[str, Any] | None = None, **spec: Any) -> str:
    """Start a pod of a distroless container with an emptyDir at /data."""
    made = {**fleet.spec("distroless"), "volumes": [{"name": "data", "emptyDir": {}}], **spec}
    made["containers"] = [{**made["containers"][0], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]
    made["containers"][0]["securityContext"] = context or {}
    return fleet.run(name, labels_for(name), made)


def ephemerals(fleet: RealFleet, pod: str) -> list[dict[str, Any]]:
    found = json.loads(fleet.kubectl("get", "pod", pod, "-o", "json"))["spec"].get("ephemeralContainers", [])
    return list(found)


CONTEXTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "root": ({}, {}),
    "user": ({"runAsUser": 1000}, {}),
    "group": ({"runAsUser": 1000, "runAsGroup": 1001}, {"securityContext": {"fsGroup": 2000}}),
    "restricted": (RESTRICTED, {}),
    "read-only": ({**RESTRICTED, "readOnlyRootFilesystem": True}, {}),
    "powerless": ({"capabilities": {"drop": ["ALL"]}}, {}),
    "shared": ({}, {"shareProcessNamespace": True}),
    "shared-user": ({"runAsUser": 1000}, {"shareProcessNamespace": True}),
}


@pytest.mark.cluster
@pytest.mark.parametrize("kind", CONTEXTS)
def test_a_targets_volume_is_reached_whoever_it_runs_as(
    real_fleet: RealFleet, tree: Path, tmp_path: Path, kind: str
) -> None:
    context, spec = CONTEXTS[kind]
    pod = distroless(real_fleet, f"as-{kind}", context, **spec)
    pushed = asynccp(real_fleet, "push", tree, f"{pod}:/data", *BESIDE, "-o", "json")
    assert pushed.code == 0, pushed.report
    pulled = asynccp(real_fleet, "pull", f"{pod}:/data/tree", tmp_path / "back", *BESIDE, "-o", "json")
    assert pulled.code == 0, pulled.report
    assert trees.describe(tmp_path / "back" / pod / "tree") == trees.describe(tree)
    (made,) = ephemerals(real_fleet, pod)
    assert (made["name"], made.get("securityContext", {})) == ("asynccp-1", context)


OUTWARD = {"up": "../" * 20 + "data/real", "proc": "/proc/self/root/data/real", "one": "../proc/1/root/data/real"}
LINKS = {"abs": "/data/real", "rel": "real", "passwd": "/data/real/file", "loop": "loop"} | OUTWARD


@pytest.fixture(params=["root", "user"])
def linked(real_fleet: RealFleet, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, bool]]:
    """A pod whose volume has links, absolute and relative; and whether its ephemeral container may chroot."""
    context, _ = CONTEXTS[request.param]
    pod = distroless(real_fleet, f"linked-{request.param}", context)
    source = tmp_path / "links"
    (source / "real").mkdir(parents=True)
    (source / "real" / "file").write_text("the target's")
    for name, to in LINKS.items():
        (source / name).symlink_to(to)
    assert asynccp(real_fleet, "push", f"{source}/", f"{pod}:/data", *BESIDE).code == 0
    yield pod, request.param == "root"
    assert real_fleet.kubectl("exec", pod, "-c", "asynccp-1", "--", "ls", "-A", "/tmp") == "", (
        "its own files are as they were"
    )


@pytest.mark.cluster
def test_an_absolute_link_stays_inside_the_target(
    real_fleet: RealFleet, linked: tuple[str, bool], tree: Path, tmp_path: Path
) -> None:
    pod, may_chroot = linked
    for path in ("/data/abs", "/data/abs/deep/er", "/data/rel"):
        ran = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:{path}", *BESIDE, "-o", "json")
        assert ran.code == 0, ran.report
    back = asynccp(real_fleet, "pull", f"{pod}:/data/real/", tmp_path / "back", *BESIDE, "-o", "json")
    assert back.code == 0, back.report
    assert trees.describe(tmp_path / "back" / pod / "deep" / "er") == trees.describe(tree)
    named = asynccp(real_fleet, "pull", f"{pod}:/data/passwd", tmp_path / "named", *BESIDE, "-o", "json")
    if may_chroot:
        assert (tmp_path / "named" / pod / "passwd").read_text() == "the target's"
    else:
        assert "can't be followed safely" in named.errors[pod]
        followed = asynccp(real_fleet, "pull", "-L", f"{pod}:/data", tmp_path / "named", *BESIDE, "-o", "json")
        assert "can't be followed safely" in followed.errors[pod]


@pytest.mark.cluster
@pytest.mark.parametrize("name", OUTWARD)
def test_no_way_up_or_through_proc_leaves_the_target(
    real_fleet: RealFleet, linked: tuple[str, bool], tree: Path, tmp_path: Path, name: str
) -> None:
    pod, _ = linked
    pushed = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:/data/{name}/{name}", *BESIDE, "-o", "json")
    assert (pushed.code == 0) is not bool(pushed.errors[pod])
    pulled = asynccp(real_fleet, "pull", f"{pod}:/data/{name}/", tmp_path / "back", *BESIDE, "-o", "json")
    if pulled.code == 0:
        assert (tmp_path / "back" / pod / "file").read_text() == "the target's"
        assert (tmp_path / "back" / pod / name).exists() is (pushed.code == 0)
    own = real_fleet.kubectl(
        "exec", pod, "-c", "asynccp-1", "--", "sh", "-c", "ls -d /data /file; ls -A / | grep async; :"
    )
    assert own == "", "it is in the ephemeral container"


@pytest.mark.cluster
def test_a_tree_is_put_through_no_link_out_of_its_place(
    real_fleet: RealFleet, linked: tuple[str, bool], tmp_path: Path
) -> None:
    pod, may_chroot = linked
    (tmp_path / "over" / "abs").mkdir(parents=True)
    (tmp_path / "over" / "abs" / "new").write_text("new")
    ran = asynccp(real_fleet, "push", f"{tmp_path}/over/", f"{pod}:/data", *BESIDE, "-o", "json")
    if may_chroot:
        assert ran.code == 0, ran.report
    else:
        assert "nothing was changed" in ran.errors[pod]


@pytest.mark.cluster
def test_a_pod_that_pod_security_would_not_take_says_so(real_fleet: RealFleet, tree: Path) -> None:
    namespace = real_fleet.add_namespace()
    spec = real_fleet.spec("distroless")
    spec["containers"][0]["securityContext"] = {}
    real_fleet.run("loose", labels_for("loose"), spec, namespace=namespace)
    level = "pod-security.kubernetes.io/enforce=restricted"
    real_fleet.kubectl("label", "namespace", namespace, level, namespace="default")
    ran = asynccp(real_fleet, "push", tree, f"{namespace}/loose:/tmp", *BESIDE, "-o", "json")
    assert "Pod Security forbids the ephemeral container" in ran.errors["loose"]


@pytest.mark.cluster
def test_on_a_real_cluster_who_may_not_add_one_hears_which_verb_is_missing(real_fleet: RealFleet, tree: Path) -> None:
    pod = distroless(real_fleet, "unpatched")
    _, login = real_fleet.account("get,list on pods", "get,create on pods/exec")
    ran = asynccp(real_fleet, "push", tree, f"{pod}:/tmp", *BESIDE, "-o", "json", "--kubeconfig", login)
    assert "may not be added" in ran.errors[pod]
    assert "patch on pods/ephemeralcontainers" in ran.report["pods"][0]["hint"]
