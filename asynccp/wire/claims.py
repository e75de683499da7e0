"""Claims: which names one archive has taken, and what that forbids to the members that follow. No I/O.

An archive from a pod may name only what was asked for, every path once, and nothing below a path that is no directory:
a second member of one name could replace, or go through, what the first one made. Everything is compared by component
(`log` does not allow `logEVIL`) and, where the file system folds case, by folded name.
"""

import unicodedata
from collections.abc import Callable

from asynccp.entry import Entry
from asynccp.errors import UnsafeEntry
from asynccp.escape import printable
from asynccp.limits import raise_hint

# Bytes for what must be remembered until the end: directories, symlinks and what is left out. A million of them fit;
# without a bound, one hostile pod could end the whole run by filling the memory.
MEMORY_LIMIT = 512 * 1024 * 1024
_MEMORY_PER_ENTRY = 500  # bytes, besides its names


class Claims:
    """The names of one archive.

    requested: the one name asked for; empty: anything.
    max_entries: how many names, counting directories that are only told as parents of others.
    folds_case: tells whether the file system takes `a` and `A` for one name; asked once, at the first claim.
    """

    def __init__(self, requested: bytes, folds_case: Callable[[], bool], max_entries: int) -> None:
        self._requested = requested
        self._max_entries = max_entries
        self._ask = folds_case
        self._folds_case: bool | None = None
        # 64-bit hashes instead of paths: 70 bytes a file. Of 10 million paths, two are mixed up once in 370,000 runs.
        self._files: set[int] = set()
        self._others: set[int] = set()  # symlinks, and what is left out
        self._folders: set[int] = set()  # directories, told as members or as parents of some
        self._memory = 0

    def claim_file(self, path: bytes) -> None:
        """Take the name of a regular file. Raises UnsafeEntry, as all claims do, if it must not stand here."""
        self._files.add(self._new_key(path))

    def claim_other(self, path: bytes, size: int = 0) -> None:
        """Take the name of a symbolic link, or of what is left out; size: of what else must be remembered."""
        self._others.add(self._new_key(path))
        self.remember(len(path) + size)

    def claim_link(self, path: bytes, target: bytes) -> bool:
        """Take the name of a hard link; return whether its target is a regular file that came before.

        It is not when the target is a symbolic link or was left out. Then there is nothing that a link could be made
        to; but `cp -al` makes such trees, so that is no reason to give the whole archive up.
        """
        key = self._key(target)
        if key not in self._files and key not in self._others:
            what = f"{printable(path)} is a hard link to {printable(target, 200)}"
            raise UnsafeEntry(f"{what}, which is no file that came before it")
        is_file = key in self._files
        (self._files if is_file else self._others).add(self._new_key(path))
        return is_file

    def claim_directory(self, entry: Entry, earlier: Entry) -> None:
        """Take the name of a directory. It may come twice if both say the same; earlier: the first of them."""
        self._check(entry.path)
        key = self._key(entry.path)
        if key in self._files or key in self._others or entry != earlier:
            raise self._taken(entry.path)
        self._folders.add(key)
        self.remember(len(entry.path))

    def remember(self, size: int) -> None:
        """Count `size` bytes, and what Python needs to hold them."""
        self._memory += size + _MEMORY_PER_ENTRY
        if self._memory > MEMORY_LIMIT:
            raise UnsafeEntry("the archive has more directories, links and special files than can be remembered here")

    def _new_key(self, path: bytes) -> int:
        self._check(path)
        key = self._key(path)
        if key in self._files or key in self._others or key in self._folders:
            raise self._taken(path)
        return key

    def _check(self, path: bytes) -> None:
        if self._requested and not (path + b"/").startswith(self._requested + b"/"):
            raise UnsafeEntry(f"the archive has {printable(path) or '.'}, which was not asked for")
        parent = path.rpartition(b"/")[0]
        while parent and (key := self._key(parent)) not in self._folders:
            if key in self._files or key in self._others:
                raise UnsafeEntry(f"{printable(path)} would lie below {printable(parent)}, which is no directory")
            self._folders.add(key)
            parent = parent.rpartition(b"/")[0]
        if len(self._files) + len(self._others) + len(self._folders) >= self._max_entries:
            what = f"with {printable(path, 200)} the archive has more than {self._max_entries} entries"
            raise UnsafeEntry(what, hint=raise_hint("--max-entries"))

    def _key(self, path: bytes) -> int:
        """Return the same number for names that are one and the same to the file system."""
        if self._folds_case is None:
            self._folds_case = self._ask()
        if not self._folds_case:
            return hash(path)
        return hash(unicodedata.normalize("NFD", path.decode("utf-8", "surrogateescape").casefold()))

    def _taken(self, path: bytes) -> UnsafeEntry:
        folding = " (names that differ only in case are one name to this file system)" if self._folds_case else ""
        return UnsafeEntry(f"the archive has {printable(path)} twice{folding}")
