"""The cases of kubectl's own tests of `cp` (k8s.io/kubectl/pkg/cmd/cp), as names and what is on the disk.

Where kubectl cleans a name up, or skips a member with exit code 0, asynccp refuses: the pod fails, and is named.
"""

from benchmarks.trust.hostile.case import ABSOLUTE, Case, complete, left_out, unsafe
from tests.archives import archive, directory, file, symlink

BASE = bytes(ABSOLUTE) + b"/base"  # kubectl's test knows its directory; absolute names lead to the canaries here

# TestUntar: each name as a file, and as symlinks inward and outward.
REFUSED_NAMES = {
    "abs": BASE + b"/abs",
    "abs-out": bytes(ABSOLUTE) + b"/abs-out",
    "nest-abs": BASE + b"/nested/nest-abs",
    "nest-abs-out": BASE + b"/nested/../../nest-abs-out",
    "unrelative": b"../unrelative",
    "nest-unrelative": b"nested/../../nest-unrelative",
}
ALLOWED_NAMES = [b"relative", b"..\\unrelative-windows", b"nested/nest-rel", b"nested\\..\\..\\nest-unrelative"]
SYMLINKS = {
    "innerlink": b"link-target",
    "innerlink-abs": BASE + b"/link-target",
    "backlink": b"../link-target",
    "outerlink-abs": bytes(ABSOLUTE) + b"/link-target",
    "outerlink": b"../../../../link-target",
}
STAYS_INSIDE = {(b"nested/nest-rel", "backlink"), *((name, "innerlink") for name in ALLOWED_NAMES)}


def _symlinked(name: bytes, kind: str, target: bytes) -> Case:
    path = name + b"-" + kind.encode()
    shown, parents = path.decode(), {"nested": "/"} if b"/" in path else {}
    if (name, kind) in STAYS_INSIDE:
        return complete(
            f"kubectl-untar-{shown}", symlink(path, target), left={**parents, shown: f"-> {target.decode()}"}
        )
    return left_out(f"kubectl-untar-{shown}", shown, symlink(path, target))


def _all_of_untar() -> bytes:
    """Return all that TestUntar puts into one archive, but for the names that are refused."""
    parts = [file(name, b"1") for name in ALLOWED_NAMES]
    parts += [symlink(name + b"-" + kind.encode(), to) for name in ALLOWED_NAMES for kind, to in SYMLINKS.items()]
    parts += [symlink(b"nested/again/back-link", b"../../nested"), symlink(b"nested/back-link-first", b"../")]
    return archive(*parts, directory(b"direct/dir/"))


UNTAR = [
    *(unsafe(f"kubectl-untar-{name}", file(path, b"x")) for name, path in REFUSED_NAMES.items()),
    *(
        unsafe(f"kubectl-untar-{name}-{kind}", symlink(path + b"-" + kind.encode(), target))
        for name, path in REFUSED_NAMES.items()
        for kind, target in SYMLINKS.items()
    ),
    *(
        complete(f"kubectl-untar-{name.decode()}", file(name, b"1"), left={**parents, name.decode(): "1"})
        for name in ALLOWED_NAMES
        for parents in ({"nested": "/"} if b"/" in name else {},)
    ),
    *(_symlinked(name, kind, target) for name in ALLOWED_NAMES for kind, target in SYMLINKS.items()),
    unsafe("kubectl-untar-back-link-file", symlink(b"nested/again/back-link", b"../../nested"),
           file(b"nested/again/back-link/../../../back-link-file", b"x")),
    unsafe("kubectl-untar-back-link-second", symlink(b"nested/back-link-first", b"../"),
           symlink(b"nested/back-link-first/back-link-second", b"../")),
    Case("kubectl-untar-all", (_all_of_untar(),),
         "partial: " + ", ".join((name + b"-").decode() + kind for name in ALLOWED_NAMES for kind in SYMLINKS
                                 if (name, kind) not in STAYS_INSIDE),
         {**{name.decode(): "1" for name in ALLOWED_NAMES}, "nested": "/", "direct": "/", "direct/dir": "/",
          **{f"{name.decode()}-{kind}": f"-> {SYMLINKS[kind].decode()}" for name, kind in STAYS_INSIDE},
          "nested/again": "/", "nested/again/back-link": "-> ../../nested", "nested/back-link-first": "-> ../"}),
    Case("kubectl-untar-single-file", (archive(file(b"source", b"1")),), "complete", {"source": "1"}, b"source"),
]  # fmt: skip

OTHERS = [
    unsafe("kubectl-bad-tar", file(b"/prefix/foo/bar/../../home/bburns/names.txt", b"x")),
    Case("kubectl-wrong-prefix", (archive(file(b"verylongprefix-showing-the-tar-was-tempered-with/f", b"x")),),
         "UnsafeEntry", {}, requested=b"log"),
    complete("kubectl-tar-untar",
             *(file(name, b"1") for name in (b"foo", b"dir/blah", b"some/other/directory", b"blah")),
             left={"foo": "1", "dir": "/", "dir/blah": "1", "some": "/", "some/other": "/", "some/other/directory": "1",
                   "blah": "1"}),
    complete("kubectl-tar-untar-link", symlink(b"gakki", b"tmp/gakki"), left={"gakki": "-> tmp/gakki"}),
    left_out("kubectl-tar-untar-absolute-link", "absolute_path", symlink(b"absolute_path", b"/tmp/gakki")),
]  # fmt: skip

# TestStripPathShortcuts and TestIsRelative: what kubectl strips is refused, unless it is a plain name on this system.
STRIPPED = [b"../foo/bar", b"../../foo/bar", b"/tmp/one/two/../../foo/bar", b"../../", b"../..", b"../...foo", b"/",
            b"/tmp/one/two/../../foo/..bar", b".../../..", b"dir/../../link"]  # fmt: skip
PLAIN = [b"..\\foo\\bar", b"..\\..\\foo\\bar", b"\\tmp\\one\\two\\..\\..\\foo\\bar", b"..\\..\\", b"..\\...foo",
         b"...foo", b"\\", b"..bar"]  # fmt: skip
PATHS = [unsafe(f"kubectl-strip-{name!r}", file(name, b"x")) for name in STRIPPED] + [
    complete(f"kubectl-plain-{name!r}", file(name, b"1"), left={name.decode(): "1"}) for name in PLAIN
]

CASES = UNTAR + OTHERS + PATHS
