"""What is on the disk after an archive, by tables. H01 … are explained in benchmarks/trust/hostile."""

import errno
import hashlib
import itertools
import os
import stat
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccp.archive.header import END
from asynccp.archive.told import MOST_TOLD
from asynccp.errors import DestinationError, Knob, ProtocolViolation, TransferError, UnsafeEntry
from asynccp.limits import DEFAULT_LIMITS, Limits
from asynccp.local.tree import Tree
from asynccp.options import RECORD_SIZE, Attributes
from asynccp.ours import partial_name
from asynccp.sinks.ingest import Ingest, stays_inside
from asynccp.steps import finished
from tests import archives, trees
from tests.archive.test_tar import run_tar
from tests.archives import archive, block, directory, file, hard_link, long_name, pax, sparse, symlink
from tests.sinks.extracting import DEFAULTS, extracting

Snapshot = dict[str, str]


def extract(
    root: Path,
    data: bytes,
    requested: bytes = b"",
    step: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    attributes: Attributes = DEFAULTS,
) -> Ingest:
    """Extract a whole archive as the engine does: in pieces, with `abort` after whatever happened."""
    extractor = extracting(root, requested, limits=limits, attributes=attributes)
    try:
        step = step or len(data) or 1
        for start in range(0, len(data), step):
            extractor.feed(data[start : start + step])
        extractor.finish()
    finally:
        extractor.abort()
    return extractor


def snapshot(top: Path) -> Snapshot:
    """Return what is below `top`: for each path its content, its target, or `/`."""
    found = {}
    for place, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(place, name)
            shown = os.path.relpath(path, top)
            if os.path.islink(path):
                found[shown] = "-> " + os.readlink(path)
            elif os.path.isdir(path):
                found[shown] = "/"
            else:
                found[shown] = Path(path).read_bytes().decode("latin-1")
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The directory to extract into; fails the test if anything beside it changes, or a descriptor stays open."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "victim").write_text("untouched")
    before, open_before = os.listdir(tmp_path), _open_descriptors()
    yield tmp_path / "pod"
    assert snapshot(tmp_path / "outside") == {"victim": "untouched"}
    assert set(os.listdir(tmp_path)) - {"pod"} == set(before)
    assert not [name for name in snapshot(tmp_path) if name.endswith(".partial")]
    assert _open_descriptors() == open_before


def _open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


# Healthy archives


def test_files_directories_and_links_are_written(root: Path) -> None:
    data = archive(
        directory(b"./log/", 0o750),
        file(b"./log/a.txt", b"hello", mode=0o640),
        file(b"./log/deep/er/b", b"", mode=0o400),
        file(b"./log/deeper/c", b"1"),
        hard_link(b"./log/hard", b"./log/a.txt"),
        symlink(b"./log/soft", b"a.txt"),
        symlink(b"./log/dangling", b"deep/nothing"),
    )
    extractor = extract(root, data, b"log")
    assert snapshot(root) == {
        "log": "/",
        "log/a.txt": "hello",
        "log/deep": "/",
        "log/deep/er": "/",
        "log/deep/er/b": "",
        "log/deeper": "/",
        "log/deeper/c": "1",
        "log/hard": "hello",
        "log/soft": "-> a.txt",
        "log/dangling": "-> deep/nothing",
    }
    assert (extractor.size, extractor.entries, extractor.left_out) == (6, 7, [])
    assert (mode(root / "log"), mode(root / "log/a.txt"), mode(root / "log/deep/er/b")) == (0o750, 0o640, 0o400)
    assert (root / "log/hard").samefile(root / "log/a.txt")
    for name in ("log", "log/a.txt", "log/hard", "log/soft"):
        assert os.lstat(root / name).st_mtime == 1_700_000_000


@pytest.mark.parametrize("step", [1, 511, 4096])
def test_any_slicing_writes_the_same(root: Path, step: int) -> None:
    data = archive(
        directory(b"./d"), file(b"./d/f", b"x" * 1500), sparse(b"./s", 3000, b"2\n1000\n9\n3000\n0\n", b"y" * 9)
    )
    extract(root, data, step=step)
    assert snapshot(root) == {"d": "/", "d/f": "x" * 1500, "s": "\0" * 1000 + "y" * 9 + "\0" * 1991}


def test_directories_whose_names_begin_alike_are_told_apart(root: Path) -> None:
    extract(root, archive(*(file(name, b"x") for name in (b"d/f", b"dd/f", b"d/d/f", b"d-/f", b"f"))))
    assert {name for name, content in snapshot(root).items() if content == "x"} == {"d/f", "dd/f", "d/d/f", "d-/f", "f"}


def test_bytes_behind_the_end_are_returned(root: Path) -> None:
    extractor = extracting(root, b"")
    assert extractor.feed(file(b"a", b"x")) == b""
    assert not extractor.ended
    assert extractor.feed(END + b"\0\0last") == b"\0\0last"
    assert extractor.ended
    assert extractor.feed(memoryview(b" words")) == b" words"
    extractor.finish()


