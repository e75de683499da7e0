"""Held: a file of this machine whose content several copies want to have, and which ones stand below a directory.

Reached by descriptors only (`local.directories`). Whether it still is what was looked at is told by its device, inode,
size and time: what this program writes gets its name when it is whole, and is not written to again while it has others
(`local.growing`). Calls block.
"""

import errno
import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from asynccp.entry import Kind, joined
from asynccp.local.directories import Directories
from asynccp.local.listing import entries
from asynccp.local.read import READ

PIECE_SIZE = 1024 * 1024


class Held(NamedTuple):
    """Where a file stands. root: a directory, in whose name links are followed; none is below it."""

    root: bytes
    path: bytes


class Lent(NamedTuple):
    """An open file. directory: a descriptor of where it has its name, for what takes a `dir_fd`."""

    descriptor: int
    directory: int
    name: bytes
    status: os.stat_result

    @property
    def mark(self) -> tuple[int, int, int, int]:
        """What tells whether it still is what it was."""
        status = self.status
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def content(descriptor: int) -> Iterator[bytes | int]:
    """Yield what an open file has, from its beginning: bytes, or how many zeros come next where it has a hole."""
    at = 0
    while True:
        data_at = _data_behind(descriptor, at)
        while at < data_at:
            zeros = min(PIECE_SIZE, data_at - at)
            at += zeros
            yield zeros
        data = os.pread(descriptor, PIECE_SIZE, at)
        if not data:
            return
        at += len(data)
        yield data


def _data_behind(descriptor: int, at: int) -> int:
    """Return where the next byte is that stands on the disk; `at` where nobody can tell."""
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError as exc:  # behind the last one, or the file system has no such question
        return max(at, os.fstat(descriptor).st_size) if exc.errno == errno.ENXIO else at


@contextmanager
def lent(held: Held) -> Iterator[Lent]:
    """Open a file for as long as its content is wanted. Raises OSError, also where it is no regular file."""
    above, _, name = held.path.rpartition(b"/")
    with Directories() as directories:
        directory = directories.at(held.root, above)
        descriptor = os.open(name, READ, dir_fd=directory)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(name)
            yield Lent(descriptor, directory, name, status)
        finally:
            os.close(descriptor)


def by_size(root: bytes, least_size: int, most: int) -> Mapping[int, Collection[bytes]]:
    """Return the regular files below a directory of at least so many bytes, by these; `most` of them, whichever.

    Of a file with several names there is one of them.
    """
    found, waiting, seen = defaultdict[int, list[bytes]](list), [b""], set[tuple[int, int]]()
    with Directories() as directories:
        while waiting and len(seen) < most:
            path = waiting.pop()
            for name, item in entries(root, path, directories):
                if item.kind is Kind.DIRECTORY:
                    waiting.append(joined(path, name))
                key = item.device, item.inode
                if item.kind is Kind.FILE and item.size >= least_size and key not in seen:
                    seen.add(key)
                    found[item.size].append(joined(path, name))
    return found
