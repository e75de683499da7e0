"""Manifest: what stands below a directory, at either end, as values that can be compared. Pure.

What to send, what differs, what is too much, too old or too large are functions of two manifests, or of one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from asynccp.difference import Why
from asynccp.entry import Entry, Kind


class Item(NamedTuple):
    """One object of a file system. kind: None for a device, a FIFO or a socket, which is never copied.

    size: content bytes; 0 for all but files. mtime_ns: nanoseconds since 1970, whole seconds where no more was told.
    mode: permission bits. link: a symlink's text. device, inode: which object it is; 0 where nobody told. names: how
    many names it has.
    """

    kind: Kind | None
    size: int = 0
    mtime_ns: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    link: bytes = b""
    device: int = 0
    inode: int = 0
    names: int = 1

    @property
    def mtime_s(self) -> int:
        """Whole seconds, rounded down: what a tar header carries, and all that every `stat` tells."""
        return self.mtime_ns // 1_000_000_000


Manifest = Mapping[bytes, Item]
"""By path, relative to the directory that was listed: bytes, `/` between components, none of them empty, `.` or `..`.
The directory itself is the empty path."""


def manifest_of(entries: Iterable[Entry]) -> dict[bytes, Item]:
    """Return the manifest that a push of these entries is to bring about. A hard link has what its file has."""
    found: dict[bytes, Item] = {}
    for entry in entries:
        if entry.kind is Kind.HARDLINK:
            found[entry.path] = found[entry.link]
            continue
        found[entry.path] = Item(entry.kind, entry.size, entry.mtime_ns, entry.mode, entry.uid, entry.gid, entry.link)
    return found


Same = Callable[[bytes], bool | None]
"""Tells whether a file has the same content at both ends, by its path; None when nobody was asked."""


def otherwise(path: bytes, item: Item, other: Item, same: Same | None) -> Iterator[Why]:
    """Yield in what two items of one kind differ, but for attributes: a link's text, a file's size, or by `same`, where
    content decides, that."""
    if item.kind is Kind.SYMLINK:
        if item.link != other.link:
            yield Why.LINK
    elif item.kind is Kind.FILE and item.size != other.size:
        yield Why.SIZE
    elif item.kind is Kind.FILE and same and not same(path):
        yield Why.CONTENT