def test_nothing_is_made_before_the_first_member(root: Path) -> None:
    extractor = extracting(root, b"")
    extractor.abort()
    assert not root.exists()


def test_empty_directory_gives_an_empty_root(root: Path) -> None:
    assert extract(root, archive(directory(b"./", 0o700))).entries == 1
    assert snapshot(root) == {}


def test_root_keeps_the_mode_that_the_user_gave_it(root: Path) -> None:  # H03
    root.mkdir(0o700)
    extract(root, archive(directory(b"./", 0o777)))
    assert mode(root) == 0o700


def test_parents_of_the_root_are_made_and_may_be_links(root: Path, tmp_path: Path) -> None:
    real = tmp_path / "pod"
    real.mkdir()
    (real / "alias").symlink_to(real)
    extract(real / "alias" / "ns" / "pod-1", archive(file(b"a", b"x")))
    assert snapshot(real) == {"alias": f"-> {real}", "ns": "/", "ns/pod-1": "/", "ns/pod-1/a": "x"}


def test_second_run_replaces_files_and_links_and_keeps_the_rest(root: Path) -> None:
    data = archive(
        directory(b"d", 0o555), file(b"d/f", b"1", mode=0o444), hard_link(b"d/h", b"d/f"), symlink(b"l", b"d")
    )
    extract(root, data)
    (root / "kept").write_text("kept")
    extract(root, data)
    assert snapshot(root) == {"d": "/", "d/f": "1", "d/h": "1", "l": "-> d", "kept": "kept"}
    assert mode(root / "d") == 0o555
    os.chmod(root / "d", 0o755)  # for pytest, which tidies up


def test_directories_closed_to_us_are_filled_first(root: Path) -> None:  # H12
    extract(root, archive(directory(b"d", 0), file(b"d/f", b"x", mode=0), symlink(b"d/l", b"f")))
    assert mode(root / "d") == 0
    os.chmod(root / "d", 0o700)
    assert mode(root / "d/f") == 0
    os.chmod(root / "d/f", 0o600)
    assert snapshot(root) == {"d": "/", "d/f": "x", "d/l": "-> f"}


@pytest.mark.parametrize(
    ("attributes", "umask", "found"),
    [
        (Attributes(), 0o000, (0o777, 0o755, 0o666, 0o777)),
        (Attributes(), 0o022, (0o755, 0o755, 0o644, 0o755)),
        (Attributes(), 0o077, (0o700, 0o700, 0o600, 0o700)),
        (Attributes(preserve_modes=True), 0o077, (0o777, 0o755, 0o666, 0o777)),
    ],
)
def test_set_id_and_sticky_bits_are_dropped_and_others_kept_as_far_as_they_may_be(
    root: Path, attributes: Attributes, umask: int, found: tuple[int, ...]
) -> None:  # H12
    members = directory(b"d", 0o7777), file(b"f", mode=0o6755), file(b"g", mode=0o100666), hard_link(b"d/l", b"f")
    large = file(b"large", b"x" * 100_000, mode=0o4777)
    old = os.umask(umask)
    try:
        extract(root, archive(*members, large), attributes=attributes)
    finally:
        os.umask(old)
    assert tuple(mode(root / name) for name in ("d", "f", "g", "large")) == found


@pytest.mark.parametrize("obstacle", ["umask", "default ACL"])
def test_small_files_in_a_row_get_their_modes_whatever_new_ones_get(root: Path, obstacle: str) -> None:
    """They are created with the mode that they shall have, where that is enough."""
    modes = [0o644, 0o600, 0o640, 0o755, 0o444, 0o000, 0o666]
    (root / "d").mkdir(parents=True)
    old = os.umask(0o077 if obstacle == "umask" else 0)
    try:
        if obstacle == "default ACL":
            _close_new_files(root / "d")
        members = [file(b"d/%d.%d" % item, b"x" * 9, mode=item[1]) for item in itertools.product(range(20), modes)]
        extract(root, archive(*members), attributes=Attributes(preserve_modes=True))
    finally:
        os.umask(old)
    assert {one.name: mode(one) for one in (root / "d").iterdir()} == {
        f"{number}.{bits}": bits for number, bits in itertools.product(range(20), modes)
    }


def _close_new_files(path: Path) -> None:
    """Give a directory a default ACL by which only their owner may read new files (acl(5); linux/posix_acl_xattr.h)."""
    entries = [(1, 6), (4, 0), (32, 0)]  # user, group, others
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, may, 0xFFFFFFFF) for tag, may in entries)
    try:
        os.setxattr(path, "system.posix_acl_default", acl)
    except (AttributeError, OSError):
        pytest.skip("there are no ACLs here")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_that_are_not_kept_are_those_of_new_files_of_which_some_may_be_run(root: Path, umask: int) -> None:
    modes = {b"secret": 0o600, b"open": 0o666, b"run": 0o700, b"runs-for-others": 0o655, b"read-only": 0o400}
    members = [directory(b"d", 0o700), *(file(name, mode=bits) for name, bits in modes.items())]
    old = os.umask(umask)
    try:
        extract(root, archive(*members), attributes=Attributes(perms=False))
        (root / "new").touch()
        (root / "new-directory").mkdir()
        assert {mode(root / name.decode()) for name in modes if name != b"run"} == {mode(root / "new")}
        assert mode(root / "run") == mode(root / "d") == mode(root / "new-directory")
    finally:
        os.umask(old)


