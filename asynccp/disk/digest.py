"""Digests of files of this machine. Calls block: they are made in worker threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from asynccp.disk.directories import Directories
from asynccp.disk.read import opened, unchanged
from asynccp.entry import Entry
from asynccp.wire.digests import ALGORITHMS

_PIECE_SIZE = 1024 * 1024
_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def digest_source(entry: Entry, algorithm: str) -> str:
    """Return the digest of a file that is being pushed. Raises SourceChanged when it isn't as the scan found it."""
    with Directories() as directories, opened(entry, directories) as descriptor:
        unchanged(entry, descriptor)
        digest = _digest(descriptor, algorithm)
        unchanged(entry, descriptor)
    return digest


def digest_below(root: str, path: bytes, algorithm: str) -> str | None:
    """Return the digest of a file that was pulled, None when it can't be read. No symbolic link below root is followed.

    Read back from the disk, not taken from the bytes on their way there: what counts is what stands there now.
    """
    try:
        with _opened_below(root, path) as descriptor:
            return _digest(descriptor, algorithm)
    except OSError:
        return None


def _digest(descriptor: int, algorithm: str) -> str:
    digest = ALGORITHMS[algorithm]()
    while data := os.read(descriptor, _PIECE_SIZE):
        digest.update(data)
    return digest.hexdigest()


@contextmanager
def _opened_below(root: str, path: bytes) -> Iterator[int]:
    *directories, name = path.split(b"/")
    at = os.open(root, _DIRECTORY)
    try:
        for directory in directories:
            below = os.open(directory, _DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        descriptor = os.open(name, _FILE, dir_fd=at)
    finally:
        os.close(at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
