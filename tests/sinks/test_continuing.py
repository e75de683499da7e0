"""What a pull does with what an earlier one has left here: complete it, rename, remove and adjust it."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asynccp.entry import Entry, Kind
from asynccp.errors import DestinationError
from asynccp.local.held import Held, lent
from asynccp.local.tree import Tree
from asynccp.options import Attributes
from asynccp.sinks.archive import TarSink
from asynccp.sinks.base import Sink
from asynccp.sinks.directory import DirectorySink
from asynccp.sinks.recoded import RecodedSink
from tests.powerless import bound_by_permissions
from tests.sinks.test_directory import snapshot

CHANGED = "is no longer what it was when this pull began"
PODS = 1_600_000_000 * 10**9
HERS = 1_500_000_000 * 10**9
GROWN = Entry(b"d/a.log", Kind.FILE, size=6, mode=0o640, mtime_ns=PODS)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A pod's directory with a log. Fails the test if anything outside changes, or a descriptor stays open."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/victim").write_text("old")
    below = tmp_path / "logs/web-0"
    (below / "d").mkdir(parents=True)
    log = below / "d/a.log"
    log.write_text("old")
    log.chmod(0o600)
    os.utime(log, ns=(HERS, HERS))
    before = len(os.listdir("/dev/fd"))
    yield below
    assert snapshot(tmp_path / "outside") == {"victim": "old"}
    assert len(os.listdir("/dev/fd")) == before, "all are closed"
    assert not [name for name in snapshot(tmp_path) if name.endswith(".partial")]


@pytest.fixture
def sink(root: Path) -> Iterator[Sink]:
    sink = DirectorySink(root, b"", Attributes(preserve_modes=True), base=str(root.parent))
    yield sink
    sink.abort(())


def facts(path: Path) -> tuple[str, int, int]:
    status = path.lstat()
    return path.read_text(), stat.S_IMODE(status.st_mode), status.st_mtime_ns


def fails(call: Callable[[], object], sink: Sink, match: str) -> None:
    with pytest.raises(DestinationError, match=match), sink.translated():
        call()


def test_the_rest_of_a_file_makes_it_whole(sink: Sink, root: Path) -> None:
    inode = (root / "d/a.log").stat().st_ino
    sink.append(GROWN, 3)
    sink.write(memoryview(b"ne"))
    sink.pause()
    sink.write(memoryview(b"w"))
    sink.end()
    assert facts(root / "d/a.log") == ("oldnew", 0o640, PODS)
    assert (root / "d/a.log").stat().st_ino == inode
    assert (sink.entries, sink.size) == (1, 3)
    sink.append(Entry(b"d/a.log", Kind.FILE, size=8, mtime_ns=PODS), 6)
    sink.write(memoryview(b"er"))
    sink.end()
    assert (root / "d/a.log").read_text() == "oldnewer"


def test_a_rest_may_end_in_a_hole(sink: Sink, root: Path) -> None:
    sink.append(GROWN, 3)
    sink.write(memoryview(b"n"))
    sink.hole(2)
    sink.end()
    assert (root / "d/a.log").read_bytes() == b"oldn\0\0"


def test_a_rest_that_does_not_come_whole_leaves_nothing(sink: Sink, root: Path) -> None:
    before = facts(root / "d/a.log")
    sink.append(GROWN, 3)
    sink.write(memoryview(b"ne"))
    assert (root / "d/a.log").read_text() == "oldne"
    sink.abort(())
    assert facts(root / "d/a.log") == before
    sink.append(GROWN, 3)
    sink.write(memoryview(b"new"))
    sink.end()
    assert (root / "d/a.log").read_text() == "oldnew"


def test_a_rest_that_is_shorter_than_was_said_is_none(sink: Sink, root: Path) -> None:
    before = facts(root / "d/a.log")
    sink.append(GROWN, 3)
    sink.write(memoryview(b"ne"))
    fails(sink.end, sink, CHANGED)
    assert facts(root / "d/a.log") == before


def test_a_new_file_can_come_after_it(sink: Sink, root: Path) -> None:
    sink.append(GROWN, 3)
    sink.write(memoryview(b"new"))
    sink.end()
    sink.begin(Entry(b"d/b", Kind.FILE, size=1))
    sink.write(memoryview(b"b"))
    sink.end()
    assert snapshot(root) == {"d": "/", "d/a.log": "oldnew", "d/b": "b"}


def shorter(log: Path) -> None:
    log.write_text("ol")


def longer(log: Path) -> None:
    log.write_text("older")


def gone(log: Path) -> None:
    log.unlink()


def a_link(log: Path) -> None:
    log.unlink()
    log.symlink_to("../../../outside/victim")


def a_directory(log: Path) -> None:
    log.unlink()
    log.mkdir()


def a_pipe(log: Path) -> None:
    log.unlink()
    os.mkfifo(log)


@pytest.mark.parametrize("happens", [shorter, longer, gone, a_link, a_directory, a_pipe])
def test_what_is_no_longer_as_it_was_listed_is_not_written_to(
    sink: Sink, root: Path, happens: Callable[[Path], None]
) -> None:
    happens(root / "d/a.log")
    before = list(root.rglob("*"))
    fails(lambda: sink.append(GROWN, 3), sink, CHANGED)
    fails(lambda: sink.adjust(Entry(b"d/a.log", Kind.FILE, 3)), sink, CHANGED)
    fails(lambda: sink.rename(b"d/a.log", b"d/b", 3, replaces=True), sink, CHANGED)
    assert list(root.rglob("*")) == before
    if happens is a_pipe:
        (root / "d/a.log").unlink()  # who reads it waits


def test_what_has_another_name_is_not_written_to(sink: Sink, root: Path) -> None:
    (root / "backup").hardlink_to(root / "d/a.log")
    fails(lambda: sink.append(GROWN, 3), sink, CHANGED)
    assert (root / "backup").read_text() == "old"


def test_no_link_leads_to_another_file(sink: Sink, root: Path) -> None:
    (root / "d").rename(root / "moved")
    (root / "d").symlink_to("../../outside")
    calls: list[Callable[[], object]] = [
        lambda: sink.append(Entry(b"d/victim", Kind.FILE, size=6), 3),
        lambda: sink.adjust(Entry(b"d/victim", Kind.FILE, size=3)),
        lambda: sink.rename(b"d/victim", b"x", 3, replaces=True),
        lambda: sink.rename(b"moved/a.log", b"d/victim", 3, replaces=True),
        lambda: sink.remove(b"d/victim"),
    ]
    for call in calls:
        fails(call, sink, "web-0/")
    assert (root / "moved/a.log").read_text() == "old"


@pytest.mark.parametrize("step", ["open_growing", "open_file"])
def test_a_file_that_is_exchanged_in_that_moment_is_left_alone(
    sink: Sink, root: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real, opened = getattr(Tree, step), list[bytes]()

    def exchanging(tree: Tree, path: bytes) -> int:
        if step == "open_growing" or opened:  # the first look is past
            (root / "new").write_text("her")
            (root / "new").rename(root / "d/a.log")
        opened.append(path)
        return int(real(tree, path))

    monkeypatch.setattr(Tree, step, exchanging)

    def append() -> None:
        sink.append(GROWN, 3)
        sink.write(memoryview(b"new"))
        sink.end()

    fails(append, sink, CHANGED)
    assert (root / "d/a.log").read_text() == "her"


def test_two_runs_do_not_write_to_one_file(sink: Sink, root: Path) -> None:
    other = os.open(root / "d/a.log", os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        fails(lambda: sink.append(GROWN, 3), sink, CHANGED)
    finally:
        os.close(other)
    sink.append(GROWN, 3)


def test_a_file_that_lost_its_name_meanwhile_is_not_called_complete(sink: Sink, root: Path) -> None:
    """Another run has put a new one there."""
    sink.append(GROWN, 3)
    sink.write(memoryview(b"new"))
    (root / "new").write_text("another")
    (root / "new").rename(root / "d/a.log")
    fails(sink.end, sink, CHANGED)
    assert (root / "d/a.log").read_text() == "another"


def test_a_file_that_its_owner_may_not_write_to_is_completed_all_the_same(root: Path) -> None:
    log = root / "d/a.log"
    log.chmod(0o400)
    for path in (root, root / "d", log):
        os.chown(path, 65534, -1)
    before = facts(log)
    with bound_by_permissions(root.parent.parent):
        sink = DirectorySink("logs/web-0", b"", Attributes(preserve_modes=True))
        sink.append(GROWN, 3)
        sink.abort(())
    assert facts(log) == before
    with bound_by_permissions(root.parent.parent):
        sink.append(Entry(b"d/a.log", Kind.FILE, size=6, mode=0o440, mtime_ns=PODS), 3)
        sink.write(memoryview(b"new"))
        sink.end()
        sink.abort(())
    assert facts(log) == ("oldnew", 0o440, PODS)


def test_a_directory_that_may_not_be_written_to_is_told(root: Path) -> None:
    for path in (root, root / "d", root / "d/a.log"):
        os.chown(path, 65534, -1)
    (root / "d").chmod(0o500)
    with bound_by_permissions(root.parent.parent):
        sink = DirectorySink("logs/web-0", b"", Attributes())
        fails(
            lambda: sink.rename(b"d/a.log", b"d/b", 3, replaces=True), sink, r"d/b can't be written: permission denied"
        )
        fails(lambda: sink.rename(b"d/a.log", b"d/b", 3, replaces=False), sink, r"permission denied")
        fails(lambda: sink.remove(b"d/a.log"), sink, "permission denied")
        sink.abort(())
    assert snapshot(root) == {"d": "/", "d/a.log": "old"}


def test_a_full_disk_leaves_what_was_there(sink: Sink, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = facts(root / "d/a.log")
    sink.append(GROWN, 3)
    sink.write(memoryview(b"n"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("asynccp.sinks.directory.write_all", full)
    fails(lambda: sink.write(memoryview(b"ew")), sink, r"d/a.log can't be written: the disk is full")
    sink.abort(())
    assert facts(root / "d/a.log") == before


def test_a_rotation_is_renamed(sink: Sink, root: Path) -> None:
    (root / "d/a.log.1").write_text("older")
    sink.rename(b"d/a.log.1", b"d/a.log.2", 5, replaces=False)
    sink.rename(b"d/a.log", b"d/a.log.1", 3, replaces=False)
    sink.rename(b"d/a.log.2", b"old/a", 5, replaces=False)
    assert snapshot(root) == {"d": "/", "d/a.log.1": "old", "old": "/", "old/a": "older"}


def test_nothing_is_replaced_unless_the_plan_says_so(sink: Sink, root: Path) -> None:
    (root / "b").write_text("mine")
    fails(lambda: sink.rename(b"d/a.log", b"b", 3, replaces=False), sink, CHANGED)
    assert snapshot(root) == {"b": "mine", "d": "/", "d/a.log": "old"}
    sink.rename(b"d/a.log", b"b", 3, replaces=True)
    assert snapshot(root) == {"b": "old", "d": "/"}
    (root / "c").mkdir()
    fails(lambda: sink.rename(b"b", b"c", 3, replaces=True), sink, "a directory is in the way")


def test_without_hard_links_nothing_is_replaced_either(sink: Sink, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    (root / "b").symlink_to("nowhere")
    fails(lambda: sink.rename(b"d/a.log", b"b", 3, replaces=False), sink, CHANGED)
    sink.rename(b"d/a.log", b"c", 3, replaces=False)
    assert snapshot(root) == {"b": "-> nowhere", "c": "old", "d": "/"}


def test_what_is_removed_is_the_name_alone(sink: Sink, root: Path) -> None:
    (root / "link").symlink_to("../../outside")
    (root / "file-link").symlink_to("../../outside/victim")
    os.mkfifo(root / "pipe")
    for path in (b"link", b"file-link", b"pipe", b"d/none", b"none/x"):
        assert sink.remove(path)
    assert not sink.remove(b"d"), "it isn't empty"
    assert sink.remove(b"d/a.log")
    assert sink.remove(b"d")
    assert snapshot(root) == {}


def test_mode_and_time_are_set_where_a_file_stands(sink: Sink, root: Path) -> None:
    sink.adjust(Entry(b"d/a.log", Kind.FILE, size=3, mode=0o644, mtime_ns=PODS))
    assert facts(root / "d/a.log") == ("old", 0o644, PODS)


def test_what_stands_here_is_told_below_the_name_that_was_asked_for(root: Path) -> None:
    sink = DirectorySink(root, b"d", Attributes(), base=str(root.parent))
    assert sink.standing(None, 10).keys() == {b"", b"a.log"}
    assert sink.standing([b"a.log", b"x"], 10).keys() == {b"a.log"}
    here = DirectorySink(root, b"", Attributes())
    assert here.standing([b"d/a.log"], 0)[b"d/a.log"].size == 3
    assert DirectorySink(root / "none", b"d", Attributes()).standing(None, 10) == {}
    assert not (root / "none").exists()


def test_a_pods_directory_that_became_a_link_is_not_looked_into(root: Path) -> None:
    (root.parent / "web-1").symlink_to("../outside")
    for base in (str(root.parent), None):
        sink = DirectorySink(root.parent / "web-1", b"", Attributes(), base=base)
        assert b"victim" not in sink.standing(None, 10)


def test_only_a_directory_continues() -> None:
    assert [one.continues for one in (DirectorySink, TarSink, RecodedSink)] == [True, False, False]


# --- one more name for what another copy has


def linked(sink: Sink, entry: Entry, held: Held) -> bool:
    with lent(held) as one, sink.translated():
        return sink.link(entry, one)


def test_a_file_of_another_copy_gets_one_more_name(root: Path, sink: DirectorySink) -> None:
    held = sink.held(b"d/a.log")
    entry = Entry(b"new/b.log", Kind.FILE, size=3, mode=0o600, mtime_ns=HERS)
    assert linked(sink, entry, held)
    assert linked(sink, entry, held), "and the same once more, which changes nothing"
    assert (root / "new/b.log").samefile(root / "d/a.log")
    assert (sink.entries, sink.size) == (2, 6)


@pytest.mark.parametrize("entry", [
    Entry(b"b", Kind.FILE, size=3, mode=0o640, mtime_ns=HERS),
    Entry(b"b", Kind.FILE, size=3, mode=0o600, mtime_ns=PODS),
])  # fmt: skip
def test_a_link_would_have_the_mode_and_time_of_the_other_one(root: Path, sink: DirectorySink, entry: Entry) -> None:
    assert not linked(sink, entry, sink.held(b"d/a.log"))
    assert not (root / "b").exists()


def test_a_link_is_to_the_file_that_was_looked_at(root: Path, sink: DirectorySink) -> None:
    entry = Entry(b"b", Kind.FILE, size=3, mode=0o600, mtime_ns=HERS)
    with lent(sink.held(b"d/a.log")) as one:
        os.replace(root.parent.parent / "outside/victim", root / "d/a.log")
        assert not sink.link(entry, one)
        (root.parent.parent / "outside/victim").write_text("old")
    assert not (root / "b").exists()
