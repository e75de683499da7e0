"""Directories are reached from their root, whatever becomes of their names meanwhile."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynccp.local.directories import Directories


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    for name in ("a/b/c", "a/d", "other"):
        (tmp_path / "root" / name).mkdir(parents=True)
    (tmp_path / "root/link").symlink_to("a")
    return os.fsencode(tmp_path / "root")


@pytest.fixture
def directories() -> Iterator[Directories]:
    before = len(os.listdir("/dev/fd"))
    with Directories() as found:
        yield found
    assert len(os.listdir("/dev/fd")) == before, "all are closed"


def names(directories: Directories, root: bytes, below: bytes) -> set[str]:
    descriptor = os.open(".", os.O_RDONLY, dir_fd=directories.at(root, below))
    try:
        return set(os.listdir(descriptor))
    finally:
        os.close(descriptor)


def test_each_is_found_in_any_order(directories: Directories, root: bytes) -> None:
    table = {b"": {"a", "link", "other"}, b"a/b": {"c"}, b"a": {"b", "d"}, b"a/b/c": set(), b"a/d": set()}
    for below in (b"", b"a/b", b"a/b", b"a", b"a/b/c", b"a/d", b"", b"a/b/c"):
        assert names(directories, root, below) == table[below]
    assert names(directories, root + b"/a", b"b") == {"c"}, "another root"


def test_a_link_is_followed_in_the_name_of_the_root_only(directories: Directories, root: bytes) -> None:
    assert names(directories, root + b"/link", b"b") == {"c"}
    for below in (b"link", b"link/b"):
        with pytest.raises(NotADirectoryError):
            directories.at(root, below)
    assert names(directories, root, b"a") == {"b", "d"}, "it still can be asked"


def test_what_is_held_stays_the_same_whatever_its_name_leads_to(directories: Directories, root: bytes) -> None:
    directories.at(root, b"a/b")
    Path(os.fsdecode(root + b"/a")).rename(os.fsdecode(root + b"/moved"))
    Path(os.fsdecode(root + b"/a")).symlink_to("/")
    assert names(directories, root, b"a/b/c") == set()


def test_depth_takes_no_more_descriptors(directories: Directories, root: bytes) -> None:
    below, at = b"/".join([b"x"] * 500), Path(os.fsdecode(root))
    (at / os.fsdecode(below)).mkdir(parents=True)
    before = len(os.listdir("/dev/fd"))
    for deep in (below, below[:-2], below, below[:-200]):
        directories.at(root, deep)
        assert len(os.listdir("/dev/fd")) - before < 100
    assert names(directories, root, below[:-2]) == {"x"}


def test_a_directory_that_may_not_be_read_may_be_passed_through(directories: Directories, root: bytes) -> None:
    (Path(os.fsdecode(root)) / "a").chmod(0o311)
    assert names(directories, root, b"a/b") == {"c"}
