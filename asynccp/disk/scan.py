"""Scan: local sources → entries, in a fixed order, before the first byte moves.

rsync's nesting rule: `config` gives `config/…`, `config/` gives its contents; it never depends on what exists at the
destination. The contents form has no entry for the directory itself, so the destination's own mode stays its own.
"""

import os
import stat
from collections.abc import Sequence
from errno import EACCES

from asynccp.entry import Entry, Kind
from asynccp.errors import PlanError, UsageError
from asynccp.escape import printable
from asynccp.report import LeftOut


def scan(sources: Sequence[str]) -> tuple[list[Entry], list[LeftOut]]:
    """Return the entries of all sources, parents before children, sorted by name, and what can't be copied.

    Raises PlanError for a source that isn't there or can't be read, UsageError for two that land on one name.
    """
    scanner = _Scanner()
    for source in sources:
        scanner.add(os.fsencode(source))
    return scanner.entries, scanner.left_out


class _Scanner:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.left_out: list[LeftOut] = []
        self._kinds: dict[bytes, Kind] = {}
        self._names: dict[tuple[int, int], bytes] = {}  # inode of a file with several names → the first one met

    def add(self, source: bytes) -> None:
        name = os.path.basename(source)
        try:
            waiting = self._children(source, b"") if name in (b"", b".", b"..") else [(source, name)]
            while waiting:  # a stack, not recursion: a tree may be deeper than Python's
                waiting += self._visit(*waiting.pop())
        except OSError as exc:
            what = "does not exist" if isinstance(exc, FileNotFoundError) else f"can't be read: {exc.strerror}"
            culprit = exc.filename if isinstance(exc.filename, str | bytes) else source
            raise PlanError(f"{printable(culprit)} {what}") from exc

    def _visit(self, source: bytes, path: bytes) -> list[tuple[bytes, bytes]]:
        """Take one object in; return what is to be visited next, last first."""
        found = os.lstat(source)
        entry = self._entry(source, path, found)
        if entry is None:
            self.left_out.append(LeftOut(path, f"{_special(found.st_mode)}, which is never copied"))
            return []
        before = self._kinds.setdefault(path, entry.kind)
        if len(self._kinds) > len(self.entries):
            self.entries.append(entry)
        elif (before, entry.kind) != (Kind.DIRECTORY, Kind.DIRECTORY):  # two directories are merged
            raise UsageError(f"two sources land on one name: {printable(path)}", hint="push one after the other")
        return self._children(source, path) if entry.kind is Kind.DIRECTORY else []

    def _children(self, directory: bytes, path: bytes) -> list[tuple[bytes, bytes]]:
        prefix = path + b"/" if path else b""
        names = sorted(os.listdir(directory), reverse=True)
        return [(os.path.join(directory, name), prefix + name) for name in names]

    def _entry(self, source: bytes, path: bytes, found: os.stat_result) -> Entry | None:
        kind, size, link = _kind(found.st_mode), 0, b""
        if kind is Kind.SYMLINK:
            link = os.readlink(source)
        elif kind is Kind.FILE:
            inode = (found.st_dev, found.st_ino)
            if found.st_nlink > 1 and self._names.setdefault(inode, path) != path:
                kind, link = Kind.HARDLINK, self._names[inode]
            else:
                size = found.st_size
                if not os.access(source, os.R_OK):
                    raise PermissionError(EACCES, os.strerror(EACCES), source)
        elif kind is None:
            return None
        mode = stat.S_IMODE(found.st_mode)
        return Entry(path, kind, size, mode, found.st_mtime_ns, found.st_uid, found.st_gid, link, source)


def _kind(mode: int) -> Kind | None:
    return {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.SYMLINK}.get(stat.S_IFMT(mode))


def _special(mode: int) -> str:
    names = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}
    return names.get(stat.S_IFMT(mode), "a special file")
