"""What copies leave in a pod whose first process waits for nobody: no process, neither alive nor as a zombie.

One zombie for each copy fills a pod's limit of processes within days.
"""

import contextlib
import os
import random
import signal
import subprocess
from pathlib import Path

import anyio
import pytest

from asynccp.engine.planning import plan_pull, plan_push
from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.kube.cluster import connect
from asynccp.target import Selection, parse_selectors
from tests.e2e.fleet import WITH_TAR, Fleet, asynccp, labels_for, selector, sh
from tests.e2e.processes import assert_all_ended, processes, remains, signal_tar
from tests.e2e.real import RealFleet
from tests.e2e.running import Running, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

COPIES = 100
INTERRUPTIONS = 10
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def four(fleet: Fleet) -> tuple[str, list[str]]:
    """Four pods, one of each kind that has a tar; the selector, and their names."""
    labels = labels_for("any-state")
    return selector(labels), [fleet.add(kind, f"any-state-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    for number in range(20):
        (tree / "sub" / f"f{number}").write_bytes(os.urandom(2000))
    (tree / "sub" / "link").symlink_to("f1")
    return tree


def test_who_looks_sees_zombies_too(fleet: Fleet, four: tuple[str, list[str]]) -> None:
    """Else all of what follows would prove nothing."""
    labels = labels_for("zombie")
    for kind in fleet.kinds(*WITH_TAR):
        pod = fleet.add(kind, f"zombie-{kind}", labels)
        assert remains(fleet, pod) == []
        sh(fleet, pod, "sh", "-c", "(sleep 0.1 & ) >/dev/null 2>&1")  # nobody waits for this sleep
        eventually(f"a zombie in {pod}", lambda pod=pod: remains(fleet, pod) == ["sleep Z"])  # type: ignore[misc]
        fleet.delete(pod)


def test_a_hundred_copies_leave_nothing(fleet: Fleet, four: tuple[str, list[str]], tree: Path, tmp_path: Path) -> None:
    which, pods = four

    async def copies() -> None:
        async with connect(str(fleet.kubeconfig)) as cluster:
            selection = Selection(parse_selectors([f"{which}:/tmp/copies"], []))
            there = Selection(parse_selectors([f"{which}:/tmp/copies/tree"], []))
            for _ in range(COPIES // 2):
                assert (await push(cluster, await plan_push(cluster, [str(tree)], selection))).ok
                assert (await pull(cluster, await plan_pull(cluster, str(tmp_path / "back"), there))).ok

    anyio.run(copies)
    assert_all_ended(fleet, *pods, within_s=0)


FAILURES: dict[str, tuple[str, ...]] = {
    "a push to a file": ("push", "TREE", "/etc/hostname"),
    "a push below a file": ("push", "TREE", "/etc/hostname/below"),
    "a push to a pseudo file system": ("push", "TREE", "/proc/1/x"),
    "a push with a directory in a file's place": ("push", "TREE/sub/", "/tmp/in-the-way"),
    "a pull of nothing": ("pull", "/nowhere", "BACK"),
    "a pull of what no tar can read": ("pull", "/proc/cpuinfo", "BACK"),
    "a pull of a tree that is not all readable": ("pull", "/proc/1/task", "BACK"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_copy_that_fails_leaves_nothing(
    fleet: Fleet, four: tuple[str, list[str]], failure: str, tree: Path, tmp_path: Path
) -> None:
    which, pods = four
    for pod in pods:
        sh(fleet, pod, "mkdir", "-p", "/tmp/in-the-way/f3")
    direction, *paths = FAILURES[failure]
    if direction == "push":
        ran = asynccp(fleet, "push", paths[0].replace("TREE", str(tree)), "-l", f"{which}:{paths[1]}")
    else:
        ran = asynccp(fleet, "pull", "-l", f"{which}:{paths[0]}", tmp_path)
    assert ran.code != 0
    assert_all_ended(fleet, *pods, within_s=2)


@pytest.mark.parametrize("direction", ["push", "pull"])
@pytest.mark.parametrize("sign", ["KILL", "TERM"])
def test_a_tar_that_somebody_kills_leaves_nothing(
    fleet: Fleet, four: tuple[str, list[str]], direction: str, sign: str, tmp_path: Path
) -> None:
    for pod in four[1]:
        with slow_copy(fleet, pod, direction, tmp_path) as running:
            running.wait_for("started")
            signal_tar(fleet, pod, sign)
            assert running.finish(30).code == 1
        assert_all_ended(fleet, pod, within_s=5)


def slow_copy(fleet: Fleet, pod: str, direction: str, tmp_path: Path, *more: str) -> Running:
    """Begin to copy a large file, slowly."""
    if direction == "push":
        (tmp_path / "big").write_bytes(bytes(64 * MIB))
        return Running(fleet, "push", tmp_path / "big", f"{pod}:/tmp/slow", "--bwlimit", "8M", "-z", "none", *more)
    sh(fleet, pod, "sh", "-c", "[ -e /tmp/big ] || head -c 67108864 /dev/zero >/tmp/big")
    return Running(fleet, "pull", f"{pod}:/tmp/big", tmp_path / "back", "--bwlimit", "8M", "-z", "none", *more)


STILL = b"""#!/bin/sh
case $1 in
--version) exec /bin/tar.real --version ;;
c*) exec sleep 100 ;;
esac
sleep 12
exec /bin/tar.real "$@"
"""


@pytest.mark.parametrize("kind", ["gnu", "bsdtar", "toybox"])  # BusyBox's shell runs its own tar
@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_copy_in_which_nothing_moves_leaves_nothing_and_neither_do_its_further_attempts(
    real_fleet: RealFleet, kind: str, direction: str, tree: Path, tmp_path: Path
) -> None:
    """A push whose tar takes nothing can't know that its client is gone, until its tar goes on."""
    pod = real_fleet.add(kind, f"stalls-{direction}-{kind}", labels_for("stalls"))
    sh(real_fleet, pod, "sh", "-c", "mv /bin/tar /bin/tar.real; cat >/bin/tar; chmod 755 /bin/tar", stdin=STILL)
    (tmp_path / "big").write_bytes(os.urandom(MIB))
    arguments = (
        ("push", tmp_path / "big", f"{pod}:/tmp/still") if direction == "push" else ("pull", f"{pod}:/etc", tmp_path)
    )
    ran = asynccp(real_fleet, *arguments, "--timeout", "2", "--retries", "1")
    assert ran.code == 1
    assert "nothing moved for 2 s" in ran.err
    assert_all_ended(real_fleet, pod, within_s=20)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda ending: ending.name)
@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_client_that_is_ended_at_any_moment_leaves_nothing(
    fleet: Fleet, four: tuple[str, list[str]], ending: signal.Signals, direction: str, tmp_path: Path
) -> None:
    """Also while a program in the pod is about to be started: what it is sent then may be lost."""
    which, pods = four
    chance = random.Random(f"{ending} {direction}")
    (tmp_path / "big").write_bytes(os.urandom(2 * MIB))
    for pod in pods:
        sh(fleet, pod, "sh", "-c", "mkdir -p /tmp/any; head -c 2097152 /dev/urandom >/tmp/any/big; cp -r /etc /tmp/any")
    there = f"{which}:/tmp/any"
    for _ in range(INTERRUPTIONS):
        arguments = ("push", tmp_path / "big", "-l", there) if direction == "push" else ("pull", "-l", there, tmp_path)
        with Running(fleet, *arguments, "--bwlimit", "4M") as running:
            for _ in range(chance.randrange(len(pods))):
                running.wait_for("started")
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.finish(chance.random() * 0.3)
            running.send_signal(ending)
            running.finish(20)
    assert_all_ended(fleet, *pods)


def test_what_runs_in_the_pod_is_not_touched(fleet: Fleet, four: tuple[str, list[str]], tmp_path: Path) -> None:
    """It has a process group of its own, and nothing is ended by name."""
    (tmp_path / "a").write_text("a")
    for pod in four[1]:
        sh(fleet, pod, "sh", "-c", "sleep 1000 >/dev/null 2>&1 </dev/null &")
        before = processes(fleet, pod)
        assert asynccp(fleet, "push", tmp_path / "a", f"{pod}:/tmp").code == 0
        assert asynccp(fleet, "pull", f"{pod}:/tmp/a", tmp_path / "back").code == 0
        assert processes(fleet, pod) == before
        (pid,) = before
        sh(fleet, pod, "sh", "-c", f"kill -9 {pid}")
