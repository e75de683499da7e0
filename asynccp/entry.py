"""Entry: one file-system object to copy, as the scan found it or as an archive describes it."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What an entry is. Devices, FIFOs and sockets are never copied, so they have no kind."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file-system object.

    path: bytes as the file system has them, relative, `/` between components, no `.` or `..` component.
    size: content bytes; 0 for all but files.
    mode: permission bits, at most 0o7777.
    mtime_ns: nanoseconds since 1970. The tar header carries whole seconds.
    link: a symlink's text, or the path of the entry that a hard link is another name of.
    source: where the near end reads it; empty for an entry that came out of an archive.
    """

    path: bytes
    kind: Kind
    size: int = 0
    mode: int = 0o644
    mtime_ns: int = 0
    uid: int = 0
    gid: int = 0
    link: bytes = b""
    source: bytes = b""

    @property
    def mtime_s(self) -> int:
        return self.mtime_ns // 1_000_000_000
