"""One directory of this machine and what lies below it, reached by descriptors only.

A path like `a/b/c` is never given to the system in one piece: each component is opened relative to the descriptor of
the one before it, with O_NOFOLLOW. So no symbolic link is ever followed below the root, whoever made it: the archive
itself, an earlier run (CVE-2025-45582), or another process in this very moment. Checking a name and then using it
loses that last race; rsync 3.5.0 repaired 33 such places in this way.

What is written gets a temporary name beside its final one and is renamed when it is whole. A rename replaces a file or
a link without opening it, and fails if a directory is in the way.

A run that was killed leaves a file under its temporary name. The name proves that it is ours (`asynccp.ours`), and so
does its owner: the next run of this user that writes into the directory removes it; but never one that a run still
writes: until it has its final name a file is locked by its writer (flock, which ends with the process, however it
ends). Links can't be locked, and small files aren't, which saves a third of their system calls: what is there for a
moment only has a name of its own (`passing`), and is made again if another run has just removed it.
"""

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress

from asynccp.errors import DestinationError
from asynccp.ours import is_partial, partial_name
from asynccp.text import printable

_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY
_OUR_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL
_GROWING_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
_OLD_FILE = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # to lock on NFS takes the right to write
_GET_FLAGS, _CASEFOLD = 0x80086601, 0x40000000  # FS_IOC_GETFLAGS, FS_CASEFOLD_FL (linux/fs.h)
OTHER_RUNS = 3  # that may begin to write into a directory in the moment in which a link or small file is made there


