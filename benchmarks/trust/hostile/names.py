"""Names of members: out of the root, absolute, none at all, with every trick that hides it; and names too long."""

from asynccp.limits import Limits
from benchmarks.trust.hostile.case import ABSOLUTE, Case, complete, malformed, unsafe
from tests import archives
from tests.archives import archive, block, directory, file, hard_link, long_name, pax, sparse, symlink

LONG = b"x" * 101
CANARY = bytes(ABSOLUTE)

CLIMBING = [
    unsafe(f"H01-{name!r}", file(name, b"evil"))
    for name in (
        *(b"..", b"../x", b"a/..", b"a/../b", b"././//./..", b"a/../../b", b"../../victim", b"a/b/../../../../x"),
        *(b"./../outside/victim", b"a/./../..//x", b"...//..", b"x/../../outside/victim", b".//../x"),
    )
] + [
    unsafe("H01-directory", directory(b"a/../")),
    unsafe("H01-directory-above", directory(b"../dir", 0o777)),
    unsafe("H01-symlink", symlink(b"../x", b"y")),
    unsafe("H01-special", block(b"../f", typeflag=b"6")),
    unsafe("H01-pax", pax({b"path": b"../x"}), file(b"x")),
    unsafe("H01-long-name", long_name(b"../" + LONG), file(b"x")),
    unsafe("H01-prefix", file(b"x", magic=archives.POSIX, prefix=b"..")),
    unsafe("H01-prefix-and-name", file(b"./x", magic=archives.POSIX, prefix=b"a/../..")),
    unsafe("H01-sparse-name", sparse(b"../s", 0, b"0\n")),
]

ABSOLUTES = [
    *(unsafe(f"H02-{name!r}", file(name, b"evil")) for name in (b"/x", b"//x", b"///./x", b"/")),
    unsafe("H02-canary", file(CANARY + b"/evil", b"evil")),
    unsafe("H02-directory", directory(CANARY + b"/dir", 0o777)),
    unsafe("H02-pax", pax({b"path": CANARY + b"/evil"}), file(b"evil", b"evil")),
    unsafe("H02-prefix", file(b"evil", b"evil", magic=archives.POSIX, prefix=CANARY[:150])),
    complete("H02-drive-letters-are-plain-names", file(b"C:x", b"1"), left={"C:x": "1"}),
    unsafe("H02-drive-and-climbing", file(b"C:/../../x", b"1")),
]

NAMELESS = [
    *(unsafe(f"H03-file-{name!r}", file(name, b"evil")) for name in (b"", b".", b"./", b"././", b"a/", b"a/.")),
    unsafe("H03-directory", directory(b"")),
    unsafe("H03-root-as-symlink", symlink(b"./", b"x")),
    unsafe("H03-root-as-hard-link", hard_link(b"./", b"ok")),
    unsafe("H03-root-as-special", block(b"./", typeflag=b"6")),
    complete("H03-root-with-set-id", directory(b"./", 0o7777), left={}),
]


def _unasked(name: str, *parts: bytes, left: dict[str, str] | None = None) -> Case:
    return Case(f"H04-{name}", (archive(*parts),), "UnsafeEntry", left or {}, requested=b"log")


UNASKED = [
    _unasked("sibling", file(b"./logEVIL/x", b"x")),
    _unasked("another-name", file(b"./log/a", b"1"), file(b"evil", b"x"), left={"log": "/", "log/a": "1"}),
    _unasked("root", directory(b"./")),
    _unasked("special", block(b"evil", typeflag=b"6")),
    _unasked("symlink", symlink(b"evil", b"log")),
    _unasked("directory", directory(b"evil")),
    _unasked("hard-link", file(b"log/a", b"1"), hard_link(b"evil", b"log/a"), left={"log": "/", "log/a": "1"}),
    _unasked("upper-case", file(b"LOG/a", b"1")),
    _unasked("prefix-of-it", file(b"lo", b"1")),
    _unasked("climbing-back", file(b"log/../evil", b"1")),
    Case("H04-asked-for", (archive(file(b"./log", b"1")),), "complete", {"log": "1"}, requested=b"log"),
]

