"""Symbolic and hard links: through one, out by one, to what is not ours; and a destination that is hostile itself."""

import os

from asynccp.ours import partial_name
from benchmarks.trust.hostile.case import ABSOLUTE, Case, complete, left_out, unsafe
from tests.archives import archive, block, directory, file, hard_link, long_name, symlink

OUT = b"../../outside"
CANARY = bytes(ABSOLUTE)


def _log(name: str, *parts: bytes, left: dict[str, str] | None = None) -> Case:
    """Return a case that is refused, of a pull of `log`."""
    return Case(name, (archive(*parts),), "UnsafeEntry", left or {}, requested=b"log")


THROUGH = [
    _log("H06-file-through-a-symlink", symlink(b"log/l", b"../" + OUT), file(b"log/l/victim", b"x")),
    _log("H06-directory-through-a-symlink", symlink(b"log/l", b"../" + OUT), directory(b"log/l/d")),
    _log("H06-file-first", file(b"log/l/f", b"1"), symlink(b"log/l", b"../" + OUT),
         left={"log": "/", "log/l": "/", "log/l/f": "1"}),
    _log("H06-chmod-through-a-symlink", symlink(b"log/l", b"../" + OUT), directory(b"log/l", 0o777)),
    _log("H06-link-below-a-symlink", symlink(b"log/l", b".."), symlink(b"log/l/m", b"..")),
    _log("H06-special-below-a-symlink", symlink(b"log/l", b".."), block(b"log/l/f", typeflag=b"6")),
    _log("H06-dangling", symlink(b"log/l", b"../" + OUT + b"/new"), file(b"log/l", b"x")),
    _log("H24-file-over-a-symlink", symlink(b"log/l", b"../" + OUT + b"/victim"), file(b"log/l")),
    _log("H24-two-symlinks", symlink(b"log/l", b"a"), symlink(b"log/l", b"b")),
    _log("H08-through-a-symlink", symlink(b"log/l", b"../.."), hard_link(b"log/h", b"log/l/outside/a")),
    _log("H08-not-here", hard_link(b"log/h", b"log/nothing")),
    _log("H08-directory", directory(b"log/d"), hard_link(b"log/h", b"log/d"), left={"log": "/", "log/d": "/"}),
    _log("H08-itself", hard_link(b"log/h", b"log/h")),
    _log("H08-forward", hard_link(b"log/h", b"log/f"), file(b"log/f")),
    _log("H08-unasked", file(b"log/f", b"1"), hard_link(b"log/h", b"etc/passwd"), left={"log": "/", "log/f": "1"}),
    _log("H11-below-a-special-file", block(b"log/f", typeflag=b"6"), file(b"log/f/g")),
    unsafe("H06-empty-target", symlink(b"a", b"")),
    unsafe("H06-target-of-5000", long_name(b"x" * 5000, b"K"), symlink(b"a", b"x" * 100)),
    unsafe("H06-target-with-a-slash-behind", symlink(b"l", OUT + b"/"), file(b"l/victim", b"x")),
    unsafe("H06-root-of-another-name", symlink(b"l", b"."), file(b"l/ok", b"x")),
    unsafe("H06-two-link-chain", symlink(b"a", b"."), symlink(b"a/b", b"../outside"), file(b"a/b/victim", b"x")),
    unsafe("H06-loop", symlink(b"a", b"b"), symlink(b"b", b"a"), file(b"a/x", b"x")),
    unsafe("H06-tar-rs-2026-33056", symlink(b"l", CANARY + b"/dir"), directory(b"l", 0o777)),
    unsafe("H06-libarchive-745", symlink(b"l", OUT + b"/dir"), directory(b"l/", 0o777), file(b"l/x")),
    unsafe("H08-libarchive-746-climbing", hard_link(b"h", b"../../outside/victim"), file(b"h", b"x")),
    unsafe("H08-libarchive-746-symlink", symlink(b"l", OUT), hard_link(b"h", b"l/victim"), file(b"h", b"x")),
    unsafe("H08-climbing", hard_link(b"a", b"../b")),
    unsafe("H08-absolute", hard_link(b"a", b"/etc/passwd")),
    unsafe("H08-absolute-canary", hard_link(b"a", CANARY + b"/victim")),
    unsafe("H08-no-target", hard_link(b"a", b"")),
    unsafe("H08-dot", hard_link(b"a", b".")),
    unsafe("H08-busybox-2026-26157", hard_link(b"a", b"etc/..")),
    Case("H08-then-a-file-over-it", (archive(file(b"f", b"1"), hard_link(b"h", b"f"), file(b"h", b"evil")),),
         "UnsafeEntry", {"f": "1", "h": "1"}),
]  # fmt: skip