class Tree:
    """A root directory, made when it is first needed.

    Two descriptors at most: the root's, and that of the directory used last, because archives come directory by
    directory. Paths are clean and relative; the empty one is the root.

    base: the directory that the user named, if the root lies below it. No link leads from there to the root: a pod
    whose files were pulled into it before may have made one, and another pod's files would land where it leads.
    """

    def __init__(self, root: str | os.PathLike[str], base: str | os.PathLike[str] | None = None) -> None:
        # With a slash behind it, the name of a symbolic link would be followed even by O_NOFOLLOW.
        self.root = os.fsencode(root).rstrip(b"/") or b"/"
        self._base = None if base is None else os.fsencode(base).rstrip(b"/") or b"/"
        self.temporary, self.passing = partial_name(), partial_name()
        self._root_fd = -1
        self._fd = -1
        self._path = b""
        self._ready: bytes | None = None  # the path that `at` was asked for last, if `_fd` is still good for it
        self._folds_case: bool | None = None  # of the root, when it was asked for
        self._swept: set[int] = set()  # hashes of the directories where no earlier run's file is left

    def at(self, path: bytes) -> int:
        """Return the descriptor of a directory; it stays good until the next call. What is missing is made.

        The first time, what earlier runs left unfinished in it is removed.
        """
        if path == self._ready:
            return self._fd
        self._ready = None
        if self._root_fd < 0:
            self._root_fd = self._fd = self._open_root()
        if not (path + b"/").startswith(self._path + b"/"):
            self._rewind()
        for name in path[len(self._path) :].split(b"/"):
            if name:
                self._step(name)
        if (key := hash(path)) not in self._swept:
            self._swept.add(key)
            _sweep(self._fd)
            self._check_folding(path)
        self._ready = path
        return self._fd

    def make_directory(self, path: bytes) -> None:
        """Make a directory that only we may enter, or take the one that is there."""
        parent, _, name = path.rpartition(b"/")
        try:
            os.mkdir(name, 0o700, dir_fd=self.at(parent))
        except FileExistsError:
            _admit(self.at(path))

    def create_file(self, parent: int) -> int:
        """Create a file under the temporary name in the directory `parent`; return its descriptor."""
        while True:
            fd = os.open(self.temporary, _NEW_FILE, 0o600, dir_fd=parent)
            with suppress(OSError):  # where there are no locks, no run can take one, and so none removes the file
                lock(fd)
            if os.fstat(fd).st_nlink:
                return fd
            _close(fd)  # another run has removed it before it was locked

    def discard(self, parent: int) -> None:
        """Remove the file of `create_file`, if there is one."""
        with suppress(OSError):
            os.unlink(self.temporary, dir_fd=parent)

    def publish_file(self, fd: int, parent: int, name: bytes) -> None:
        """Close a file of `create_file`, and give it its final name; if that fails, remove it."""
        lock = os.dup(fd)  # the lock lasts as long as a descriptor
        try:
            os.close(fd)  # before the rename: network file systems report a full disk here
            os.rename(self.temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except OSError:
            self.discard(parent)
            raise
        finally:
            _close(lock)

    def publish_made(self, make: Callable[[], None], parent: int, name: bytes) -> None:
        """Let `make` make something, at once, under the name `passing`, and give it its final one; else remove it."""
        for last in (*[False] * OTHER_RUNS, True):
            try:
                make()
                os.rename(self.passing, name, src_dir_fd=parent, dst_dir_fd=parent)
                return
            except BaseException as exc:
                with suppress(OSError):
                    os.unlink(self.passing, dir_fd=parent)
                if last or not isinstance(exc, FileNotFoundError):
                    raise

    def put(
        self, parent: int, name: bytes, content: memoryview, mode: int, times_s: tuple[int, int] | None, *, sure: bool
    ) -> bool:
        """Make a whole file, a small one, as `publish_made` would. Raises OSError; nothing is left then.

        times_s: of access, of change. sure: what is created here has the mode that it is created with, whatever the
        umask and the directory's default ACL are; else that is looked at. Return whether it has.
        """
        passing = self.passing
        fd = os.open(passing, _NEW_FILE, mode, dir_fd=parent)
        try:
            try:
                if os.write(fd, content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if not sure and not (sure := stat.S_IMODE(os.fstat(fd).st_mode) == mode):
                    os.fchmod(fd, mode)
                if times_s:
                    os.utime(fd, times_s)
            finally:
                os.close(fd)
            os.rename(passing, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(passing, dir_fd=parent)
            raise
        return sure

    def open_passing(self, parent: int) -> int:
        """Create a file for `publish_made`; the caller closes it."""
        return os.open(self.passing, _NEW_FILE, 0o600, dir_fd=parent)

    def folds_case(self) -> bool:
        """Return whether the root takes `a` and `A` for one name, as file systems of macOS and Windows do."""
        self._folds_case = self._folds(self.at(b""))
        return self._folds_case

    def _folds(self, directory: int) -> bool:
        fd = self.create_file(directory)
        try:
            os.stat(self.temporary.upper(), dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        finally:
            self.discard(directory)
            _close(fd)
        return True

    def _check_folding(self, path: bytes) -> None:
        """Refuse a directory that folds case where the root does not: a file of the archive would replace another.

        That is another file system mounted there, or a directory of ext4, f2fs or tmpfs that was made so (`chattr +F`).
        """
        if self._folds_case is False and path and _may_be_apart(self._fd, self._root_fd) and self._folds(self._fd):
            where = printable(self.root + b"/" + path)
            raise DestinationError(
                f"{where} takes names that differ only in case for one; {printable(self.root)} does not",
                hint="pull into that directory itself, or into another one",
            )

    def open_directory(self, path: bytes) -> int:
        """Open a directory below the root for its attributes; the caller closes it."""
        parent, _, name = path.rpartition(b"/")
        return os.open(name, _DIRECTORY, dir_fd=self.at(parent))

    def open_file(self, path: bytes) -> int:
        """Open a file below the root for reading; the caller closes it. What `at` returned stays good."""
        return self._open(path, _OUR_FILE)

    def open_growing(self, path: bytes) -> int:
        """Likewise, for reading and writing."""
        return self._open(path, _GROWING_FILE)

    def rename(self, at: bytes, path: bytes, *, replaces: bool) -> None:
        """Give something another name. Raises FileExistsError where something has that, unless it may be replaced."""
        old, new = (one.rpartition(b"/")[2] for one in (at, path))
        target = self.at(path.rpartition(b"/")[0])
        source = self._open(at.rpartition(b"/")[0], _DIRECTORY)
        try:
            if replaces:
                os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
            else:
                _rename_anew(old, new, source, target)
        finally:
            _close(source)

    def remove(self, path: bytes) -> bool:
        """Remove a file or link, or a directory that is empty; no link is followed. Return whether it is not there."""
        above, _, name = path.rpartition(b"/")
        self.at(b"")
        try:
            parent = self._open(above, _DIRECTORY)
        except FileNotFoundError:
            return True
        try:
            _unlink(name, parent)
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):  # POSIX has both for a directory
                raise
            return exc.errno == errno.ENOENT
        finally:
            _close(parent)
        return True

    def close(self) -> None:
        self._rewind()
        self._ready = None
        _close(self._root_fd)
        self._root_fd = self._fd = -1

    @property
    def place(self) -> tuple[bytes, bytes]:
        """The directory in whose name links are followed, and the path from there to the root."""
        if self._base is None:
            return os.path.split(self.root)
        return self._base, self.root[len(self._base) :].strip(b"/")

    def _open(self, path: bytes, flags: int) -> int:
        """Open what is there, one descriptor after the other from the root on; nothing is made."""
        fd = os.dup(self._root_fd)
        *parents, name = path.split(b"/")
        for part, how in [*((parent, _DIRECTORY) for parent in parents), (name or b".", flags)]:
            above = fd
            try:
                fd = os.open(part, how, dir_fd=above)
            finally:
                os.close(above)
        return fd

    def _open_root(self) -> int:
        base = path = self.root if self._base is None else self._base
        try:
            os.makedirs(base, exist_ok=True)
            fd = os.open(base, _DIRECTORY if base == self.root else _DIRECTORY & ~os.O_NOFOLLOW)
            for name in self.root[len(base) :].split(b"/"):
                if name:
                    above, path = fd, os.path.join(path, name)
                    try:
                        fd = _open_or_make(name, above, 0o777)
                    finally:
                        _close(above)
            return fd
        except OSError as exc:
            raise _in_the_way(path, exc) from exc

    def _step(self, name: bytes) -> None:
        """Go from the directory used last into `name`."""
        path = self._path + b"/" + name if self._path else name
        try:
            fd = _open_or_make(name, self._fd)
        except OSError as exc:
            raise _in_the_way(self.root + b"/" + path, exc) from exc
        if self._fd != self._root_fd:
            _close(self._fd)
        self._fd, self._path = fd, path

    def _rewind(self) -> None:
        if self._fd != self._root_fd:
            _close(self._fd)
        self._fd, self._path = self._root_fd, b""


def _open_or_make(name: bytes, parent: int, mode: int = 0o755) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=parent)
        return os.open(name, _DIRECTORY, dir_fd=parent)


def _rename_anew(old: bytes, new: bytes, source: int, target: int) -> None:
    """Rename where nothing has that name. A link knows at once; where there are none, it is looked for."""
    try:
        os.link(old, new, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        with suppress(FileNotFoundError):
            os.stat(new, dir_fd=target, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
    else:
        os.unlink(old, dir_fd=source)


def _unlink(name: bytes, parent: int) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except (IsADirectoryError, PermissionError):  # the latter where it is a directory on macOS
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise
        os.rmdir(name, dir_fd=parent)


def _may_be_apart(directory: int, root: int) -> bool:
    """Tell whether a directory may treat names otherwise than the root; cheap, as it is asked of each."""
    if os.fstat(directory).st_dev != os.fstat(root).st_dev:
        return True
    with suppress(OSError):  # a file system without such flags, or no Linux
        return bool(int.from_bytes(fcntl.ioctl(directory, _GET_FLAGS, bytes(8)), sys.byteorder) & _CASEFOLD)
    return False


def _sweep(directory: int) -> None:
    """Remove what earlier runs left unfinished in a directory. What can't be removed stays: it is no reason to fail."""
    with suppress(OSError), os.scandir(directory) as found:
        for name in [name for one in found if is_partial(name := os.fsencode(one.name))]:
            with suppress(OSError):
                _remove_stale(name, directory)


def _remove_stale(name: bytes, directory: int) -> None:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if status.st_uid != os.geteuid():
        return
    if stat.S_ISLNK(status.st_mode):
        os.unlink(name, dir_fd=directory)
    elif stat.S_ISREG(status.st_mode):
        fd = os.open(name, _OLD_FILE, dir_fd=directory)
        try:
            lock(fd, wait=False)
            # While it was opened and locked, its writer may have given it its final name, and begun the next file.
            if os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=directory, follow_symlinks=False)):
                os.unlink(name, dir_fd=directory)
        finally:
            _close(fd)


def lock(fd: int, *, wait: bool = True) -> None:
    """Lock a file for as long as it is open. A writer waits for as long as another run looks at its new file."""
    fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _close(fd: int) -> None:
    with suppress(OSError):  # it carried no content that could be lost
        os.close(fd)


def _admit(fd: int) -> None:
    """Let us into a directory that an earlier run left closed, say with mode 0555; its final mode comes at the end."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & 0o700 != 0o700:
        os.fchmod(fd, mode | 0o700)


def _in_the_way(path: bytes, exc: OSError) -> Exception:
    if exc.errno not in (errno.EEXIST, errno.ENOTDIR, errno.ELOOP):
        return exc
    return DestinationError(
        f"{printable(path)} is a file or a symbolic link, but a directory belongs there",
        hint="move it away, or write to another directory",
    )
