"""`--all-containers`: every container of a pod that runs; of a pull, those that have the path."""

from pathlib import Path

import pytest

from asynccp.testing.kinds import gnu
from asynccp.testing.pod import Container, FakePod
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import Fleet, asynccp, labels_for, selector, sh

WRITE = 'mkdir -p "$1" && echo "$2" >"$1/who"'


@pytest.fixture
def pod(fake_fleet: FakeFleet) -> FakePod:
    """A pod with three containers, one of which doesn't run; /srv/log is in `app` alone, /srv/all in both."""
    labels = labels_for("all")
    made = FakePod(
        f"all-{labels['app']}", labels, containers=[Container(one, gnu()) for one in ("app", "side", "broken")]
    )
    made.containers[2].waiting = "CrashLoopBackOff"
    fake_fleet.run(made)
    for container, path in (("app", "log"), ("app", "all"), ("side", "all")):
        there = made.root(container) / "srv" / path
        there.mkdir(parents=True)
        (there / "who").write_text(container)
    return made


def files(directory: Path) -> dict[str, str]:
    return {str(one.relative_to(directory)): one.read_text() for one in directory.rglob("*") if one.is_file()}


@pytest.mark.fake_only
def test_a_pull_takes_each_container_that_has_the_path(fake_fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    query = selector(pod.labels)
    ran = asynccp(fake_fleet, "pull", "-l", f"{query}:/srv/all", tmp_path, "--all-containers")
    assert ran.code == 0, ran.err
    assert files(tmp_path) == {f"{pod.name}/app/all/who": "app", f"{pod.name}/side/all/who": "side"}
    assert "container broken is waiting (CrashLoopBackOff)" in ran.err
    assert "pulled from 1 of 1 pod" in ran.out


@pytest.mark.fake_only
def test_a_container_without_the_path_is_told_and_no_failure(
    fake_fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    arguments = ("pull", "-l", f"{selector(pod.labels)}:/srv/log", tmp_path, "--all-containers")
    ran = asynccp(fake_fleet, *arguments)
    assert ran.code == 0, ran.err
    assert files(tmp_path) == {f"{pod.name}/app/log/who": "app"}
    assert "/side:/srv/log  absent: /srv/log does not exist in the container" in ran.err
    assert "not in 1 container, as told above" in ran.out
    ran = asynccp(fake_fleet, *arguments, "-o", "json", "--fail-fast", "-q")
    assert ran.code == 0
    (line,) = ran.err.splitlines()
    assert line.startswith("skipped 1 container that matched: container broken is waiting"), "and no word of `side`"
    assert {one["container"]: one["outcome"] for one in ran.report["pods"]} == {"app": "complete", "side": "absent"}
    assert ran.report["groups"] == []


@pytest.mark.fake_only
def test_a_path_that_no_container_has_fails_the_pod(fake_fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    ran = asynccp(fake_fleet, "pull", "-l", f"{selector(pod.labels)}:/srv/none", tmp_path, "--all-containers")
    assert ran.code == 1
    assert "1 pod failed: /srv/none does not exist" in ran.out
    assert files(tmp_path) == {}


@pytest.mark.fake_only
def test_a_push_goes_to_each_container(fake_fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text("new")
    ran = asynccp(
        fake_fleet, "push", tmp_path / "app.toml", "-l", f"{selector(pod.labels)}:/etc/app/", "--all-containers"
    )
    assert ran.code == 0, ran.err
    assert "to 2 places in 1 pod" in ran.err
    for container in ("app", "side"):
        assert (pod.root(container) / "etc/app/app.toml").read_text() == "new"
    assert not (pod.root("broken") / "etc").exists()


@pytest.mark.fake_only
def test_with_strict_a_container_that_does_not_run_counts(fake_fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    arguments = ("pull", "-l", f"{selector(pod.labels)}:/srv/all", tmp_path, "--all-containers", "--strict")
    ran = asynccp(fake_fleet, *arguments, "-o", "json")
    assert ran.code == 23
    assert ran.report["skipped"] == [
        {
            "pod": f"default/{pod.name}",
            "container": "broken",
            "reason": "container broken is waiting (CrashLoopBackOff)",
        }
    ]


def test_where_several_containers_run_each_has_a_directory_of_its_own(fleet: Fleet, tmp_path: Path) -> None:
    labels = labels_for("several")
    name = fleet.add("busybox", f"several-{labels['app']}", labels, containers=["main", "side"])
    sh(fleet, name, "sh", "-c", WRITE, "sh", "/tmp/only-main", "main")
    ran = asynccp(fleet, "pull", "-l", f"{selector(labels)}:/tmp/only-main", tmp_path, "--all-containers", "-o", "json")
    assert ran.code == 0, ran.err
    assert files(tmp_path) == {f"{name}/main/only-main/who": "main\n"}
    assert {one["container"]: one["outcome"] for one in ran.report["pods"]} == {"main": "complete", "side": "absent"}


def test_one_container_and_all_of_them_are_refused(fleet: Fleet, tmp_path: Path) -> None:
    ran = asynccp(fleet, "pull", "-l", "app=none:/x", tmp_path / "to", "--all-containers", "-c", "main")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "asynccp: one container was asked for, and all of them",
        "    leave -c out",
    ]
    assert list(tmp_path.iterdir()) == []
