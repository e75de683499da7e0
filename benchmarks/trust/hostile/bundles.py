"""Hostile archives as a shell would pack them: what it can have in a bundle is in one (`archive.bundle`).

What is true of an archive must be true of it in this form, too.
"""

from collections.abc import Iterator
from dataclasses import replace

from asynccp.archive.bundle import TYPEFLAG
from asynccp.archive.header import BLOCK, decode_header, decode_number, padding
from asynccp.errors import AsyncCpError
from benchmarks.trust.hostile.case import Case
from tests.archives import file

_MOST_SIZE = 32 * 1024  # bytes of a file in a bundle


def bundled(case: Case) -> Case:
    """Return a case with small files in bundles of one."""
    return replace(case, archives=tuple(b"".join(_members(archive)) for archive in case.archives))


def _members(archive: bytes) -> Iterator[bytes]:
    """Yield an archive's members; from the first on that is malformed, or behind an extension, as they are."""
    at = 0
    while at + BLOCK <= len(archive):
        block = archive[at : at + BLOCK]
        try:
            header = decode_header(block)
            numbers = [decode_number(field) for field in (header.mode, header.mtime, header.uid, header.gid)]
        except AsyncCpError:
            break
        stop = at + BLOCK + header.size + padding(header.size)
        content = archive[at + BLOCK : at + BLOCK + header.size]
        if header.typeflag not in (b"0", b"5", b"2", b"1") or stop > len(archive):
            break
        is_file = header.typeflag == b"0" and len(content) == header.size <= _MOST_SIZE
        if is_file and header.name and b"\n" not in header.name and numbers[0] < 0o10000 and min(numbers) >= 0:
            yield _bundle(header.name, content, *numbers)
        else:
            yield archive[at:stop]
        at = stop
    yield archive[at:]


def _bundle(name: bytes, content: bytes, mode: int, mtime_s: int, uid: int, gid: int) -> bytes:
    line = b"8%03x %d %d %d %d 64 7 1 2026-11-25 10:00:00.000000000 +0000 //%b\n"
    line %= mode, len(content), mtime_s, uid, gid, name
    return file(b"x", line + b"\n" + content + b".good\n", typeflag=TYPEFLAG)
