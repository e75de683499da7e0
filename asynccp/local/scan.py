"""Scan: local sources → entries, in a fixed order, before the first byte moves.

rsync's nesting rule: `config` gives `config/…`, `config/` gives its contents; it never depends on what exists at the
destination. The contents form has no entry for the directory itself, so the destination's own mode stays its own.

A source that is a symbolic link is what it leads to, under the link's name, as with `cp -RH`: who names `current` wants
what is in it. Where it leads is settled once, so a link that is turned round meanwhile doesn't mix two states. Links
below it are copied as links, or if that is asked for (`Filtering.copy_links`) all as what they lead to. A link that
leads nowhere is left out then, and named, and so is a directory where a link leads back to it.

What filters leave out isn't named: who filters knows. It may be what can't be copied, or read. A directory in which
nothing can be kept isn't entered (`local.wanted`); one that is entered for what may be below it is kept if there is
something.

The tree is walked by descriptors of directories (`local.directories`), and each entry keeps which object it was.

An entry takes 14 µs. It took 18 while every file was asked whether it may be read; now the mode of one that is the
user's own is believed. What forbids it nevertheless, as a security module may, is told when the file is read.

Each entry is asked what it has that an archive of ours can't carry. It is one more call, 1.5 µs: with 20,000 files,
0.03 s. On macOS nothing is told: Python has no `os.listxattr` there, and its ACLs are no attributes.
"""

import os
import stat
from collections.abc import Sequence
from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR
from typing import NamedTuple

from msgspec import Struct

from asynccp.archive.attributes import words_of_names
from asynccp.entry import (
    KINDS,
    LEADS_BACK,
    Entry,
    Kind,
    LeftOut,
    NotKept,
    Origin,
    is_in_itself,
    joined,
    leads_nowhere,
)
from asynccp.errors import Knob, PlanError, UsageError
from asynccp.local.directories import Directories
from asynccp.local.wanted import Wanted, rules_in
from asynccp.options import Filtering, Rule
from asynccp.text import printable

_EVERYTHING = Filtering()
_NOWHERE = (ENOENT, ENOTDIR, ELOOP)  # why a link leads nowhere
PATH_MAX = 4096  # of Linux, its end included: no program in a pod could open what is deeper by its path
MAX_NOT_KEPT = 10_000  # that are named; nobody reads more


class Scanned(NamedTuple):
    """What a push would send, what of the sources it can't, and what of the entries it can't.

    excluded: how many objects filters leave out; those in a directory that isn't entered are not counted.
    rules: of sources that are directories, by what they are called, its own ones included with each.
    """

    entries: list[Entry]
    left_out: list[LeftOut]
    not_kept: list[NotKept]
    excluded: int
    rules: dict[bytes, tuple[tuple[Rule, ...], ...]]


def scan(sources: Sequence[str], follow: bool = True, filtering: Filtering = _EVERYTHING) -> Scanned:
    """Return the entries of all sources, parents before children, sorted by name, and what can't be copied.

    follow: a source that is a symbolic link is copied as what it leads to, else as the link.

    Raises PlanError for a source that isn't there or can't be read, or if filters leave nothing; UsageError for two
    that land on one name.
    """
    scanner = _Scanner(follow or filtering.copy_links, filtering)
    for source in sources:
        scanner.add(os.fsencode(source))
    scanned = scanner.scanned()
    if scanned.excluded and all(entry.path in scanner.rules for entry in scanned.entries):
        raise PlanError(f"the filters leave nothing to push of {' '.join(map(printable, sources))}")
    return scanned