_UP, _ESCAPE = symlink(b"a/b/c/up", b"../.."), symlink(b"a/b/escape", b"c/up/../..")

OUTWARD = [
    *(
        left_out(f"H07-{target!r}", "l", symlink(b"l", target))
        for target in (
            *(b"/etc", b"..", b"../..", b"./../x", b"d/..", b"d/../..", b"up/../..", b"//", b"x/./..", b"/"),
            *(b"../pod/../outside", OUT, CANARY, CANARY + b"/victim", b"/proc/self/fd", b"/dev/stdin", b"a/../../.."),
        )
    ),
    *(
        complete(
            f"H07-inside-{target!r}",
            symlink(b"a/b/l", target),
            left={"a": "/", "a/b": "/", "a/b/l": f"-> {target.decode()}"},
        )
        for target in (b"x", b"../x", b"../../x", b"./.././../x/y", b"..", b"../..", b".", b"nowhere/", b"..x")
    ),
    left_out("H07-control-characters", "l", symlink(b"l", b"/\x1b[2J\n")),
    left_out("H07-in-a-directory", "d/l", directory(b"d"), symlink(b"d/l", b"../.."), left={"d": "/"}),
    left_out("H08-other-names-of-a-symlink", "l, m", symlink(b"l", b"/etc/passwd"), hard_link(b"m", b"l")),
    left_out("H08-other-names-of-a-special-file", "f, g", block(b"f", typeflag=b"6"), hard_link(b"g", b"f")),
    left_out("H08-cpython-2026-11940", "d/e/l, d/e/h", directory(b"d"), symlink(b"d/e/l", b"../../../x"),
             hard_link(b"d/e/h", b"d/e/l"), left={"d": "/"}),
    left_out("H08-node-tar-26960", "a/b/escape, exfil", _UP, _ESCAPE, hard_link(b"exfil", b"a/b/escape"),
             left={"a": "/", "a/b": "/", "a/b/c": "/", "a/b/c/up": "-> ../.."}),
    left_out("H06-kubectl-2019-11251", "a/b/escape", _UP, _ESCAPE,
             left={"a": "/", "a/b": "/", "a/b/c": "/", "a/b/c/up": "-> ../.."}),
    left_out("H06-chain-that-climbs-twice", "x/z", symlink(b"a/top", b".."), symlink(b"x/y", b"../a/top/a/top"),
             symlink(b"x/z", b"y/../.."), left={"a": "/", "x": "/", "a/top": "-> ..", "x/y": "-> ../a/top/a/top"}),
]  # fmt: skip


def _realpath_limit() -> Case:
    """Return CVE-2025-4517, against CPython's data filter: a path that realpath() gives up on isn't checked."""
    deep, data, path, steps = b"d" * 247, b"", b"", [b"%c" % step for step in b"abcdefghijklmnop"]
    for step in steps:
        data += long_name(path + deep) + directory((path + deep)[:100])
        data += long_name(deep, b"K") + (long_name(path + step) if path else b"")
        data += symlink((path + step)[:100], b"d" * 100)
        path += deep + b"/"
    way = b"/".join(steps)
    last = way + b"/" + b"l" * 254
    data += long_name(last) + symlink(last[:100], b"../" * 16)
    data += symlink(b"escape", way + b"/" + b"l" * 60 + b"/..") + symlink(b"link", b"escape/victim")
    made = {"/".join(["d" * 247] * depth): "/" for depth in range(1, 17)}
    return Case("H06-cpython-realpath-limit", (archive(data, file(b"escape/victim", b"x")),), "UnsafeEntry", made)


