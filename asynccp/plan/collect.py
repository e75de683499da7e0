"""Collect: which of a pod's files a pull takes, by when they changed and by how large they are. Pure.

What has not changed since a moment was not asked for, as what a filter leaves out wasn't, and is not named. What a
limit leaves out was asked for, and is.

Sizes are those in the pod, whatever of it is here already: else a collection that is repeated would outgrow its limits.
Of a file of which only the end is taken, that counts. Names of one file (hard links) are taken together and count once.

What all pods may have together is shared before the first is copied from: each tells what it has (`bid`), the newest
files of all are chosen (`shared`), and each pod is promised so many bytes as its own of these have. With that promise
it takes just these, if nothing has changed: of what is newer than one of them and was not chosen, all that was left
then, and so also what is left for this pod, had not enough.
"""

import heapq
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from asynccp.entry import Kind, LeftOut, more_left_out
from asynccp.limits import size_word
from asynccp.options import Collecting
from asynccp.plan.manifest import Item, Manifest

MOST_NAMED = 1000
"""Files of one pod that are named as left out; of more, how many there are."""


BID_COST = 16
"""Bytes of memory for a file of a bid."""


class Room:
    """Bytes that all pods of a run may still take; for one thread at a time. size: 0 for as many as there are.

    Who comes first has it.
    """

    def __init__(self, size: int = 0) -> None:
        self._has_end = size > 0
        self._left = size

    def take(self, size: int) -> bool:
        """Take so many bytes, if there are as many."""
        if self._has_end and size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Let others have what was taken for a transfer that is tried again, or has failed."""
        self._left += size


class Promised(Room):
    """Bytes that one pod is promised, and behind them what is left for all, which it gives back first."""

    def __init__(self, size: int, common: Room) -> None:
        super().__init__()
        self._has_end = True
        self._left = size
        self._common = common
        self._borrowed = 0

    def take(self, size: int) -> bool:
        more = max(0, size - self._left)
        if more and not self._common.take(more):
            return False
        self._left -= size - more
        self._borrowed += more
        return True

    def give_back(self, size: int) -> None:
        borrowed = min(size, self._borrowed)
        if borrowed:
            self._common.give_back(borrowed)
            self._borrowed -= borrowed
        self._left += size - borrowed


class Bid(NamedTuple):
    """What one pod has, the newest first: when each file was changed, and the bytes that it would bring."""

    times_ns: "array[int]"
    sizes: "array[int]"


class Collected(NamedTuple):
    """What of a manifest is taken, in its order. size: bytes of content, which were taken of the room.

    left_out: what would have been too much, in the order of paths; `more_left_out` stands for what is not named.
    """

    kept: dict[bytes, Item]
    size: int = 0
    left_out: tuple[LeftOut, ...] = ()


def collected(manifest: Manifest, collecting: Collecting, room: Room) -> Collected:
    """Return what a pull takes of a pod that has these.

    room: for the content of all pods, which `most_total_size` bounds.
    """
    recent = _since(manifest, collecting.newer_than_ns)
    pod = Room(collecting.most_pod_size)
    reasons: dict[bytes, str] = {}
    taken = 0
    for size, paths in _newest_first(recent, collecting.tail_size):
        if why := too_much(size, collecting, pod, room):
            reasons |= dict.fromkeys(paths, why)
        else:
            taken += size
    kept = {path: item for path, item in recent.items() if path not in reasons} if reasons else dict(recent)
    named = sorted(reasons)[:MOST_NAMED]
    left_out = [LeftOut(path, reasons[path]) for path in named] + more_left_out(len(reasons) - len(named))
    return Collected(kept, taken, tuple(left_out))


def bid(manifest: Manifest, collecting: Collecting) -> Bid:
    """Return what a pod that has these would like to bring."""
    found = Bid(array("q"), array("q"))
    recent = _since(manifest, collecting.newer_than_ns)
    for size, paths in _newest_first(recent, collecting.tail_size):
        if size and not 0 < collecting.most_file_size < size:
            found.times_ns.append(recent[paths[0]].mtime_ns)
            found.sizes.append(size)
    return found


def shared(bids: Sequence[Bid], collecting: Collecting) -> list[int]:
    """Return how many bytes each pod may take, so that together they take the newest files that fit.

    Of files of the same age those of the first pod come first.
    """
    room = Room(collecting.most_total_size)
    pods = [Room(collecting.most_pod_size) for _ in bids]
    taken = [0] * len(bids)
    for _, number, size in heapq.merge(*(_offers(number, one) for number, one in enumerate(bids))):
        if not too_much(size, collecting, pods[number], room):
            taken[number] += size
    return taken


def _offers(number: int, one: Bid) -> Iterator[tuple[int, int, int]]:
    for time_ns, size in zip(one.times_ns, one.sizes, strict=True):
        yield -time_ns, number, size


def _since(manifest: Manifest, newer_than_ns: int) -> Manifest:
    """Return what has changed since a moment, and the directories that it is in.

    In whole seconds, since a pod may tell no more: rather a file of that second too many than one too few.
    """
    if not newer_than_ns:
        return manifest
    since_s = newer_than_ns // 1_000_000_000
    kept = {path for path in (b"",) if path in manifest and manifest[path].kind is Kind.DIRECTORY}
    for path, item in manifest.items():
        if item.kind is not Kind.DIRECTORY and item.mtime_s >= since_s:
            while path not in kept:
                kept.add(path)
                path = path.rpartition(b"/")[0]
    return {path: item for path, item in manifest.items() if path in kept}


def _newest_first(manifest: Manifest, tail_size: int) -> Iterable[tuple[int, list[bytes]]]:
    """Return the files, each as the bytes that it would bring and its names; of the same age by name."""
    files: Mapping[tuple[int, int] | bytes, list[bytes]] = defaultdict(list)
    for path, item in sorted(manifest.items()):
        if item.kind is Kind.FILE:
            is_linked = item.names > 1 and item.inode
            files[(item.device, item.inode) if is_linked else path].append(path)

    def size(path: bytes) -> int:
        return min(manifest[path].size, tail_size or manifest[path].size)

    found = sorted(files.values(), key=lambda paths: -manifest[paths[0]].mtime_ns)
    return [(size(paths[0]), paths) for paths in found]


def too_much(size: int, collecting: Collecting, pod: Room, room: Room) -> str:
    """Return why a file is left out, empty if it is taken, and then its bytes with it."""
    if collecting.most_file_size and size > collecting.most_file_size:
        return f"larger than the {size_word(collecting.most_file_size)} that one file may have"
    if not pod.take(size):
        return f"no room for it beside newer files in the {size_word(collecting.most_pod_size)} that one pod may have"
    if not room.take(size):
        pod.give_back(size)
        return f"no room left for it in the {size_word(collecting.most_total_size)} that all pods may have together"
    return ""