class _Scanner:
    """rules: as in `Scanned`."""

    def __init__(self, follow: bool, filtering: Filtering) -> None:
        self.rules: dict[bytes, tuple[tuple[Rule, ...], ...]] = {}
        self._entries: list[Entry] = []
        self._left_out: list[LeftOut] = []
        self._excluded = 0
        self._follow = follow
        self._filtering = filtering
        self._top = b""  # what the source under way is called
        self._wanted = Wanted(filtering, (), b"", 0)  # what is of it
        self._for_content: set[bytes] = set()  # directories that are only copied if something below them is
        self._entered: dict[bytes, tuple[int, int]] = {}  # with links followed: directories of the source, and which
        self._not_kept: list[NotKept] = []
        self._unnamed = 0  # that are not in `_not_kept`
        self._kinds: dict[bytes, Kind] = {}
        self._names: dict[tuple[int, int], bytes] = {}  # inode of a file with several names → the first one met
        self._directories = Directories()
        self._user = os.geteuid()

    def add(self, source: bytes) -> None:
        name = os.path.basename(source)
        place = _Place(source, b"", b"") if name in (b"", b".", b"..") else _Place(*os.path.split(source), name)
        try:
            if self._follow or not name:
                _refuse_dead_end(source)
            waiting = self._begin(place)
            while waiting:  # a stack, not recursion: a tree may be deeper than Python's
                place = waiting.pop()
                waiting += self._visit(place)
        except OSError as exc:
            what = "does not exist" if isinstance(exc, FileNotFoundError) else f"can't be read: {exc.strerror}"
            raise PlanError(f"{printable(place.source)} {what}") from exc
        finally:
            self._directories.close()

    def scanned(self) -> Scanned:
        """Return all that was found, and what can't be kept of it, named up to a bound."""
        empty = self._for_content - self._with_content() if self._for_content else self._for_content
        entries = [entry for entry in self._entries if entry.path not in empty]
        not_kept = [one for one in self._not_kept if one.path not in empty]
        if self._unnamed:
            not_kept.append(NotKept(b".", f"{self._unnamed} more such losses in it, not named"))
        return Scanned(entries, self._left_out, not_kept, self._excluded + len(empty), self.rules)

    def _with_content(self) -> set[bytes]:
        """Return the directories that something is in that is copied for its own sake."""
        found = {b""}
        for entry in self._entries:
            above = entry.path.rpartition(b"/")[0] if entry.path not in self._for_content else b""
            while above not in found:
                found.add(above)
                above = above.rpartition(b"/")[0]
        return found

    def _begin(self, top: "_Place") -> "list[_Place]":
        """Learn what is wanted of a source; return what is to be visited first."""
        self._top, self._entered = top.path, {}
        top, found, _ = self._found(top)
        ignored: tuple[Rule, ...] = ()
        is_directory = stat.S_ISDIR(found.st_mode)
        if is_directory:
            if self._filtering.ignore_files:
                ignored = rules_in(self._directories.at(top.root, top.below), top.source)
            rules = *self._filtering.rules, *ignored
            self.rules[top.path] = (*self.rules.get(top.path, ()), rules)
        self._wanted = Wanted(self._filtering, ignored, top.path if is_directory else b"", found.st_dev)
        return [top] if top.path else self._children(top)

    def _visit(self, place: "_Place") -> "list[_Place]":
        """Take one object in; return what is to be visited next, last first."""
        if max(len(place.root) + 1 + len(place.below), len(place.path)) >= PATH_MAX:
            raise OSError(ENAMETOOLONG, os.strerror(ENAMETOOLONG))
        place, found, why_not = self._found(place)
        is_directory = stat.S_ISDIR(found.st_mode)
        keeps = self._wanted.keeps(place.path, is_directory)
        if not keeps and not (is_directory and self._wanted.may_keep_below(place.path)):
            self._excluded += 1
            return []
        if why_not:
            self._left_out.append(LeftOut(place.path, why_not))
            return []
        is_new = self._take(self._entry(place, found))
        if keeps:
            self._for_content.discard(place.path)
        elif is_new:
            self._for_content.add(place.path)
        return self._children(place) if is_directory and self._wanted.is_entered(found.st_dev) else []

    def _found(self, place: "_Place") -> tuple["_Place", os.stat_result, str]:
        """Return where an object is, links followed that are to be, its status, and why it can't be copied, if so."""
        at, name = self._at(place)
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode) and (self._filtering.copy_links or (self._follow and place.path == self._top)):
            try:
                found = os.stat(name, dir_fd=at)
            except OSError as exc:
                if exc.errno not in _NOWHERE:
                    raise
                return place, found, leads_nowhere(os.readlink(name, dir_fd=at))
            if _kind(found.st_mode) is not None:  # of a pipe of a shell (/dev/fd/63) there is no path
                place = _Place(*os.path.split(os.path.realpath(place.source)), place.path)
                at, name = self._at(place)
                found = os.stat(name, dir_fd=at, follow_symlinks=False)
        if _kind(found.st_mode) is None:
            return place, found, f"{_special(found.st_mode)}, which is never copied"
        if self._filtering.copy_links and stat.S_ISDIR(found.st_mode):
            which = found.st_dev, found.st_ino
            return place, found, LEADS_BACK if is_in_itself(place.path, which, self._entered) else ""
        return place, found, ""

    def _take(self, entry: Entry) -> bool:
        """Add an entry; return whether it is the first of its name. Of two directories of one name it is."""
        before = self._kinds.setdefault(entry.path, entry.kind)
        if len(self._kinds) > len(self._entries):
            self._entries.append(entry)
            if entry.kind in (Kind.FILE, Kind.DIRECTORY):
                self._look_for_attributes(entry)
            return True
        if (before, entry.kind) != (Kind.DIRECTORY, Kind.DIRECTORY):  # two directories are merged
            raise UsageError(f"two sources land on one name: {printable(entry.path)}", hint="push one after the other")
        return False

    def _at(self, place: "_Place") -> tuple[int, bytes]:
        """Return the descriptor of the directory that an object is in, and its name there."""
        directory, _, name = place.below.rpartition(b"/")
        return self._directories.at(place.root, directory), name or b"."

    def _look_for_attributes(self, entry: Entry) -> None:
        names = _attributes(entry.source)
        for what in words_of_names(names) if names else ():
            if len(self._not_kept) < MAX_NOT_KEPT:
                self._not_kept.append(NotKept(entry.path, what))
            else:
                self._unnamed += 1

    def _children(self, place: "_Place") -> "list[_Place]":
        below, path = (part + b"/" if part else b"" for part in (place.below, place.path))
        names = sorted(_names(self._directories.at(place.root, place.below)), reverse=True)
        return [_Place(place.root, below + name, path + name) for name in names]

    def _entry(self, place: "_Place", found: os.stat_result) -> Entry:
        """Return the entry of a file, directory or link."""
        kind, size, link = KINDS[stat.S_IFMT(found.st_mode)], 0, b""
        if kind is Kind.SYMLINK:
            at, name = self._at(place)
            link = os.readlink(name, dir_fd=at)
        elif kind is Kind.FILE:
            inode = (found.st_dev, found.st_ino)
            if found.st_nlink > 1 and self._names.setdefault(inode, place.path) != place.path:
                kind, link = Kind.HARDLINK, self._names[inode]
            else:
                size = found.st_size
                if not (found.st_uid == self._user and found.st_mode & stat.S_IRUSR):
                    at, name = self._at(place)
                    if not os.access(name, os.R_OK, dir_fd=at):
                        raise PermissionError(EACCES, os.strerror(EACCES))
        mode, origin = stat.S_IMODE(found.st_mode), Origin(place.root, place.below, *_identity(found))
        return Entry(place.path, kind, size, mode, found.st_mtime_ns, found.st_uid, found.st_gid, link, origin)


