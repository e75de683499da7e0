"""What members are and how much of it: special files, modes, owners, numbers, sparse files, names that come twice."""

from asynccp.limits import Limits
from benchmarks.trust.hostile.case import OK, Case, complete, left_out, malformed, unsafe
from tests import archives
from tests.archives import archive, block, directory, file, hard_link, pax, sparse, symlink

GIB = 1024**3

SPECIAL = [
    *(
        left_out(
            f"H11-typeflag-{flag.decode()}-and-its-content",
            "x",
            file(b"./x", b"payload" * 100, typeflag=flag),
            file(b"next", b"1"),
            left={"next": "1"},
        )
        for flag in (b"3", b"4", b"6", b"7")
    ),
    *(
        malformed(f"H11-typeflag-{flag!r}", block(b"a", typeflag=flag))
        for flag in (b"\0", b"Q", b"D", b"M", b"N", b"S", b"V", b"X", b"s", b"8", b"9", b"A", b"\xff")
    ),
    unsafe("H11-cpython-2025-13462", block(b"dir/", typeflag=b"\0")),
    left_out("H11-device-numbers", "n", block(b"n", typeflag=b"3", prefix=b"", mode=0o666)),
    malformed("H11-fifo-with-endless-content", block(b"f", typeflag=b"6", size=-1)),
    left_out("a-name-of-ours", ".asynccp-0badf00d.partial", file(b".asynccp-0badf00d.partial", b"x")),
    left_out("a-directory-of-ours", ".asynccp-a-1.2", file(b".asynccp-a-1.2/f", b"x"), directory(b".asynccp-a-1.2")),
    unsafe("climbs-out-of-ours", file(b".asynccp-a-1.2/../../f", b"x")),
    unsafe("H11-file-over-a-special-file", block(b"f", typeflag=b"6"), file(b"f")),
    unsafe("H14-special-file-of-a-petabyte", block(b"f", typeflag=b"3", size=1 << 50)),
    malformed("H11-symlink-with-content", file(b"l", b"x", typeflag=b"2", link=b"y")),
    malformed("H11-hard-link-with-content", file(b"h", b"x", typeflag=b"1", link=b"ok")),
    malformed("H11-directory-with-content", file(b"d/", b"x", typeflag=b"5")),
]

MODES = [
    complete("H12-set-id-and-sticky", directory(b"d", 0o7777), file(b"f", b"1", mode=0o6755),
             left={"d": "/", "f": "1"}),
    complete("H12-type-bits-in-the-mode", file(b"f", b"1", mode=0o120777), left={"f": "1"}),
    complete("H12-set-id-behind-a-hard-link", file(b"f", b"1", mode=0o4755), hard_link(b"h", b"f"),
             left={"f": "1", "h": "1"}),
    complete("H12-directory-closed-first", directory(b"d", 0o300), file(b"d/f", b"1"), directory(b"d", 0o300),
             left={"d": "/", "d/f": "1"}),
    complete("H13-owners-names-and-attributes",
             pax({b"uname": b"root", b"SCHILY.xattr.security.capability": b"\1\0\0\2", b"RHT.security.selinux": b"x",
                  b"SCHILY.acl.access": b"user::rwx"}),
             file(b"f", b"1", uid=0, gid=0, uname=b"root", magic=archives.POSIX), left={"f": "1"}),
    malformed("H13-owner-of-2-to-the-32", block(b"f", uid=2**32 - 1)),
    malformed("H13-owner-below-zero", block(b"f", gid=-1)),
]  # fmt: skip

NUMBERS = [
    *(
        malformed(f"H15-{field}-{value!r}", block(b"a", **{field: value}))
        for field in ("size", "mode", "mtime", "uid", "gid")
        for value in (b"", b"-1", b"+7", b"0x7", b"8", b"1_0", b"1\x003", b"nan", b"\xc0" + bytes(6), b"1 2", b"\xb2")
    ),
    malformed("H15-negative-size", block(b"a", size=-512)),
    malformed("H15-node-tar-59874", block(b"a", size=b"\xff" * 12)),
    malformed("H15-size-of-2-to-the-63", block(b"a", size=2**63)),
    malformed("H15-size-of-2-to-the-95", block(b"a", size=b"\x80" + b"\xff" * 11)),
    unsafe("H14-cpython-2026-11972", block(b"a", size=2**62)),
    malformed("H15-cpython-2025-8194", block(b"a", size=b"\xff" + bytes(11))),
    malformed("H15-mode-below-zero", block(b"a", mode=-1)),
    malformed("H15-time-of-2-to-the-80", block(b"a", mtime=b"\x80" + bytes(1) + b"\xff" * 10)),
    complete("H15-time-at-the-bound", file(b"a", b"1", mtime=10**16 - 1), left={"a": "1"}),
    complete("H15-time-long-ago", file(b"a", b"1", mtime=1 - 10**16), left={"a": "1"}),
]