def test_times_that_are_not_kept_are_those_of_writing(root: Path) -> None:
    long_ago = [directory(b"d"), file(b"d/f", mtime=1), file(b"large", b"x" * 100_000, mtime=1)]
    before_ns = time.time_ns() - 10**9
    extract(root, archive(*long_ago, symlink(b"l", b"d/f")), attributes=Attributes(times=False))
    for name in ("d", "d/f", "large", "l"):
        assert before_ns < os.lstat(root / name).st_mtime_ns < time.time_ns() + 10**9


def test_times_with_nanoseconds_and_before_1970_are_kept(root: Path) -> None:
    extract(root, archive(archives.pax({b"mtime": b"1600000000.123456789"}), file(b"new"), file(b"old", mtime=-5)))
    assert (root / "new").stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert (root / "old").stat().st_mtime == -5


@pytest.mark.parametrize("seconds", [10**16 - 1, 1 - 10**16])
def test_impossible_times_do_no_harm(root: Path, seconds: int) -> None:  # H15
    extract(root, archive(file(b"f", b"x", mtime=seconds)))
    assert snapshot(root) == {"f": "x"}


def test_holes_stay_holes(root: Path) -> None:  # H23
    extract(
        root,
        archive(
            sparse(b"s", 1 << 33, b"2\n4294967296\n3\n%d\n0\n" % (1 << 33), b"abc"),
            sparse(b"t", 1 << 20, b"1\n1048576\n0\n"),
        ),
    )
    assert (root / "s").stat().st_size == 1 << 33
    assert (root / "s").stat().st_blocks < 1000
    assert (root / "t").stat().st_size == 1 << 20
    with open(root / "s", "rb") as written:
        written.seek(1 << 32)
        assert written.read(5) == b"abc\0\0"
    os.unlink(root / "s")  # the fixture reads all that is left


def test_special_files_are_left_out_and_named(root: Path) -> None:  # H11
    data = archive(*(block(b"./x/" + flag, typeflag=flag) for flag in (b"3", b"4", b"6")), file(b"./x/f", b"1"))
    extractor = extract(root, data)
    assert [str(one) for one in extractor.left_out] == [
        "x/3: a character device is never copied",
        "x/4: a block device is never copied",
        "x/6: a FIFO is never copied",
    ]
    assert (snapshot(root), extractor.entries) == ({"x": "/", "x/f": "1"}, 1)


def test_what_has_a_name_of_ours_is_left_out_and_named_once(root: Path) -> None:
    stage = b"./d/.asynccp-0f3b-main-12.34"
    data = archive(
        directory(b"./"),
        directory(b"./d"),
        directory(stage),
        file(stage + b"/new", b"x" * 100_000),
        symlink(stage + b"/link", b"new"),
        file(b"./d/.asynccp-0badf00d.partial", b"1"),
        hard_link(b"./d/other", b"./d/.asynccp-0badf00d.partial"),
        sparse(b"./d/.asynccp-0badf00e.partial", 10, b"1\n4\n1\n", b"1"),
        file(b"./d/.asynccp-notes", b"a user's"),
        file(b"./f", b"1"),
    )
    extractor = extract(root, data, step=700)
    ours = "a name that asynccp gives to what is not finished yet"
    assert [str(one) for one in extractor.left_out] == [
        f"d/.asynccp-0f3b-main-12.34: {ours}",
        f"d/.asynccp-0badf00d.partial: {ours}",
        f"d/other: it is another name of d/.asynccp-0badf00d.partial, {ours}",
        f"d/.asynccp-0badf00e.partial: {ours}",
    ]
    assert snapshot(root) == {"d": "/", "d/.asynccp-notes": "a user's", "f": "1"}
    assert extractor.members == 10, "as the pod counts them"


def test_what_a_pod_sends_is_not_lost_in_the_next_pull(root: Path) -> None:
    sent = archive(*(file(name, b"1") for name in (b".asynccp-0badf00d.partial", partial_name(), b"f")))
    first = extract(root, sent)
    there = set(snapshot(root)) | {os.fsdecode(one.path) for one in first.left_out}
    extract(root, archive(file(b"other", b"1")))
    assert there <= set(snapshot(root)) | {os.fsdecode(one.path) for one in first.left_out}
    assert len(there) == 3


