"""Logs that are rotated between the pod's list of what it has, and what reads them by name."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from asynccp.testing.kinds import Kind, no_dd
from asynccp.testing.pod import Container, FakePod
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import asynccp, labels_for, selector

pytestmark = [pytest.mark.fake_only, pytest.mark.timeout(60)]

SIZE = 100_000
ROTATES = """#!/bin/sh
case "$*" in {when})
    for turn in {turns}/*; do
        [ ! -e "$turn" ] || {{ rm "$turn" && (
            cd {logs} && for i in 5 4 3 2 1; do [ ! -e app.log.$i ] || mv app.log.$i app.log.$((i + 1)); done
            mv app.log app.log.1 && echo new >app.log
        ); }}
        break
    done
esac
exec {program} "$@"
"""


@pytest.fixture
def pod(fleet: FakeFleet, tmp_path: Path) -> FakePod:
    """A pod with four logs, whose programs are in `tmp_path` where `rotate_before` has put them."""
    programs = {name: path for name in ("dd", "find", "sha256sum") if (path := shutil.which(name))}
    programs |= {name: str(tmp_path / name) for name in ("head", "tar")}
    made = Container("main", Kind("rotating", {**(no_dd().programs or {}), **programs}))
    labels = labels_for("rotating")
    pod = FakePod(labels["app"], labels, containers=[made])
    fleet.run(pod)
    logs, turns = pod.root() / "logs", tmp_path / "turns"
    logs.mkdir()
    turns.mkdir()
    for number, name in enumerate(("app.log", "app.log.1", "app.log.2", "app.log.3")):
        (logs / name).write_bytes(os.urandom(SIZE))
        os.utime(logs / name, (1000 - number, 1000 - number))
    for name in ("head", "tar"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    return pod


def rotate_before(pod: FakePod, directory: Path, name: str, when: str, times: int) -> None:
    """Have a program of the pod rotate its logs first, so many times, if its arguments match."""
    for number in range(times):
        (directory / "turns" / str(number)).touch()
    (directory / name).unlink()
    script = ROTATES.format(when=when, turns=directory / "turns", logs=pod.root() / "logs", program=shutil.which(name))
    (directory / name).write_text(script)
    (directory / name).chmod(0o755)


def contents(directory: Path) -> Counter[bytes]:
    return Counter(path.read_bytes() for path in directory.iterdir())


def collect_but_one(fleet: FakeFleet, pod: FakePod, here: Path) -> str:
    """Pull all but what is then in `app.log`; return what to pull."""
    what = f"{selector(pod.labels)}:/logs/"
    assert asynccp(fleet, "pull", "-l", what, here).code == 0
    logs = pod.root() / "logs"
    for number in (3, 2, 1):
        (logs / f"app.log.{number}").rename(logs / f"app.log.{number + 1}")
    (logs / "app.log").rename(logs / "app.log.1")
    (logs / "app.log").write_bytes(os.urandom(SIZE))
    return what


def test_what_was_rotated_before_it_was_packed_comes_whole_and_once(
    fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    what = collect_but_one(fleet, pod, here)
    rotate_before(pod, tmp_path, "tar", "*--no-recursion*", times=1)
    ran = asynccp(fleet, "pull", "-l", what, here, "-o", "json")
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 2), ran.out
    assert contents(here / pod.name) == contents(pod.root() / "logs")


def test_what_is_rotated_whenever_it_is_packed_is_named(fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    here = tmp_path / "here"
    what = collect_but_one(fleet, pod, here)
    rotate_before(pod, tmp_path, "tar", "*--no-recursion*", times=9)
    ran = asynccp(fleet, "pull", "-l", what, here, "--retries", "1", "-o", "json")
    assert (ran.code, ran.outcomes) == (24, {pod.name: "changed"})
    assert "rotated while they were pulled: app.log.1" in ran.errors[pod.name]


def test_what_is_here_stays_when_logs_are_rotated_between_two_proofs(
    fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    what = collect_but_one(fleet, pod, here)
    before = contents(here / pod.name)
    rotate_before(pod, tmp_path, "head", "*/app.log.3", times=1)
    ran = asynccp(fleet, "pull", "-l", what, here, "--retries", "0", "-o", "json")
    assert (ran.code, ran.outcomes) == (24, {pod.name: "changed"}), ran.out
    assert contents(here / pod.name) == before


def test_logs_that_keep_their_names_come_at_once(fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    here = tmp_path / "here"
    what = collect_but_one(fleet, pod, here)
    os.utime(pod.root() / "logs" / "app.log", (2000, 2000))  # of what is older than the pull nothing else is asked
    ran = asynccp(fleet, "pull", "-l", what, here, "-o", "json")
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 1), ran.out
    assert contents(here / pod.name) == contents(pod.root() / "logs")
