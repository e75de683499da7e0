"""Listing: what stands below a directory of this machine, as a manifest. Calls block.

Walked by descriptors (`local.directories`): of a link there is its text, and nothing behind it. What can't be looked
at, or goes meanwhile, is not there: so it is fetched, and never removed.
"""

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress

from asynccp.entry import KINDS, Kind, joined
from asynccp.errors import DestinationError, Knob
from asynccp.local.directories import Directories
from asynccp.plan.manifest import Item
from asynccp.text import printable

_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def standing(root: bytes, top: bytes, paths: Collection[bytes]) -> dict[bytes, Item]:
    """Return what stands under these paths, by path. A destination may have millions that nobody asks for.

    root: a directory, in whose name links are followed. top: what is listed, by its path from there; empty for `root`.
    Paths are those below `top`, the empty one is that itself.
    """
    found = {}
    missing: bytes | None = None  # the directory that was looked for last; mostly the next path is in it, too
    with Directories() as directories:
        for path in sorted(paths):
            above, _, name = joined(top, path).rpartition(b"/")
            if above == missing:
                continue
            try:
                directory = directories.at(root, above)
            except OSError:
                missing = above
                continue
            with suppress(OSError):
                found[path] = _item(name or b".", directory)
    return found


def standing_below(root: bytes, top: bytes, most: int) -> dict[bytes, Item]:
    """Return all that stands there: `top` and what is below it.

    most: entries below it. Raises DestinationError when there are more.
    """
    found = standing(root, top, [b""])
    waiting = [path for path, item in found.items() if item.kind is Kind.DIRECTORY]
    with Directories() as directories:
        while waiting:
            path = waiting.pop()
            for name, item in entries(root, joined(top, path), directories):
                if len(found) > most:  # itself is one
                    raise DestinationError(
                        f"there is too much in {printable(joined(root, top))} to tell what a mirror would remove",
                        hint=f"raise {Knob.ENTRIES}, or pull into a directory of its own",
                    )
                below = joined(path, name)
                found[below] = item
                if item.kind is Kind.DIRECTORY:
                    waiting.append(below)
    return found


def entries(root: bytes, path: bytes, directories: Directories) -> Iterator[tuple[bytes, Item]]:
    """Yield what is in a directory, by name."""
    try:
        descriptor = os.open(b".", _READ, dir_fd=directories.at(root, path))
    except OSError:
        return
    try:
        with os.scandir(descriptor) as found:
            for entry in found:
                name = os.fsencode(entry.name)
                try:
                    item = _item(name, descriptor)
                except OSError:  # it has gone
                    continue
                yield name, item
    finally:
        os.close(descriptor)


def _item(name: bytes, directory: int) -> Item:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    kind = KINDS.get(stat.S_IFMT(status.st_mode))
    return Item(
        kind,
        status.st_size if kind is Kind.FILE else 0,
        status.st_mtime_ns,
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
        os.readlink(name, dir_fd=directory) if kind is Kind.SYMLINK else b"",
        status.st_dev,
        status.st_ino,
        status.st_nlink,
    )