def test_set_id_and_sticky_bits_are_told_when_they_are_dropped(root: Path) -> None:  # H12
    data = archive(
        directory(b"./", 0o7777),  # it is not made by the archive
        directory(b"./d", 0o3775),
        file(b"./d/all", b"1", mode=0o7755),
        file(b"./d/setuid", b"1", mode=0o4755),
        file(b"./d/plain", b"1", mode=0o755),
        hard_link(b"./d/same", b"./d/setuid"),
        symlink(b"./d/link", b"setuid"),
        directory(b"./d", 0o3775),
    )
    extractor = extract(root, data, attributes=Attributes(preserve_modes=True))
    assert list(map(str, extractor.not_kept)) == [
        "d: set-group-id bit",
        "d: sticky bit",
        "d/all: set-user-id bit",
        "d/all: set-group-id bit",
        "d/all: sticky bit",
        "d/setuid: set-user-id bit",
    ]
    assert (mode(root / "d"), mode(root / "d/all"), mode(root / "d/setuid")) == (0o775, 0o755, 0o755)
    assert extractor.left_out == []


def test_attributes_that_an_archive_has_are_told(root: Path) -> None:
    data = archive(
        pax({b"SCHILY.acl.default": b"user::rwx"}) + directory(b"d", 0o1777),
        pax({b"SCHILY.xattr.security.capability": b"\1"}) + file(b"d/ping", b"1"),
        pax({b"mtime": b"1.5", b"SCHILY.xattr.security.selinux": b"x"}) + file(b"d/plain", b"1"),
        pax({b"SCHILY.xattr.user.x": b"1"}) + symlink(b"d/link", b"ping"),
    )
    extractor = extract(root, data)
    assert list(map(str, extractor.not_kept)) == ["d: sticky bit", "d: ACL", "d/ping: capabilities"]
    assert (extractor.left_out, extractor.entries) == ([], 4)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="Python has no setxattr on macOS")
@pytest.mark.parametrize(
    ("tar", "options", "sends_it"),
    [
        ("bsdtar", [], True),
        ("tar", ["--xattrs"], True),
        ("tar", [], False),
        ("busybox tar", [], False),
        ("toybox tar", [], False),
    ],
)
def test_an_attribute_in_a_pod_is_told_where_its_tar_sends_it(
    root: Path, tar: str, options: list[str], sends_it: bool
) -> None:
    with tempfile.TemporaryDirectory() as place:  # not in tmp_path, where nothing may change
        path = Path(place, "f")
        path.write_text("content")
        path.chmod(0o4755)
        try:
            os.setxattr(path, "user.x", b"1")
        except OSError as exc:
            pytest.skip(f"it can't be set here: {exc.strerror}")
        data = run_tar(tar, *options, "-c", "-C", place, "./f")
    extractor = extract(root, data)
    told = ["f: set-user-id bit"] + ["f: extended attributes"] * sends_it
    assert list(map(str, extractor.not_kept)) == told
    assert os.listxattr(root / "f") == []


@pytest.mark.parametrize("room", [0, 7, MOST_TOLD + 5])
def test_what_is_only_told_is_named_up_to_a_bound_and_counted(root: Path, room: int) -> None:
    """Half of it is left out, of the other half something is not kept."""
    told = [0]

    def has_room() -> bool:
        told[0] += 1
        return told[0] <= 2 * room

    members = ((file(b"%d" % index, mode=0o4755), block(b"-%d" % index, typeflag=b"6")) for index in range(1200))
    extractor = extracting(root, b"", has_room=has_room)
    extractor.feed(archive(*chain.from_iterable(members)))
    extractor.finish()
    named = min(room, MOST_TOLD)
    for told_of in (extractor.left_out, extractor.not_kept):
        assert len(told_of) == named + 1
        assert told_of[-1].count == 1200 - named
    assert str(extractor.left_out[-1]) == f": {1200 - named} more entries; not named"
    assert extractor.entries == 1200


def test_other_names_of_links_and_special_files_are_left_out(root: Path) -> None:  # H08; `cp -al` makes such trees
    parts = [symlink(b"l", b"/etc/passwd"), block(b"f", typeflag=b"6")]
    extractor = extract(root, archive(*parts, hard_link(b"m", b"l"), hard_link(b"n", b"m"), hard_link(b"g", b"f")))
    assert {one.path for one in extractor.left_out} == {b"l", b"f", b"m", b"n", b"g"}
    assert str(extractor.left_out[-1]) == "g: it is another name of f, which is no regular file"
    assert (snapshot(root), extractor.entries) == ({}, 0)


def test_repeated_directory_is_taken_once(root: Path) -> None:
    extract(root, archive(file(b"d/f"), directory(b"d", 0o700), directory(b"d/", 0o700)))
    assert mode(root / "d") == 0o700


@pytest.mark.parametrize(
    ("tar", "options"),
    [
        ("tar", []),
        ("tar", ["--format=posix"]),
        ("tar", ["--format=posix", "-S"]),
        ("bsdtar", []),
        ("bsdtar", ["--format=gnutar"]),
        ("bsdtar", ["--format=pax"]),
        ("busybox tar", []),
        ("toybox tar", []),
    ],
)
def test_trees_packed_by_every_tar_arrive_identical(tar: str, options: list[str], root: Path) -> None:
    with tempfile.TemporaryDirectory() as place:  # not in tmp_path, where nothing may change
        source = Path(place, "source")
        trees.build(source)
        _add_sparse_files(source)
        data = run_tar(tar, *options, "-c", "-C", place, "./source")
        extract(root, data, b"source", step=32_768, attributes=Attributes(preserve_modes=True))
        assert trees.describe(root / "source") == trees.describe(source)
        assert mode(root / "source") == mode(source)


