"""What of this machine's files a push would send, read from real trees."""

import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asynccp.disk.scan import scan
from asynccp.entry import Entry, Kind
from asynccp.errors import PlanError, UsageError

NOBODY = 65534


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with `config/a`, `config/sub/b` and `other/a` in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("config/a", "config/sub/b", "other/a"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def paths(*sources: str) -> list[bytes]:
    return [entry.path for entry in scan(sources)[0]]


def one(*sources: str) -> Entry:
    """Return the only entry of the sources."""
    (entry,), left_out = scan(sources)
    assert left_out == []
    return entry


@contextmanager
def as_user_whom_permissions_bind(directory: Path) -> Iterator[None]:
    """Give up root's rights, if we have them. Only paths relative to the working directory can be reached then."""
    if os.getuid() != 0:
        yield
        return
    os.chown(directory, NOBODY, -1)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


TREE = [b"config", b"config/a", b"config/sub", b"config/sub/b"]
CONTENTS = [b"a", b"sub", b"sub/b"]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("config", TREE),
        ("./config", TREE),
        ("config/", CONTENTS),
        ("config//", CONTENTS),
        ("config/.", CONTENTS),
        ("config/sub/..", CONTENTS),
        ("config/sub", [b"sub", b"sub/b"]),
        ("config/sub/", [b"b"]),
        ("config/a", [b"a"]),
        ("./config/sub/../a", [b"a"]),
    ],
)
def test_a_slash_at_the_end_means_the_contents(here: Path, source: str, found: list[bytes]) -> None:
    assert paths(source) == found
    assert paths(f"{here}/{source}") == found


@pytest.mark.parametrize(("directory", "source", "found"), [("config", ".", CONTENTS), ("config/sub", "..", CONTENTS)])
def test_dots_mean_the_contents(
    here: Path, monkeypatch: pytest.MonkeyPatch, directory: str, source: str, found: list[bytes]
) -> None:
    monkeypatch.chdir(here / directory)
    assert paths(source) == found


def test_names_are_in_byte_order_and_parents_come_first(here: Path) -> None:
    for name in ("B", "b", "a.b/z", "a/z", "a-b/z", "é", "10", "9"):
        path = here / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    ordered = ["10", "9", "B", "a", "a/z", "a-b", "a-b/z", "a.b", "a.b/z", "b", "é"]
    assert paths("tree/") == sorted((name.encode() for name in ordered), key=lambda name: name.split(b"/"))
    assert set(paths("tree/")) == {name.encode() for name in ordered}
    assert paths("other/a", "config/sub") == [b"a", b"sub", b"sub/b"]  # sources stay in the order they were given


def test_an_entry_says_all_that_the_copy_keeps(here: Path) -> None:
    path = here / "config/a"
    path.chmod(0o4751)
    os.utime(path, ns=(1, 1_600_000_000_123_456_789))
    status = path.stat()
    assert one("config/a") == Entry(
        b"a", Kind.FILE, 8, 0o4751, 1_600_000_000_123_456_789, status.st_uid, status.st_gid, b"", b"config/a"
    )


def test_a_directory_without_anything_in_it_is_an_entry(here: Path) -> None:
    (here / "empty").mkdir(mode=0o700)
    entry = one("empty")
    assert (entry.path, entry.kind, entry.size, entry.mode) == (b"empty", Kind.DIRECTORY, 0, 0o700)
    assert scan(["empty/"]) == ([], [])


def test_symbolic_links_are_copied_as_links(here: Path) -> None:
    (here / "links").mkdir()
    for name, target in (
        ("dangling", "nowhere"),
        ("directory", "../config"),
        ("file", "../config/a"),
        ("loop", "loop"),
    ):
        (here / "links" / name).symlink_to(target)
    entries, left_out = scan(["links/"])
    assert [(entry.path, entry.kind, entry.link) for entry in entries] == [
        (b"dangling", Kind.SYMLINK, b"nowhere"),
        (b"directory", Kind.SYMLINK, b"../config"),
        (b"file", Kind.SYMLINK, b"../config/a"),
        (b"loop", Kind.SYMLINK, b"loop"),
    ]
    assert [entry.size for entry in entries] == [0] * 4
    assert left_out == []


def test_a_source_that_is_a_link_follows_rsyncs_rule(here: Path) -> None:
    (here / "current").symlink_to("config")
    assert one("current").kind is Kind.SYMLINK
    assert paths("current/") == CONTENTS


def test_names_of_one_file_become_hard_links_to_the_first(here: Path) -> None:
    (here / "config/sub/same").hardlink_to(here / "config/a")
    (here / "other/same").hardlink_to(here / "config/a")
    entries = {entry.path: entry for entry in scan(["config", "other"])[0]}
    assert (entries[b"config/a"].kind, entries[b"config/a"].size) == (Kind.FILE, 8)
    for path in (b"config/sub/same", b"other/same"):
        assert (entries[path].kind, entries[path].link, entries[path].size) == (Kind.HARDLINK, b"config/a", 0)