AMOUNTS = [
    Case("H29-entries", (archive(*(file(b"%d" % index) for index in range(9))),), "UnsafeEntry",
         {str(index): "" for index in range(5)}, limits=Limits(entries=5)),
    Case("H29-entries-as-parents", (archive(file(b"/".join([b"d"] * 9))),), "UnsafeEntry", {},
         limits=Limits(entries=5)),
    Case("H29-entries-left-out", (archive(*(block(b"%d" % index, typeflag=b"6") for index in range(9))),),
         "UnsafeEntry", {}, limits=Limits(entries=5)),
    Case("H29-entries-as-links", (archive(OK, *(symlink(b"%d" % index, b"ok") for index in range(9))),), "UnsafeEntry",
         {"ok": "1"}, limits=Limits(entries=5)),
    Case("H14-bytes", (archive(file(b"a", b"1" * 600), file(b"b", b"2" * 600)),), "UnsafeEntry", {"a": "1" * 600},
         limits=Limits(size=1000)),
    Case("H14-bytes-in-one-file", (archive(OK, block(b"\x1b", size=1001)),), "UnsafeEntry", {"ok": "1"},
         limits=Limits(size=1000)),
    Case("H23-bytes-as-holes", (archive(OK, sparse(b"s", 2000, b"1\n2000\n0\n")),), "UnsafeEntry", {"ok": "1"},
         limits=Limits(size=1000)),
    Case("H14-bytes-left-out", (archive(OK, file(b"7", b"x" * 1001, typeflag=b"7")),), "UnsafeEntry", {"ok": "1"},
         limits=Limits(size=1000)),
    Case("H14-exactly-as-much", (archive(file(b"a", b"1" * 1000)),), "complete", {"a": "1" * 1000},
         limits=Limits(size=1000)),
]  # fmt: skip

SPARSE = [
    *(
        malformed(f"H23-map-{map_[:20]!r}-{len(content)}", sparse(b"s", 100, map_, content), file(b"a"))
        for map_, content in (
            (b"", b"abc"),
            (b"1\n", b"abc"),
            (b"-1\n", b""),
            (b"1\n0\n-5\n", b""),
            (b"1\n0\n5\n", b"abc"),
            (b"1\n0\n3\n", b"abcde"),
            (b"1\n98\n3\n", b"abc"),
            (b"2\n0\n3\n2\n2\n", b"abcde"),
            (b"2\n50\n3\n0\n2\n", b"abcde"),
            (b"1\n0\n3\nx", b"abc"),
            (b"1\n0\n3\n\n", b"abc"),
            (b"1\n 0\n3\n", b"abc"),
            (b"9999999999999999999\n0\n3\n", b"abc"),
            (b"1\n9223372036854775807\n1\n", b"a"),
            (b"1000000\n" + b"0\n0\n" * 262_150, b""),
        )
    ),
    malformed("H23-size-of-2-to-the-63", sparse(b"s", 2**63, b"0\n")),
    unsafe("H23-a-petabyte-of-hole", sparse(b"s", 1 << 50, b"1\n%d\n0\n" % (1 << 50))),
    complete("H23-a-gibibyte-of-hole", sparse(b"s", GIB, b"1\n1073741823\n1\n", b"x"), left={"s": f"{GIB} bytes"}),
    malformed("H23-stops-before-the-end", sparse(b"s", 9, b"1\n0\n5\n", b"abcde")),
    malformed("H23-empty-pieces", sparse(b"s", 0, b"262000\n" + b"0\n0\n" * 262_000)),
    malformed("H23-pieces-inside-a-block", sparse(b"s", 9, b"3\n0\n2\n4\n3\n9\n0\n", b"aabbb")),
    malformed("H23-no-map", sparse(b"s", 0, b"", size=0)),
    malformed("H23-form-0.0", pax({b"GNU.sparse.numblocks": b"1", b"GNU.sparse.size": b"9"}), file(b"a", b"x")),
    malformed("H23-form-0.1", pax({b"GNU.sparse.map": b"0,1", b"GNU.sparse.size": b"9"}), file(b"a", b"x")),
    malformed("H23-form-1.1", sparse(b"s", 9, b"0\n").replace(b"minor=0", b"minor=1")),
    malformed("H23-form-of-old-gnu", block(b"s", typeflag=b"S", size=512)),
    malformed("H23-in-half", pax({b"GNU.sparse.realsize": b"9"}), file(b"a", b"x")),
    malformed("H23-directory", sparse(b"s", 0, b"0\n")[:1024], block(b"s", typeflag=b"5")),
    Case("H23-go-2025-58183", (archive(OK, sparse(b"s", 10**6, b"600\n" + b"0\n0\n" * 600)),), "ProtocolViolation",
         {"ok": "1"}, limits=Limits(header_size=1024)),
]  # fmt: skip


def _twice(name: str, *parts: bytes, left: dict[str, str]) -> Case:
    return Case(f"H24-{name}", (archive(*parts),), "UnsafeEntry", left)


TWICE = [
    _twice("file-twice", file(b"f", b"1"), file(b".//f", b"2"), left={"f": "1"}),
    _twice("file-then-directory", file(b"f", b"1"), directory(b"f"), left={"f": "1"}),
    _twice("file-then-below-it", file(b"f", b"1"), file(b"f/g"), left={"f": "1"}),
    _twice("file-then-symlink", file(b"f", b"1"), symlink(b"f", b"x"), left={"f": "1"}),
    _twice("file-then-hard-link", file(b"f", b"1"), hard_link(b"f", b"f"), left={"f": "1"}),
    _twice("directory-then-file", directory(b"d"), file(b"d"), left={"d": "/"}),
    _twice("directory-then-symlink", directory(b"d"), symlink(b"d", b"../.."), left={"d": "/"}),
    _twice("parent-then-file", file(b"d/f"), file(b"d"), left={"d": "/", "d/f": ""}),
    _twice("directory-twice-not-the-same", directory(b"d", 0o700), directory(b"d", 0o777), left={"d": "/"}),
    complete("H24-directory-twice-the-same", directory(b"d"), directory(b"./d/"), left={"d": "/"}),
]

CASES = SPECIAL + MODES + NUMBERS + AMOUNTS + SPARSE + TWICE
