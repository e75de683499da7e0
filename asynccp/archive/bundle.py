"""Bundle: small files of a container without tar, many as one member, which only its shell writes (`scripts/pack.sh`).

For each file of its own a shell runs a program, and works out the checksum of a header digit by digit. A bundle is what
one `stat` says of many files, and then what one `cat` has of them:

    MODE SIZE SECONDS UID GID … //NAME        a line for each file, as `stat -c` writes it (MODE in hexadecimal)
                                              an empty line
    their contents, and one byte more
    good, or else                             a line

The sizes say how many bytes `cat` must have, so a member's size is known before it runs. `good` means that it had just
so many, and that `stat` says the same behind it as before. `else` some file has changed meanwhile, and where each one
begins nobody knows: all of them come again, each by itself, and what is here counts for nothing. So no file gets into
another, and none is short, if its size was none of a file that has another size than it tells; and of such not either,
unless others make up for it to the byte.

It is read as hostile as the rest of an archive: strictly, and no more than a bundle may have.
"""

import re
from typing import NamedTuple

from asynccp.errors import ProtocolViolation
from asynccp.text import printable

TYPEFLAG = b"B"
MAX_SIZE = 512 * 1024
"""Bytes of one, which is held until it is known whether it is good. The shell puts up to 200 names, 256 KiB of content,
and files of up to 32 KiB into one."""

_LINE = re.compile(
    rb"8([0-9a-f]{3}) ([0-9]{1,7}) (-?[0-9]{1,18}) ([0-9]{1,10}) ([0-9]{1,10})(?: [^/\n]*)? //([^\n\0]+)"
)
_GOOD, _ELSE = b".good\n", b".else\n"
_LAST_OWNER = 2**32 - 2  # the next one means "leave it" to chown()


class Bundled(NamedTuple):
    """A file of a bundle. name: as the pod has it. content: a part of the bundle."""

    name: bytes
    mode: int
    mtime_s: int
    uid: int
    gid: int
    content: memoryview


def read_bundle(data: bytes) -> list[Bundled]:
    """Return the files of a bundle, none if it is not good. Raises ProtocolViolation for what is no bundle."""
    head, blank, _ = data.partition(b"\n\n")
    if not blank:
        raise ProtocolViolation("a bundle of files has no end of its names")
    files, at, view = list[Bundled](), len(head) + 2, memoryview(data)
    for line in head.split(b"\n"):
        if not (found := _LINE.fullmatch(line)):
            raise ProtocolViolation(f"a bundle of files has '{printable(line, 200)}' where a file's line belongs")
        mode, name = int(found[1], 16), found[6]
        size, mtime_s, uid, gid = map(int, found.groups()[1:5])
        if max(uid, gid) > _LAST_OWNER:
            raise ProtocolViolation(f"a bundle of files gives the owner {max(uid, gid)}")
        files.append(Bundled(name, mode, mtime_s, uid, gid, view[at : at + size]))
        at += size
    end = data[at:]
    if len(end) != len(_GOOD):
        raise ProtocolViolation(f"a bundle of files has {len(data)} bytes, but its files and their names {at}")
    if end[1:] == _ELSE[1:]:
        return []
    if end != _GOOD:
        raise ProtocolViolation(f"a bundle of files ends with '{printable(end)}'")
    return files