STRANGE = [
    complete(
        "H05-backslashes-are-plain",
        *(file(name, b"1") for name in (b"..\\..\\x", b"\\x", b"a\\..\\b")),
        left=dict.fromkeys(("..\\..\\x", "\\x", "a\\..\\b"), "1"),
    ),
    complete(
        "H26-windows-names-are-plain",
        *(file(name, b"1") for name in (b"CON", b"a.", b"x:y", b"nul.txt", b"a ")),
        left=dict.fromkeys(("CON", "a.", "x:y", "nul.txt", "a "), "1"),
    ),
    complete(
        "H28-names-like-options",
        *(
            file(name, b"1")
            for name in (b"-rf", b"--checkpoint-action=exec=sh", b"$(id)", b"*", b"'\"", b"`x`", b"a;b")
        ),
        left=dict.fromkeys(("-rf", "--checkpoint-action=exec=sh", "$(id)", "*", "'\"", "`x`", "a;b"), "1"),
    ),
    complete(
        "H27-control-characters-stay-on-the-disk",
        *(file(name, b"1") for name in (b"\x1b[2J", b"new\nline", b"\xc2\x9b", b"\xe2\x80\xae", b"\xff")),
        left=dict.fromkeys(("\x1b[2J", "new\nline", "\x9b", "\u202e", "\udcff"), "1"),
    ),
    complete(
        "H25-unicode-folding-is-none-of-ours",  # where the file system tells them apart, as node-tar's ß and ss
        *(file(name.encode(), b"1") for name in ("ß", "ss", "é", "e\u0301", "A", "a", "ı", "i")),
        left=dict.fromkeys(("ß", "ss", "é", "e\u0301", "A", "a", "ı", "i"), "1"),
    ),
    *(
        unsafe(f"H27-in-the-error-{name!r}", file(b"../" + name))
        for name in (b"\x1b[31m", b"\r\n", b"\xc2\x9b1m", b"\xe2\x80\xae", b"\xff\xfe", b"\x07", b"\x7f")
    ),
    unsafe("H27-in-a-link", hard_link(b"h", b"\x1b[2J")),
    malformed("H27-in-a-typeflag", block(b"\x1b", typeflag=b"\x1b")),
    malformed("H27-in-a-pax-key", pax({b"\x1b[2J": b"x"}), file(b"a")),
]

NUL = [
    malformed("H21-name", block(b"good\0/../evil")),
    *(
        malformed(f"H21-{field}", block(b"a", magic=archives.POSIX, **{field: b"good\0/../evil"}))
        for field in ("link", "uname", "gname", "prefix")
    ),
    malformed("H21-long-name", long_name(b"good\0/../evil" + LONG), file(b"a")),
    malformed("H21-long-link", long_name(b"good\0/../evil" + LONG, b"K"), symlink(b"a", b"b")),
    malformed("H21-long-name-of-nuls", long_name(b"", end=bytes(9)), file(b"a")),
    malformed("H21-pax-path", pax({b"path": b"good\0/../evil"}), file(b"a")),
    malformed("H21-sparse-name", sparse(b"good\0/../evil", 0, b"0\n")),
]

LENGTHS = [
    unsafe("H22-component-of-256", long_name(b"x" * 256), file(b"x")),
    unsafe("H22-path-of-5000", long_name(b"/".join([b"x" * 249] * 20)), file(b"x")),
    unsafe("H22-depth-of-2000", long_name(b"d/" * 2000 + b"f"), file(b"x")),
    unsafe("H22-depth-of-257", long_name(b"d/" * 256 + b"f"), file(b"x")),
    unsafe("H22-a-megabyte-of-slashes", long_name(b"/" * 1_000_000 + b"f", end=b""), file(b"x")),
    unsafe("H22-a-megabyte-of-dots", long_name(b"./" * 500_000 + b"f", end=b""), file(b"x")),
    unsafe("H22-a-megabyte-of-name", long_name(b"x" * 1_000_000), file(b"x")),
    unsafe("H22-hard-link-of-5000", long_name(b"y" * 5000, b"K"), hard_link(b"h", b"y" * 100)),
    unsafe("H22-libarchive-744", long_name(b"d/" * 2100 + b"f"), file(b"x")),
    Case("H22-depth-limit", (archive(file(b"a/b", b"1"), file(b"a/b/c")),), "UnsafeEntry", {"a": "/", "a/b": "1"},
         limits=Limits(depth=2)),
    Case("H22-path-limit", (archive(file(b"abc", b"1"), file(b"abcdefg")),), "UnsafeEntry", {"abc": "1"},
         limits=Limits(path_size=3)),
]  # fmt: skip

CASES = CLIMBING + ABSOLUTES + NAMELESS + UNASKED + STRANGE + NUL + LENGTHS
