"""A writer of tar archives for tests: sound unless a test asks for something else, then as hostile as asked.

`block` takes numbers, or bytes that go into the field as they are. Nothing is checked but that the checksum fits.
"""

from collections.abc import Mapping

BLOCK = 512
END = bytes(2 * BLOCK)
GNU, POSIX, V7 = b"ustar  \0", b"ustar\x0000", bytes(8)

Number = int | bytes


def block(
    name: bytes,
    *,
    typeflag: bytes = b"0",
    size: Number = 0,
    link: bytes = b"",
    mode: Number = 0o644,
    mtime: Number = 1_700_000_000,
    uid: Number = 0,
    gid: Number = 0,
    magic: bytes = GNU,
    uname: bytes = b"",
    gname: bytes = b"",
    prefix: bytes = b"",
) -> bytes:
    """Return one header block."""
    fields = [
        name.ljust(100, b"\0"),
        *(_number(number, 8) for number in (mode, uid, gid)),
        *(_number(number, 12) for number in (size, mtime)),
        b" " * 8 + typeflag + link.ljust(100, b"\0") + magic,
        uname.ljust(32, b"\0") + gname.ljust(32, b"\0") + bytes(16) + prefix.ljust(155, b"\0") + bytes(12),
    ]
    return mended(b"".join(fields))


def mended(header: bytes) -> bytes:
    """Return a header block with the checksum that fits."""
    total = sum(header) - sum(header[148:156]) + 8 * 0x20
    return header[:148] + b"%06o\0 " % total + header[156:BLOCK]


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def file(name: bytes, content: bytes = b"", **fields: Number) -> bytes:
    fields.setdefault("size", len(content))
    return block(name, **fields) + padded(content)  # type: ignore[arg-type]


def directory(name: bytes, mode: int = 0o755) -> bytes:
    return block(name, typeflag=b"5", mode=mode)


def symlink(name: bytes, target: bytes) -> bytes:
    return block(name, typeflag=b"2", link=target, mode=0o777)


def hard_link(name: bytes, target: bytes) -> bytes:
    return block(name, typeflag=b"1", link=target)


def long_name(name: bytes, typeflag: bytes = b"L", end: bytes = b"\0") -> bytes:
    """Return GNU's record for the name (L) or the link (K) of the next member."""
    return file(b"././@LongLink", name + end, typeflag=typeflag)


def record(keyword: bytes, value: bytes) -> bytes:
    """Return a pax record."""
    rest = b" %b=%b\n" % (keyword, value)
    size = len(rest)
    while len(b"%d" % size) + len(rest) != size:
        size = len(b"%d" % size) + len(rest)
    return b"%d" % size + rest


def pax(records: Mapping[bytes, bytes] | bytes, typeflag: bytes = b"x") -> bytes:
    """Return a pax header for the next member (x) or for all (g); `records` as bytes go in as they are."""
    if not isinstance(records, bytes):
        records = b"".join(record(*pair) for pair in records.items())
    return file(b"./PaxHeaders/x", records, typeflag=typeflag, magic=POSIX)


def sparse(name: bytes, real_size: int, map_: bytes, content: bytes = b"", **fields: Number) -> bytes:
    """Return a file in the form that bsdtar writes (GNU.sparse 1.0); `map_` is its text."""
    records = {
        b"GNU.sparse.major": b"1",
        b"GNU.sparse.minor": b"0",
        b"GNU.sparse.name": name,
        b"GNU.sparse.realsize": b"%d" % real_size,
    }
    return pax(records) + file(b"./GNUSparseFile.0/x", padded(map_) + content, magic=POSIX, **fields)


def archive(*parts: bytes) -> bytes:
    return b"".join(parts) + END


def _number(number: Number, width: int) -> bytes:
    if isinstance(number, bytes):
        return number.ljust(width, b"\0")
    if 0 <= number < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, number)
    return (number + (0x80 << 8 * (width - 1) if number >= 0 else 1 << 8 * width)).to_bytes(width, "big")
