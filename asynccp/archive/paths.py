"""Claims: which names one archive has taken, and what that forbids to the members that follow. No I/O.

An archive from a pod may name only what was asked for, every path once, and nothing below a path that is no directory:
a second member of one name could replace, or go through, what the first one made. Everything is compared by component
(`log` does not allow `logEVIL`) and, where the file system folds case, by folded name.
"""

import secrets
import unicodedata
from collections.abc import Callable

from asynccp.archive.names import Names
from asynccp.entry import Entry
from asynccp.errors import Knob, UnsafeEntry
from asynccp.limits import Limits, raise_hint
from asynccp.text import printable

_SALT = secrets.token_bytes(16)  # or PYTHONHASHSEED=0 would tell a pod which names have one hash
_MEMORY_PER_ENTRY = 500  # bytes, besides its names
_FILE, _OTHER, _FOLDER = 1, 2, 3  # other: symlinks, and what is left out; folders are told as parents, or as members


class Claims:
    """The names of one archive.

    requested: the one name asked for; empty: anything.
    limits: of how many names, counting directories that are only told as parents of others, and of the memory for them.
    folds_case: tells whether the file system takes `a` and `A` for one name; asked once, at the first claim.

    memory: bytes that are taken by what must be remembered until the end: names, directories, symlinks.
    """

    def __init__(self, requested: bytes, folds_case: Callable[[], bool], limits: Limits) -> None:
        self._requested = requested
        self._most, self._most_memory = limits.entries, limits.memory
        self._ask = folds_case
        self._folds_case: bool | None = None
        self._names = Names()
        self._parent: bytes | None = None  # of the last name, where it is a directory below what was asked for
        self._memory = 0

    @property
    def memory(self) -> int:
        return self._memory + self._names.memory

    def claim_file(self, path: bytes) -> None:
        """Take the name of a regular file. Raises UnsafeEntry, as all claims do, if it must not stand here."""
        self._names.add(self._new_key(path), _FILE)

    def claim_other(self, path: bytes, size: int = 0) -> None:
        """Take the name of a symbolic link, which must be remembered; size: of what else must be."""
        self.claim_name(path)
        self.remember(len(path) + size)

    def claim_name(self, path: bytes) -> None:
        """Take the name of what is left out."""
        self._names.add(self._new_key(path), _OTHER)

    def claim_link(self, path: bytes, target: bytes) -> bool:
        """Take the name of a hard link; return whether its target is a regular file that came before.

        It is not when the target is a symbolic link or was left out. Then there is nothing that a link could be made
        to; but `cp -al` makes such trees, so that is no reason to give the whole archive up.
        """
        kind = self._names.get(self._key(target))
        if kind not in (_FILE, _OTHER):
            what = f"{printable(path)} is a hard link to {printable(target, 200)}"
            raise UnsafeEntry(f"{what}, which is no file that came before it")
        self._names.add(self._new_key(path), kind)
        return kind == _FILE

    def claim_directory(self, entry: Entry, earlier: Entry) -> None:
        """Take the name of a directory. It may come twice if both say the same; earlier: the first of them."""
        self._check(entry.path)
        key = self._key(entry.path)
        kind = self._names.get(key)
        if kind in (_FILE, _OTHER) or entry != earlier:
            raise self._taken(entry.path)
        if not kind:
            self._names.add(key, _FOLDER)
        self.remember(len(entry.path))

    def remember(self, size: int) -> None:
        """Count `size` bytes, and what Python needs to hold them."""
        self._memory += size + _MEMORY_PER_ENTRY
        if self._memory + self._names.memory > self._most_memory:
            raise more_than_can_be_remembered()

    def _new_key(self, path: bytes) -> int:
        self._check(path)
        key = self._key(path)
        if self._names.get(key):
            raise self._taken(path)
        return key

    def _check(self, path: bytes) -> None:
        parent = path.rpartition(b"/")[0]
        if parent != self._parent:  # names come directory by directory
            self._check_parents(path)
        if self._memory + self._names.memory > self._most_memory:
            raise more_than_can_be_remembered()
        if self._names.count >= self._most:
            what = f"with {printable(path, 200)} the archive has more than {self._most} entries"
            raise UnsafeEntry(what, hint=raise_hint(Knob.ENTRIES))

    def _check_parents(self, path: bytes) -> None:
        if self._requested and not (path + b"/").startswith(self._requested + b"/"):
            raise UnsafeEntry(f"the archive has {printable(path) or '.'}, which was not asked for")
        above = parent = path.rpartition(b"/")[0]
        while parent and (kind := self._names.get(key := self._key(parent))) != _FOLDER:
            if kind:
                raise UnsafeEntry(f"{printable(path)} would lie below {printable(parent)}, which is no directory")
            self._names.add(key, _FOLDER)
            parent = parent.rpartition(b"/")[0]
        self._parent = above if (above + b"/").startswith(self._requested + b"/") or not self._requested else None

    def _key(self, path: bytes) -> int:
        """Return the same number for names that are one and the same to the file system."""
        if self._folds_case is None:
            self._folds_case = self._ask()
        if not self._folds_case:
            return hash(_SALT + path)
        folded = unicodedata.normalize("NFD", path.decode("utf-8", "surrogateescape").casefold())
        return hash(_SALT + folded.encode("utf-8", "surrogateescape"))

    def _taken(self, path: bytes) -> UnsafeEntry:
        folding = " (names that differ only in case are one name to this file system)" if self._folds_case else ""
        return UnsafeEntry(f"the archive has {printable(path)} twice{folding}")


def more_than_can_be_remembered() -> UnsafeEntry:
    """Return the error of an archive for which there is no memory."""
    what = "the archive has more names, directories and links than can be remembered here"
    return UnsafeEntry(what, hint=raise_hint(Knob.MEMORY))
