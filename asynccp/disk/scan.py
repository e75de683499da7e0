"""Scan: local sources → entries, in a fixed order, before the first byte moves.

rsync's nesting rule: `config` gives `config/…`, `config/` gives its contents; it never depends on what exists at the
destination. The contents form has no entry for the directory itself, so the destination's own mode stays its own.

A source that is a symbolic link is what it leads to, under the link's name, as with `cp -RH`: who names `current` wants
what is in it. Where it leads is settled once, so a link that is turned round meanwhile doesn't mix two states. Links
below it are copied as links.

Each entry is asked what it has that an archive of ours can't carry. It is one more call, 1.5 of 6.5 µs: with 20,000
files, 0.03 s. On macOS nothing is told: Python has no `os.listxattr` there, and its ACLs are no attributes.
"""

import os
import stat
from collections.abc import Sequence
from errno import EACCES, ELOOP, ENOENT, ENOTDIR
from typing import NamedTuple

from asynccp.entry import Entry, Kind
from asynccp.errors import PlanError, UsageError
from asynccp.escape import printable
from asynccp.report import LeftOut, NotKept
from asynccp.wire.attributes import words_of_names

MAX_NOT_KEPT = 10_000  # that are named; nobody reads more


class Scanned(NamedTuple):
    """What a push would send, what of the sources it can't, and what of the entries it can't."""

    entries: list[Entry]
    left_out: list[LeftOut]
    not_kept: list[NotKept]


def scan(sources: Sequence[str], follow: bool = True) -> Scanned:
    """Return the entries of all sources, parents before children, sorted by name, and what can't be copied.

    follow: a source that is a symbolic link is copied as what it leads to, else as the link.

    Raises PlanError for a source that isn't there or can't be read, UsageError for two that land on one name.
    """
    scanner = _Scanner(follow)
    for source in sources:
        scanner.add(os.fsencode(source))
    return Scanned(scanner.entries, scanner.left_out, scanner.not_kept())


class _Scanner:
    def __init__(self, follow: bool) -> None:
        self.entries: list[Entry] = []
        self.left_out: list[LeftOut] = []
        self._follow = follow
        self._not_kept: list[NotKept] = []
        self._unnamed = 0  # that are not in `_not_kept`
        self._kinds: dict[bytes, Kind] = {}
        self._names: dict[tuple[int, int], bytes] = {}  # inode of a file with several names → the first one met

    def add(self, source: bytes) -> None:
        name = os.path.basename(source)
        try:
            if self._follow or not name:
                _refuse_dead_end(source)
            waiting = self._children(source, b"") if name in (b"", b".", b"..") else self._named(source, name)
            while waiting:  # a stack, not recursion: a tree may be deeper than Python's
                below, path = waiting.pop()
                waiting += self._visit(below, path, os.lstat(below))
        except OSError as exc:
            what = "does not exist" if isinstance(exc, FileNotFoundError) else f"can't be read: {exc.strerror}"
            culprit = exc.filename if isinstance(exc.filename, str | bytes) else source
            raise PlanError(f"{printable(culprit)} {what}") from exc

    def not_kept(self) -> list[NotKept]:
        """Return what can't be kept of the entries, named up to a bound."""
        more = [NotKept(b".", f"{self._unnamed} more such losses in it, not named")] if self._unnamed else []
        return self._not_kept + more

    def _named(self, source: bytes, name: bytes) -> list[tuple[bytes, bytes]]:
        if not self._follow or not os.path.islink(source):
            return self._visit(source, name, os.lstat(source))
        return self._visit(os.path.realpath(source), name, os.stat(source))

    def _visit(self, source: bytes, path: bytes, found: os.stat_result) -> list[tuple[bytes, bytes]]:
        """Take one object in; return what is to be visited next, last first."""
        entry = self._entry(source, path, found)
        if entry is None:
            self.left_out.append(LeftOut(path, f"{_special(found.st_mode)}, which is never copied"))
            return []
        before = self._kinds.setdefault(path, entry.kind)
        if len(self._kinds) > len(self.entries):
            self.entries.append(entry)
            if entry.kind in (Kind.FILE, Kind.DIRECTORY):
                self._look_for_attributes(source, path)
        elif (before, entry.kind) != (Kind.DIRECTORY, Kind.DIRECTORY):  # two directories are merged
            raise UsageError(f"two sources land on one name: {printable(path)}", hint="push one after the other")
        return self._children(source, path) if entry.kind is Kind.DIRECTORY else []

    def _look_for_attributes(self, source: bytes, path: bytes) -> None:
        for what in words_of_names(_attributes(source)):
            if len(self._not_kept) < MAX_NOT_KEPT:
                self._not_kept.append(NotKept(path, what))
            else:
                self._unnamed += 1

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


def _attributes(source: bytes) -> list[str]:
    """Return the names of an object's extended attributes; none where the system knows or tells of none."""
    if not hasattr(os, "listxattr"):
        return []
    try:
        return os.listxattr(source, follow_symlinks=False)
    except OSError:
        return []


def _refuse_dead_end(source: bytes) -> None:
    """Raise PlanError for a symbolic link that leads nowhere."""
    link = source.rstrip(b"/")
    try:
        os.stat(link)
    except OSError as exc:
        if exc.errno in (ENOENT, ENOTDIR, ELOOP) and os.path.islink(link):
            target = printable(os.readlink(link), 200)
            raise PlanError(
                f"{printable(source)} is a symbolic link that leads nowhere (to {target})",
                hint="" if link != source else "--no-follow copies the link itself",
            ) from exc
