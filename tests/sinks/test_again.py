"""Pulls again and again into one directory, whatever happens in the pod and here: decided, and done on a disk."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynccp.entry import Entry, Kind
from asynccp.local.listing import standing_below
from asynccp.options import Attributes, Collecting
from asynccp.plan.fetch import Fetch, Rules, beginnings, decide
from asynccp.plan.manifest import Item
from asynccp.sinks.directory import DirectorySink
from asynccp.sinks.ingest import Ingest
from tests.archives import archive, block, file, hard_link, symlink

NAME = b"log"
KEPT = Attributes(preserve_modes=True)
NAMES = ["a.log", "a.log.1", "a.log.2", "d", "d/a.log", "d/a.log.1", "e", "e/f/g"]
Step = tuple[str, str, str]
names = st.sampled_from(NAMES)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["append", "write", "mode"]), names, st.sampled_from(["x", "yy", "xx"])),
        st.tuples(st.sampled_from(["rename", "swap", "hardlink"]), names, names),
        st.tuples(st.sampled_from(["remove", "mkdir", "link"]), names, st.sampled_from(["a.log", "d", "nowhere"])),
        st.tuples(st.just("rotate"), st.sampled_from(["a.log", "d/a.log"]), st.sampled_from(["", "x", "z"])),
    ),
    max_size=8,
)


class Clock:
    """Whole seconds that never come twice: what is written has a time of its own."""

    now_s = 1_500_000_000

    def stamp(self, path: Path) -> None:
        self.now_s += 1
        os.utime(path, (self.now_s, self.now_s), follow_symlinks=False)


def happens(top: Path, step: Step, clock: Clock) -> None:
    """Do a step where it can be done: as in any directory, it often can't."""
    what, name, other = step
    path = top / name
    if not all(one.is_dir() and not one.is_symlink() for one in parents(path, top)):
        return
    is_file = path.is_file() and not path.is_symlink()
    if what in ("write", "mkdir", "link") and not os.path.lexists(path):
        if what == "write":
            path.write_text(other)
        elif what == "mkdir":
            path.mkdir()
        else:
            path.symlink_to(other)
        clock.stamp(path)
    elif what in ("write", "append") and is_file:
        with path.open("a" if what == "append" else "w") as opened:
            opened.write(other)
        clock.stamp(path)
    elif what == "mode" and is_file:
        path.chmod(0o600 if other == "x" else 0o644)
    elif what == "remove" and os.path.lexists(path):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    elif what == "rotate" and is_file:
        first, second = path.with_name("a.log.1"), path.with_name("a.log.2")
        if not any(one.is_dir() and not one.is_symlink() for one in (first, second)):
            if os.path.lexists(first):
                first.rename(second)
            path.rename(first)
            path.write_text(other)
            clock.stamp(path)
    elif what in ("rename", "swap", "hardlink"):
        between(path, top / other, what)


def between(path: Path, target: Path, what: str) -> None:
    if not os.path.lexists(path) or path in target.parents or target in path.parents or path == target:
        return
    if not target.parent.is_dir() or target.parent.is_symlink():
        return
    if what == "swap" and os.path.lexists(target):
        path.rename(path.parent / "swapped")
        target.rename(path)
        (path.parent / "swapped").rename(target)
    elif what == "rename" and not target.is_dir() and not path.is_dir():
        path.rename(target)
    elif what == "hardlink" and path.is_file() and not path.is_symlink() and not os.path.lexists(target):
        os.link(path, target)


def parents(path: Path, top: Path) -> Iterator[Path]:
    """Yield the directories that a path is in, up to the top."""
    while path != top:
        path = path.parent
        yield path


def manifest(top: Path) -> dict[bytes, Item]:
    return standing_below(os.fsencode(top.parent), os.fsencode(top.name), 1000)


