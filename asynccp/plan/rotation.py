"""Rotation: whether logs of a pod got each other's names since it told what it has. Pure.

A tar finds files by their names. Where `app.log` became `app.log.1` meanwhile, and `app.log.1` `app.log.2`, what comes
under a name is not what was listed: one log comes twice, and the one whose new name nobody knew not at all. The inode
of a file stays what it is, so one listed name that has another's tells it. A file that was written anew and renamed
into its place has an inode that was not listed: that is no rotation, and its content is whole, before or after.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping

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


def witnesses(there: Manifest, chosen: Collection[bytes]) -> dict[bytes, int]:
    """Return the inodes of files whose names tell of a rotation of what was chosen, by path. there: what was listed."""
    stems = {stem(path) for path in chosen if (item := there.get(path)) and item.kind is Kind.FILE}
    found: dict[Stem, list[tuple[int, bytes]]] = defaultdict(list)
    for path, item in there.items():
        if item.kind is Kind.FILE and item.inode and (one := stem(path)) in stems:
            found[one].append((item.mtime_ns, path))
    several = [sorted(some, reverse=True)[:MOST_WITNESSES] for some in found.values() if len(some) > 1]
    return {path: there[path].inode for some in several for _, path in some}


def renamed(listed: Mapping[bytes, int], now: Mapping[bytes, int]) -> list[bytes]:
    """Return the paths that another one's file has now. Both are inodes by path; what is gone is not in `now`."""
    inodes = set(listed.values())
    return [path for path, inode in now.items() if inode != listed[path] and inode in inodes]
