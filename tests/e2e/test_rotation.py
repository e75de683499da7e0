"""Logs that are rotated between the pod's list of what it has, and the tar that packs it by name."""

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
TAR = """#!/bin/sh
case "$*" in *--no-recursion*)
    for turn in {turns}/*; do
        [ ! -e "$turn" ] || {{ rm "$turn" && (
            cd {logs} && for i in 5 4 3 2 1; do [ ! -e app.log.$i ] || mv app.log.$i app.log.$((i + 1)); done
            mv app.log app.log.1 && echo new >app.log
        ); }}
        break
    done
esac
exec {tar} "$@"
"""


@pytest.fixture
def pod(fleet: FakeFleet, tmp_path: Path) -> FakePod:
    """A pod with four logs, whose tar first rotates them, for each file that there is in `turns`."""
    programs = {name: path for name in ("dd", "find", "head", "sha256sum") if (path := shutil.which(name))}
    tar = tmp_path / "tar"
    made = Container("main", Kind("rotating", {**(no_dd().programs or {}), **programs, "tar": str(tar)}))
    labels = labels_for("rotating")
    pod = FakePod(labels["app"], labels, containers=[made])
    fleet.run(pod)
    logs, turns = pod.root() / "logs", tmp_path / "turns"
    logs.mkdir()
    turns.mkdir()
    for number, name in enumerate(("app.log", "app.log.1", "app.log.2", "app.log.3")):
        (logs / name).write_bytes(os.urandom(SIZE))
        os.utime(logs / name, (1000 - number, 1000 - number))
    tar.write_text(TAR.format(turns=turns, logs=logs, tar=shutil.which("tar")))
    tar.chmod(0o755)
    return pod


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
    (tmp_path / "turns" / "1").touch()
    ran = asynccp(fleet, "pull", "-l", what, here, "-o", "json")
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 2), ran.out
    assert contents(here / pod.name) == contents(pod.root() / "logs")


def test_what_is_rotated_whenever_it_is_packed_is_named(fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    here = tmp_path / "here"
    what = collect_but_one(fleet, pod, here)
    for number in range(9):
        (tmp_path / "turns" / str(number)).touch()
    ran = asynccp(fleet, "pull", "-l", what, here, "--retries", "1", "-o", "json")
    assert (ran.code, ran.outcomes) == (24, {pod.name: "changed"})
    assert "rotated while they were pulled: app.log.1" in ran.errors[pod.name]
