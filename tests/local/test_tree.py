"""What a run that was killed leaves behind, and who removes it: never a run that finds it still being written."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from asynccp.errors import DestinationError
from asynccp.local.tree import Tree
from asynccp.ours import partial_name
from tests.archives import archive, directory, file, hard_link, symlink
from tests.sinks.extracting import extracting

STALE = os.fsdecode(partial_name())
WHOLE = archive(directory(b"d"), file(b"d/f", b"1"), hard_link(b"d/h", b"d/f"), symlink(b"d/l", b"f"))

# A run that has half a file on the disk, says so with one byte, and then waits for ever.
WRITER = """
import sys
from tests.sinks.extracting import extracting
from tests.archives import file
extractor = extracting(sys.argv[1], b"")
extractor.feed(file(b"d/big", b"x" * 600)[:900])
print(end="*", flush=True)
sys.stdin.read()
"""


@contextmanager
def a_run_in_mid_file(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that is writing `d/big`, and kill it with SIGKILL at the end."""
    argv = [sys.executable, "-c", WRITER, str(root)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": "."}) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(1) == b"*"
            yield process
        finally:
            process.kill()
            process.wait()


def partials(root: Path) -> list[Path]:
    return sorted(root.rglob(".asynccp-*"))


def extract(root: Path, data: bytes) -> None:
    extractor = extracting(root, b"")
    extractor.feed(data)
    extractor.finish()


def test_the_next_pull_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    with a_run_in_mid_file(tmp_path):
        (left,) = partials(tmp_path)
    assert left.parent == tmp_path / "d"
    assert left.exists()
    extract(tmp_path, WHOLE)
    assert sorted(os.listdir(tmp_path / "d")) == ["f", "h", "l"]


def test_a_pull_leaves_alone_what_another_one_is_writing(tmp_path: Path) -> None:
    with a_run_in_mid_file(tmp_path):
        (left,) = partials(tmp_path)
        extract(tmp_path, WHOLE)
        assert partials(tmp_path) == [left]


def test_two_pulls_into_one_directory_both_arrive(tmp_path: Path) -> None:
    first, second = extracting(tmp_path, b""), extracting(tmp_path, b"")
    one, two = archive(file(b"d/one", b"1" * 9)), archive(file(b"d/two", b"2" * 9))
    first.feed(one[:515])
    second.feed(two[:515])
    first.feed(one[515:])
    second.feed(two[515:])
    first.finish()
    second.finish()
    assert sorted(os.listdir(tmp_path / "d")) == ["one", "two"]


def _file(path: Path) -> None:
    path.write_text("torn")


def _link(path: Path) -> None:
    path.symlink_to("victim")


def _hard_link(path: Path) -> None:
    path.hardlink_to(path.parent / "victim")


@pytest.mark.parametrize("make", [_file, _link, _hard_link])
def test_every_leftover_is_removed_and_what_it_leads_to_stays(make: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    make(tmp_path / STALE)
    extract(tmp_path, archive(file(b"f", b"1")))
    assert sorted(os.listdir(tmp_path)) == ["f", "victim"]
    assert (tmp_path / "victim").read_text() == "untouched"


def _directory(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [_directory, _fifo])
def test_what_can_not_be_ours_stays(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / STALE)
    extract(tmp_path, archive(file(b"f", b"1")))
    assert (tmp_path / STALE).exists()


ALIKE = {
    "a person's own": ".asynccp-0123abcd.partial",
    "a wrong checksum": ".asynccp-0123abcd0123abcd.partial",
    "in capitals": STALE.upper(),
    "no ending": STALE.removesuffix(".partial"),
    "no dot": STALE.removeprefix("."),
    "an editor's": f"{STALE}~",
    "a report": STALE.replace(".partial", ".report"),
}


@pytest.mark.parametrize("name", ALIKE.values(), ids=list(ALIKE))
def test_names_that_are_only_alike_stay(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    extract(tmp_path, archive(file(b"f", b"1")))
    assert (tmp_path / name).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to give a file away")
@pytest.mark.parametrize("make", [_file, _link])
def test_what_another_user_made_stays(make: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    make(tmp_path / STALE)
    os.chown(tmp_path / STALE, 12345, 12345, follow_symlinks=False)
    extract(tmp_path, archive(file(b"f", b"1")))
    assert os.path.lexists(tmp_path / STALE)


def test_no_link_leads_from_the_directory_that_was_named_to_a_pods(tmp_path: Path) -> None:
    """A pull from one pod into `to` itself may have left one there, that stays inside: `to/prod -> api`."""
    to, named = tmp_path / "to", tmp_path / "named"
    (to / "api" / "web-0").mkdir(parents=True)
    named.symlink_to("to")  # that is the user's own business
    extract(to, archive(symlink(b"prod", b"api")))
    extractor = extracting(named / "prod" / "web-0", b"", base=str(named))
    with pytest.raises(
        DestinationError, match="named/prod is a file or a symbolic link, but a directory belongs there"
    ):
        extractor.feed(archive(file(b"log", b"of prod")))
    extractor.abort()
    assert list((to / "api" / "web-0").iterdir()) == []
    other = extracting(named / "shop" / "web-0", b"", base=str(named))
    other.feed(archive(file(b"log", b"of shop")))
    other.finish()
    assert (to / "shop" / "web-0" / "log").read_text() == "of shop"


@pytest.mark.parametrize("base", [None, "to", "to/", "/", "."])
def test_a_pods_directory_is_made_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    root = f"{base or 'to'}/pod" if base != "/" else f"{tmp_path}/to/pod"
    old = os.umask(0o002)
    try:
        extractor = extracting(root, b"", base=base)
        extractor.feed(archive(file(b"f", b"1")))
        extractor.finish()
    finally:
        os.umask(old)
    made = Path(root)
    assert (made / "f").read_text() == "1"
    assert stat.S_IMODE(made.stat().st_mode) == 0o775


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to mount")
@pytest.mark.parametrize("folds", [False, True])
def test_a_directory_that_folds_case_below_one_that_does_not_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folds: bool
) -> None:
    """Another file system is mounted there, which is real; that it folds case is made up: few kernels can."""
    (tmp_path / "d").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path / "d"], capture_output=True, check=False).returncode:
        pytest.skip("no mount is allowed here")
    device = (tmp_path / "d").stat().st_dev
    monkeypatch.setattr(Tree, "_folds", lambda _, directory: folds and os.fstat(directory).st_dev == device)
    try:
        extractor = extracting(tmp_path, b"")
        with (
            pytest.raises(DestinationError, match="d takes names that differ only in case") if folds else nullcontext()
        ):
            extractor.feed(archive(directory(b"d"), file(b"d/f", b"1"), file(b"d/F", b"2")))
        extractor.abort()
        assert os.listdir(tmp_path / "d") == [] if folds else sorted(os.listdir(tmp_path / "d")) == ["F", "f"]
    finally:
        subprocess.run(["umount", tmp_path / "d"], check=True)


def test_a_directory_that_is_only_passed_through_is_not_swept(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / STALE).touch()
    (tmp_path / "d" / STALE).touch()
    extract(tmp_path, archive(file(b"d/f", b"1")))
    assert not (tmp_path / "d" / STALE).exists()


def test_a_directory_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned, scan = list[int](), os.scandir

    def counted(directory: int) -> object:
        scanned.append(os.fstat(directory).st_ino)
        return scan(directory)

    monkeypatch.setattr(os, "scandir", counted)
    extract(tmp_path, archive(*(file(b"%c/%d" % (b"ab"[index % 2], index), b"1") for index in range(20))))
    assert sorted(scanned) == sorted({os.stat(path).st_ino for path in (tmp_path, tmp_path / "a", tmp_path / "b")})


def test_a_file_removed_before_it_was_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run may find the new file in the moment before its lock."""
    tree, opened = Tree(tmp_path), os.open
    parent = tree.at(b"")

    def open_and_lose(path: bytes, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        monkeypatch.undo()
        fd = opened(path, flags, mode, dir_fd=dir_fd)
        os.unlink(path, dir_fd=dir_fd)
        return fd

    monkeypatch.setattr(os, "open", open_and_lose)
    fd = tree.create_file(parent)
    assert os.fstat(fd).st_nlink == 1
    tree.publish_file(fd, parent, b"f")
    tree.close()
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("losses", [1, 3])
def test_a_link_that_another_run_removed_is_made_again(tmp_path: Path, losses: int) -> None:
    tree = Tree(tmp_path)
    parent, made = tree.at(b""), list[str]()

    def make() -> None:
        os.symlink("target", tree.passing, dir_fd=parent)
        made.append("")
        if len(made) <= losses:
            os.unlink(tree.passing, dir_fd=parent)

    tree.publish_made(make, parent, b"l")
    tree.close()
    assert stat.S_ISLNK(os.lstat(tmp_path / "l").st_mode)
    assert os.listdir(tmp_path) == ["l"]
