"""A container that has a tar and no shell: pulled from by that alone, and pushed to by nothing."""

import shutil
from pathlib import Path

import pytest

from asynccp.testing.kinds import Kind
from asynccp.testing.pod import Container, FakePod
from tests import trees
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import asynccp, labels_for
from tests.e2e.real import IMAGES, RealFleet


@pytest.fixture(params=["tar", "busybox", "toybox"])
def pod(fake_fleet: FakeFleet, request: pytest.FixtureRequest) -> FakePod:
    if (path := shutil.which(request.param)) is None:
        pytest.skip(f"this machine has no {request.param}")
    kind = Kind(f"{request.param}-alone", {"tar": path})
    pod = FakePod(f"alone-{request.param}", labels_for("alone"), containers=[Container("main", kind)])
    fake_fleet.run(pod)
    return pod


@pytest.mark.fake_only
def test_what_is_pulled_by_tar_alone_is_identical(fake_fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    (pod.root() / "srv").mkdir()
    tree = trees.build(pod.root() / "srv/tree")
    for path, back in (("/srv/tree", "tree"), ("/srv/tree/", ".")):
        into = tmp_path / f"of-{back}"
        ran = asynccp(fake_fleet, "pull", f"{pod.name}:{path}", into, "--preserve-modes", "-o", "json")
        assert ran.code == 0, ran.err
        assert ran.report["pods"][0]["way"] == "tar-alone"
        assert trees.describe(into / pod.name / back) == trees.describe(tree)
    ran = asynccp(fake_fleet, "pull", f"{pod.name}:/srv/tree/plain", tmp_path / "one")
    assert "tar alone was asked" in ran.out


@pytest.mark.fake_only
def test_what_it_can_do_is_told_beforehand_and_a_push_is_refused(
    fake_fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    checked = asynccp(fake_fleet, "check", pod.name)
    assert "by its tar, without a shell: a pull of all that is there, no push" in checked.out
    (tmp_path / "file").write_text("x")
    pushed = asynccp(fake_fleet, "push", tmp_path / "file", f"{pod.name}:/tmp", "-o", "json")
    assert "there is no shell in the container" in pushed.errors[pod.name]
    assert not list((pod.root() / "tmp").iterdir())
    missing = asynccp(fake_fleet, "pull", f"{pod.name}:/srv/none", tmp_path / "back", "-o", "json")
    assert "/srv/none does not exist in the container" in missing.errors[pod.name]


@pytest.fixture
def real_pod(real_fleet: RealFleet) -> str:
    """A pod whose container `main` has a tar, BusyBox's, and no shell, and shares /srv with one that has both."""
    spec = real_fleet.spec("distroless")
    side = real_fleet.spec("busybox", ["side"])["containers"][0]
    main, tools, shared = spec["containers"][0], {"name": "tools", "emptyDir": {}}, {"name": "srv", "emptyDir": {}}
    main["volumeMounts"] = [{"name": "tools", "mountPath": "/usr/local/bin"}, {"name": "srv", "mountPath": "/srv"}]
    side["volumeMounts"] = [{"name": "srv", "mountPath": "/srv"}]
    copies = ["cp", "/bin/busybox", "/tools/tar"]
    mounts = [{"name": "tools", "mountPath": "/tools"}]
    begins = {"name": "begins", "image": IMAGES["busybox"], "command": copies, "volumeMounts": mounts}
    spec |= {"containers": [main, side], "initContainers": [begins], "volumes": [tools, shared]}
    return real_fleet.run("tar-alone", labels_for("alone"), spec)


@pytest.mark.cluster
def test_by_tar_alone_a_real_container_is_pulled_from_and_not_pushed_to(
    real_fleet: RealFleet, real_pod: str, tmp_path: Path
) -> None:
    tree = trees.build(tmp_path / "tree")
    assert asynccp(real_fleet, "push", tree, f"{real_pod}:/srv", "-c", "side").code == 0
    main = ("-c", "main", "-o", "json")
    ran = asynccp(real_fleet, "pull", f"{real_pod}:/srv/tree", tmp_path / "back", "--preserve-modes", *main)
    assert ran.code == 0, ran.err
    assert ran.report["pods"][0]["way"] == "tar-alone"
    assert trees.describe(tmp_path / "back" / real_pod / "tree") == trees.describe(tree)
    checked = asynccp(real_fleet, "check", real_pod, "-c", "main")
    assert "by its tar, without a shell: a pull of all that is there, no push" in checked.out
    pushed = asynccp(real_fleet, "push", tree / "plain", f"{real_pod}:/srv/new/", *main)
    assert pushed.code == 1
    assert "there is no shell in the container" in pushed.errors[real_pod]
    missing = asynccp(real_fleet, "pull", f"{real_pod}:/srv/new", tmp_path / "none", *main)
    assert "/srv/new does not exist in the container" in missing.errors[real_pod]
