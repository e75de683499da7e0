"""Rotation: whether logs of a pod got each other's names since it told what it has. Pure.

A tar finds files by their names. Where `app.log` became `app.log.1` meanwhile, and `app.log.1` `app.log.2`, what comes
under a name is not what was listed: one log comes twice, and the one whose new name nobody knew not at all. The inode
of a file stays what it is, so one listed name that has another's tells it. A file that was written anew and renamed
into its place has an inode that was not listed: that is no rotation, and its content is whole, before or after.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from asynccp.entry import Kind
from asynccp.plan.manifest import Manifest

MOST_WITNESSES = 16
"""Files of one log, the newest, that are looked at: a rotation renames all of them, or those that are new."""

# What a rotation adds to a name, anywhere in it: `app.log.1`, `app.log-20261129`, `app-2026-11-29.log`, `app.log.old`
_ADDED = rb"[-._:T]*\d+|\.(?:old|bak|prev)(?=\.|\Z)"

Stem = tuple[bytes, bytes]


def stem(path: bytes) -> Stem:
    """Return what rotated files of one log have in common: their directory, and the name without what was added."""
    directory, _, name = path.rpartition(b"/")
    return directory, re.sub(_ADDED, b"", name)


class Named(NamedTuple):
    """Which file a name is of, and in which state. size: in bytes."""

    inode: int
    size: int
    mtime_ns: int


def witnesses(there: Manifest, chosen: Collection[bytes]) -> dict[bytes, Named]:
    """Return the files whose names tell of a rotation of what was chosen, by path. there: what was listed."""
    stems = {stem(path) for path in chosen if (item := there.get(path)) and item.kind is Kind.FILE}
    found: dict[Stem, list[tuple[int, bytes]]] = defaultdict(list)
    for path, item in there.items():
        if item.kind is Kind.FILE and item.inode and (one := stem(path)) in stems:
            found[one].append((item.mtime_ns, path))
    several = [sorted(some, reverse=True)[:MOST_WITNESSES] for some in found.values() if len(some) > 1]
    items = {path: there[path] for some in several for _, path in some}
    return {path: Named(item.inode, item.size, item.mtime_ns) for path, item in items.items()}


def renamed(listed: Mapping[bytes, Named], now: Mapping[bytes, Named]) -> list[bytes]:
    """Return the paths that another one's file has now; what is gone is not in `now`.

    An inode alone does not tell: where files are replaced all the time, each gets one that was another's a moment ago.
    A log that was renamed is as it was, or has grown.
    """
    files = {one.inode: one for one in listed.values()}

    def is_anothers(path: bytes, one: Named) -> bool:
        was = files.get(one.inode)
        if was is None or one.inode == listed[path].inode:
            return False
        return one == was or (one.size > was.size and one.mtime_ns >= was.mtime_ns)

    return [path for path, one in now.items() if is_anothers(path, one)]
