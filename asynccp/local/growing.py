"""Growing: a file that stands here and gets what follows, in place. Calls block.

That is what a log here becomes when the one in the pod has grown. Written beside it and renamed, all of it would be
copied for a line more; so it is the one file that others may see unfinished: what it was, and some of the rest. Of that
nothing stays unless all has come. A run that is killed leaves a longer beginning with a time of its own; the next run
has that proved anew.
"""

import errno
import os
import stat
from contextlib import suppress

from asynccp.errors import DestinationError
from asynccp.local.tree import Tree, lock
from asynccp.text import printable


class Growing:
    """A file that is being completed, locked for as long as that takes. fd: where the rest is written. had: its size.

    tree: whose root is open. Raises OSError; or DestinationError unless it is a file of exactly `size` bytes, and this
    is its only name: what is written would stand under every other one, too.
    """

    def __init__(self, tree: Tree, path: bytes, size: int) -> None:
        self._tree, self._path, self.had = tree, path, size
        reading = opened(tree, path, size)
        try:
            self._before = os.fstat(reading)
            self._check(self._before)
            self.fd = self._opened(reading)
        finally:
            os.close(reading)
        try:
            self._lock()
            self._check(os.fstat(self.fd))
            os.lseek(self.fd, size, os.SEEK_SET)
        except BaseException:
            self._restore_mode(self.fd)
            os.close(self.fd)
            raise

    def finish(self, size: int) -> None:
        """Close it, whole. Raises DestinationError if it has not that size now, or has lost its name; nothing stays."""
        if os.fstat(self.fd).st_size != size or not self._is_named():
            self.undo()
            raise changed(self._tree, self._path)
        fd, self.fd = self.fd, -1
        os.close(fd)  # network file systems report a full disk here

    def undo(self) -> None:
        """Make it what it was, and close it. Raises nothing; harmless at the end."""
        fd, self.fd = self.fd, -1
        if fd < 0:
            return
        with suppress(OSError):
            os.ftruncate(fd, self.had)
            os.utime(fd, ns=(self._before.st_atime_ns, self._before.st_mtime_ns))
        with suppress(OSError):
            self._restore_mode(fd)
        with suppress(OSError):
            os.close(fd)

    def _check(self, status: os.stat_result) -> None:
        if (status.st_size, status.st_nlink) != (self.had, 1):
            raise changed(self._tree, self._path)

    def _opened(self, reading: int) -> int:
        """Open the file for writing, also where its mode forbids that to its owner."""
        try:
            fd = self._tree.open_growing(self._path)
        except PermissionError:
            os.fchmod(reading, stat.S_IMODE(self._before.st_mode) | 0o200)
            try:
                fd = self._tree.open_growing(self._path)
            except OSError:
                self._restore_mode(reading)
                raise
        if not os.path.samestat(os.fstat(fd), self._before):
            os.close(fd)
            raise changed(self._tree, self._path)
        return fd

    def _lock(self) -> None:
        try:
            lock(self.fd, wait=False)
        except BlockingIOError:
            raise changed(self._tree, self._path) from None
        except OSError:
            return  # there are no locks here

    def _is_named(self) -> bool:
        try:
            fd = self._tree.open_file(self._path)
        except OSError:
            return False
        try:
            return os.path.samestat(os.fstat(fd), os.fstat(self.fd))
        finally:
            os.close(fd)

    def _restore_mode(self, fd: int) -> None:
        os.fchmod(fd, stat.S_IMODE(self._before.st_mode))


def opened(tree: Tree, path: bytes, size: int) -> int:
    """Open a file that stands here for reading; the caller closes it.

    tree: whose root is open. Raises OSError; or DestinationError unless it is a file of exactly `size` bytes.
    """
    try:
        fd = tree.open_file(path)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise changed(tree, path) from exc
        raise
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_size != size:
        os.close(fd)
        raise changed(tree, path)
    return fd


def changed(tree: Tree, path: bytes) -> DestinationError:
    """Return the error for what is not what it was when it was listed."""
    where = printable(os.path.join(tree.root, path))
    return DestinationError(
        f"{where} is no longer what it was when this pull began", hint="see who else writes there, and pull again"
    )