def test_a_file_whose_other_names_are_not_pushed_is_a_file(here: Path) -> None:
    (here / "elsewhere").hardlink_to(here / "config/a")
    assert one("config/a").kind is Kind.FILE


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device"])
def test_special_files_are_left_out_and_named(here: Path, kind: str) -> None:
    match kind:
        case "FIFO":
            os.mkfifo("config/special")
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind("config/special")
        case "device":
            try:
                os.mknod("config/special", stat.S_IFCHR | 0o600, os.makedev(1, 3))
            except PermissionError:
                pytest.skip("only root makes devices")
    entries, left_out = scan(["config"])
    assert [entry.path for entry in entries] == TREE
    assert [str(found) for found in left_out] == [f"config/special: a {kind}, which is never copied"]


def test_a_special_file_alone_is_nothing_to_push(here: Path) -> None:
    os.mkfifo("pipe")
    entries, left_out = scan(["pipe"])
    assert entries == []
    assert [found.path for found in left_out] == [b"pipe"]


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (["gone"], "^gone does not exist$"),
        (["gone/"], "^gone/ does not exist$"),
        (["config", "config/gone"], "^config/gone does not exist$"),
        (["config/a/"], "^config/a/ can't be read: Not a directory$"),
        (["config/a/b"], "^config/a/b can't be read: Not a directory$"),
        (["n" * 300], "^n+ can't be read: File name too long$"),
        (["gone\x1b[2J"], r"^gone\\x1b\[2J does not exist$"),
    ],
)
def test_a_source_that_cannot_be_read_ends_the_plan(here: Path, sources: list[str], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        scan(sources)


def test_a_file_that_may_not_be_read_ends_the_plan_before_a_byte_has_moved(here: Path) -> None:
    (here / "config").chmod(0o755)
    (here / "config/a").chmod(0)
    with (
        as_user_whom_permissions_bind(here),
        pytest.raises(PlanError, match=r"^config/a can't be read: Permission den"),
    ):
        scan(["config"])


def test_a_directory_that_may_not_be_listed_ends_the_plan(here: Path) -> None:
    (here / "config/sub").chmod(0o311)
    try:
        with as_user_whom_permissions_bind(here), pytest.raises(PlanError, match=r"^config/sub can't be read: Perm"):
            scan(["config"])
    finally:
        (here / "config/sub").chmod(0o755)


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        (["config/a", "other/a"], "a"),
        (["config/a", "config/a"], "a"),
        (["config/", "other/"], "a"),
        (["config/a", "a/"], "a"),
        (["config/sub", "sub"], "sub"),
    ],
)
def test_two_sources_on_one_name_are_refused(here: Path, sources: list[str], name: str) -> None:
    (here / "a/a").mkdir(parents=True)
    (here / "sub").touch()
    with pytest.raises(UsageError, match=f"two sources land on one name: {name}$") as caught:
        scan(sources)
    assert "one after the other" in caught.value.hint


def test_two_directories_of_one_name_are_merged(here: Path) -> None:
    (here / "more/config/sub").mkdir(parents=True)
    (here / "more/config/sub/c").touch()
    assert paths("config", "more/config") == [*TREE, b"config/sub/c"]


def test_names_that_are_no_text_keep_their_bytes(here: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", b"caf\xe9", b"-rf", b" "):
        Path(os.fsdecode(b"odd/" + name)).parent.mkdir(exist_ok=True)
        Path(os.fsdecode(b"odd/" + name)).write_bytes(name)
    entries, _ = scan(["odd/"])
    assert [entry.path for entry in entries] == [b" ", b"-rf", b"caf\xe9", b"new\nline", b"\xff\xfe"]
    assert [entry.source for entry in entries] == [b"odd/" + entry.path for entry in entries]


def test_a_source_whose_name_is_no_text(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    Path(name).mkdir()
    (Path(name) / "x").touch()
    assert paths(name) == [b"caf\xe9", b"caf\xe9/x"]
    with pytest.raises(PlanError, match=r"gone-\\udcff does not exist|gone-\\xff does not exist"):
        scan([os.fsdecode(b"gone-\xff")])


@contextmanager
def deep_tree(name: str, levels: int) -> Iterator[None]:
    """Make `deep/NAME/NAME/…/leaf` in the working directory; remove it, which shutil can't."""
    directory = os.open(".", os.O_RDONLY)
    try:
        for step in ("deep", *[name] * levels):
            os.mkdir(step, dir_fd=directory)
            deeper = os.open(step, os.O_RDONLY, dir_fd=directory)
            os.close(directory)
            directory = deeper
        os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
        yield
    finally:
        os.close(directory)
        subprocess.run(["rm", "-rf", "deep"], check=True)


def test_a_tree_that_is_two_thousand_levels_deep(here: Path) -> None:
    with deep_tree("d", 2000):
        found = paths("deep")
    assert len(found) == 2002
    assert found[-1] == b"deep/" + b"d/" * 2000 + b"leaf"


def test_a_tree_that_is_too_deep_for_the_system_is_refused_not_cut(here: Path) -> None:
    with (
        deep_tree("dir-10char", 500),
        pytest.raises(PlanError, match=r"^deep/dir-10char/.* can't be read: File name too"),
    ):
        scan(["deep"])
