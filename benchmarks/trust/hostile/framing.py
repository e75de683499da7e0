"""The archive around the members: extensions, checksums, the end; what two readers would read in two ways."""

from asynccp.limits import DEFAULT_LIMITS, Limits
from benchmarks.trust.hostile.case import OK, Case, complete, malformed
from tests import archives
from tests.archives import END, archive, block, directory, file, long_name, mended, pax, record, symlink

BLOCK = archives.BLOCK
LONG = b"x" * 101
SMUGGLED = file(b"./harmless", file(b"./smuggled", b"x") + END, size=0, magic=archives.POSIX)

SIZES = [
    malformed("H16-tokio-tar-2025-62518", pax({b"size": b"1536"}), SMUGGLED),
    malformed("H16-tokio-tar-pax-hidden", pax({b"size": b"0"}), file(b"a", file(b"hidden", b"x"))),
    malformed(
        "H16-tokio-tar-pax-phantom", pax({b"size": b"1024"}), block(b"a", magic=archives.POSIX), file(b"b", b"x")
    ),
    malformed("H16-pax-above-the-header", pax({b"size": b"6"}), file(b"a", b"12345")),
    malformed("H16-pax-below-the-header", pax({b"size": b"0"}), file(b"a", b"12345")),
    malformed("H16-tar-rs-2026-33055", pax({b"size": b"1024"}), file(b"a", b"1" * 512)),
    malformed("H16-huge-pax-above-the-header", pax({b"size": b"%d" % (9 << 30)}), file(b"a", b"12345")),
    malformed("H16-pax-size-for-a-directory", pax({b"size": b"512"}), directory(b"d"), file(b"hidden", b"x")),
    malformed("H15-pax-size-of-2-to-the-63", pax({b"size": b"%d" % 2**63}), block(b"a")),
    complete("H16-both-the-same", pax({b"size": b"1"}), file(b"a", b"1"), left={"a": "1"}),
]

PAX = [
    malformed(f"H17-{payload[:24]!r}", pax(payload), file(b"a"))
    for payload in (
        b"0 path=x\n",
        b"00 path=x\n",
        b"011 path=x\n",
        b"-9 path=x\n",
        b"+9 path=x\n",
        b"9 path=x\n9 path=y\n",
        b"99 path=x\n",
        b"8 path=x\n",
        b"10 path=xx",
        b"7 pathx\n",
        b"5 =x\n",
        b"2 a=x\n",
        b" path=x\n",
        b"path=x\n",
        b"9999999999 path=x\n",
        b"9 path=x\n" + bytes(10),
        b"1 x",
        b"9\tpath=x\n",
        record(b"path", b"a\0b"),
        record(b"path", b""),
        record(b"linkpath", b"a\0b"),
        record(b"size", b"-5"),
        record(b"size", b"\xef\xbc\x95"),
        record(b"size", b"1e3"),
        record(b"size", b"9" * 20),
        record(b"mtime", b"nan"),
        record(b"mtime", b"1e308"),
        record(b"mtime", b"9" * 40),
        record(b"mtime", b"1."),
        record(b"mtime", b"inf"),
        record(b"uid", b"-1"),
        record(b"gid", b"4294967295"),
        record(b"a\0b", b"x"),
        record(b"filetype", b"x"),
        record(b"GNU.dumpdir", b"x"),
        record(b"GNU.volume.label", b"x"),
        record(b"SCHILY.realsize", b"10"),
        record(b"unknown", b"10"),
        b"".join(record(b"SCHILY.x%d" % index, b"") for index in range(1001)),
    )
] + [malformed("H17-cpython-2019-20907", pax(b""), file(b"a"))]

COMPETING = [
    malformed("H18-pax-and-a-long-name", pax({b"path": b"a"}), long_name(LONG), file(b"a")),
    malformed("H18-long-name-and-pax", long_name(LONG), pax({b"path": b"a"}), file(b"a")),
    malformed("H18-tar-rs-pax-for-a-long-name", pax({b"mtime": b"1"}), long_name(LONG), file(b"a")),
    malformed("H18-two-long-names", long_name(LONG), long_name(LONG), file(b"a")),
    malformed("H18-toybox-a-long-name-of-a-file-that-is-not-there", long_name(LONG), file(b"a", b"1")),
    malformed("H18-a-long-name-that-begins-as-the-members", long_name(LONG), file(LONG[:50], b"1")),
    malformed("H18-a-long-link-of-another", long_name(LONG, b"K"), symlink(b"a", b"b")),
    malformed("H18-two-long-links", long_name(LONG, b"K"), long_name(LONG, b"K"), symlink(b"a", b"b")),
    malformed("H18-two-pax-headers", pax({b"path": b"a"}), pax({b"path": b"b"}), file(b"a")),
    malformed("H18-long-name-then-global", long_name(LONG), pax({b"comment": b"x"}, b"g"), file(b"a")),
    malformed("H18-pax-at-the-end", pax({b"path": b"x"})),
    malformed("H18-long-name-at-the-end", long_name(LONG)),
    *(
        malformed(f"H19-{key.decode()}", pax({key: b"1"}, b"g"), file(b"a"))
        for key in (b"path", b"size", b"linkpath", b"mtime", b"uid", b"GNU.sparse.realsize")
    ),
    malformed("H19-two-of-them", *[pax({b"comment": b"x"}, b"g")] * 2),
    complete("H19-a-comment", pax({b"comment": b"git's"}, b"g"), file(b"a", b"1"), left={"a": "1"}),
]