CPYTHON = [
    _realpath_limit(),
    unsafe("H06-cpython-2025-4330", symlink(b"a", b"."), symlink(b"b", b"a/../../outside"), file(b"b/victim", b"x")),
    unsafe("H06-cpython-2024-12718", symlink(b"d", OUT + b"/dir"), directory(b"d/", 0o777)),
    unsafe("H06-cpython-2025-4138", symlink(b"d", b"x/../.."), symlink(b"d/x", b"y"), file(b"d/evil", b"x")),
    left_out("H06-cpython-sly-relative", "moo", directory(b"dir"), symlink(b"moo", b"dir/../.."), left={"dir": "/"}),
    left_out("H07-cpython-absolute", "parent", symlink(b"parent", CANARY)),
    unsafe("H08-cpython-157190", symlink(b"l", b"../../outside/victim"), hard_link(b"h", b"l"), file(b"h", b"x")),
    unsafe("H03-cpython-2026-7774", symlink(b"", b"../outside"), file(b"x", b"x")),
    unsafe("H06-cpython-parent-symlink", symlink(b"current", b"."), symlink(b"parent", b"current/.."),
           file(b"parent/evil", b"x")),
]  # fmt: skip


def _hostile_place(name: str, before: dict[str, str], *parts: bytes, left: dict[str, str], error: str = "") -> Case:
    return Case(f"H09-{name}", (archive(*parts),), error or "complete", left, before=before)


STALE = os.fsdecode(partial_name())  # as a killed run leaves it
PLANTED = {"l": "-> ../../outside"}
PLACES = [
    _hostile_place("directory-is-a-link", PLANTED, file(b"l/victim", b"x"), left=PLANTED, error="DestinationError"),
    _hostile_place("directory-member-is-a-link", PLANTED, directory(b"l", 0o777),
                   left=PLANTED, error="DestinationError"),
    _hostile_place("symlink-below-a-link", PLANTED, symlink(b"l/m", b"x"), left=PLANTED, error="DestinationError"),
    _hostile_place("hard-link-below-a-link", PLANTED, file(b"f", b"1"), hard_link(b"l/m", b"f"),
                   left={"f": "1", **PLANTED}, error="DestinationError"),
    _hostile_place("file-over-a-link", {"f": "-> ../../outside/victim"}, file(b"f", b"1"), left={"f": "1"}),
    _hostile_place("file-over-a-dangling-link", {"f": "-> ../../new"}, file(b"f", b"1"), left={"f": "1"}),
    _hostile_place("link-over-a-link", {"l": "-> ../../outside/victim"}, symlink(b"l", b"x"), left={"l": "-> x"}),
    _hostile_place("hard-link-over-a-link", {"h": "-> ../../outside/victim"}, file(b"f", b"1"), hard_link(b"h", b"f"),
                   left={"f": "1", "h": "1"}),
    _hostile_place("file-over-a-hard-link", {"f": "= victim"}, file(b"f", b"1"), left={"f": "1"}),
    _hostile_place("partial-names-that-are-links", {STALE: "-> ../../outside/victim"},
                   file(b"f", b"1"), left={"f": "1"}),
    _hostile_place("partial-names-that-are-hard-links", {STALE: "= victim"},
                   file(b"f", b"1"), left={"f": "1"}),
    Case("H09-gnu-tar-2025-45582", (archive(symlink(b"x", b"../..")), archive(file(b"x/evil", b"1"))), "complete",
         {"x": "/", "x/evil": "1"}),
    Case("H09-two-archives-inner-link",
         (archive(directory(b"d"), symlink(b"d/x", b"..")), archive(file(b"d/x/f", b"1"))),
         "DestinationError", {"d": "/", "d/x": "-> .."}),
    Case("H09-two-archives-chain", (archive(_UP), archive(_ESCAPE), archive(file(b"a/b/escape/f", b"x"))), "complete",
         {"a": "/", "a/b": "/", "a/b/c": "/", "a/b/c/up": "-> ../..", "a/b/escape": "/", "a/b/escape/f": "x"}),
]  # fmt: skip

CASES = THROUGH + OUTWARD + CPYTHON + PLACES