def pulled(pod: Path, here: Path, *, mirror: bool) -> Fetch:
    """Pull as the engine does; the pod's tar is ours."""
    sink = DirectorySink(here, NAME, KEPT)
    rules = Rules(collecting=Collecting(mirror=mirror), attributes=KEPT, small_size=0)
    there, ours = manifest(pod), dict(sink.standing(None, 1000))
    proved = [
        one
        for one in beginnings(there, ours, rules)
        if (pod / os.fsdecode(one.path)).read_bytes()[: one.had] == (here / "log" / os.fsdecode(one.at)).read_bytes()
    ]
    fetch = decide(there, ours, rules, proved=proved)
    ingest = Ingest(sink, NAME)

    def local(path: bytes) -> bytes:
        return b"/".join(filter(None, (NAME, path)))

    def entry(path: bytes) -> Entry:
        item = there[path]
        return Entry(local(path), Kind.FILE, item.size, item.mode, item.mtime_ns)

    try:
        with sink.translated():
            assert all(sink.remove(local(path)) for path in fetch.in_the_way)
            for move in fetch.moves:
                sink.rename(local(move.at), local(move.path), move.size, replaces=move.replaces)
            for one in fetch.rest:
                sink.append(entry(one.path), one.offset)
                content = (pod / os.fsdecode(one.path)).read_bytes()
                sink.write(memoryview(content[one.offset : one.offset + one.size]))
                sink.end()
        if fetch.whole:
            ingest.choose(frozenset(map(local, fetch.whole)))
            ingest.feed(archive(*packed(pod, there, fetch, local)))
        with sink.translated():
            for path in fetch.set:
                sink.adjust(entry(path))
            assert all(sink.remove(local(path)) for path in fetch.remove)
        if fetch.whole:
            ingest.finish()
    finally:
        ingest.abort()
    return fetch


def packed(pod: Path, there: dict[bytes, Item], fetch: Fetch, local: Callable[[bytes], bytes]) -> Iterator[bytes]:
    names: dict[int, bytes] = {}
    for path in fetch.whole:
        item, name = there[path], local(path)
        if item.kind is Kind.DIRECTORY:
            yield block(name, typeflag=b"5", mode=item.mode, mtime=item.mtime_s)
        elif item.kind is Kind.SYMLINK:
            yield symlink(name, item.link)
        elif item.inode in names:
            yield hard_link(name, names[item.inode])
        else:
            names[item.inode] = name
            content = (pod / os.fsdecode(path)).read_bytes()
            yield file(name, content, mode=item.mode, mtime=item.mtime_s)


def facts(top: Path) -> dict[bytes, tuple[object, ...]]:
    """Return what a copy keeps."""
    inodes: dict[int, bytes] = {}
    return {
        path: (
            item.kind,
            item.size,
            item.link,
            item.kind is not Kind.SYMLINK and (item.mode, item.mtime_s),
            item.kind is Kind.FILE and (inodes.setdefault(item.inode, path), (top / os.fsdecode(path)).read_bytes()),
        )
        for path, item in sorted(manifest(top).items())
    }


@contextmanager
def disks() -> Iterator[tuple[Path, Path]]:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "pod").mkdir()
        yield Path(place) / "pod", Path(place) / "here"


GROWN: list[Step] = [("write", "a.log", "yy"), ("write", "a.log.1", "x")]


LINKED: list[Step] = [("hardlink", "a.log.1", "a.log.2")]


@settings(max_examples=120)
@given(st.lists(st.tuples(steps, steps), min_size=2, max_size=4))
@example([(GROWN, []), ([("append", "a.log", "x"), ("rotate", "a.log", "z"), ("append", "a.log.1", "yy")], [])])
@example([([("write", "a.log", "x"), ("write", "a.log.1", "yy")], []), ([("swap", "a.log", "a.log.1")], [])])
@example([([("write", "a.log.1", "x")], []), ([("write", "a.log", "x")], LINKED)])
def test_a_mirror_is_what_the_pod_has_whatever_happened_to_both(
    rounds: Sequence[tuple[list[Step], list[Step]]],
) -> None:
    with disks() as (pod, here):
        clock = Clock()
        for there_too, here_too in rounds:
            for step in there_too:
                happens(pod, step, clock)
            for step in here_too if here.exists() else []:
                happens(here / "log", step, clock)
            pulled(pod, here, mirror=True)
            assert facts(here / "log") == facts(pod)
            again = pulled(pod, here, mirror=True)
            assert again == Fetch(same=len(manifest(pod)), same_size=again.same_size), "the next one has nothing to do"
            assert os.listdir(here) == ["log"]


@settings(max_examples=120)
@given(st.lists(steps, min_size=2, max_size=4))
def test_without_mirror_what_the_pod_has_no_more_stays(rounds: Sequence[list[Step]]) -> None:
    with disks() as (pod, here):
        clock = Clock()
        for some in rounds:
            before = facts(here / "log") if here.exists() else {}
            for step in some:
                happens(pod, step, clock)
            there = facts(pod)
            if any(
                (before[path][0] is Kind.DIRECTORY) != (there[path][0] is Kind.DIRECTORY)
                for path in before.keys() & there.keys()
            ):
                return  # it would be told that one stands in the other's way
            pulled(pod, here, mirror=False)
            after = facts(here / "log")
            assert {path: after[path] for path in there if path} == {path: one for path, one in there.items() if path}
            for path in before.keys() - there.keys():
                assert after[path][:3] == before[path][:3]
