"""Sources of a push that change while they are read: told and named, never a quiet mixture. Those of a pull have tests
of their own, `test_truth_changes` and `test_truth_unreadable`.

One that grows, shrinks, vanishes; and one that is another with the same size and time, which is what Nix, Bazel,
`rsync -t` and `cp -p` make.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, labels_for, selector, sh
from tests.e2e.running import Running

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

MIB = 1024 * 1024
FILES = 4
FILE = 32 * MIB  # all together more than what is under way between a pod and a client that stands still


@pytest.fixture(scope="module")
def four(fleet: Fleet) -> tuple[str, list[str]]:
    """Four pods, one of each kind that has a tar; the selector, and their names."""
    labels = labels_for("source")
    return selector(labels), [fleet.add(kind, f"source-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, FILE // 2)


def replace(path: Path) -> None:
    twin = path.with_name("twin")
    twin.write_bytes(os.urandom(FILE))
    take_time_of(path, twin)
    twin.rename(path)


def write_in_place(path: Path) -> None:
    found = path.stat()
    with path.open("r+b") as file:
        file.seek(FILE // 2)
        file.write(os.urandom(FILE // 2))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def take_time_of(path: Path, twin: Path) -> None:
    found = path.stat()
    os.utime(twin, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("change", [grow, shrink, Path.unlink, replace, write_in_place], ids=lambda one: one.__name__)
def test_a_source_here_that_changes_is_named_and_no_pod_gets_a_mixture(
    fleet: Fleet, four: tuple[str, list[str]], tmp_path: Path, change: Callable[[Path], None]
) -> None:
    which, pods = four
    source = tmp_path / "tree"
    source.mkdir()
    for number in range(FILES):
        (source / str(number)).write_bytes(os.urandom(FILE))
    with Running(fleet, "push", source, "-l", f"{which}:/tmp/from-here-{change.__name__}") as running:
        running.wait_for("started")
        with running.held():
            for path in list(source.iterdir()):
                change(path)
        ran = running.finish()
    print(f"\n{change.__name__}: exit code {ran.code}, {ran.errors}")
    assert ran.code == 24
    assert ran.outcomes == dict.fromkeys(pods, "changed")
    for pod in pods:
        assert "/tree/" in ran.errors[pod]


@pytest.mark.parametrize("turned", ["sub", ""])
def test_a_directory_here_that_becomes_a_link_leads_no_pod_to_what_is_elsewhere(
    fleet: Fleet, four: tuple[str, list[str]], tmp_path: Path, turned: str
) -> None:
    """Who may write to a source may not have another's file pushed, though it looks like the one that was there."""
    which, pods = four
    source, elsewhere = tmp_path / "tree", tmp_path / "elsewhere"
    for directory in (source / "sub", elsewhere / "sub"):
        directory.mkdir(parents=True)
    (source / "first").write_bytes(os.urandom(FILE))
    (elsewhere / "first").write_bytes(os.urandom(FILE))
    for directory in (source / "sub", elsewhere, elsewhere / "sub"):
        (directory / "shadow").write_bytes(b"decoy!" if directory == source / "sub" else b"secret")
    for twin in (source / "sub/shadow", elsewhere / "shadow", elsewhere / "sub/shadow", elsewhere / "first"):
        take_time_of(source / "first", twin)
    path = f"/tmp/turned-{turned}"
    with Running(fleet, "push", f"{source}/", "-l", f"{which}:{path}", "--bwlimit", "32M") as running:
        running.wait_for("started")
        with running.held():
            (source / turned).rename(tmp_path / "aside")
            (source / turned).symlink_to(elsewhere)
        ran = running.finish()
    print(f"\n{turned}: exit code {ran.code}, {ran.errors}")
    assert ran.code == 24
    assert ran.outcomes == dict.fromkeys(pods, "changed")
    for pod in pods:
        assert not sh(fleet, pod, "sh", "-c", f"cat {path}/sub/shadow 2>/dev/null || :")