def _add_sparse_files(source: Path) -> None:
    with open(source / "sparse", "wb") as written:
        for offset in (0, 1 << 20, 3 << 20):
            written.seek(offset)
            written.write(b"island")
        written.truncate(4 << 20)
    with open(os.path.join(os.fsencode(source), b"hole-\xff"), "wb") as written:
        written.truncate(1 << 20)
    os.utime(source, (trees.SOME_TIME_S, trees.SOME_TIME_S))


# Hostile archives (the table of all of them: benchmarks/trust/hostile)


@pytest.mark.parametrize("size", [0, 1, 512, 1024, 1536, 2047, 2048, 2560, 3071])
def test_a_cut_archive_leaves_only_whole_files(root: Path, size: int) -> None:  # H30
    data = archive(file(b"a", b"1"), file(b"b", b"2" * 513))
    with pytest.raises(ProtocolViolation, match=r"no archive came|the archive stops"):
        extract(root, data[:size])
    assert snapshot(root) == {} if size < 513 else {"a": "1"} if size < 1536 + 513 else {"a": "1", "b": "2" * 513}


def test_links_that_lead_out_are_left_out_and_named(root: Path) -> None:  # H07
    extractor = extract(root, archive(symlink(b"l", b"d/../.."), file(b"f", b"1")))
    (left_out,) = extractor.left_out
    assert left_out.path == b"l"
    assert left_out.reason == "its target, d/../.., leads out of the pod's directory"
    assert (snapshot(root), extractor.entries) == ({"f": "1"}, 1)


def test_stays_inside_counts_the_directories_above_the_link() -> None:
    assert [stays_inside(path, b"../x") for path in (b"l", b"a/l", b"a/b/l")] == [False, True, True]
    assert not stays_inside(b"a/l", b"../../x")


def test_too_many_entries_are_refused_with_the_limit_that_is_to_be_raised(root: Path) -> None:  # H29
    data = archive(*(file(b"d/%d\x1b" % index, b"1") for index in range(5)))
    with pytest.raises(UnsafeEntry, match=r"with d/3\\x1b the archive has more than 4 entries") as caught:
        extract(root, data, limits=Limits(entries=4))
    assert Knob.ENTRIES in caught.value.hint
    assert extract(root, data, limits=Limits(entries=6)).entries == 5


def test_too_much_to_remember_is_refused(root: Path) -> None:  # H29
    for kind, link, most in ((b"5", b"", 20_000), (b"2", b"x", 20_000), (b"6", b"", 9_000), (b"0", b"", 9_000)):
        many = archive(*(block(kind + b"-%d" % index, typeflag=kind, link=link) for index in range(100)))
        with pytest.raises(UnsafeEntry, match="remembered") as caught:
            extract(root, many, limits=Limits(memory=most))
        assert Knob.MEMORY in caught.value.hint


hostile_names = st.lists(st.sampled_from([b"a", b"b", b"c", b"outside", b".", b"..", b""]), max_size=4).map(b"/".join)
hostile_parts = st.one_of(
    st.builds(file, hostile_names, st.just(b"x")),
    st.builds(directory, hostile_names, st.sampled_from([0o700, 0o777])),
    st.builds(symlink, hostile_names, hostile_names),
    st.builds(hard_link, hostile_names, hostile_names),
    st.builds(lambda name: sparse(name, 9, b"1\n5\n4\n", b"1234"), hostile_names),
    st.builds(lambda name: long_name(name + b"/a") + file(b"x"), hostile_names),
)


