"""Sources that change while they are pulled, by all four tars: what was appended to is complete, and said to be so;
what lost its end, was written over or vanished is told with its name. One event, one verdict, as far as one can know.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, Ran, asynccp, labels_for, sh
from tests.e2e.real import RealFleet
from tests.e2e.running import Running
from tests.e2e.shared import add_shared, as_root

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(200)]

FILE = 24 * 1024 * 1024  # four of them are more than what is under way between a pod and a client that stands still
MAKE = 'rm -rf "$1"; mkdir "$1"; for n in 0 1 2 3; do head -c "$2" /dev/urandom >"$1/$n.log"; done'
MAKE += '; touch -d "2020-01-01 00:00:00" "$1"/*'  # times have whole seconds in most archives
LOGS = "/tmp/logs"
EACH = [f"logs/{number}.log" for number in range(4)]


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> dict[str, str]:
    """One pod of each kind that has a tar."""
    labels = labels_for("changes")
    return {kind: fleet.add(kind, f"changes-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)}


@pytest.fixture(params=WITH_TAR)
def kind(request: pytest.FixtureRequest, pods: dict[str, str]) -> str:
    found: str = request.param
    return found if found in pods else pytest.skip(f"there is no {found} here")


@pytest.fixture
def pod(fleet: Fleet, pods: dict[str, str], kind: str) -> str:
    """A pod with four logs."""
    sh(fleet, pods[kind], "sh", "-c", MAKE, "sh", LOGS, str(FILE))
    return pods[kind]


def pulled_while(fleet: Fleet, pod: str, change: str, to: Path, *flags: str) -> tuple[Ran, dict[str, Any]]:
    """Pull the logs; the client stands still until `change` is made: tar is in the middle of a file then."""
    with Running(fleet, "pull", f"{pod}:{LOGS}", to, "-z", "none", *flags) as running:
        running.wait_for("started")
        with running.held():
            sh(fleet, pod, "sh", "-c", f'cd "$1" && {change}', "sh", LOGS)
        ran = running.finish()
    (one,) = ran.report["pods"]
    return ran, one


@contextmanager
def appended_to(fleet: Fleet, pod: str) -> Iterator[None]:
    """Have a program in the pod write lines to all logs, without a pause."""
    forever = 'cd "$1"; while [ ! -e ../stop ]; do for f in *; do echo line >>$f; done; done; rm ../stop'
    sh(fleet, pod, "sh", "-c", f"sh -c '{forever}' sh \"$1\" </dev/null >/dev/null 2>&1 &", "sh", LOGS)
    try:
        yield
    finally:
        sh(fleet, pod, "sh", "-c", ': >"$1/../stop"; while [ -e "$1/../stop" ]; do :; done', "sh", LOGS)


def beginning(fleet: Fleet, pod: str, name: str, size: int) -> str:
    """Return the SHA-256 of the first bytes of a file in a pod."""
    said = sh(fleet, pod, "sh", "-c", 'head -c "$2" "$1" | sha256sum', "sh", f"/tmp/{name}", str(size))
    return said.decode().split()[0]


def assert_prefixes(fleet: Fleet, pod: str, here: Path) -> None:
    """What is here is what the pod's files begin with."""
    for name in EACH:
        content = (here / pod / name).read_bytes()
        assert len(content) >= FILE
        assert hashlib.sha256(content).hexdigest() == beginning(fleet, pod, name, len(content))


@pytest.mark.parametrize("flags", [[], ["--checksum"]], ids=lambda one: "".join(one) or "plain")
def test_logs_that_grow_are_complete_up_to_the_size_they_had(
    fleet: Fleet, pod: str, tmp_path: Path, flags: list[str]
) -> None:
    with appended_to(fleet, pod):
        ran = asynccp(fleet, "pull", f"{pod}:{LOGS}", tmp_path, "-o", "json", *flags)
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"], one["error"]) == (0, "complete", None)
    assert sorted(one["grown"]) == EACH
    assert one["tries"] == 1
    assert one["archive_bytes"] < 6 * FILE, "it was read once"
    assert_prefixes(fleet, pod, tmp_path)
    assert "4 files grew while they were read, complete up to the size they had: logs/" in ran.err


