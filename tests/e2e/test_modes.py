"""Modes of what a pull brings: those of the pod, but nothing that the umask here forbids, unless that is asked for."""

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet, asynccp, command, environment, labels_for, sh, snapshot
from tests.trees import describe_archive

pytestmark = pytest.mark.timeout(120)

MODES = {
    "open": 0o777,
    "open/all": 0o666,
    "open/run": 0o777,
    "open/group": 0o664,
    "open/mine": 0o600,
    "open/suid": 0o4755,
}


@contextmanager
def umask(wanted: int) -> Iterator[None]:
    """Have the commands that are started meanwhile inherit it."""
    old = os.umask(wanted)
    try:
        yield
    finally:
        os.umask(old)


@pytest.fixture(scope="module")
def pod(fleet: Fleet) -> str:
    name = fleet.add("gnu", "modes", labels_for("modes"))
    sh(fleet, name, "mkdir", "-p", "/tmp/open")
    for path, mode in reversed(MODES.items()):
        script = '[ -d "$1" ] || echo x >"$1"; chmod "$2" "$1"'
        sh(fleet, name, "sh", "-c", script, "sh", f"/tmp/{path}", f"{mode:o}")
    return name


def modes_below(directory: Path) -> dict[str, int]:
    return {path: stat.S_IMODE((directory / path).stat().st_mode) for path in MODES}


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_a_pull_sets_no_bit_that_the_umask_forbids(fleet: Fleet, pod: str, tmp_path: Path, mask: int) -> None:
    with umask(mask):
        assert asynccp(fleet, "pull", f"{pod}:/tmp/open", tmp_path).code == 0
        assert asynccp(fleet, "cp", f"{pod}:/tmp/open/all", tmp_path / "one").code == 0
    assert modes_below(tmp_path / pod) == {path: mode & 0o777 & ~mask for path, mode in MODES.items()}
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o666 & ~mask


def test_the_pods_word_is_taken_on_request_but_for_set_id_bits(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    with umask(0o077):
        assert asynccp(fleet, "pull", "--preserve-modes", f"{pod}:/tmp/open", tmp_path).code == 0
        assert asynccp(fleet, "cp", "--preserve-modes", f"{pod}:/tmp/open/all", tmp_path / "one").code == 0
    assert modes_below(tmp_path / pod) == {path: mode & 0o777 for path, mode in MODES.items()}
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o666


def test_the_umask_here_is_no_business_of_a_push(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o666)
    with umask(0o077):
        assert asynccp(fleet, "push", tmp_path / "f", f"{pod}:/tmp/pushed/").code == 0
        assert asynccp(fleet, "cp", f"{pod}:/tmp/open", f"{pod}:/tmp/along").code == 0
    assert sh(fleet, pod, "stat", "-c", "%a", "/tmp/pushed/f", "/tmp/along/all").split() == [b"666", b"666"]


def test_both_ways_modes_and_times_need_not_be_kept(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    for name, mode in (("secret", 0o600), ("run", 0o700), ("below", 0o700)):
        (source / name).touch()
        (source / name).chmod(mode)
        os.utime(source / name, (1, 1))
    flags = ["--no-perms", "--no-times"]
    before_s = time.time() - 1
    with umask(0o022):
        assert asynccp(fleet, "push", source, f"{pod}:/tmp/usual", "--checksum", *flags).code == 0
        assert asynccp(fleet, "pull", f"{pod}:/tmp/open", tmp_path, *flags).code == 0
        tar = subprocess.run(
            command("pull", f"{pod}:/tmp/open", "-", *flags), capture_output=True, env=environment(fleet)
        )
    there = snapshot(fleet, pod, "/tmp/usual/source")
    usual = {b"secret": 0o644, b"run": 0o755, b"below": 0o755}
    assert {path: facts.mode for path, facts in there.items()} == usual
    here = {path: 0o644 if path[5:] in ("all", "group", "mine") else 0o755 for path in MODES}
    assert modes_below(tmp_path / pod) == here
    packed = {path.decode().partition("/")[2]: facts for path, facts in describe_archive(tar.stdout).items()}
    assert {path: facts.mode for path, facts in packed.items()} == here
    for facts in (*there.values(), *packed.values()):
        assert facts.mtime_s > before_s


def test_modes_are_kept_whole_or_not_at_all(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    ran = asynccp(fleet, "pull", f"{pod}:/tmp/open", tmp_path, "--no-perms", "--preserve-modes")
    assert (ran.code, ran.err.splitlines()[-1]) == (
        2,
        "asynccp: modes can't be taken as the pods have them and not be kept",
    )