@settings(max_examples=200)
@given(st.lists(st.lists(hostile_parts, max_size=8), min_size=1, max_size=3))
def test_no_row_of_hostile_archives_gets_out(archives_in_a_row: list[list[bytes]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        pod = Path(place, "pod")
        outside = dict.fromkeys(("a", "b", "c", "outside"), "untouched")
        for name, content in outside.items():
            Path(place, name).write_text(content)
        for parts in archives_in_a_row:
            with suppress(TransferError):
                extract(pod, archive(*parts))
        names = snapshot(Path(place))
        assert {name: content for name, content in names.items() if not name.startswith("pod")} == outside
        assert not [name for name in names if name.endswith(".partial")]
        inside = [pod / name for name in ("", *snapshot(pod))] if pod.exists() else []
        assert {_inode(path, follow=True) for path in inside} <= {_inode(path, follow=False) for path in inside} | {0}


def _inode(path: Path, *, follow: bool) -> int:
    try:
        return os.stat(path, follow_symlinks=follow).st_ino
    except OSError:  # a link that leads to nothing, or to itself
        return 0


# A hostile or unlucky destination


def _a_file(pod: Path, name: str) -> None:
    (pod / name).parent.mkdir(parents=True, exist_ok=True)
    (pod / name).write_text("in the way")


def _a_link(pod: Path, name: str) -> None:
    (pod / name).parent.mkdir(parents=True, exist_ok=True)
    (pod / name).symlink_to(pod.parent / "outside")


def _a_dangling_link(pod: Path, name: str) -> None:
    (pod / name).symlink_to("nowhere")


def _a_directory(pod: Path, name: str) -> None:
    (pod / name).mkdir(parents=True)


EVIL = file(b"evil", b"x")
NO_DIRECTORY = "is a file or a symbolic link, but a directory belongs there"
DIRECTORY = "can't be written: a directory is in the way"
IN_THE_WAY: dict[str, tuple[Callable[[Path, str], None], str, bytes, str]] = {
    "root is a file": (_a_file, "", EVIL, f"pod {NO_DIRECTORY}"),
    "root is a link (H09)": (_a_link, "", EVIL, f"pod {NO_DIRECTORY}"),
    "root is a dangling link (H09)": (_a_dangling_link, "", EVIL, f"pod {NO_DIRECTORY}"),
    "directory is a link (H09)": (_a_link, "d", file(b"d/victim", b"x"), f"pod/d {NO_DIRECTORY}"),
    "directory is a file": (_a_file, "d", file(b"d/e/f", b"x"), f"pod/d {NO_DIRECTORY}"),
    "file is a directory": (_a_directory, "f", file(b"f", b"x"), f"pod/f {DIRECTORY}"),
    "hard link is a directory": (_a_directory, "h", file(b"f") + hard_link(b"h", b"f"), f"pod/h {DIRECTORY}"),
}


@pytest.mark.parametrize(("prepare", "name", "data", "message"), IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_stands_in_the_way_is_named(
    root: Path, prepare: Callable[[Path, str], None], name: str, data: bytes, message: str
) -> None:
    prepare(root, name)
    with pytest.raises(DestinationError, match=message) as caught:
        extract(root, archive(data))
    assert caught.value.hint


def test_root_that_is_a_link_with_a_slash_behind_it_is_refused(root: Path) -> None:  # H09
    _a_link(root, "")
    extractor = extracting(f"{root}/", b"")
    with pytest.raises(DestinationError, match=f"pod {NO_DIRECTORY}"):
        extractor.feed(file(b"victim", b"x"))
    os.unlink(root)


def test_links_left_by_an_earlier_run_are_replaced_not_followed(root: Path) -> None:  # H09
    root.mkdir()
    for name in ("file", "link", "hard"):
        (root / name).symlink_to("../outside/victim")
    extract(root, archive(file(b"file", b"1"), symlink(b"link", b"file"), hard_link(b"hard", b"file")))
    assert snapshot(root) == {"file": "1", "link": "-> file", "hard": "1"}


def test_directory_swapped_for_a_link_is_not_followed(root: Path) -> None:  # H10
    extractor = extracting(root, b"")
    extractor.feed(file(b"d/first", b"1") + file(b"d/second", b"2" * 600)[:600])
    os.rename(root / "d", root / "moved")
    (root / "d").symlink_to("../outside")
    extractor.feed(file(b"d/second", b"2" * 600)[600:])  # into the directory that was held
    extractor.feed(file(b"other/third"))
    with pytest.raises(DestinationError):
        extractor.feed(file(b"d/victim", b"evil"))
    extractor.abort()
    assert snapshot(root / "moved") == {"first": "1", "second": "2" * 600}


def test_symlink_whose_place_is_a_directory_is_left_out(root: Path) -> None:
    for name in ("l", "m"):
        (root / name).mkdir(parents=True)
    extractor = extract(root, archive(symlink(b"l", b"x"), symlink(b"m", b"x"), symlink(b"n", b"x")))
    why = "a directory stands where this symbolic link belongs"
    assert [str(one) for one in extractor.left_out] == [f"l: {why}", f"m: {why}"]
    assert snapshot(root) == {"l": "/", "m": "/", "n": "-> x"}


def test_names_that_differ_in_case_do_not_overwrite_each_other(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # H25
    monkeypatch.setattr(Tree, "folds_case", lambda self: True)
    for first, second in ((b"README", b"readme"), ("é".encode(), "e\u0301".encode()), (b"D/f", b"d")):
        with pytest.raises(UnsafeEntry, match="differ only in case"):
            extract(root, archive(file(first, b"1"), file(second, b"2")))


def test_case_is_told_apart_where_the_file_system_does(root: Path) -> None:
    root.mkdir()
    tree = Tree(root)
    folds = tree.folds_case()
    tree.close()
    (root / "a").touch()
    assert folds == (root / "A").exists()
    os.unlink(root / "a")
    assert snapshot(root) == {}


# Disks that fail


CALLS = ["write", "open", "close", "rename", "utime", "fchmod", "mkdir", "link", "symlink", "fchown", "chown", "lseek"]


@pytest.mark.parametrize("left", [0, 2, 5])
@pytest.mark.parametrize("call", CALLS)
def test_a_failing_disk_leaves_no_torn_file(root: Path, monkeypatch: pytest.MonkeyPatch, call: str, left: int) -> None:
    parts = [directory(b"d%d" % index) + file(b"d%d/f" % index, b"x" * 100) for index in range(6)]
    parts += [hard_link(b"h%d" % index, b"d0/f") + symlink(b"l%d" % index, b"d0") for index in range(6)]
    parts += [file(b"large%d" % index, b"y" * 20_000) for index in range(6)]
    parts += [sparse(b"s%d" % index, 9, b"1\n5\n4\n", b"1234") for index in range(6)]
    monkeypatch.setattr(os, call, _failing(getattr(os, call), left))
    extractor = extracting(root, b"", attributes=Attributes(preserve_owner=call in ("fchown", "chown")))
    with pytest.raises(DestinationError):
        _all_of(extractor, archive(*parts))
    monkeypatch.undo()
    extractor.abort()
    assert set(snapshot(root).values()) <= {"/", "x" * 100, "y" * 20_000, "-> d0", "\0" * 5 + "1234"}


@pytest.mark.parametrize("step", [0, 100])
def test_a_small_file_that_another_run_removed_before_its_rename_is_written_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    rename, names = os.rename, list[bytes]()

    def lose_first(source: bytes, name: bytes, **directories: int) -> None:
        if name not in names and step == 0:
            os.unlink(source, dir_fd=directories["src_dir_fd"])
        names.append(name)
        rename(source, name, **directories)

    monkeypatch.setattr(os, "rename", lose_first)
    extract(root, archive(file(b"a", b"first" * 100), file(b"b", b"second" * 100)), step=step)
    assert snapshot(root) == {"a": "first" * 100, "b": "second" * 100}
    assert names == ([b"a", b"a", b"b", b"b"] if step == 0 else [b"a", b"b"]), "a file in pieces is locked instead"


def _all_of(extractor: Ingest, data: bytes) -> None:
    extractor.feed(data)
    extractor.finish()


def _failing(real: Callable[..., object], left: int) -> Callable[..., object]:
    """Return a system call whose disk is full after `left` calls. A close() that fails has closed nonetheless."""
    calls = iter(range(left))
    closes = real is os.close

    def call(*arguments: object, **options: object) -> object:
        full = next(calls, None) is None
        result = real(*arguments, **options) if closes or not full else None
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return result

    return call


def test_an_error_of_the_system_is_told_in_words(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", _failing(os.write, 0))
    with pytest.raises(DestinationError) as caught:
        extract(root, archive(file(b"\x1b", b"x")))
    assert str(caught.value) == f"{root}/\\x1b can't be written: the disk is full"
    assert caught.value.hint == "free some space, or write to another disk"


def test_a_disk_that_takes_nothing_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda fd, data: 0)
    with pytest.raises(DestinationError, match="Input/output error"):
        extract(root, archive(file(b"f", b"x")))
    assert snapshot(root) == {}


def test_a_disk_that_takes_little_at_a_time_gets_everything(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    extract(root, archive(file(b"f", b"0123456789" * 50)))
    assert snapshot(root) == {"f": "0123456789" * 50}


@pytest.mark.parametrize(
    "map_", [b"1\n9223372036854775807\n0\n", b"2\n4611686018427387000\n3\n9223372036854775807\n0\n"]
)
def test_a_file_larger_than_the_file_system_allows_is_an_error(root: Path, map_: bytes) -> None:  # H14
    data = archive(sparse(b"s", 2**63 - 1, map_, b"abc" if b"\n3\n" in map_ else b""))
    with pytest.raises(DestinationError, match="pod/s can't be written"):
        extract(root, data, limits=Limits(size=2**63))
    assert snapshot(root) == {}


def test_abort_removes_the_file_under_way_and_opens_directories(root: Path) -> None:
    extractor = extracting(root, b"")
    extractor.feed(directory(b"d", 0o755) + file(b"d/whole", b"1") + file(b"d/torn", b"2" * 999)[:900])
    assert mode(root / "d") == 0o700
    extractor.abort()
    extractor.abort()
    assert (snapshot(root), mode(root / "d")) == ({"d": "/", "d/whole": "1"}, 0o755)
    assert (extractor.entries, extractor.size) == (2, 1)


def test_abort_after_finish_changes_nothing(root: Path) -> None:
    extractor = extract(root, archive(directory(b"d", 0o750)))
    os.chmod(root / "d", 0o700)
    extractor.abort()
    assert mode(root / "d") == 0o700


def test_abort_never_raises(root: Path) -> None:
    extractor = extracting(root, b"")
    extractor.feed(directory(b"d") + directory(b"e") + file(b"d/f", b"xx")[:513])
    (temporary,) = os.listdir(root / "d")
    os.unlink(root / "d" / temporary)
    os.rename(root / "d", root / "gone")
    (root / "d").touch()
    extractor.abort()
    assert (snapshot(root), mode(root / "e")) == ({"gone": "/", "d": "", "e": "/"}, 0o755)


def test_finish_before_the_end_is_refused(root: Path) -> None:
    extractor = extracting(root, b"")
    extractor.feed(directory(b"d") + symlink(b"l", b"d"))
    with pytest.raises(ProtocolViolation, match="without an end marker after l"):
        extractor.finish()
    assert (snapshot(root), mode(root / "d")) == ({"d": "/"}, 0o755)


# Owners


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can set owners")
def test_owners_are_set_on_request_only(root: Path) -> None:  # H13
    data = archive(
        block(b"d", typeflag=b"5", uid=1234, gid=5678),
        block(b"d/f", mode=0o6711, uid=1234, gid=5678),
        block(b"l", typeflag=b"2", link=b"d", uid=1234, gid=5678),
    )
    extract(root, data)
    assert {os.lstat(root / name).st_uid for name in ("d", "d/f", "l")} == {0}
    _all_of(extracting(root, b"", attributes=Attributes(preserve_owner=True)), data)
    assert {(os.lstat(root / name).st_uid, os.lstat(root / name).st_gid) for name in ("d", "d/f", "l")} == {
        (1234, 5678)
    }
    assert mode(root / "d/f") == 0o711


@pytest.mark.usefixtures("unprivileged")
def test_owners_that_may_not_be_set_are_an_error_with_a_hint(root: Path) -> None:
    extractor = extracting(root, b"", attributes=Attributes(preserve_owner=True))
    with pytest.raises(DestinationError, match="f can't be given to user 1, group 1") as caught:
        extractor.feed(file(b"f", uid=1, gid=1))
    extractor.abort()
    assert "root" in caught.value.hint


@pytest.mark.usefixtures("unprivileged")
def test_directories_get_their_modes_from_the_deepest_up(root: Path) -> None:  # H12
    extract(root, archive(directory(b"a", 0), directory(b"a/b", 0o500), file(b"a/b/f", b"1")))
    assert mode(root / "a") == 0
    os.chmod(root / "a", 0o700)
    assert mode(root / "a/b") == 0o500
    os.chmod(root / "a/b", 0o700)


@pytest.mark.usefixtures("unprivileged")
def test_closed_directories_are_an_error_unless_the_archive_opens_them(root: Path) -> None:
    root.mkdir(mode=0o755)
    (root / "d").mkdir(mode=0o555)
    with pytest.raises(DestinationError, match="pod/d/f can't be written: permission denied"):
        extract(root, archive(file(b"d/f", b"x")))
    extract(root, archive(directory(b"d", 0o700), file(b"d/f", b"x")))
    assert snapshot(root) == {"d": "/", "d/f": "x"}


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[None]:
    """Give up root's privileges for a test, if we have them."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(tmp_path, 65534, -1)
    top = Path(tempfile.gettempdir()).resolve()
    for above in list(tmp_path.relative_to(top).parents)[:-1]:  # pytest's own, which are closed
        os.chmod(top / above, 0o755)
    os.seteuid(65534)
    yield
    os.seteuid(0)


BEGINNING = archive(
    directory(b"d/"),
    file(b"d/large", os.urandom(300_000)),
    file(b"d/small", b"small"),
    sparse(b"d/sparse", 600_000, b"3\n8192\n40960\n500000\n100\n600000\n0\n", b"x" * 40_960 + b"y" * 100),
    file(b"d/closed", os.urandom(70_000), mode=0o400),
    file(b"last", os.urandom(200_000)),
)


@pytest.mark.parametrize("step", [512, 20_000, 100_000, len(BEGINNING)])
@pytest.mark.parametrize("stop", [0, 1000, 100_000, 301_000, 350_000, 450_000, len(BEGINNING)])
def test_the_digest_of_a_beginning_is_that_of_the_bytes_which_came(tmp_path: Path, step: int, stop: int) -> None:
    extractor, data = extracting(tmp_path, b""), BEGINNING[:stop]
    taken = 0
    for start in range(0, len(data), step):
        taken += len(data[start : start + step]) - len(extractor.feed(data[start : start + step]))
    whole, prefix = taken // RECORD_SIZE * RECORD_SIZE, extractor.prefix
    assert prefix
    assert prefix.records == taken // RECORD_SIZE
    assert finished(prefix.digest()) == hashlib.sha256(data[:whole]).hexdigest()
    assert prefix.follow().strip(data[whole:taken]) is not None, "and the bytes behind it are known"
    extractor.abort()


@pytest.mark.parametrize("change", ["cut", "removed", "a link"])
def test_a_file_that_was_changed_meanwhile_is_no_beginning_to_continue_behind(tmp_path: Path, change: str) -> None:
    extractor = extracting(tmp_path, b"")
    extractor.feed(BEGINNING)
    large = tmp_path / "d" / "large"
    match change:
        case "cut":
            os.truncate(large, 10)
        case "removed":
            large.unlink()
        case _:
            large.rename(tmp_path / "elsewhere")
            large.symlink_to(tmp_path / "elsewhere")
    assert extractor.prefix
    assert finished(extractor.prefix.digest()) is None
    extractor.abort()
