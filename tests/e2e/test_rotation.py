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
OURS = ("cat", "find", "head", "sha256sum", "stat", "tar")
DOES_FIRST = """#!/bin/sh
case "$*" in {when})
    for turn in {turns}/*; do
        [ ! -e "$turn" ] || {{ rm "$turn" && (cd {logs} && {does}); }}
        break
    done
esac
exec {program} "$@"
"""
ROTATES = """
for i in 5 4 3 2 1; do [ ! -e app.log.$i ] || mv app.log.$i app.log.$((i + 1)); done
{way} app.log app.log.1 && echo new >app.log
"""


@pytest.fixture
def pod(fleet: FakeFleet, tmp_path: Path) -> FakePod:
    """A pod with four logs, whose programs are in `tmp_path` where `rotate_before` has put them."""
    programs = {"dd": shutil.which("dd") or ""} | {name: str(tmp_path / name) for name in OURS}
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
    for name in OURS:
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    return pod


def rotate_before(pod: FakePod, directory: Path, name: str, when: str, times: int, way: str = "mv") -> None:
    """Have a program of the pod rotate its logs first, so many times, if its arguments match."""
    do_before(pod, directory, name, when, times, ROTATES.format(way=way))


def do_before(
    pod: FakePod, directory: Path, name: str, when: str, times: int, does: str, script: str = DOES_FIRST
) -> None:
    """Have a program of the pod do something to its logs first. does: commands of a shell."""
    for number in range(times):
        (directory / "turns" / str(number)).touch()
    (directory / name).unlink()
    words = {"turns": directory / "turns", "logs": pod.root() / "logs", "program": shutil.which(name)}
    script = script.format(when=when, does=does, **words)
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


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_here_is_not_fetched_again_when_logs_are_rotated_while_that_is_proved(
    times: int, fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    what = collect_but_one(fleet, pod, here)
    rotate_before(pod, tmp_path, "head", "*", times=times)
    ran = asynccp(fleet, "pull", "-l", what, here, "--retries", "0", "-o", "json")
    (told,) = ran.report["pods"]
    assert (ran.code, told["tries"], told["tally"]["saved_bytes"]) == (0, 1, 4 * SIZE), ran.out
    assert told["wire_bytes"] < 2 * SIZE, "what was in app.log, once"
    new = Counter([b"new\n"] * times)
    assert contents(here / pod.name) == contents(pod.root() / "logs") - new


@pytest.mark.parametrize("way", ["mv", "cp"])
def test_what_was_read_before_a_log_was_rotated_is_not_read_again(
    way: str, fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    here, logs = tmp_path / "here", pod.root() / "logs"
    what = f"{selector(pod.labels)}:/logs/"
    assert asynccp(fleet, "pull", "-l", what, here).code == 0
    with (logs / "app.log").open("ab") as log:
        log.write(os.urandom(SIZE))
    os.utime(logs / "app.log", (2000, 2000))
    rotate_before(pod, tmp_path, "cat", "/dev/zero", times=1, way=way)  # behind what `tail` has read
    ran = asynccp(fleet, "pull", "-l", what, here, "--retries", "0", "-o", "json")
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 1), ran.out
    assert contents(here / pod.name) == contents(logs) - Counter([b"new\n"])


def test_a_log_that_was_copied_and_truncated_before_its_rest_is_read_is_read_from_the_copy(
    fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    here, logs = tmp_path / "here", pod.root() / "logs"
    what = f"{selector(pod.labels)}:/logs/"
    assert asynccp(fleet, "pull", "-l", what, here).code == 0
    with (logs / "app.log").open("ab") as log:
        log.write(os.urandom(SIZE))
    os.utime(logs / "app.log", (2000, 2000))
    rotate_before(pod, tmp_path, "stat", "*%y*", times=1, way="cp")  # when its beginning is proved
    ran = asynccp(fleet, "pull", "-l", what, here, "--retries", "0", "-o", "json")
    (told,) = ran.report["pods"]
    assert (ran.code, told["tries"]) == (0, 1), ran.out
    assert SIZE < told["wire_bytes"] < 2 * SIZE
    assert contents(here / pod.name) == contents(logs) - Counter([b"new\n"])


def test_logs_that_keep_their_names_come_at_once(fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    here = tmp_path / "here"
    what = collect_but_one(fleet, pod, here)
    os.utime(pod.root() / "logs" / "app.log", (2000, 2000))  # of what is older than the pull nothing else is asked
    ran = asynccp(fleet, "pull", "-l", what, here, "-o", "json")
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 1), ran.out
    assert contents(here / pod.name) == contents(pod.root() / "logs")


@pytest.mark.parametrize("way", ["mv", "cp"])
def test_a_log_that_was_rotated_before_it_was_packed_comes_with_what_it_was(
    way: str, fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    """For the first time: no other log has another name then."""
    here, logs = tmp_path / "here", pod.root() / "logs"
    for number in (1, 2, 3):
        (logs / f"app.log.{number}").unlink()
    what = f"{selector(pod.labels)}:/logs/"
    assert asynccp(fleet, "pull", "-l", what, here).code == 0
    (logs / "app.log").write_bytes(os.urandom(SIZE))
    os.utime(logs / "app.log", (2000, 2000))
    rotate_before(pod, tmp_path, "tar", "*--no-recursion*", times=1, way=way)
    ran = asynccp(fleet, "pull", "-l", what, here, "-o", "json")
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 2), ran.out
    assert contents(here / pod.name) == contents(logs)


def test_a_file_that_is_written_anew_in_place_of_another_is_no_log(
    fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    """It was read when it was empty yet, which is what the pod had in that moment."""
    here, logs = tmp_path / "here", pod.root() / "logs"
    what = f"{selector(pod.labels)}:/logs/"
    assert asynccp(fleet, "pull", "-l", what, here).code == 0
    (logs / "state").write_bytes(os.urandom(SIZE))
    do_before(pod, tmp_path, "tar", "*--no-recursion*", times=1, does="mv state other; : >state")
    ran = asynccp(fleet, "pull", "-l", what, here, "-o", "json")
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 1), ran.out
    assert (here / pod.name / "state").read_bytes() == b""


@pytest.mark.parametrize("is_there", [False, True], ids=["nothing is here", "all but one is here"])
@pytest.mark.parametrize("lacking", [("find",), ("find", "sha256sum")], ids=["it can prove", "it has no digests"])
def test_a_log_that_got_a_name_which_was_not_looked_at_comes_all_the_same(
    is_there: bool, lacking: tuple[str, ...], fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    """Names are read, logs are rotated, and then what each name has is told: the oldest has a name that nobody read."""
    here, logs = tmp_path / "here", pod.root() / "logs"
    what = collect_but_one(fleet, pod, here if is_there else tmp_path / "elsewhere")
    (here / pod.name).mkdir(parents=True, exist_ok=True)
    for name in lacking:  # find tells both at once: without it the shell reads the names
        (tmp_path / name).unlink()
    rotate_before(pod, tmp_path, "stat", "*//%f*app.log*", times=1)
    ran = asynccp(fleet, "pull", "-l", what, here, "-o", "json")
    assert not list((tmp_path / "turns").iterdir()), "they were rotated"
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 2), ran.out
    assert contents(here / pod.name) == contents(logs)


WALKS = """#!/bin/sh
case $1 in cf)
    for turn in {turns}/*; do
        if [ -e "$turn" ]; then
            rm "$turn" && (cd {logs} && {does}) && shift 2 && exec {program} -c --exclude=app.log.4 "$@"
        fi
    done
esac
exec {program} "$@"
"""


@pytest.mark.parametrize("lacking", ["", "sha256sum"])
@pytest.mark.parametrize("way", ["mv", "cp"])
def test_a_log_that_was_renamed_while_tar_walked_over_it_comes_all_the_same(
    way: str, lacking: str, fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    """For the first time nothing is listed. Tar has read the names, and then the oldest log gets another one."""
    here, logs = tmp_path / "here", pod.root() / "logs"
    os.utime(logs / "app.log")
    if lacking:
        (tmp_path / lacking).unlink()
    do_before(pod, tmp_path, "tar", "", times=1, does=ROTATES.format(way=way), script=WALKS)
    ran = asynccp(fleet, "pull", "-l", f"{selector(pod.labels)}:/logs/", here, "-o", "json")
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 2), ran.out
    assert contents(here / pod.name) == contents(logs)


def test_a_log_that_was_renamed_behind_tar_is_proved_and_not_fetched_again(
    fleet: FakeFleet, pod: FakePod, tmp_path: Path
) -> None:
    here, logs = tmp_path / "here", pod.root() / "logs"
    os.utime(logs / "app.log")
    rotate_before(pod, tmp_path, "stat", "*%y*app.log.4*", times=1)
    ran = asynccp(fleet, "pull", "-l", f"{selector(pod.labels)}:/logs/", here, "-o", "json")
    assert not list((tmp_path / "turns").iterdir()), "they were rotated"
    assert (ran.code, ran.report["pods"][0]["tries"]) == (0, 1), ran.out
    assert contents(here / pod.name) == contents(logs) - Counter([b"new\n"])


PACKS = """#!/bin/sh
case "$*" in *--no-recursion*) printf '%s\\n' "$@" >{turns}.names ;; esac
exec {program} "$@"
"""


def test_of_logs_that_may_be_rotated_the_oldest_is_packed_first(fleet: FakeFleet, pod: FakePod, tmp_path: Path) -> None:
    """One that gets another's name while they are packed has been read by then, and is not read again."""
    here, logs = tmp_path / "here", pod.root() / "logs"
    here.joinpath(pod.name).mkdir(parents=True)
    do_before(pod, tmp_path, "tar", "", times=0, does="", script=PACKS)
    ran = asynccp(fleet, "pull", "-l", f"{selector(pod.labels)}:/logs/", here, "-o", "json")
    assert ran.code == 0, ran.err
    names = (tmp_path / "turns.names").read_text().splitlines()
    packed = [one.rpartition("/")[2] for one in names if "app.log" in one]
    assert packed == ["app.log.3", "app.log.2", "app.log.1", "app.log"]
    assert contents(here / pod.name) == contents(logs)
