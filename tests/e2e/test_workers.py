"""Worker processes: what they do together is what one process does, and one that dies costs nobody a file."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet import Fleet, asynccp, labels_for, selector, sh
from tests.e2e.running import Running, eventually

PODS = 6
FILL = 'mkdir -p "$1/d" && cd "$1" && seq 1 20000 >d/log && echo "$2" >name && ln -s d/log now'
ALIKE = ("pod", "path", "outcome", "bytes", "entries", "error", "class", "left_out", "tally", "tries", "way", "landed")


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> tuple[str, list[str]]:
    labels = labels_for("workers")
    names = [fleet.add("gnu", f"workers-{number}", labels) for number in range(PODS)]
    for one in names:
        sh(fleet, one, "sh", "-c", FILL, "sh", "/tmp/out", one)
    return selector(labels), names


def alike(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what of a report is the same, whoever carried the plan out."""
    return [{name: one[name] for name in ALIKE} for one in report["pods"]]


def contents(top: Path) -> dict[str, bytes | str]:
    return {
        str(path.relative_to(top)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in top.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_a_pull_by_workers_is_the_pull_that_one_process_makes(
    fleet: Fleet, pods: tuple[str, list[str]], tmp_path: Path
) -> None:
    pull = ("pull", "-l", f"{pods[0]}:/tmp/out", "-o", "json")
    here = asynccp(fleet, *pull, tmp_path / "here")
    there = asynccp(fleet, *pull, tmp_path / "there", "--workers", "3")
    assert (here.code, there.code) == (0, 0), there.err
    assert alike(there.report) == alike(here.report)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "there")) == 3 * PODS
    again = asynccp(fleet, *pull, tmp_path / "there", "--workers", "3")
    assert {one["tally"]["same"] for one in again.report["pods"]} == {5}


def test_a_push_by_workers_is_the_push_that_one_process_makes(
    fleet: Fleet, pods: tuple[str, list[str]], tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "a").write_text("1\n")
    push = ("push", tmp_path / "config", "--checksum", "-o", "json", "-l")
    here = asynccp(fleet, *push, f"{pods[0]}:/tmp/here")
    there = asynccp(fleet, *push, f"{pods[0]}:/tmp/there", "--workers", "4")
    assert (here.code, there.code) == (0, 0), there.err
    for one in (here, there):
        for told in one.report["pods"]:
            told["path"] = ""
    assert alike(there.report) == alike(here.report)
    assert {sh(fleet, pod, "cat", "/tmp/there/config/a") for pod in pods[1]} == {b"1\n"}


@pytest.mark.fake_only
def test_failures_are_those_of_the_pods_that_failed(fleet: Fleet, pods: tuple[str, list[str]], tmp_path: Path) -> None:
    first = pods[1][0]
    sh(fleet, first, "sh", "-c", 'mkdir -p "$1" && echo 1 >"$1/x"', "sh", "/tmp/only")
    ran = asynccp(fleet, "pull", "-l", f"{pods[0]}:/tmp/only", tmp_path / "out", "--workers", "2", "-o", "json")
    assert ran.code == 23
    assert ran.outcomes == {first: "complete", **dict.fromkeys(pods[1][1:], "failed")}
    assert all("does not exist in the container" in ran.errors[one] for one in pods[1][1:])


def children(pid: int) -> list[int]:
    """Return the worker processes of a command."""
    found = []
    for one in Path("/proc").iterdir():
        try:
            if one.name.isdigit() and (one / "stat").read_text().rpartition(")")[2].split()[1] == str(pid):
                found += [int(one.name)] * (b"asynccp.relay.worker" in (one / "cmdline").read_bytes())
        except OSError:  # it has ended
            continue
    return found


def runs(pid: int) -> bool:
    """Tell whether a process does: what has ended stays as a zombie where nobody waits for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


LARGE = 'mkdir -p "$1" && head -c 30000000 /dev/zero >"$1/large" && echo 1 >"$1/a"'


@pytest.fixture
def slow(fleet: Fleet) -> tuple[str, list[str]]:
    labels = labels_for("slow")
    names = [fleet.add("gnu", f"slow-{labels['app'][-4:]}-{number}", labels) for number in range(4)]
    for one in names:
        sh(fleet, one, "sh", "-c", LARGE, "sh", "/tmp/large")
    return selector(labels), names


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by /proc")
def test_what_a_killed_worker_had_not_finished_is_done_by_another(
    fleet: Fleet, slow: tuple[str, list[str]], tmp_path: Path
) -> None:
    pull = ("pull", "-l", f"{slow[0]}:/tmp/large", str(tmp_path / "out"), "--workers", "2", "--bwlimit", "20M")
    with Running(fleet, *pull, "-z", "none") as running:
        for _ in slow[1]:  # each worker has begun with its own by then
            running.wait_for("slow-", "started")
        eventually("both workers are there", lambda: len(children(running.pid)) == 2)
        os.kill(children(running.pid)[0], signal.SIGKILL)
        ran = running.finish()
    assert ran.code == 0, ran.err
    assert [one["pod"] for one in ran.report["pods"]] == sorted(slow[1]), "none twice, none missing"
    assert {one["outcome"] for one in ran.report["pods"]} == {"complete"}
    lost = [one for one in ran.report["pods"] if one["attempts"]]
    assert lost
    assert {attempt["class"] for one in lost for attempt in one["attempts"]} == {"WorkerLost"}
    for pod in slow[1]:
        assert (tmp_path / "out" / pod / "large" / "large").stat().st_size == 30_000_000
    assert [one.name for one in (tmp_path / "out").rglob(".asynccp-*")] == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes by /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_one_interrupt_ends_all_workers(
    fleet: Fleet, slow: tuple[str, list[str]], tmp_path: Path, number: signal.Signals
) -> None:
    pull = ("pull", "-l", f"{slow[0]}:/tmp/large", str(tmp_path / "out"), "--workers", "2", "--bwlimit", "5M")
    with Running(fleet, *pull, "-z", "none") as running:
        running.wait_for("slow-", "started")
        workers = children(running.pid)
        running.send_signal(number)
        ran = running.finish()
    eventually("the workers have ended", lambda: not any(map(runs, workers)))
    if number is signal.SIGINT:
        assert ran.code == 130, ran.err
        assert {one["outcome"] for one in ran.report["pods"]} == {"interrupted"}
        assert [one.name for one in (tmp_path / "out").rglob("*") if one.is_file() and one.name != "a"] == []


@pytest.mark.fake_only
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--workers", "0"], "no number of processes"),
        (["--workers", "many"], "no number of processes"),
        (["--workers", "2", "--archive", "out.tar"], "all pods go into one archive, which one process does"),
        (["--workers", "2", "--max-total", "1G"], "all pods share what may be taken in all, which one process does"),
    ],
)
def test_what_is_for_one_process_is_refused(
    fleet: Fleet, pods: tuple[str, list[str]], tmp_path: Path, more: list[str], words: str
) -> None:
    where = [] if "--archive" in more else ["out"]
    ran = asynccp(fleet, "pull", "-l", f"{pods[0]}:/tmp/out", *where, *more, cwd=tmp_path)
    assert (ran.code, words in ran.err) == (2, True), ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fake_only
def test_as_many_as_pay_may_be_one(fleet: Fleet, pods: tuple[str, list[str]], tmp_path: Path) -> None:
    ran = asynccp(fleet, "pull", "-l", f"{pods[0]}:/tmp/out", tmp_path, "--workers", "auto", "--max-total", "1G")
    assert ran.code == 0, ran.err
