"""The extractor: what an archive from a pod says, written under one directory of this machine and nowhere else.

A pod is not trusted, so its archive gets nothing but plain files, directories and harmless links:

    names       only the one that was asked for and what is below it; each path once; never through a link (`tree.py`)
    files       written beside their final name, renamed when whole: no torn file ever stands under a final name. Small
                ones are written when all of them is here
    modes       kept as far as the umask allows, but never set-id or sticky, which is told; directories are ours alone
                until the end, then get mode and time
    hard links  only to a file that came before in the same archive
    symlinks    made last, when nothing is written any more, and only if they stay inside; others are named as left out
    the rest    devices and FIFOs are left out, extended attributes, capabilities and ACLs not kept: both are told.
                Owners only on request

All calls block and belong into a thread (`engine.writer`), one at a time. Measured on two busy cores: 10,000 files of
1 KiB take 0.5 s on tmpfs; 512 MiB in one file, fed 32 KiB at a time, take 0.3 s.
"""

import errno
import functools
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from asynccp.archive.attributes import SPECIAL_BITS, words_of_mode
from asynccp.archive.paths import Claims
from asynccp.archive.prefix import Prefix, Stored
from asynccp.archive.tar import ArchiveEnd, Data, Event, Hole, Member, MemberEnd, PassedOver, Rest, TarDecoder
from asynccp.archive.told import Told
from asynccp.archive.watch import Watch
from asynccp.entry import Entry, Kind, LeftOut, NotKept, more_left_out, more_not_kept
from asynccp.errors import DestinationError, Knob, ProtocolViolation, TransferError, UnsafeEntry
from asynccp.limits import DEFAULT_LIMITS, Limits
from asynccp.local.tree import Tree
from asynccp.local.umask import umask
from asynccp.steps import finished
from asynccp.text import printable

_READ_BACK_SIZE = 16 * 1024  # bytes of content at a time, from which on they are worth a read when they are wanted
_SMALL_SIZE = _READ_BACK_SIZE - 1  # bytes of a file that waits until all of it is here; so none is ever read back
_BLOCK_SIZE = 1024 * 1024  # bytes read back at a time

MEMBER_SIZE = 16 * 1024
"""Bytes of output that take as long as a small file or an entry that is left out, 20 to 100 µs."""
_STEP_SIZE = 8 * MEMBER_SIZE

ABORT_S = 0.5

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space, or write to another disk"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or write to another disk"),
    errno.EROFS: ("the file system is read-only", "write to another directory"),
    errno.EACCES: ("permission denied", "check who owns the destination, or write to another directory"),
    errno.EISDIR: ("a directory is in the way", "move it away, or write to another directory"),
    errno.ENAMETOOLONG: ("the name is too long for this file system", "write to another disk"),
    errno.EILSEQ: ("this file system doesn't take such a name", "write to another disk"),
    errno.EFBIG: ("the file is larger than this file system allows", "write to another disk"),
    errno.EMFILE: ("too many files are open", "raise the limit with `ulimit -n`"),
}


