"""The decoder and the encoder of archives, by tables. H01 … are explained in benchmarks/trust/hostile."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from asynccp.archive.header import BLOCK, END, encode_header, header_size, padding
from asynccp.archive.tar import ArchiveEnd, Data, Event, Hole, Member, MemberEnd, Rest, TarDecoder, member_path
from asynccp.entry import Entry, Kind, LeftOut
from asynccp.errors import Knob, ProtocolViolation, TransferError
from asynccp.limits import Limits
from tests import archives
from tests.archive.spelled import spelled
from tests.archives import archive, block, directory, file, hard_link, long_name, pax, sparse, symlink

GIB = 1024**3


def decode(data: bytes, sizes: Iterable[int] = ()) -> list[Event | tuple[str, bytes]]:
    """Return all events, fed in pieces of `sizes` and then the rest; adjacent Data and Rest joined, as bytes."""
    decoder, events = TarDecoder(), list[Event | tuple[str, bytes]]()
    for piece in (*_pieces(data, sizes),):
        for event in spelled(decoder.feed(piece)):
            if not isinstance(event, Data | Rest):
                events.append(event)
                continue
            kind, last = type(event).__name__, events[-1] if events else None
            joined = last[1] if isinstance(last, tuple) and last[0] == kind else b""
            events[len(events) - bool(joined) :] = [(kind, joined + bytes(event.data))]
    return events


def _pieces(data: bytes, sizes: Iterable[int]) -> Iterable[bytes]:
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size
    yield data[start:]


def members(data: bytes) -> list[Entry]:
    return [event.entry for event in decode(data) if isinstance(event, Member)]


def refusal(data: bytes) -> TransferError:
    with pytest.raises(TransferError) as caught:
        decode(data)
    return caught.value


# What is read


def test_a_small_archive_becomes_events_in_order() -> None:
    data = archive(directory(b"./"), file(b"./a/b", b"hello"), symlink(b"./l", b"a/b"), hard_link(b"./h", b"./a/b"))
    root, b, link, hard = (
        Entry(b"", Kind.DIRECTORY, mode=0o755, mtime_ns=1_700_000_000 * 10**9),
        Entry(b"a/b", Kind.FILE, 5, 0o644, 1_700_000_000 * 10**9),
        Entry(b"l", Kind.SYMLINK, 0, 0o777, 1_700_000_000 * 10**9, link=b"a/b"),
        Entry(b"h", Kind.HARDLINK, 0, 0o644, 1_700_000_000 * 10**9, link=b"a/b"),
    )
    assert decode(data + b"\0\0trailer") == [
        *(Member(root), MemberEnd()),
        *(Member(b), ("Data", b"hello"), MemberEnd()),
        *(Member(link), MemberEnd(), Member(hard), MemberEnd()),
        *(ArchiveEnd(), ("Rest", b"\0\0trailer")),
    ]


def test_content_is_not_copied() -> None:
    data = file(b"big", b"x" * 5000)
    (content,) = [event.data for event in TarDecoder().feed(data) if isinstance(event, Data)]
    assert content.obj is data


@pytest.mark.parametrize("size", [1, 7, 511, 512, 513, 1000])
def test_any_slicing_gives_the_same_events(size: int) -> None:
    data = rich_archive() + b"rest of the stream"
    assert decode(data, [size] * (len(data) // size)) == decode(data)


@pytest.mark.parametrize(
    ("name", "path"),
    [(b"./", b""), (b".", b""), (b"././", b""), (b"./a/", b"a"), (b"a//b/./c", b"a/b/c"), (b"..a/b..", b"..a/b..")],
)
def test_directory_names_are_cleaned(name: bytes, path: bytes) -> None:
    assert member_path(name, directory=True) == path


def test_names_of_any_bytes_are_kept() -> None:
    names = [b"\xff\xfe", b"new\nline", b"-rf", b"..\\..\\x", b"C:x", bytes(range(1, 47)) + bytes(range(48, 99))]
    assert [entry.path for entry in members(archive(*map(file, names)))] == names


def test_name_of_exactly_100_bytes_has_no_nul() -> None:
    assert members(archive(file(b"n" * 100)))[0].path == b"n" * 100


def test_ustar_prefix_is_part_of_the_name() -> None:
    assert members(archive(file(b"b/c", magic=archives.POSIX, prefix=b"./a")))[0].path == b"a/b/c"


@pytest.mark.parametrize("end", [b"\0", b""])
def test_gnu_long_names_are_read(end: bytes) -> None:
    name, target = b"d" * 200 + b"/f", b"../" * 60 + b"t"
    data = archive(
        long_name(target, b"K", end), long_name(name, b"L", end), symlink(name[:100], target[:100]), file(b"next")
    )
    assert [(entry.path, entry.link) for entry in members(data)] == [(name, target), (b"next", b"")]


def test_pax_records_are_read_and_belong_to_one_member() -> None:
    records = {
        b"path": b"./\xff\n=x",
        b"mtime": b"-1.5",
        b"uid": b"3000000000",
        b"gid": b"7",
        b"uname": b"",
        b"hdrcharset": b"BINARY",
        b"SCHILY.xattr.user.x": b"\0\xff",
        b"LIBARCHIVE.creationtime": b"1",
    }
    first, second = members(archive(pax(records), file(b"short", magic=archives.POSIX), file(b"b")))
    assert (first.path, first.mtime_ns, first.uid, first.gid) == (b"\xff\n=x", -1_500_000_000, 3_000_000_000, 7)
    assert (second.path, second.mtime_ns, second.uid) == (b"b", 1_700_000_000 * 10**9, 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1.25", 1_250_000_000),
        (b"0", 0),
        (b"-2", -2 * 10**9),
        (b"1.1234567899", 1_123_456_789),
        (b"-0.5", -(10**9) // 2),
    ],
)
def test_pax_times_have_nanoseconds(value: bytes, expected: int) -> None:
    assert members(archive(pax({b"mtime": value}), file(b"a")))[0].mtime_ns == expected


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (b"00000000017\0", 15),
        (b" 17 \0", 15),
        (b"157777777777", 0o157777777777),  # BusyBox: all 12 digits
        (b"\x80" + (2**40).to_bytes(11, "big"), 2**40),
        ((-2).to_bytes(12, "big", signed=True), -2),
        (b"\x80" + (2**64 - 2).to_bytes(11, "big"), -2),  # toybox: an unsigned number of 64 bits
    ],
)
def test_times_are_read_as_the_tars_write_them(field: bytes, seconds: int) -> None:
    assert members(archive(file(b"a", mtime=field)))[0].mtime_ns == seconds * 10**9


@pytest.mark.parametrize("header_size_field", [9 * GIB, b"110000000000", 0], ids=["gnu", "busybox", "pax"])
def test_files_over_8_gib_are_read(header_size_field: int | bytes) -> None:
    extension = pax({b"size": b"%d" % (9 * GIB)}) if header_size_field == 0 else b""
    decoder = TarDecoder()
    (member,) = decoder.feed(extension + block(b"nine", size=header_size_field))
    assert isinstance(member, Member)
    assert member.entry.size == 9 * GIB
    assert decoder.describe() == f"the archive stops inside nine, {9 * GIB} bytes before its end"


def test_global_comment_is_passed_over() -> None:  # git archive writes one
    assert members(archive(pax({b"comment": b"0123"}, b"g"), file(b"a")))[0].path == b"a"


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({b"path": b"a", b"mtime": b"1"}, ()),
        ({b"SCHILY.xattr.user.x": b"\0\xff"}, ("extended attributes",)),
        ({b"LIBARCHIVE.xattr.user.caf%C3%A9": b"MQ", b"SCHILY.xattr.user.caf\xc3\xa9": b"1"}, ("extended attributes",)),
        ({b"SCHILY.xattr.trusted.x": b"1"}, ("extended attributes",)),
        (
            {b"LIBARCHIVE.xattr.security.capability": b"AQ", b"SCHILY.xattr.security.capability": b"\1"},
            ("capabilities",),
        ),
        ({b"RHT.security.capability": b"\1"}, ("capabilities",)),
        ({b"SCHILY.acl.access": b"user::rw-", b"SCHILY.acl.default": b"user::rw-"}, ("ACL",)),
        ({b"SCHILY.acl.ace": b"owner@:rw"}, ("ACL",)),
        ({b"SCHILY.xattr.system.posix_acl_default": b"\2"}, ("ACL",)),
        ({b"SCHILY.xattr.user.x": b"1", b"SCHILY.acl.access": b"u"}, ("extended attributes", "ACL")),
        ({b"RHT.security.selinux": b"system_u", b"SCHILY.xattr.security.selinux": b"x"}, ()),
        ({b"SCHILY.xattr.security.ima": b"1", b"SCHILY.xattr.security.evm": b"1"}, ()),
        (
            {b"SCHILY.xattr.com.apple.quarantine": b"1", b"LIBARCHIVE.creationtime": b"1", b"SCHILY.fflags": b"nodump"},
            (),
        ),
        ({b"SCHILY.xattr.\xff\xfe": b"1"}, ()),
    ],
)
def test_what_an_archive_has_and_is_never_set_is_told_with_its_member(
    records: dict[bytes, bytes], words: tuple[str, ...]
) -> None:
    first, second = [
        event for event in decode(archive(pax(records), file(b"a"), file(b"b"))) if isinstance(event, Member)
    ]
    assert (first.not_kept, second.not_kept) == (words, ())


LONG_NAME = b"n" * 100


@pytest.mark.parametrize(
    "parts",
    [
        (long_name(LONG_NAME + b"n"), file(b"next", b"1")),  # toybox, behind a file that it could not open
        (long_name(LONG_NAME + b"n"), file(LONG_NAME[:99], b"1")),
        (long_name(LONG_NAME + b"n"), block(b"next", typeflag=b"6")),
        (long_name(LONG_NAME + b"n"), directory(b"next/")),
        (long_name(LONG_NAME + b"n", b"K"), symlink(b"l", b"n")),
        (long_name(LONG_NAME + b"n", b"K"), hard_link(b"l", b"./next")),
    ],
)
def test_a_long_name_that_is_another_members_is_refused(parts: tuple[bytes, ...]) -> None:
    error = refusal(archive(file(b"next"), *parts))
    assert isinstance(error, ProtocolViolation)
    assert "a member has two names" in str(error)


@pytest.mark.parametrize("typeflag", [b"3", b"4", b"6", b"7"])
def test_special_files_are_left_out_and_their_content_passed_over(typeflag: bytes) -> None:  # H11
    data = archive(file(b"./x", b"payload" * 100, typeflag=typeflag), file(b"next", b"1"))
    left_out, *rest = decode(data)
    assert isinstance(left_out, LeftOut)
    assert left_out.path == b"x"
    assert "never copied" in left_out.reason
    assert rest == decode(archive(file(b"next", b"1")))


@pytest.mark.parametrize(
    ("real_size", "map_", "content", "expected"),
    [
        (30, b"2\n10\n5\n30\n0\n", b"abcde", [Hole(10), ("Data", b"abcde"), Hole(15)]),
        (1 << 40, b"2\n0\n0\n1099511627776\n0\n", b"", [Hole(1 << 40)]),
        (517, b"3\n0\n512\n514\n3\n517\n0\n", b"a" * 512 + b"b" * 3, [("Data", b"a" * 512), Hole(2), ("Data", b"bbb")]),
        (5, b"1\n0\n5\n", b"abcde", [("Data", b"abcde")]),
        (0, b"0\n", b"", []),
    ],
)
def test_sparse_files_become_holes_and_data(
    real_size: int, map_: bytes, content: bytes, expected: list[Event | tuple[str, bytes]]
) -> None:
    member, *events = decode(archive(sparse(b"s", real_size, map_, content), file(b"next")))
    assert isinstance(member, Member)
    assert (member.entry.path, member.entry.size) == (b"s", real_size)
    assert events[: len(expected) + 1] == [*expected, MemberEnd()]


def test_sparse_map_may_be_longer_than_a_block() -> None:
    pairs = b"".join(b"%d\n512\n" % (1000 * index) for index in range(500))
    events = decode(archive(sparse(b"s", 499_512, b"500\n" + pairs, b"x" * 512 * 500)))
    assert sum(event == ("Data", b"x" * 512) for event in events) == 500


# What is refused (the table of all that is: benchmarks/trust/hostile)

LONG = b"x" * 101


def test_refusals_show_names_without_control_characters() -> None:  # H27
    for data in (file(b"../\x1b[31m\n"), file(b"a\0\x1b"), pax(b"\x1b\x9b"), block(b"\x1b", typeflag=b"\x1b")):
        assert str(refusal(archive(data))).isprintable()


def test_refusal_of_text_shows_the_text() -> None:
    assert "setlocale" in str(refusal(b"bash: warning: setlocale\n" + archive(file(b"a", b"x"))))


LONG_MAP = b"99\n" + b"".join(b"%d\n512\n" % (512 * index) for index in range(99))


@pytest.mark.parametrize(
    ("limits", "data", "knob"),
    [
        (Limits(size=9), file(b"\x1b", b"x" * 10), Knob.SIZE),
        (Limits(path_size=9), file(b"x" * 14), Knob.PATH_SIZE),
        (Limits(depth=2), file(b"a/b/c"), Knob.DEPTH),
        (Limits(header_size=99), long_name(b"x" * 100) + file(b"x" * 100), Knob.HEADER_SIZE),
        (Limits(header_size=512), sparse(b"s", 512 * 99, LONG_MAP, bytes(512 * 99)), Knob.HEADER_SIZE),
    ],
)
def test_refusal_for_a_limit_names_what_is_to_be_raised(limits: Limits, data: bytes, knob: Knob) -> None:
    assert [event for event in TarDecoder().feed(data) if isinstance(event, Member)], "it is sound with more"
    with pytest.raises(TransferError) as caught:
        list(TarDecoder(limits).feed(data))
    assert knob in caught.value.hint
    assert str(caught.value).isprintable()


def test_refusal_tells_where() -> None:
    text = str(refusal(file(b"./first", b"x" * 600) + b"garbage " * 64))
    assert text.endswith("(at byte 1536 of the archive, after first)")


def test_members_before_a_damaged_one_are_still_told() -> None:
    events = TarDecoder().feed(file(b"a", b"x") + b"garbage " * 64)
    assert [type(next(events)) for _ in range(3)] == [Member, Data, MemberEnd]
    with pytest.raises(ProtocolViolation):
        next(events)


# Where it stops (every cut and every flipped bit: tests/hostile/test_cuts.py)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "no archive came"),
        (b"x", "the archive stops in the middle of a member"),
        (file(b"a", b"12345")[: BLOCK + 2], "the archive stops inside a, 3 bytes before its end"),
        (file(b"a", b"12345")[:-1], "the archive stops in the middle of a member after a"),
        (file(b"a") + long_name(LONG), "the archive stops in the middle of a member after a"),
        (directory(b"./"), "the archive stops without an end marker after ."),
        (file(b"\x1b") + bytes(BLOCK), "the archive stops without an end marker after \\x1b"),
        (sparse(b"s", 14, b"1\n9\n5\n", b"12345")[:1536], "the archive stops inside s, 517 bytes before its end"),
        (sparse(b"s", 14, b"1\n9\n5\n", b"12345")[:2051], "the archive stops inside s, 2 bytes before its end"),
        (archive(file(b"a")), "the archive is whole"),
    ],
)
def test_describe_tells_where_the_archive_stands(data: bytes, expected: str) -> None:
    decoder = TarDecoder()
    list(decoder.feed(data))
    assert decoder.describe() == expected


# What is written

ENTRIES = [
    Entry(b"", Kind.DIRECTORY, mode=0o755, mtime_ns=10**18),
    Entry(b"d", Kind.DIRECTORY, mode=0o1777, mtime_ns=10**18),
    Entry(b"f", Kind.FILE, 5, 0o4755, 1_700_000_000 * 10**9, 1000, 1001),
    Entry(b"empty", Kind.FILE),
    *(Entry(b"n" * size, Kind.FILE) for size in (97, 98, 99, 100, 254)),
    *(Entry(b"m" * size, Kind.DIRECTORY) for size in (96, 97, 98, 99)),
    Entry(b"/".join([b"deep" * 20] * 20), Kind.FILE, 1),
    Entry(b"\xff\xfe new\nline -x", Kind.FILE, 513),
    Entry(b"s", Kind.SYMLINK, mode=0o777, link=b"../x"),
    Entry(b"t" * 150, Kind.SYMLINK, mode=0o777, link=b"l" * 150),
    *(Entry(b"u%d" % size, Kind.SYMLINK, mode=0o777, link=b"l" * size) for size in (99, 100, 101)),
    Entry(b"h", Kind.HARDLINK, link=b"f"),
    Entry(b"i" * 120, Kind.HARDLINK, link=b"n" * 99),
    Entry(b"owner", Kind.FILE, uid=3_000_000_000, gid=2**21),
    Entry(b"old", Kind.FILE, mtime_ns=-2 * 10**9),
    Entry(b"future", Kind.FILE, mtime_ns=2**34 * 10**9),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: repr(entry.path[:12] + b"~%d" % len(entry.path)))
def test_encoded_entries_are_decoded_again(entry: Entry) -> None:
    header = encode_header(entry)
    assert len(header) == header_size(entry)
    assert members(header + bytes(entry.size + padding(entry.size)) + END) == [entry]


def test_sizes_of_8_gib_and_more_are_written_in_base_256() -> None:
    for size in (8 * GIB - 1, 8 * GIB, 100 * GIB):
        (member,) = TarDecoder().feed(encode_header(Entry(b"big", Kind.FILE, size)))
        assert isinstance(member, Member)
        assert member.entry.size == size
    assert encode_header(Entry(b"big", Kind.FILE, 8 * GIB))[124:136] == b"\x80" + (8 * GIB).to_bytes(11, "big")


def test_only_files_have_content() -> None:
    assert members(encode_header(Entry(b"h", Kind.HARDLINK, 99, link=b"f")) + END)[0].size == 0


@pytest.mark.parametrize("tar", ["tar", "bsdtar", "busybox tar", "toybox tar"])
def test_every_tar_extracts_what_is_encoded(tar: str, tmp_path: Path) -> None:
    entries = [
        Entry(b"", Kind.DIRECTORY, mode=0o755, mtime_ns=10**18),
        Entry(b"-d", Kind.DIRECTORY, mode=0o750, mtime_ns=10**18),
        Entry(b"-d/\xff\n'$(x)", Kind.FILE, 5, 0o640, 1_600_000_000 * 10**9),
        Entry(b"e" * 130, Kind.DIRECTORY, mode=0o700, mtime_ns=10**18),
        Entry(b"e" * 130 + b"/" + b"f" * 250, Kind.FILE, 5, 0o604, 1_500_000_000 * 10**9),
        *(Entry(b"n" * size, Kind.FILE, 5, mtime_ns=10**18) for size in (97, 98, 99, 100)),
        Entry(b"hard", Kind.HARDLINK, 0, 0o604, 1_500_000_000 * 10**9, link=b"e" * 130 + b"/" + b"f" * 250),
        Entry(b"soft", Kind.SYMLINK, mode=0o777, link=b"x/" * 60 + b"y"),
    ]
    content = {Kind.FILE: archives.padded(b"hello")}
    data = b"".join(encode_header(entry) + content.get(entry.kind, b"") for entry in entries) + END
    run_tar(tar, "-x", "-p", "-C", str(tmp_path), stdin=data)
    for entry in entries[1:]:
        if tar != "busybox tar" or entry.kind is not Kind.DIRECTORY:  # it sets a directory's time before it fills it
            check_extracted(entry, os.path.join(os.fsencode(tmp_path), entry.path))
    assert len(os.listdir(tmp_path)) == 8
    assert run_tar(tar, "-t", stdin=data).count(b"\n") >= len(entries)


def check_extracted(entry: Entry, path: bytes) -> None:
    status = os.lstat(path)
    if entry.kind is Kind.SYMLINK:
        assert os.readlink(path) == entry.link
    elif entry.kind is Kind.HARDLINK:
        assert status.st_nlink == 2
    else:
        assert (status.st_mode & 0o777, status.st_mtime_ns) == (entry.mode, entry.mtime_ns)
        assert entry.kind is Kind.DIRECTORY or Path(os.fsdecode(path)).read_bytes() == b"hello"


def run_tar(tar: str, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run one of the tars; skip the test if the machine lacks it."""
    program, *applet = tar.split()
    if not shutil.which(program):
        pytest.skip(f"there is no {program} on this machine")
    command = [program, *applet, "-f", "-", *arguments]
    ended = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=30)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


# Whole archives for the tests above


def rich_archive() -> bytes:
    """Return an archive with every kind of member and extension, small enough to be cut at every block."""
    return archive(
        pax({b"comment": b"x"}, b"g"),
        directory(b"./"),
        directory(b"./d/"),
        file(b"./d/f", b"x" * 1300),
        long_name(LONG),
        file(LONG[:100], b"y" * 512),
        long_name(LONG, b"K"),
        symlink(b"./l", LONG[:100]),
        pax({b"path": b"./p", b"mtime": b"1.5", b"size": b"7"}),
        file(b"p", b"1234567", magic=archives.POSIX),
        block(b"./fifo", typeflag=b"6"),
        hard_link(b"./h", b"./d/f"),
        sparse(b"./s", 5000, b"3\n1000\n1024\n4000\n10\n5000\n0\n", b"z" * 1034),
        file(b"./empty"),
    )
