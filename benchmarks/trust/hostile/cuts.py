"""Cuts and flips: an archive as tars write it, damaged at every place where it may be damaged."""

from collections.abc import Iterator
from pathlib import Path

from asynccp.archive.tar import TarDecoder
from asynccp.errors import AsyncCpError, ProtocolViolation
from benchmarks.trust.hostile.fuzz import events
from tests import archives
from tests.archives import BLOCK, archive, block, directory, file, hard_link, long_name, pax, sparse, symlink
from tests.sinks.extracting import extracting

LONG = b"/".join([b"long" * 25] * 3)
CHECKSUM = range(148, 156)  # of a header: the bytes that a sum does not cover


def real_archive() -> bytes:
    """Return an archive of about 200 blocks: members of every kind, as GNU tar, BusyBox and bsdtar write them."""
    parts = [pax({b"comment": b"4b825dc642cb6eb9a060e54bf8d69288fbee4904"}, b"g"), directory(b"./")]
    for index in range(6):
        place = b"./d%d/" % index
        parts += [directory(place, 0o750), file(place + b"log.txt", b"line %d\n" % index * (60 * index))]
        parts += [file(place + b"empty", mode=0o400), symlink(place + b"current", b"log.txt")]
        parts += [hard_link(place + b"again", place + b"log.txt")]
        parts += [long_name(place + LONG), file((place + LONG)[:100], b"x" * (500 + 7 * index))]
        parts += [long_name(LONG, b"K"), symlink(place + b"far", LONG[:100])]
        records = {b"path": place + b"\xc3\xa9", b"mtime": b"1700000000.%d" % index, b"SCHILY.xattr.user.x": b"\0\1"}
        parts += [pax(records), file(b"e", b"y" * (600 * index), magic=archives.POSIX, uid=2**22)]
        parts += [sparse(place + b"sparse", 10**6, b"2\n4096\n1024\n999990\n10\n", b"z" * 1034)]
        parts += [
            block(place + b"socket", typeflag=b"6"),
            file(b"name", b"1", magic=archives.POSIX, prefix=place[2:-1]),
        ]
    return archive(*parts)


def cuts(data: bytes) -> Iterator[int]:
    """Yield where to cut: at every block, and one byte before and behind."""
    for position in range(0, len(data) + 1, BLOCK):
        yield from (size for size in (position - 1, position, position + 1) if 0 <= size < len(data))


def is_reported(data: bytes) -> bool:
    """Return whether the decoder says of a cut archive that it is not whole."""
    decoder = TarDecoder()
    for _ in decoder.feed(data):
        pass
    return not decoder.ended and decoder.describe().startswith(("the archive stops", "no archive came"))


def is_refused_on_disk(data: bytes, root: Path) -> bool:
    """Return whether the extractor refuses a cut archive, and leaves no torn file."""
    extractor = extracting(root, b"")
    try:
        extractor.feed(data)
        extractor.finish()
    except ProtocolViolation:
        return not list(root.rglob(".asynccp-*"))
    finally:
        extractor.abort()
    return False


def headers(data: bytes) -> list[int]:
    """Return where the header blocks stand; the content of none of our files looks like one."""
    return [position for position in range(0, len(data), BLOCK) if data[position + 257 :][:5] == b"ustar"]


def flips(data: bytes, bits: int = 8) -> Iterator[tuple[int, int]]:
    """Yield (position, mask) for every byte of every header: for `bits` of its bits."""
    for header in headers(data):
        for offset in range(BLOCK):
            yield from ((header + offset, 1 << (offset + bit) % 8) for bit in range(bits))


def verdict_of_flip(data: bytes, position: int, mask: int) -> str:
    """Return `reported`, `harmless` or `missed`.

    Harmless is one kind alone: a bit of the checksum field itself that writes the same number in another way, a
    leading zero as a space, or the NUL or the space behind it as the other. Every event must then be the same.
    """
    start = position - position % BLOCK
    damaged = bytearray(data[start:])
    damaged[position - start] ^= mask
    decoder = TarDecoder()
    try:
        for _ in decoder.feed(bytes(damaged[:BLOCK])):
            pass
    except AsyncCpError:
        return "reported"
    whole = bytearray(data)
    whole[position] ^= mask
    same = events(bytes(whole), len(whole)) == events(data, len(data))
    return "harmless" if same and position % BLOCK in CHECKSUM else "missed"
