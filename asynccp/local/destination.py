"""Destination: whether a pull can write where it was told to, before anything is asked of a pod.

Else each of three hundred pods would say the same. It only looks: directories are made when the first file comes.
"""

import os
import stat
from collections.abc import Iterable

from asynccp.errors import PlanError
from asynccp.text import printable


def check_destination(destination: str, directories: Iterable[str]) -> None:
    """Raise PlanError when no pod's directory can be made in `destination`.

    directories: the pods', relative to it. What is in the way of one of them is that pod's own error, later.
    """
    wanted = destination.rstrip("/") or destination[:1] or "."
    there = _nearest(wanted)
    if os.access(there, os.W_OK | os.X_OK):
        return
    if there == wanted and any(os.path.isdir(os.path.join(there, one)) for one in directories):
        return  # an earlier pull's, which may be ours to write to
    read_only = os.statvfs(there).f_flag & os.ST_RDONLY
    raise _unfit(there, wanted, "is on a read-only file system" if read_only else "may not be written to")


def check_archive(path: str) -> None:
    """Raise PlanError when there is a file, or no new one can be made."""
    if os.path.lexists(path):
        raise PlanError(
            f"{printable(path)} is there already; a pull makes a new archive", hint="move it away, or name another file"
        )
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise PlanError(f"{printable(directory)} is no directory, so {printable(path)} can't be made in it")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PlanError(f"{printable(directory)} may not be written to", hint="name a file in another directory")


def _nearest(wanted: str) -> str:
    """Return the wanted directory if it is there, else the nearest one above it, as it was written."""
    path = wanted
    while True:
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            if os.path.islink(path):
                raise _unfit(path, wanted, "is a symbolic link that leads nowhere") from None
        except OSError as exc:
            raise _unfit(path, wanted, f"can't be used: {exc.strerror}") from None
        else:
            if stat.S_ISDIR(found.st_mode):
                return path
            raise _unfit(path, wanted, "is a file")
        path, below = os.path.dirname(path) or ".", path
        if path == below:
            raise _unfit(path, wanted, "is not there any more")


def _unfit(path: str, wanted: str, why: str) -> PlanError:
    below = "" if path == wanted else f", so {printable(wanted)} can't be made"
    return PlanError(f"{printable(path)} {why}{below}; a pull goes to a directory", hint="name another directory")


def landing(destination: str, name: bytes, *, is_directory: bool) -> tuple[str, bytes]:
    """Return the directory to write in, and what the copy of `name` is called there, empty for the directory itself.

    As `kubectl cp` has it: a directory is called what was written, whether that is there or not; a file too, unless
    that is a directory, or ends with a slash. name: empty for a directory's contents.
    """
    if is_directory or not name:
        return os.path.realpath(destination), b""
    if destination.endswith("/") or os.path.isdir(destination):
        return os.path.realpath(destination), name
    directory, given = os.path.split(destination)
    return os.path.realpath(directory), os.fsencode(given)
