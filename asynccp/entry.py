"""Entry: one file-system object to copy, as the scan found it or as an archive describes it; and what came of it."""

import stat
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from asynccp.text import counted, exact, printable


class Kind(Enum):
    """What an entry is. Devices, FIFOs and sockets are never copied, so they have no kind."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


KINDS: Mapping[int, Kind] = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.SYMLINK}
"""By the type bits of a `st_mode`; of what may be copied."""


class Origin(NamedTuple):
    """Where the near end found an object, and which one it was.

    root: a directory that the user named, or what is named is in; empty is the working directory. below: the path from
    there, no component of which may be a link. With the size the numbers are the object's identity: inodes are given
    again, mtimes are often equal (`cp -p`, image layers, SOURCE_DATE_EPOCH), and ctime nobody can set back. The mtime
    of an entry is what its copy gets.

    etag: of an object in a store, whose URL is `root`, and its key from there `below`; empty where the store has none.
    It is the identity then. None: this is a file.
    """

    root: bytes
    below: bytes
    device: int
    inode: int
    ctime_ns: int
    mtime_ns: int
    etag: str | None = None

    @property
    def path(self) -> bytes:
        """For people; who opens it walks down from `root`."""
        return joined(self.root, self.below)


class Entry(Struct, frozen=True):
    """One file-system object. What is to be different is another one (`msgspec.structs.replace`).

    path: bytes as the file system has them, relative, `/` between components, no `.` or `..` component.
    size: content bytes; 0 for all but files.
    mode: permission bits, at most 0o7777.
    mtime_ns: nanoseconds since 1970. The tar header carries whole seconds.
    link: a symlink's text, or the path of the entry that a hard link is another name of.
    origin: where the near end reads it; None for an entry that came out of an archive. content: of a file that is not
    read there any more, because it is kept (`local.kept`).
    """

    path: bytes
    kind: Kind
    size: int = 0
    mode: int = 0o644
    mtime_ns: int = 0
    uid: int = 0
    gid: int = 0
    link: bytes = b""
    origin: Origin | None = None
    content: bytes | None = None

    @property
    def mtime_s(self) -> int:
        return self.mtime_ns // 1_000_000_000

    @property
    def source(self) -> bytes:
        """The path of its origin, for people."""
        return self.origin.path if self.origin else b""


def files_of(entries: Sequence[Entry]) -> dict[bytes, Entry]:
    """Return which entry has the content of each path that is a file's name, hard links included."""
    files = {entry.path: entry for entry in entries if entry.kind is Kind.FILE}
    links = [entry for entry in entries if entry.kind is Kind.HARDLINK and entry.link in files]
    return files | {entry.path: files[entry.link] for entry in links}


def above(path: bytes) -> Iterator[bytes]:
    """Yield the directories that a relative path is in, from its own on, but for the one that it is relative to."""
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def is_in_itself(path: bytes, which: tuple[int, int], entered: dict[bytes, tuple[int, int]]) -> bool:
    """Tell whether a directory is one of those that it is reached through, and enter it. which: device and inode.

    entered: those of directories that were entered before, by path; of what a relative path is in, also the empty one.
    """
    entered[path] = which
    while path:
        path = path.rpartition(b"/")[0]
        if entered.get(path) == which:
            return True
    return False


def joined(root: bytes, below: bytes) -> bytes:
    """Return a path of both, either of which may be empty; `root` may end with a slash."""
    return root + (b"/" if root and below and not root.endswith(b"/") else b"") + below


class LeftOut(Struct, frozen=True):
    """An entry that was not copied, and why. count: how many it stands for, where not all of them are named."""

    path: bytes
    reason: str
    count: int = 1

    def __str__(self) -> str:
        return f"{printable(self.path)}: {printable(self.reason)}"

    def to_json(self) -> dict[str, str | int]:
        return {"path": exact(self.path), "reason": self.reason} | _more(self.count)


class NotKept(Struct, frozen=True):
    """An entry that was copied, but for something of it: set-id bits, extended attributes, a mode that can't be set.

    count: how many it stands for, where not all of them are named.
    """

    path: bytes
    what: str
    count: int = 1

    def __str__(self) -> str:
        return f"{printable(self.path)}: {printable(self.what)}"

    def to_json(self) -> dict[str, str | int]:
        return {"path": exact(self.path), "what": self.what} | _more(self.count)


def _more(count: int) -> dict[str, int]:
    return {"count": count} if count > 1 else {}


def more_left_out(count: int) -> list[LeftOut]:
    """Return what stands for entries that are not named one by one, if there are any."""
    return [LeftOut(b"", f"{counted(count, 'more entry', 'more entries')}; not named", count)] if count else []


LEADS_BACK = "a symbolic link leads back to a directory above it"
"""Why a directory is left out where links are followed."""


def leads_nowhere(target: bytes) -> str:
    """Return why a link is left out where links are followed. target: its text."""
    return f"a symbolic link that leads nowhere (to {printable(target, 200)})"


def is_pseudo(fs_type: str | bytes) -> str:
    """Return why what is on a pseudo file system is left out (proc(5), sysfs(5)). fs_type: as the pod says it."""
    why = "its files have no size before they are read, so that no tar can copy them"
    return f"it is of type {printable(fs_type, 20)}: {why}"


def more_not_kept(count: int) -> list[NotKept]:
    """Likewise, of what is not kept."""
    return (
        [NotKept(b"", f"something of {counted(count, 'more entry', 'more entries')}; not named", count)]
        if count
        else []
    )