class Extractor:
    """Writes one archive under `root`, which is made when the first member comes.

    requested: the one name asked for; members are it or lie below it. Empty: anything, for a directory's contents.
    name: what it is called here; empty: its contents stand in `root` itself.
    base: the directory that the user named, if `root` lies below it (`tree.py`).
    preserve_owner: set numeric owners, which takes root.
    preserve_modes: set permission bits that the umask forbids.
    limits: of what the archive may be; more is UnsafeEntry or, for an extension, ProtocolViolation.
    has_room: tells whether there is memory for one more of what is only told.

    size, entries: content bytes and number of what stands whole under its final name.
    members: how many entries the archive had, whatever became of them.
    left_out: what the archive holds but will not be written, and why; the first of it, and how much more there is.
    not_kept: what it holds of files and directories that is never set here; likewise.
    prefix: what has been taken in, from its beginning.
    watch: what the pod will be asked about when the archive has come.
    is_torn: what was fed last was not taken in to its end, so that nothing can follow.
    memory: bytes that what must be remembered takes, until the archive's end or the member's.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        requested: bytes,
        *,
        name: bytes | None = None,
        base: str | None = None,
        preserve_owner: bool = False,
        preserve_modes: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        watch: Watch | None = None,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.watch = watch or Watch()
        self.size = 0
        self.entries = 0
        self.members = 0
        self.is_torn = False
        self._left_out = Told[LeftOut](has_room)
        self._not_kept = Told[NotKept](has_room)
        self._preserve_owner = preserve_owner
        self._modes = 0o777 if preserve_modes else None  # what the archive decides about; None until it is asked for
        self._decoder = TarDecoder(limits)
        self._tree = Tree(root, base)
        self._requested = requested
        self._name = requested if name is None else name
        self._claims = Claims(self._name, self._tree.folds_case, limits)
        self._directories: dict[bytes, Entry] = {}
        self._symlinks: list[Entry] = []
        self._entry = Entry(b"", Kind.DIRECTORY)  # the member under way
        self._fd = -1  # of the file under way, once it is created
        self._small: list[memoryview] | None = None  # the content of a file that isn't created yet
        self._parent_fd = -1  # of the directory it is in; the tree's
        self._at = 0  # in that file
        self._has_holes = False
        self.prefix = Prefix(self._read_back)

    @property
    def root(self) -> bytes:
        return self._tree.root

    @property
    def left_out(self) -> list[LeftOut]:
        return self._left_out.named + more_left_out(self._left_out.more)

    @property
    def not_kept(self) -> list[NotKept]:
        return self._not_kept.named + more_not_kept(self._not_kept.more)

    @property
    def memory(self) -> int:
        return self._claims.memory + self._decoder.memory + self.prefix.memory

    @property
    def ended(self) -> bool:
        """Whether the archive's end marker has come."""
        return self._decoder.ended

    def describe(self) -> str:
        """Return where the archive stands, for the error when no more of it comes."""
        return self._decoder.describe()

    def feed(self, data: bytes | memoryview) -> bytes:
        """Take all the steps of `feeding`."""
        return finished(self.feeding(data))

    def feeding(self, data: bytes | memoryview) -> Generator[int, None, bytes]:
        """Write what the next bytes of the archive say, in steps; return those that stand behind its end marker.

        A step yields the bytes that it has dealt with, a member counted as MEMBER_SIZE. Raises UnsafeEntry,
        ProtocolViolation or DestinationError; then, or when a step is left out, only `abort` may follow.
        """
        view, rest = memoryview(data), b""
        kept, begin, made = 0, self.prefix.size, 0
        self.is_torn = True
        with self._translated():
            for event in self._decoder.feed(view):
                if isinstance(event, Rest):
                    rest += bytes(event.data)
                elif isinstance(event, Data):
                    if len(event.data) >= _READ_BACK_SIZE:
                        stop = self._decoder.offset - begin
                        self.prefix.take(view[kept : stop - len(event.data)])
                        self.prefix.take_stored(Stored(self._entry.path, self._at, len(event.data)))
                        kept = stop
                    self._write(event.data)
                    made += len(event.data)
                else:
                    self._apply(event)
                    if not isinstance(event, Member):  # it ends with another event, but for a directory or a link
                        made += MEMBER_SIZE
                if made >= _STEP_SIZE:  # a step for each small file cost 6 % of its time
                    yield made
                    made = 0
            if self._small is not None:
                self._create()
        self.prefix.take(view[kept : len(view) - len(rest)])
        if self.prefix.is_due:
            yield from self.prefix.settle()
        self.is_torn = False
        return rest

    def local(self, path: bytes) -> bytes:
        """Return the path below `root` of an entry of the archive. Raises UnsafeEntry for what was not asked for."""
        if self._name == self._requested:
            return path
        if path != self._requested and not path.startswith(self._requested + b"/"):
            raise UnsafeEntry(f"the archive has {printable(path) or '.'}, which was not asked for")
        return (self._name + path[len(self._requested) :]).lstrip(b"/")

    def is_directory(self, path: bytes) -> bool:
        """Tell whether the archive had a directory of this path. To be asked before `finish`."""
        return not path or not self.local(path) or self.local(path) in self._directories

    def size_of(self, path: bytes) -> int | None:
        """Return the bytes of a file that stands under its final name; None when it can't be asked for."""
        try:
            fd = self._tree.open_file(self.local(path))
        except (OSError, ValueError):  # a pod may speak of any name, of one with a zero byte as well
            return None
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def finish(self) -> None:
        """Take all the steps of `finishing`."""
        finished(self.finishing())

    def finishing(self) -> Generator[int, None, None]:
        """Make the symbolic links, then give every directory its mode and time, deepest first; in steps, as `feeding`.

        To be called when the whole archive is known to have come. Closes everything, whatever happens.
        """
        try:
            if not self.ended:
                raise ProtocolViolation(self.describe())
            with self._translated():
                self._tree.at(b"")
                for entry in self._symlinks:
                    self._make_symlink(entry)
                    yield 0
                for path in sorted(self._directories, reverse=True):
                    self._settle(self._directories.pop(path))
                    yield 0
        finally:
            self.abort()

    def abort(self) -> None:
        """Remove the file under way, give directories their modes, close everything. Harmless when called again.

        Directories that can't be settled within ABORT_S stay ours alone: who waits for the end has not asked for them.
        """
        self._discard()
        until_s = time.monotonic() + ABORT_S
        for path in sorted(self._directories, reverse=True):
            if time.monotonic() >= until_s:
                break
            with suppress(OSError, TransferError):
                self._settle(self._directories[path])
        self._directories.clear()
        self._symlinks.clear()
        self.prefix = Prefix(_nothing)  # nothing follows
        self._tree.close()

    def _apply(self, event: Event) -> None:
        match event:
            case Member():
                self.watch.begin(event.entry)
                entry = event.entry if self._name == self._requested else self._renamed(event.entry)
                self.members += entry.path not in self._directories
                if event.not_kept or entry.mode & SPECIAL_BITS:
                    self._tell_not_kept(entry, event.not_kept)
                self._begin(entry)
            case MemberEnd():
                if self._small is not None:
                    self._make_file(self._entry, self._small)
                elif self._fd >= 0:
                    self._complete_file(self._entry)
                if size := self.watch.end():
                    self._claims.remember(size)
            case Hole():
                if self._small is not None:
                    self._create()
                os.lseek(self._fd, event.size, os.SEEK_CUR)
                self._at += event.size
                self._has_holes = True
                self.watch.skip(event.size)
            case LeftOut():
                self.members += 1
                self._claims.claim_name(self.local(event.path))
                self._leave_out(event.path, event.reason)
            case PassedOver():
                self.members += 1
            case ArchiveEnd() | Data() | Rest():
                pass

    def _renamed(self, entry: Entry) -> Entry:
        link = self.local(entry.link) if entry.kind is Kind.HARDLINK else entry.link
        return replace(entry, path=self.local(entry.path), link=link)

    def _begin(self, entry: Entry) -> None:
        self._entry = entry
        match entry.kind:
            case Kind.FILE:
                self._claims.claim_file(entry.path)
                self._parent_fd = self._tree.at(_parent(entry.path))
                self._small, self._at, self._has_holes = [], 0, False
                if entry.size > _SMALL_SIZE:
                    self._create()
            case Kind.DIRECTORY:
                self._claims.claim_directory(entry, self._directories.get(entry.path, entry))
                self._make_directory(entry)
            case Kind.HARDLINK:
                if self._claims.claim_link(entry.path, entry.link):
                    self._make_hard_link(entry)
                else:
                    target = printable(entry.link, 200)
                    self._leave_out(entry.path, f"it is another name of {target}, which is no regular file")
            case Kind.SYMLINK:
                self._claims.claim_other(entry.path, len(entry.link))
                self._symlinks.append(entry)

    def _make_directory(self, entry: Entry) -> None:
        if entry.path:  # the root's own mode is the user's business
            self._directories[entry.path] = entry
            self._tree.make_directory(entry.path)
        self.entries += 1

    def _create(self) -> None:
        """Create the file under way, with what there is of it."""
        pieces, self._small = self._small or [], None
        self._fd = self._tree.create_file(self._parent_fd)
        for piece in pieces:
            _write(self._fd, piece)

    def _write(self, data: memoryview) -> None:
        self._at += len(data)
        self.watch.ends_with_zero = not data[-1]
        if self._small is None:
            _write(self._fd, data)
        else:
            self._small.append(data)

    def _make_file(self, entry: Entry, content: list[memoryview]) -> None:
        """Write a whole file."""

        def make() -> None:
            fd = self._tree.open_passing(self._parent_fd)
            try:
                for piece in content:
                    _write(fd, piece)
                self._set_attributes(fd, entry)
            finally:
                os.close(fd)

        self._small = None
        self._tree.publish_made(make, self._parent_fd, _name(entry.path))
        self._published(entry)

    def _read_back(self, stored: Stored) -> Iterator[bytes]:
        """Yield what was written to a file, fewer bytes if they are not there any more."""
        under_way = self._fd >= 0 and stored.path == self._entry.path
        try:
            fd = os.dup(self._fd) if under_way else self._tree.open_file(stored.path)
        except OSError:
            return
        try:
            at, stop = stored.offset, stored.offset + stored.size
            while at < stop and (data := os.pread(fd, min(_BLOCK_SIZE, stop - at), at)):
                yield data
                at += len(data)
        except OSError:
            return
        finally:
            os.close(fd)

    def _complete_file(self, entry: Entry) -> None:
        if self._has_holes:
            os.ftruncate(self._fd, entry.size)  # no write() comes after a hole at the end
        self._set_attributes(self._fd, entry)
        fd, self._fd = self._fd, -1
        self._tree.publish_file(fd, self._parent_fd, _name(entry.path))
        self._published(entry)

    def _make_hard_link(self, entry: Entry) -> None:
        source = os.dup(self._tree.at(_parent(entry.link)))
        try:
            parent = self._parent_fd = self._tree.at(_parent(entry.path))
            names = _name(entry.link), self._tree.passing
            link = functools.partial(os.link, *names, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            self._tree.publish_made(link, parent, _name(entry.path))
        finally:
            os.close(source)
        self._published(entry)

    def _make_symlink(self, entry: Entry) -> None:
        self._entry = entry
        if not stays_inside(entry.path, entry.link):
            self._leave_out(entry.path, f"its target, {printable(entry.link, 200)}, leads out of the pod's directory")
            return
        parent = self._parent_fd = self._tree.at(_parent(entry.path))
        passing = self._tree.passing

        def make() -> None:
            os.symlink(entry.link, passing, dir_fd=parent)
            if self._preserve_owner:
                with _owner_translated(entry):
                    os.chown(passing, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
            os.utime(passing, ns=(time.time_ns(), entry.mtime_ns), dir_fd=parent, follow_symlinks=False)

        try:
            self._tree.publish_made(make, parent, _name(entry.path))
        except IsADirectoryError:
            self._leave_out(entry.path, "a directory stands where this symbolic link belongs")
        else:
            self._published(entry)

    def _published(self, entry: Entry) -> None:
        self._parent_fd = -1
        self.entries += 1
        self.size += entry.size

    def _discard(self) -> None:
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
        if self._parent_fd >= 0:
            self._tree.discard(self._parent_fd)
        self._fd = self._parent_fd = -1
        self._small = None

    def _settle(self, entry: Entry) -> None:
        self._entry = entry
        fd = self._tree.open_directory(entry.path)
        try:
            self._set_attributes(fd, entry)
        finally:
            os.close(fd)

    def _set_attributes(self, fd: int, entry: Entry) -> None:
        if self._preserve_owner:
            with _owner_translated(entry):
                os.fchown(fd, entry.uid, entry.gid)
        if self._modes is None:
            self._modes = 0o777 & ~umask()
        os.fchmod(fd, entry.mode & self._modes)
        os.utime(fd, ns=(time.time_ns(), entry.mtime_ns))

    def _tell_not_kept(self, entry: Entry, more: Sequence[str]) -> None:
        """Name what goes with an entry: links have none of it but what their file has; a directory may come twice."""
        if entry.kind not in (Kind.FILE, Kind.DIRECTORY) or not entry.path or entry.path in self._directories:
            return
        for what in (*words_of_mode(entry.mode), *more):
            size = len(entry.path) + len(what)
            if self._not_kept.add(NotKept(entry.path, what), size):
                self._claims.remember(size)

    def _leave_out(self, path: bytes, reason: str) -> None:
        size = len(path) + len(reason)
        if self._left_out.add(LeftOut(path, reason), size):
            self._claims.remember(size)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The one place where an error of the system becomes ours."""
        try:
            yield
        except OSError as exc:
            path = os.path.join(self._tree.root, self._entry.path)
            reason, hint = _REASONS.get(exc.errno or 0, (exc.strerror or str(exc), ""))
            raise DestinationError(f"{printable(path)} can't be written: {reason}", hint=hint) from exc


def _nothing(_stored: Stored) -> Iterable[bytes]:
    return ()


def _write(fd: int, data: memoryview) -> None:
    while data:
        written = os.write(fd, data)
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        data = data[written:]


def stays_inside(path: bytes, target: bytes) -> bool:
    """Return whether the symbolic link `path` can only lead to something below the root.

    Allowed are relative targets whose `..` all come first, and at most as many as there are directories above the link.
    Normalising the target as text isn't enough: with `x/up -> ..` in place, `x/up/../..` is `.` as text, but the system
    goes to the real parent of where `up` leads: out. Under this rule each link climbs first, from a real directory over
    real parents, which ends inside; then it only descends, and another link on the way does the same. By induction, no
    chain of links leads out. kubectl needed five CVEs to learn it, and no longer makes links at all.
    """
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    climbs = parts.count(b"..")
    return not target.startswith(b"/") and climbs <= path.count(b"/") and b".." not in parts[climbs:]


@contextmanager
def _owner_translated(entry: Entry) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise DestinationError(
            f"{printable(entry.path)} can't be given to user {entry.uid}, group {entry.gid}: {exc.strerror}",
            hint=f"run as root, or without {Knob.PRESERVE_OWNER}",
        ) from exc


def _parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]