def test_growth_is_a_change_to_who_is_strict(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    with appended_to(fleet, pod):
        ran = asynccp(fleet, "pull", f"{pod}:{LOGS}", tmp_path, "-o", "json", "--strict-sources")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"], one["tries"]) == (24, "changed", 1)
    for name in EACH:
        assert f"{name} changed while it was read" in one["error"]


@pytest.mark.parametrize("flags", [["--strict-sources"], ["--checksum", "--strict-sources"]], ids=" ".join)
def test_who_is_strict_is_not_bothered_when_nothing_changes(
    fleet: Fleet, pod: str, tmp_path: Path, flags: list[str]
) -> None:
    ran = asynccp(fleet, "pull", f"{pod}:{LOGS}", tmp_path, "-o", "json", *flags)
    assert (ran.code, ran.outcomes) == (0, {pod: "complete"})


def test_who_is_strict_is_told_where_the_container_can_not_tell(real_fleet: RealFleet, tmp_path: Path) -> None:
    pod = add_shared(real_fleet, "gnu", path="/v/bin")
    as_root(real_fleet, pod, "mkdir bin d; for p in sh tar cat dd; do ln -s /bin/$p bin/$p; done; echo x >d/f")
    assert asynccp(real_fleet, "pull", f"{pod}:/v/d", tmp_path).code == 0
    ran = asynccp(real_fleet, "pull", f"{pod}:/v/d", tmp_path, "--strict-sources", "-o", "json")
    assert ran.code == 1
    assert ran.errors == {pod: "the sources can't be watched: the container has no stat"}


def test_a_log_that_is_emptied_under_tars_hands_is_named_or_read_again(
    fleet: Fleet, kind: str, pod: str, tmp_path: Path
) -> None:
    """As `copytruncate` of logrotate does. GNU's and libarchive's tar go on, with zeros; the others end there."""
    ran, one = pulled_while(fleet, pod, "for f in *; do : >$f; done", tmp_path)
    if kind in ("gnu", "bsdtar"):
        assert (ran.code, one["outcome"], one["tries"]) == (24, "changed", 1)
        assert ".log shrank while it was read" in one["error"]
    else:
        assert (ran.code, one["outcome"], one["tries"]) == (0, "complete", 2)
        assert {path.stat().st_size for path in (tmp_path / pod / "logs").iterdir()} == {0}


def test_a_log_that_is_rotated_by_renaming_is_whole(fleet: Fleet, kind: str, pod: str, tmp_path: Path) -> None:
    """GNU tar takes the rename itself for a change of the file; the others do not notice."""
    before = {beginning(fleet, pod, name, FILE) for name in EACH}
    _, one = pulled_while(fleet, pod, "for f in *.log; do mv $f $f.1; echo new >$f; done", tmp_path)
    assert one["outcome"] in (("complete", "changed") if kind == "gnu" else ("complete",)), one["error"]
    assert one["tries"] == 1
    large = [path for path in (tmp_path / pod / "logs").iterdir() if path.stat().st_size > 4]
    assert large
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in large} <= before


def test_logs_that_are_packed_away_are_named_as_vanished(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    """As `compress` of logrotate does it: the old file goes when the new one is there. One verdict for all tars."""
    ran, one = pulled_while(fleet, pod, "for f in *.log; do echo packed >$f.gz; rm $f; done", tmp_path)
    assert (ran.code, one["outcome"], one["tries"]) == (24, "changed", 1)
    assert ".log vanished before it was read" in one["error"]


REWRITE = "for f in *; do head -c 1000000 /dev/zero 1<>$f; done"  # in place


@pytest.mark.parametrize("flags", [[], ["--strict-sources"], ["--checksum"]], ids=lambda one: "".join(one) or "plain")
def test_logs_that_are_written_over_are_named_where_the_tar_tells_and_to_who_asks(
    fleet: Fleet, kind: str, pod: str, tmp_path: Path, flags: list[str]
) -> None:
    """Of the same size. Nobody but GNU tar tells: README says so, and what finds it with the others."""
    ran, one = pulled_while(fleet, pod, REWRITE, tmp_path, *flags)
    if not flags and kind != "gnu":
        assert (ran.code, one["outcome"]) == (0, "complete")
        return
    assert (ran.code, one["outcome"], one["tries"]) == (24, "changed", 1), "and it is not read five times"
    assert re.search(r"\.log (changed while it was read|was changed or removed before the pull ended)", one["error"])


VANISHING = 30


def test_files_that_vanish_have_one_verdict_and_all_are_counted(
    fleet: Fleet, kind: str, pod: str, tmp_path: Path
) -> None:
    """Thirty files go while the first is read."""
    more = f'i=0; while [ $i -lt {VANISHING} ]; do echo $i >"$1/f$i"; i=$((i + 1)); done'
    sh(fleet, pod, "sh", "-c", more, "sh", LOGS)
    ran, one = pulled_while(fleet, pod, "rm f*", tmp_path)
    came = {path.name for path in (tmp_path / pod / "logs").iterdir()}
    gone = {f"f{number}" for number in range(VANISHING)} - came
    print(f"{kind}: {len(gone)} of {VANISHING} vanished in time: {one['error']}")
    if not gone:
        pytest.skip("tar had read them all before the first big file")
    assert (ran.code, one["outcome"], one["tries"]) == (24, "changed", 1)
    unnamed = re.search(r"and (\d+) more$", one["error"])
    assert one["error"].count("vanished before it was read") + (int(unnamed[1]) if unnamed else 0) == len(gone)
