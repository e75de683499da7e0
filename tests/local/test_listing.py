"""What stands in a destination, as it is compared with what a pod has."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynccp.entry import Kind
from asynccp.errors import DestinationError, Knob
from asynccp.local.listing import standing, standing_below
from asynccp.plan.manifest import Item
from tests.powerless import bound_by_permissions
from tests.trees import NAMES


@pytest.fixture
def root(tmp_path: Path) -> Iterator[bytes]:
    """A destination. Outside of it is what no listing may tell."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("x")
    below = tmp_path / "logs/web-0"
    (below / "d/e").mkdir(parents=True)
    (below / "a").write_text("abc")
    (below / "d/b").write_text("")
    (below / "link").symlink_to("a")
    (below / "away").symlink_to(tmp_path / "outside")
    os.mkfifo(below / "pipe")
    before = len(os.listdir("/dev/fd"))
    yield os.fsencode(tmp_path / "logs")
    assert len(os.listdir("/dev/fd")) == before, "all are closed"


def test_facts_of_each_kind(root: bytes) -> None:
    found = standing_below(root, b"web-0", 100)
    kinds = {path: item.kind for path, item in found.items()}
    assert kinds == {
        b"": Kind.DIRECTORY,
        b"a": Kind.FILE,
        b"away": Kind.SYMLINK,
        b"d": Kind.DIRECTORY,
        b"d/b": Kind.FILE,
        b"d/e": Kind.DIRECTORY,
        b"link": Kind.SYMLINK,
        b"pipe": None,
    }
    status = os.stat(root + b"/web-0/a")
    assert found[b"a"] == Item(
        Kind.FILE,
        3,
        status.st_mtime_ns,
        status.st_mode & 0o7777,
        status.st_uid,
        status.st_gid,
        b"",
        status.st_dev,
        status.st_ino,
        1,
    )
    assert (found[b"link"].link, found[b"link"].size, found[b"d"].size) == (b"a", 0, 0)


def test_only_what_is_asked_for_is_looked_at(root: bytes) -> None:
    paths = [b"", b"a", b"d/b", b"d/none", b"d.x", b"none/x", b"none/y", b"a/x", b"pipe/x", b"pipe"]
    found = standing(root, b"web-0", paths)
    assert list(found) == [b"", b"a", b"d/b", b"pipe"]
    assert found == {path: item for path, item in standing_below(root, b"web-0", 100).items() if path in paths}


def test_no_link_is_followed_below_the_root(root: bytes) -> None:
    assert standing(root, b"web-0", [b"away/secret", b"link/x"]) == {}
    assert standing(root, b"web-0/away", [b"", b"secret"]).keys() == {b""}
    assert standing_below(root, b"web-0/away", 100).keys() == {b""}
    os.symlink(root, root + b"-link")
    assert standing(root + b"-link", b"web-0", [b"a"]).keys() == {b"a"}


@pytest.mark.parametrize("top", [b"web-1", b"web-0/a/b", b"web-1/x/y"])
def test_what_is_not_there_is_empty(root: bytes, top: bytes) -> None:
    assert standing(root, top, [b"", b"a"]) == {}
    assert standing_below(root, top, 100) == {}
    assert standing_below(root + b"/none", top, 100) == {}


def test_the_destination_itself_and_a_single_file(root: bytes) -> None:
    assert standing(root + b"/web-0", b"", [b"", b"a"]).keys() == {b"", b"a"}
    assert standing_below(root, b"web-0/a", 0).keys() == {b""}
    assert standing(root, b"web-0/a", [b""])[b""].size == 3


def test_names_of_any_bytes(root: bytes) -> None:
    for name in NAMES:
        os.mkdir(os.path.join(root, name))
    assert standing(root, b"", NAMES).keys() == set(NAMES)
    assert standing_below(root, b"", 1000).keys() >= set(NAMES)


def test_too_much_to_remember_is_an_error_that_says_so(root: bytes) -> None:
    with pytest.raises(DestinationError, match=r"too much in .*web-0") as caught:
        standing_below(root, b"web-0", 6)
    assert Knob.ENTRIES in caught.value.hint
    assert len(standing_below(root, b"web-0", 7)) == 8


def test_what_may_not_be_entered_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "top/closed/below").mkdir(parents=True)
    (tmp_path / "top/closed").chmod(0)
    try:
        with bound_by_permissions(tmp_path):
            assert standing(b"top", b"", [b"closed", b"closed/below"]).keys() == {b"closed"}
            assert standing_below(b"top", b"", 100).keys() == {b"", b"closed"}
    finally:
        (tmp_path / "top/closed").chmod(0o700)


def test_a_socket_is_nothing_to_copy(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(tmp_path / "s"))
        assert standing(os.fsencode(tmp_path), b"", [b"s"])[b"s"].kind is None


def test_a_deep_tree_takes_no_more_descriptors(tmp_path: Path) -> None:
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(500):
        os.mkdir(b"d", dir_fd=at)
        below = os.open(b"d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    assert len(standing_below(os.fsencode(tmp_path), b"", 1000)) == 501
