"""Contents: which contents of large files stand here already, or are fetched by some transfer of this run.

A content is known by its size and SHA-256 alone: weaker digests would let one pod choose what another one's files are
here. What is told to stand here has been read back once, so a pod that sends another content than it told of finds
nobody who takes it.
"""

import os
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import anyio
from anyio import to_thread

from asynccp.engine.turns import in_turns
from asynccp.local.digest import digest_of
from asynccp.local.held import Held, by_size, lent

ALGORITHM = "sha256sum"

LEAST_SIZE = 64 * 1024
"""Bytes of a file that is asked about: what is smaller comes in less time than its digest."""

MOST = 100_000
"""Contents, and files here, that are remembered: 30 MB. What is more is fetched by everyone."""


Moved = Callable[[], None]


class Content(NamedTuple):
    """What a file has. size: its bytes."""

    digest: str
    size: int


class Copy(NamedTuple):
    """A file here that has a content. mark: what tells whether it still is that file (`local.held`)."""

    held: Held
    mark: tuple[int, int, int, int]


class _Known:
    """A content that is here, or is fetched. settled: `copy` says where it is; None if it was given up."""

    def __init__(self) -> None:
        self.copy: Copy | None = None
        self.settled = anyio.Event()


class Contents:
    """The contents of one run. root: the directory that it pulls into; what earlier runs left there counts.

    moved: of some methods, called while files here are read.
    """

    def __init__(self, root: str) -> None:
        self._root = os.fsencode(root).rstrip(b"/") or b"/"
        self._known: dict[Content, _Known] = {}
        self._standing: Mapping[int, Collection[bytes]] | None = None
        self._looking = anyio.Lock()
        self._read: dict[Copy, str] = {}

    async def reserve(self, content: Content, moved: Moved) -> bool:
        """Tell whether the caller is to fetch it; then it says `tell` or `give_up` in the end, whatever happens."""
        if content in self._known:
            return False
        if len(self._known) >= MOST:
            return True
        known = self._known[content] = _Known()
        try:
            known.copy = await self._standing_here(content, moved)
        except BaseException:
            self.give_up(content)
            raise
        if known.copy:
            known.settled.set()
        return known.copy is None

    async def tell(self, content: Content, held: Held, moved: Moved) -> None:
        """Have others know that it stands here, if it does; else it is given up."""
        if known := self._known.get(content):
            try:
                known.copy = await self._copy(content, held, moved)
            finally:
                if known.copy is None:
                    self.give_up(content)
                known.settled.set()

    def give_up(self, content: Content) -> None:
        """Leave it to another one. Harmless where it has been told."""
        if (known := self._known.get(content)) and not known.copy:
            del self._known[content]
            known.settled.set()

    async def found(self, content: Content) -> Copy | None:
        """Return where it stands, once it does; None if nobody fetches it any more."""
        if known := self._known.get(content):
            await known.settled.wait()
            return known.copy
        return None

    def lost(self, content: Content, copy: Copy) -> None:
        """Forget a copy that is not there any more."""
        if (known := self._known.get(content)) and known.copy == copy:
            del self._known[content]

    async def _standing_here(self, content: Content, moved: Moved) -> Copy | None:
        async with self._looking:
            if self._standing is None:
                self._standing = await to_thread.run_sync(by_size, self._root, LEAST_SIZE, MOST)
        for path in self._standing.get(content.size, ()):
            if copy := await self._copy(content, Held(self._root, path), moved):
                return copy
        return None

    async def _copy(self, content: Content, held: Held, moved: Moved) -> Copy | None:
        """Return a file as a copy, if it has that content."""
        try:
            with lent(held) as one:
                copy = Copy(held, one.mark)
                if one.status.st_size != content.size:
                    return None
                if copy not in self._read:
                    self._read[copy] = await in_turns(digest_of(one.descriptor, ALGORITHM), moved)
                return copy if self._read[copy] == content.digest else None
        except OSError:
            return None
