"""Watch: whether what is to be pushed has changed here. Blocks; nothing is read but what the kernel tells (inotify).

A directory is watched with all that is below it. What was named is looked at by its name as well, since an editor, or
whoever deploys, puts another file or directory in its place, of which a watch of the old one hears nothing.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from watchfiles import watch

from asynccp.errors import PlanError

DEBOUNCE_MS, STEP_MS = 500, 50
"""Changes that come within STEP_MS of each other are one, for no longer than DEBOUNCE_MS: an editor's save is some."""
LOOK_EVERY_MS = 100
"""Milliseconds between two looks at what was named."""


class _Named(NamedTuple):
    """What stands at a name. is_directory: it is watched by its own means, so that only another one matters."""

    device: int
    inode: int
    is_directory: bool
    size: int = 0
    ctime_ns: int = 0


class Changes:
    """Changes of sources, from `start` on until `stop`, which any thread may call."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = sources
        self._stop = threading.Event()
        self._seen: list[_Named | None] = []
        self._watch: Iterator[object] | None = None

    def start(self) -> None:
        """Begin: what changes from now on is told. Raises PlanError."""
        self._seen = [_named(one) for one in self._sources]
        directories = [path for path, one in zip(self._sources, self._seen, strict=True) if one and one.is_directory]
        self._watch = None
        if directories:
            self._watch = watch(
                *map(os.path.realpath, directories),
                watch_filter=None,
                debounce=DEBOUNCE_MS,
                step=STEP_MS,
                stop_event=self._stop,
                rust_timeout=LOOK_EVERY_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
            )
            self._next()  # a generator begins when it is first asked

    def wait(self) -> bool:
        """Wait for a change; tell whether there was one, or the end. Raises PlanError."""
        while not self._stop.is_set():
            if self._next():
                return not self._stop.is_set()
            if [_named(one) for one in self._sources] != self._seen:
                self.start()
                return True
        return False

    def stop(self) -> None:
        self._stop.set()

    def _next(self) -> bool:
        """Wait a moment; tell whether something has changed below a directory."""
        if self._watch is None:
            self._stop.wait(LOOK_EVERY_MS / 1000)
            return False
        try:
            return bool(next(self._watch, None))
        except FileNotFoundError:  # it was just there
            self._watch = None
            return True
        except (OSError, RuntimeError) as exc:
            raise PlanError(
                f"changes of the sources can't be watched: {exc}",
                hint="each directory takes an inotify watch: sysctl fs.inotify.max_user_watches says how many",
            ) from None


def _named(path: str) -> _Named | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    if os.path.isdir(path):
        return _Named(found.st_dev, found.st_ino, is_directory=True)
    return _Named(found.st_dev, found.st_ino, False, found.st_size, found.st_ctime_ns)
