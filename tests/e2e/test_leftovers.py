"""A client that ends in mid copy, however it ends, leaves nothing behind: no process in a pod, no piece of a file."""

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, asynccp, labels_for, selector, sh, snapshot
from tests.e2e.processes import assert_all_ended, processes
from tests.e2e.running import Running, eventually, size_below

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

MIB = 1024 * 1024
ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
SLOWLY = ("--bwlimit", "16M", "-z", "none")  # so that no pod is done when the last has begun


@pytest.fixture(scope="module")
def four(fleet: Fleet) -> tuple[str, list[str]]:
    """Four pods, one of each kind that has a tar; the selector, and their names."""
    labels = labels_for("left")
    return selector(labels), [fleet.add(kind, f"left-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.name)
def test_a_push_that_is_ended_leaves_no_process_and_the_next_one_no_leftovers(
    fleet: Fleet, four: tuple[str, list[str]], tmp_path: Path, ending: signal.Signals
) -> None:
    which, pods = four
    path = f"/tmp/push-{ending.name}"
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "big").write_bytes(os.urandom(64 * MIB))
    with Running(fleet, "push", tmp_path / "tree", "-l", f"{which}:{path}", *SLOWLY) as running:
        for _ in pods:
            running.wait_for("started")
        running.send_signal(ending)
        ran = running.finish(20)
    assert ran.code == (-signal.SIGKILL if ending is signal.SIGKILL else 130)
    assert_all_ended(fleet, *pods)

    (tmp_path / "tree" / "big").write_bytes(b"small")
    (tmp_path / "tree" / "other").write_bytes(b"other")
    assert asynccp(fleet, "push", f"{tmp_path}/tree", "-l", f"{which}:{path}").code == 0
    for pod in pods:
        assert set(snapshot(fleet, pod, path)) == {b"tree", b"tree/big", b"tree/other"}, pod
        assert sh(fleet, pod, "cat", f"{path}/tree/big") == b"small"


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.name)
def test_a_pull_that_is_ended_leaves_no_process_and_the_next_one_no_leftovers(
    fleet: Fleet, four: tuple[str, list[str]], tmp_path: Path, ending: signal.Signals
) -> None:
    which, pods = four
    for pod in pods:
        script = 'mkdir -p "$1" && head -c "$2" /dev/urandom >"$1/big" && echo other >"$1/other"'
        sh(fleet, pod, "sh", "-c", script, "sh", "/tmp/tree", str(64 * MIB))
    with Running(fleet, "pull", "-l", f"{which}:/tmp/tree", tmp_path, *SLOWLY) as running:
        for _ in pods:
            running.wait_for("started")
        eventually("something has arrived", lambda: size_below(tmp_path) > 4 * MIB)
        running.send_signal(ending)
        ran = running.finish(20)
    assert ran.code == (-signal.SIGKILL if ending is signal.SIGKILL else 130)
    assert_all_ended(fleet, *pods)

    if ending is not signal.SIGKILL:  # who is killed can't tidy up; who is asked to end must
        assert not names_below(tmp_path) - {"big", "other"}
    for pod in pods:
        sh(fleet, pod, "sh", "-c", 'echo small >"$1/big"', "sh", "/tmp/tree")
    assert asynccp(fleet, "pull", "-l", f"{which}:/tmp/tree", tmp_path).code == 0
    for pod in pods:
        assert (tmp_path / pod / "tree" / "big").read_bytes() == b"small\n"
    assert names_below(tmp_path) == {"big", "other"}


def names_below(directory: Path) -> set[str]:
    return {name for _, _, names in os.walk(directory) for name in names}


def test_a_client_that_stands_still_and_is_killed_leaves_no_process(
    fleet: Fleet, four: tuple[str, list[str]], tmp_path: Path
) -> None:
    """What kubectl exec leaves for ever: a tar that is blocked on a full pipe, whose reader is gone."""
    which, pods = four
    for pod in pods:
        script = 'mkdir -p "$1" && head -c "$2" /dev/zero >"$1/huge"'
        sh(fleet, pod, "sh", "-c", script, "sh", "/tmp/huge", str(256 * MIB))
    with Running(fleet, "pull", "-l", f"{which}:/tmp/huge/huge", tmp_path, *SLOWLY) as running:
        for _ in pods:
            running.wait_for("started")
        running.send_signal(signal.SIGSTOP)
        for pod in pods:
            assert processes(fleet, pod), f"nothing runs in {pod}"
        running.send_signal(signal.SIGKILL)
        running.finish(20)
    assert_all_ended(fleet, *pods)
    for pod in pods:
        sh(fleet, pod, "rm", "/tmp/huge/huge")
