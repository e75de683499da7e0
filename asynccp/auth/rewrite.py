"""Rewrite: a kubeconfig is written anew, whole or not at all, and not while kubectl writes it.

The rules: client-go tools/clientcmd, ModifyConfig in config.go, lockFile and WriteToFile in loader.go. Who writes FILE
makes FILE.lock before (O_EXCL, without any mode) and removes it afterwards; the name is as it was given, not that of
what a link leads to. Who finds a lock doesn't write, even if whoever made it was killed long ago.

client-go empties the file and fills it again. Here a new one takes its place by a rename, so that no reader and no full
disk meets a half; it is written to as it stands where that can't be, as when the file alone is mounted in a container.
"""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_NO_NEW_FILES = (errno.EACCES, errno.EPERM, errno.EROFS)


class Locked(OSError):
    """Another program writes the file, or was killed when it did. `filename`: the lock."""


def rewrite(path: str, change: Callable[[bytes], bytes], *, even_if_locked: bool = False) -> None:
    """Change what a file holds; its mode and its owner stay. Raises Locked, OSError: then it holds what it held."""
    with _locked(f"{path}.lock", even_if_locked):
        file = os.path.realpath(path)
        with open(file, "rb") as reader:
            old = reader.read()
        new = change(old)
        try:
            _replace(file, new)
        except OSError:  # a mount point, a file of somebody else, a directory that is closed to us
            _overwrite(file, old, new)


@contextmanager
def _locked(lock: str, even_if_locked: bool) -> Iterator[None]:
    held = True
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0))
    except FileExistsError:
        if not even_if_locked:
            raise Locked(errno.EEXIST, f"it is locked by {os.path.basename(lock)}", lock) from None
        held = False
    except OSError as exc:
        if exc.errno not in _NO_NEW_FILES:
            raise
        held = False  # a directory that takes no lock of ours takes no other's either
    try:
        yield
    finally:
        if held:
            with suppress(FileNotFoundError):
                os.unlink(lock)


def _replace(path: str, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".asynccp-")
    try:
        try:
            there = os.stat(path)
            os.fchown(descriptor, there.st_uid, there.st_gid)
            os.fchmod(descriptor, there.st_mode & 0o777)
            _put(descriptor, data)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _overwrite(path: str, old: bytes, new: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        _put(descriptor, new)
    except OSError:
        with suppress(OSError):
            _put(descriptor, old)  # which has its place on a disk that is full
        raise
    finally:
        os.close(descriptor)


def _put(descriptor: int, data: bytes) -> None:
    at = 0
    while at < len(data):
        at += os.pwrite(descriptor, data[at:], at)
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)