BOMBS = [
    malformed("H20-long-name-over-1-MiB", long_name(b"x" * DEFAULT_LIMITS.header_size), file(b"a")),
    malformed("H20-long-name-of-2-to-the-62", block(b"././@LongLink", typeflag=b"L", size=2**62), file(b"a")),
    malformed("H20-go-2022-2879", block(b"PaxHeaders/x", typeflag=b"x", size=64 << 20)),
    malformed("H20-extension-below-zero", block(b"././@LongLink", typeflag=b"L", size=-512)),
    malformed("H20-global-over-1-MiB", block(b"pax_global_header", typeflag=b"g", size=2 << 20)),
    Case("H20-limit", (archive(OK, long_name(b"x" * 99 + b"/y"), file(b"a")),), "ProtocolViolation", {"ok": "1"},
         limits=Limits(header_size=100)),
]  # fmt: skip

_SIGNED = block(b"\xff" * 20)
HEADERS = [
    malformed("H30-text-first", b"bash: warning: setlocale\n", OK),
    malformed("H31-member-damaged", b"\1" + file(b"b")[1:]),
    malformed("H30-lone-zero-block", bytes(BLOCK), archive(file(b"b"))),
    malformed("H30-zero-block-then-text", bytes(BLOCK) + b"x" * BLOCK),
    malformed("H31-v7", file(b"a", magic=archives.V7)),
    malformed("H31-magic-of-star", file(b"a", magic=b"ustar\0  ")),
    malformed("H31-magic-in-upper-case", file(b"a", magic=b"USTAR\x0000")),
    malformed("H31-version-9", file(b"a", magic=b"ustar\x0099")),
    malformed("H31-sum-off-by-one", block(b"a")[:148] + b"%06o\0 " % (sum(block(b"a")) + 1) + block(b"a")[156:]),
    malformed("H31-sum-is-text", block(b"a")[:148] + b"checksum" + block(b"a")[156:]),
    malformed("H31-sum-missing", block(b"a")[:148] + bytes(8) + block(b"a")[156:]),
    malformed("H31-signed-sum", _SIGNED[:148] + b"%06o\0 " % (sum(_SIGNED[:148]) + 256 + sum(_SIGNED[156:]) - 20 * 256)
              + _SIGNED[156:]),
    malformed("H31-times-in-a-gnu-header", block(b"a", prefix=b"15300000000\0")),
    malformed("H31-text-for-an-owner-of-an-extension", block(b"x", typeflag=b"x", size=9, gid=b"9"), bytes(BLOCK)),
    malformed("H31-text-for-a-device", mended(block(b"a")[:329] + b"l/x" + block(b"a")[332:])),
    malformed("H31-prefix-in-a-gnu-header", block(b"a", prefix=b"../..")),
    malformed("H31-old-gnu-sparse-map", mended(block(b"a", typeflag=b"0")[:386] + b"00000000000\x0000000001000\0"
              + block(b"a")[410:])),
    malformed("H31-garbage-in-the-middle", b"\xa5" * BLOCK, file(b"b", b"1")),
    malformed("H31-magic-alone", bytes(257) + b"ustar\x0000" + bytes(247)),
    malformed("H31-gzip", b"\x1f\x8b\x08" + bytes(509)),
]  # fmt: skip


def _cut(name: str, data: bytes, left: dict[str, str]) -> Case:
    return Case(f"H30-{name}", (data,), "ProtocolViolation", left)


CUTS = [
    _cut("nothing", b"", {}),
    _cut("one-byte", b"x", {}),
    _cut("behind-a-member", OK, {"ok": "1"}),
    _cut("one-zero-block", OK + bytes(BLOCK), {"ok": "1"}),
    _cut("end-less-one-byte", (OK + END)[:-1], {"ok": "1"}),
    _cut("in-a-header", OK + block(b"a")[:100], {"ok": "1"}),
    _cut("behind-a-header", OK + block(b"a", size=9), {"ok": "1"}),
    _cut("in-content", OK + file(b"a", b"x" * 900)[:1000], {"ok": "1"}),
    _cut("in-padding", OK + file(b"a", b"x" * 500)[:-1], {"ok": "1", "a": "x" * 500}),
    _cut("in-a-long-name", OK + long_name(LONG)[:600], {"ok": "1"}),
    _cut("behind-a-long-name", OK + long_name(LONG), {"ok": "1"}),
    _cut("behind-a-pax-header", OK + pax({b"path": b"a"}), {"ok": "1"}),
    Case("H30-second-archive-behind-the-end", (archive(OK) + archive(file(b"evil", b"x")),), "rest", {"ok": "1"}),
    Case("H30-text-behind-the-end", (archive(OK) + b"evil",), "rest", {"ok": "1"}),
    Case("H30-zeros-behind-the-end", (archive(OK) + bytes(8192),), "complete", {"ok": "1"}),
    Case("H30-nothing-but-the-end", (END,), "complete", {}),
]

CASES = SIZES + PAX + COMPETING + BOMBS + HEADERS + CUTS
