"""Directories: descriptors of directories below a root, reached without following a link or trusting a name twice.

Another user may own what is read: a directory that is replaced by a symbolic link between two calls leads whoever walks
by path to where that user may not go. Calls block.
"""

import os
from types import TracebackType
from typing import Self

# To be passed through, a directory needs no permission to be read.
_THROUGH = os.O_CLOEXEC | os.O_DIRECTORY | getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY))
_DEPTH = 60  # whose descriptors are held; what is deeper is walked from there


class Directories:
    """The directories between a root and the one that was asked for last: the next one is mostly near."""

    def __init__(self) -> None:
        self._held: list[tuple[bytes, int]] = []  # a name, or several below the last one held, and the descriptor
        self._last: tuple[bytes, bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all; it may be asked again."""
        self._last = None
        self._let_go(0)

    def at(self, root: bytes, below: bytes) -> int:
        """Return a descriptor of `root`, in whose name links are followed, or of a directory below it.

        It is good until the next call, for what takes a `dir_fd`. Raises OSError.
        """
        if (root, below) == self._last:
            return self._held[-1][1]
        self._last = None
        names = [root or b"."]
        if below:
            parts = below.split(b"/")
            names += parts[:_DEPTH] + ([b"/".join(parts[_DEPTH:])] if len(parts) > _DEPTH else [])
        common = 0
        while common < min(len(names), len(self._held)) and names[common] == self._held[common][0]:
            common += 1
        self._let_go(common)
        for name in names[common:]:
            self._held.append((name, self._step(name) if self._held else os.open(name, _THROUGH)))
        self._last = (root, below)
        return self._held[-1][1]

    def _step(self, name: bytes) -> int:
        first, *deeper = name.split(b"/")
        descriptor = os.open(first, _THROUGH | os.O_NOFOLLOW, dir_fd=self._held[-1][1])
        for one in deeper:
            try:
                below = os.open(one, _THROUGH | os.O_NOFOLLOW, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    def _let_go(self, kept: int) -> None:
        while len(self._held) > kept:
            os.close(self._held.pop()[1])
