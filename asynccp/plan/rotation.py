"""Rotation: whether logs of a pod got each other's names since it told what it has. Pure.

A tar finds files by their names. Where `app.log` became `app.log.1` meanwhile, and `app.log.1` `app.log.2`, what comes
under a name is not what was listed: one log comes twice, and the one whose new name nobody knew not at all. The inode
of a file stays what it is, so one listed name that has another's tells it. A file that was written anew and renamed
into its place has an inode that was not listed: that is no rotation, and its content is whole, before or after.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from asynccp.entry import Kind
from asynccp.plan.manifest import Manifest

MOST_WITNESSES = 16
"""Files of one log, the newest, that are looked at: a rotation renames all of them, or those that are new."""

# What a rotation adds to a name, anywhere in it: `app.log.1`, `app.log-20261129`, `app-2026-11-29.log`, `app.log.old`
_ADDED = rb"[-._:T]*\d+|\.(?:old|bak|prev)(?=\.|\Z)"

MOST_SEQUENCES = 100  # of which a pod is asked: 10 KiB of names
_NUMBER_DIGITS = 5  # fewer: more are a day
_NUMBERED = re.compile(rb"(.*\D)(\d{1,8})([^\d/]*)", re.DOTALL)

MOST_STEPS = 3
"""Rotations between a listing and a question after which a log is still found by the number that it has then."""

MOST_NUMBER = 40
"""Of the rotated logs that are asked for by numbers: those that are older have been there for long."""

Stem = tuple[bytes, bytes]


def stem(path: bytes) -> Stem:
    """Return what rotated files of one log have in common: their directory, and the name without what was added."""
    directory, _, name = path.rpartition(b"/")
    return directory, re.sub(_ADDED, b"", name)


def is_active(path: bytes) -> bool:
    """Tell whether a log of this name is one that others are rotated from: nothing was added to it."""
    directory, name = stem(path)
    return path == b"/".join(filter(None, (directory, name)))


def rotated_name(path: bytes, number: int) -> bytes:
    """Return what a log is called after so many rotations. path: what it was called before any."""
    return b"%b.%d" % (path, number) if number else path


class Named(NamedTuple):
    """Which file a name is of, and in which state. size: in bytes."""

    inode: int
    size: int
    mtime_ns: int


def witnesses(there: Manifest, chosen: Collection[bytes]) -> dict[bytes, Named]:
    """Return the files whose names tell of a rotation of what was chosen, by path. there: what was listed."""
    found: dict[Stem, list[tuple[int, bytes]]] = defaultdict(list)
    named = family(there, chosen)
    for path, one in named.items():
        found[stem(path)].append((one.mtime_ns, path))
    several = [sorted(some, reverse=True)[:MOST_WITNESSES] for some in found.values() if len(some) > 1]
    return {path: named[path] for some in several for _, path in some}


def family(there: Manifest, chosen: Collection[bytes]) -> dict[bytes, Named]:
    """Return all files of the same logs as some have, by path, of which it is known which they are."""
    stems = {stem(path) for path in chosen if (item := there.get(path)) and item.kind is Kind.FILE}
    return {
        path: Named(item.inode, item.size, item.mtime_ns)
        for path, item in there.items()
        if item.kind is Kind.FILE and item.inode and stem(path) in stems
    }


def seen_twice(there: Manifest) -> list[bytes]:
    """Return files that have one name each, and were listed under two: the pod knows which of these they have."""
    found: dict[tuple[int, ...], list[bytes]] = defaultdict(list)
    for path, item in there.items():
        if item.kind is Kind.FILE and item.inode and item.names == 1:
            found[item.device, item.inode].append(path)
    return [path for paths in found.values() if len(paths) > 1 for path in paths]


def sequences(named: Mapping[bytes, Named]) -> list[list[bytes]]:
    """Return the names that logs are rotated through: from the active one on, which may be missing for a moment, and
    some that none was listed under. Those that were rotated before come first, and what was written last.

    named: a `family`.
    """
    of_one: dict[Stem, list[bytes]] = defaultdict(list)
    for path in named:
        of_one[stem(path)].append(path)
    found: list[tuple[bool, int, list[bytes]]] = []
    for (directory, name), paths in of_one.items():
        active = b"/".join(filter(None, (directory, name)))
        if active in paths or active + b".1" in paths:
            added = [path[len(active) + 1 :] for path in paths if path.startswith(active + b".")]
            numbers = [int(one) for one in added if one.isdigit() and len(one) < _NUMBER_DIGITS]
            last = min(max(numbers), MOST_NUMBER) + MOST_STEPS if numbers else 1
            names = [rotated_name(active, number) for number in range(last + 1)]
            found.append((bool(numbers), max(named[path].mtime_ns for path in paths), names))
    return [names for _, _, names in sorted(found, reverse=True)[:MOST_SEQUENCES]]


def unseen(
    sequence: Iterable[bytes], listed: Collection[Named], now: Mapping[bytes, Named], whole: Collection[bytes] = ()
) -> list[bytes]:
    """Return the names, of a sequence, under which logs are now that were there when others were listed, and were not.

    A directory is read name by name: a log that is renamed meanwhile may get a name that was read before, and leave
    one that was not. Logs go through a sequence one way: what stands behind a listed one is older, and was there; what
    stands before it has come since. Behind a log that is smaller than it was listed, and so was truncated since, its
    copy stands: that is looked for, but not where it is in `whole`, and will be read by its name.
    """
    were = {one.inode: one for one in listed}
    found, behind = list[bytes](), False
    for name in sequence:
        if one := now.get(name):
            was = were.get(one.inode)
            if was is None and behind:
                found.append(name)
            behind = behind or (was is not None and (one.size >= was.size or name in whole))
    return found


def gaps(sequence: Sequence[bytes], listed: Collection[bytes], now: Collection[bytes]) -> list[bytes]:
    """Return the names, of a sequence, that were not listed, though later ones were, and that logs have now: what was
    listed was in the middle of a rotation, in which a name is free for a moment."""
    last = max((number for number, name in enumerate(sequence) if name in listed), default=0)
    return [name for name in sequence[:last] if name not in listed and name in now]


def names_after(path: bytes) -> list[bytes]:
    """Return the names that a log may have by now, its own first: those with numbers that follow."""
    found = _NUMBERED.fullmatch(path)
    before, number, behind = (found[1], int(found[2]), found[3]) if found else (path + b".", 0, b"")
    return [path, *(b"%b%d%b" % (before, number + step, behind) for step in range(1, MOST_STEPS + 1))]


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
