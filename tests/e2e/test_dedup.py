"""What several pods have the same of is fetched once, and the others' files are links to it, or copies."""

import os
from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, Pods, Ran, asynccp, labels_for, names, one_of_each, selector, sh
from tests.e2e.running import Running, eventually, size_below

pytestmark = pytest.mark.timeout(120)

MIB = 1024 * 1024
MAKE = """
    mkdir -p "$1" && cd "$1" || exit
    i=0; while [ $i -lt 8192 ]; do echo 'the same in all of them, and some more, so that it is long enough to pay for a '; i=$((i + 1)); done |
        head -c 500000 >common
    cp common later; cp common often; cp common mode; chmod 600 mode
    { echo "$2"; cat common; } >own; echo small >small
    touch -t 202601020304.05 common mode own small; touch -t 2026010203$3.05 later; touch -t 202601020304.05 often
"""  # noqa: E501
COMMON = 500000


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> Pods:
    return one_of_each(fleet, "dedup")


def make(fleet: Fleet, pods: Pods, directory: str) -> None:
    for number, pod in enumerate(names(pods)):
        sh(fleet, pod, "sh", "-c", MAKE, "sh", directory, pod, str(10 + number))


def pull(fleet: Fleet, pods: Pods, path: str, to: Path, *flags: str) -> Ran:
    ran = asynccp(fleet, "pull", "-l", f"{pods['labels']}:{path}", to, "-z", "none", *flags, "-o", "json")
    assert ran.code == 0, ran.err
    return ran


def able(pods: Pods) -> list[str]:
    """Those that can prove what they have."""
    return [pod for kind, pod in pods.items() if kind not in ("labels", "shell-only")]


def assert_whole(pods: Pods, to: Path, top: str) -> None:
    for number, pod in enumerate(names(pods)):
        here = to / pod / top
        common = (here / "common").read_bytes()
        assert len(common) == COMMON
        assert (here / "own").read_bytes() == f"{pod}\n".encode() + common
        assert all((here / name).read_bytes() == common for name in ("later", "often", "mode"))
        assert (here / "small").read_text() == "small\n"
        assert (here / "mode").stat().st_mode & 0o777 == 0o600
        assert (here / "common").stat().st_mode & 0o777 == 0o644
        minutes = [(here / name).stat().st_mtime // 60 % 60 for name in ("common", "often", "later")]
        assert minutes == [4, 4, 10 + number]
        assert {path.name for path in here.iterdir()} == {"common", "later", "often", "mode", "own", "small"}


@pytest.mark.parametrize("how", ["--dedup", "--dedup=copy"])
def test_one_content_crosses_the_wire_once(fleet: Fleet, pods: Pods, tmp_path: Path, how: str) -> None:
    make(fleet, pods, "/tmp/once")
    ran = pull(fleet, pods, "/tmp/once", tmp_path, how)
    assert_whole(pods, tmp_path, "once")
    told = {one["pod"]: one for one in ran.report["pods"]}
    came = sum(told[pod]["wire_bytes"] for pod in able(pods))
    everyone = sum(told[pod]["tally"]["saved_bytes"] for pod in able(pods))
    # Each has one of its own; and of the others one is fetched, if the pod that can prove nothing has not brought it.
    assert COMMON * (4 * len(able(pods)) - 1) <= everyone <= COMMON * 4 * len(able(pods))
    assert came < COMMON * (len(able(pods)) + 1) + 200_000
    inodes = {(tmp_path / pod / "once" / name).stat().st_ino for pod in able(pods) for name in ("common", "often")}
    assert len(inodes) == (1 if how == "--dedup" else 2 * len(able(pods)))

    again = pull(fleet, pods, "/tmp/once", tmp_path, how)
    assert sum(one["entries"] for one in again.report["pods"] if one["pod"] in able(pods)) == 0
    assert_whole(pods, tmp_path, "once")


def test_what_an_earlier_run_left_is_not_fetched_either(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    make(fleet, pods, "/tmp/earlier")
    first, *others = able(pods)
    assert asynccp(fleet, "pull", f"{first}:/tmp/earlier", tmp_path / first).code == 0
    ran = pull(fleet, pods, "/tmp/earlier", tmp_path, "--dedup")
    assert_whole(pods, tmp_path, "earlier")
    told = {one["pod"]: one for one in ran.report["pods"]}
    assert sum(told[pod]["tally"]["saved_bytes"] for pod in others) == COMMON * 4 * len(others)


def test_a_link_never_grows_or_changes_with_one_pod(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    make(fleet, pods, "/tmp/grows")
    pull(fleet, pods, "/tmp/grows", tmp_path, "--dedup")
    first, second, *_ = able(pods)
    common = (tmp_path / first / "grows/common").read_bytes()
    sh(fleet, first, "sh", "-c", 'cd "$1" && echo more >>common && chmod 640 often', "sh", "/tmp/grows")
    pull(fleet, pods, "/tmp/grows", tmp_path, "--dedup")
    assert (tmp_path / first / "grows/common").read_bytes() == common + b"more\n"
    assert (tmp_path / first / "grows/often").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / second / "grows/common").read_bytes() == common
    assert (tmp_path / second / "grows/often").stat().st_mode & 0o777 == 0o644
    pull(fleet, pods, "/tmp/grows", tmp_path)
    assert (tmp_path / second / "grows/common").read_bytes() == common
    assert (tmp_path / second / "grows/often").stat().st_mode & 0o777 == 0o644


def test_what_one_pod_fails_to_send_the_next_one_does(fleet: Fleet, tmp_path: Path) -> None:
    labels = labels_for("fails")
    pods = [fleet.add(kind, f"fails-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]
    for pod in pods:
        script = 'mkdir "$1" && head -c "$2" /dev/zero >"$1/common" && touch -t 202601020304 "$1/common"'
        sh(fleet, pod, "sh", "-c", script, "sh", "/tmp/fails", str(MIB))
    slowly = ("--bwlimit", "256K", "-z", "none", "--retries", "0", "-o", "json")
    with Running(fleet, "pull", "-l", f"{selector(labels)}:/tmp/fails", tmp_path, "--dedup", *slowly) as running:
        eventually("something comes", lambda: size_below(tmp_path) > 0)
        gone = next(pod for pod in pods if size_below(tmp_path / pod))
        fleet.delete(gone)
        ran = running.finish(60)
    assert ran.code == 23
    assert ran.outcomes == {pod: "failed" if pod == gone else "complete" for pod in pods}
    for pod in set(pods) - {gone}:
        assert (tmp_path / pod / "fails/common").read_bytes() == bytes(MIB)
    assert len({(tmp_path / pod / "fails/common").stat().st_ino for pod in set(pods) - {gone}}) == 1


def test_what_is_no_directory_here_is_refused(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    for to in ("-", tmp_path / "a.tar"):
        flags = ("--archive", to) if to != "-" else (to,)
        ran = asynccp(fleet, "pull", "-l", f"{pods['labels']}:/tmp", *flags, "--dedup")
        assert ran.code == 2
        assert "what pods have in common is shared only among files of this machine" in ran.err
    assert os.listdir(tmp_path) == []
