"""Digests of a push's files, each read once for all its names and all pods."""

from collections.abc import Sequence

import anyio

from asynccp.engine.turns import in_turns
from asynccp.entry import Entry, files_of
from asynccp.local.digest import digest_source


class Digests:
    """sizes: bytes of each file, by its path in the archive, hard links included."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = files_of(entries)
        self.sizes = {path: entry.size for path, entry in self._entries.items()}
        self._known: dict[tuple[bytes, str], str] = {}
        self._lock = anyio.Lock()

    async def get(self, path: bytes, algorithm: str) -> str:
        """Return one file's digest. Raises SourceChanged."""
        entry = self._entries[path]
        async with self._lock:
            if (entry.path, algorithm) not in self._known:
                digest = await in_turns(digest_source(entry, algorithm))
                self._known[entry.path, algorithm] = digest
        return self._known[entry.path, algorithm]