class _Place(Struct, frozen=True):
    """An object on its way in. root, below: see `Origin`. path: what it is called in the archive."""

    root: bytes
    below: bytes
    path: bytes

    @property
    def source(self) -> bytes:
        return joined(self.root, self.below)


def _names(descriptor: int) -> list[bytes]:
    """Return the names in a directory."""
    readable = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)
    try:
        return [os.fsencode(name) for name in os.listdir(readable)]
    finally:
        os.close(readable)


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_ctime_ns, found.st_mtime_ns


def _kind(mode: int) -> Kind | None:
    return KINDS.get(stat.S_IFMT(mode))


def _special(mode: int) -> str:
    names = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}
    return names.get(stat.S_IFMT(mode), "a special file")


def _attributes(source: bytes) -> list[str]:
    """Return the names of an object's extended attributes; none where the system knows or tells of none.

    By path, since no call takes a directory's descriptor, and through /proc/self/fd it takes 3.7 µs instead of 1.3.
    Who swaps a directory meanwhile gets other names told to who pushes, no more.
    """
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
        if exc.errno in _NOWHERE and os.path.islink(link):
            target = printable(os.readlink(link), 200)
            raise PlanError(
                f"{printable(source)} is a symbolic link that leads nowhere (to {target})",
                hint="" if link != source else f"{Knob.NO_FOLLOW} copies the link itself",
            ) from exc
