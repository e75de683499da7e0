"""Watch: which entries of an archive are worth a question once it has come, and what the answer means. Pure.

Only GNU tar tells that a file changed under its hands. But a pod can be asked for the size and the time of a file, and
a client knows what the archive said of both:

    fresh     its last change was less than a minute before the copy, or later: a log that is written to
    padded    it ends with a zero, and its tar is libarchive's, which fills up with zeros what a file has lost
    every     each file, by each of its names, and directory, where any change counts, or digests are compared

A file of which more is there now was appended to, as far as size and time can tell. One that is written over in place
while a tar reads it, of the same size, is a mixture that nobody tells of, unless every entry is asked for.
"""

import math
from collections.abc import Collection
from enum import Enum

from msgspec import Struct

from asynccp.entry import Entry, Kind

FRESH_S = 60.0
MOST_FRESH = 100  # in one archive: one question, so that a tree that has just been made costs no more


class Fate(Enum):
    """What became of an entry that a tar has complained about."""

    UNREADABLE = "unreadable"  # it, or what is in it, did not come
    VANISHED = "vanished"  # it was listed in its directory, but was gone when it was its turn
    SOCKET = "socket"
    CHANGED = "changed"  # it came; GNU tar saw another time of change afterwards, of a directory too
    SHRANK = "shrank"  # it came, with zeros where its end was
    DAMAGED = "damaged"  # it came, with zeros where the disk gave an error
    REPLACED = "replaced"  # it came; when the pull ended it was not the same any more: no tar says so (`archive.watch`)


class State(Struct, frozen=True):
    """Of an entry. size: in bytes; None for a directory, which has one of its own. time_s: of its last change, rounded
    down; None where it isn't known."""

    size: int | None
    time_s: int | None


class Change(Enum):
    """What became of an entry between the archive and the question."""

    NONE = "none"
    GREW = "grew"
    SHRANK = "shrank"
    OTHER = "other"  # the same size, another time
    GONE = "gone"  # or nobody can tell


class Watch:
    """Sees the members of an archive go by, and takes down what the pod will be asked about.

    since_s: when the copy began, in seconds since 1970. every: all of it. pads: its tar is libarchive's.

    states: what the archive said of each. padded: those that may end with what is not theirs.
    ends_with_zero: what has come of the member under way; whoever hears its content says so.
    """

    def __init__(self, *, since_s: float = math.inf, every: bool = False, pads: bool = False) -> None:
        self.states: dict[bytes, State] = {}
        self.padded: set[bytes] = set()
        self.ends_with_zero = False
        self._entry = Entry(b"", Kind.DIRECTORY)
        self._holes = 0  # bytes of them in the member under way
        self._hollow: dict[bytes, int] = {}
        self._fresh_ns = (since_s - FRESH_S) * 1e9
        self._every = every
        self._pads = pads

    @property
    def files(self) -> dict[bytes, int]:
        """The bytes that came of each file, by its path in the archive: its size, less its holes."""
        sized = {path: one.size for path, one in self.states.items() if one.size is not None}
        return {path: size - self._hollow.get(path, 0) for path, size in sized.items()}

    def begin(self, entry: Entry) -> None:
        """A member begins; its path is the archive's."""
        self._entry, self.ends_with_zero, self._holes = entry, False, 0

    def skip(self, size: int) -> None:
        """A hole of the member under way: zeros of which nothing came."""
        self.ends_with_zero = True
        self._holes += size

    def whole(self, entry: Entry, content: memoryview) -> int:
        """A member that came whole; return as `end`."""
        if not self._every and not self._pads and entry.mtime_ns < self._fresh_ns:
            return 0
        self.begin(entry)
        self.ends_with_zero = bool(content) and not content[-1]
        return self.end()

    def end(self) -> int:
        """The member is whole; return how many bytes of it are to be remembered."""
        entry = self._entry
        is_file = entry.kind is Kind.FILE
        may_be_padded = self._pads and is_file and self.ends_with_zero
        is_fresh = is_file and entry.mtime_ns >= self._fresh_ns and len(self.states) < MOST_FRESH
        if not (is_fresh or may_be_padded or self._every) or (state := self._state_of(entry)) is None:
            return 0
        if may_be_padded:
            self.padded.add(entry.path)
        self.states[entry.path] = state
        if holes := self._hollow.get(entry.link, 0) if entry.kind is Kind.HARDLINK else self._holes:
            self._hollow[entry.path] = holes
        return len(entry.path)

    def _state_of(self, entry: Entry) -> State | None:
        """Return what the archive says of a member; None for a symbolic link, which nobody is asked about."""
        match entry.kind:
            case Kind.FILE:
                return State(entry.size, entry.mtime_s)
            case Kind.DIRECTORY:
                return State(None, entry.mtime_s)
            case Kind.HARDLINK:  # another name of a file that came before: of no other is there a link here
                file = self.states.get(entry.link)
                return file if file and file.size is not None else None
        return None


def change(came: State, told: str | None) -> Change:
    """Return what became of an entry. told: the pod's answer, `SIZE TIME`, None when it has none."""
    size, _, time = (told or "").partition(" ")
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        return Change.GONE
    if came.size is not None and int(size) != came.size:
        return Change.GREW if int(size) > came.size else Change.SHRANK
    if came.time_s is None or time == str(came.time_s) or came.time_s <= 0:  # tars have no time before 1970
        return Change.NONE
    return Change.OTHER


def fate(
    path: bytes, what: Change, *, differ: Collection[bytes], padded: Collection[bytes], strict: bool
) -> Fate | None:
    """Return what is to be complained of, None for nothing.

    differ: files that are not the same here and in the pod. padded: as in `Watch`. strict: any change counts.
    A file that was written over when a tar was done with it is no trouble of a copy's, unless digests say otherwise.
    """
    if what is Change.NONE:
        return None
    if what is Change.SHRANK and path in padded:
        return Fate.SHRANK
    if what is Change.GREW:
        return Fate.CHANGED if strict else None
    return Fate.REPLACED if strict or path in differ else None
