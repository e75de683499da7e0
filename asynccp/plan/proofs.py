"""Proofs: in which order a pod is asked whether its files begin with what is here, and what it need not be asked again.
Pure.

A round is one question. What was proved is remembered over all attempts, by the inode: where logs are rotated faster
than all is proved, each attempt has less to ask than the one before. A file of the same inode, size and time is what it
was then.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from asynccp.plan.fetch import Beginning, Move
from asynccp.plan.manifest import Item, Manifest

ROUND_SIZE = 32 * 1024 * 1024
"""Bytes that a pod digests for one round, but for a single larger file: 0.1 to 0.3 s of one CPU."""

MOST_IN_ROUND = 50

_NAMES_SIZE = 12 * 1024  # bytes of names in one question

Which = tuple[int, int]
"""A file, by device and inode."""


class Known(NamedTuple):
    """That a file in a pod, of this size and time, has, from `offset` on, the whole file `at` here, which is
    `ours`."""

    size: int
    mtime_ns: int
    at: bytes
    had: int
    offset: int
    ours: Which


class Proofs:
    """What one pod has proved, over all attempts."""

    def __init__(self) -> None:
        self._known: dict[Which, Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def paths(self) -> Mapping[Which, bytes]:
        """The files here, by those in the pod."""
        return {which: one.at for which, one in self._known.items()}

    def proved(self, told: Iterable[Beginning], there: Manifest, here: Manifest) -> list[Beginning]:
        """Return those that need not be asked about."""
        return [one for one in told if self._known.get(_which(there[one.path])) == _known(one, there, here)]

    def remember(self, found: Iterable[Beginning], there: Manifest, here: Manifest) -> None:
        """Take down what is proved, of files whose inodes are known."""
        self._known |= {_which(there[one.path]): _known(one, there, here) for one in found if there[one.path].inode}

    def completed(self, path: bytes, item: Item) -> None:
        """All that the file in the pod had when it was listed is here, under this name."""
        if known := self._known.get(_which(item)):
            self._known[_which(item)] = known._replace(at=path, had=item.size)

    def moved(self, moves: Collection[Move]) -> None:
        """Files here have other names now."""
        to = {one.at: one.path for one in moves}
        self._known = {which: one._replace(at=to.get(one.at, one.at)) for which, one in self._known.items()}


def _which(item: Item) -> Which:
    return item.device, item.inode


def _known(one: Beginning, there: Manifest, here: Manifest) -> Known:
    item = there[one.path]
    return Known(item.size, item.mtime_ns, one.at, one.had, one.offset, _which(here[one.at]))


class Settled:
    """What is proved: of one file, here or there, one beginning."""

    def __init__(self) -> None:
        self.found: list[Beginning] = []
        self.there: set[bytes] = set()
        self.here: set[bytes] = set()

    def add(self, proved: Iterable[Beginning]) -> None:
        """Take them, in this order, unless their files are settled."""
        for one in proved:
            if one.path not in self.there and one.at not in self.here:
                self.there.add(one.path)
                self.here.add(one.at)
                self.found.append(one)


def next_round(left: Iterable[Beginning], settled: Settled) -> list[Beginning]:
    """Return what to ask next: of one file in the pod not more than one, the likeliest."""
    asked: list[Beginning] = []
    paths = set[bytes]()
    size = names_size = 0
    for one in left:
        if one.path in settled.there or one.at in settled.here or one.path in paths:
            continue
        size += one.had
        names_size += len(one.path)
        if asked and (size > ROUND_SIZE or names_size > _NAMES_SIZE or len(asked) == MOST_IN_ROUND):
            break
        paths.add(one.path)
        asked.append(one)
    return asked
