"""Sink: where the entries of one pod's archive go. Destination: where those of all pods of a run go.

`sinks.ingest` decides what may be written, and under which name; a sink writes it. What it is given is clean: paths are
relative, below the one that was asked for, each once; modes have no set-id or sticky bits; a hard link's target is a
file that came before. One entry is

    begin(entry), for a file write(data) and hole(size) in the order of its content, end()
    put(entry, content)             all of these at once, of a small file

Calls block, for some milliseconds at most, and are made by one thread at a time. They raise DestinationError, or an
OSError inside `translated`. After an error only `abort` may follow.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, NamedTuple, Protocol

from asynccp.archive.prefix import Stored
from asynccp.entry import Entry, LeftOut
from asynccp.local.held import Held, Lent
from asynccp.plan.manifest import Item
from asynccp.report import Report


class Place(NamedTuple):
    """Where one pod's copy belongs in a destination.

    directory: the pod's, relative to the destination; empty for the destination itself.
    name: of the copy there, whatever the archive calls it; empty when the contents of a directory were asked for.
    shares: copies of other pods land in that directory, too.
    onto: the destination may be what the copy is called, as with `cp -r`; is_directory: of the copy, as the pod says.
    """

    directory: str
    name: bytes
    shares: bool = False
    onto: bool = False
    is_directory: bool = False


class Sink(ABC):
    """Takes the entries of one archive.

    name: what the entry that was asked for is called here; empty: its contents stand in the pod's directory itself.
    landed: where it came to stand, if that was in question; else empty.
    own_depth: of how many components the names are that are this pod's alone, at least: no link leads above it.
    size, entries: content bytes and number of what stands whole.
    """

    confines_links: ClassVar[bool] = True
    """Whether a symbolic link may lead only to what is below the pod's directory. False where a pod resolves it."""

    reads_back: ClassVar[bool] = False
    """Whether `read_back` can tell content that was written. Where it can't, a resumable archive is digested as it
    comes, 1.0 s of CPU for a GiB."""

    continues: ClassVar[bool] = False
    """Whether it takes up what an earlier copy has left: can tell what stands here (`standing`). Else everything is
    fetched, and neither that nor what `completes` is about is called."""

    completes: ClassVar[bool] = True
    """Whether it can complete, rename, remove and set what stands here. Else what differs is fetched whole."""

    lends: ClassVar[bool] = False
    """Whether what stands here are files with names, so that a copy of another pod can have their content, too: `held`
    and `link`."""

    masks_modes: ClassVar[bool] = True
    """Whether what stands here has modes less this process's umask."""

    name: bytes
    landed: str = ""
    own_depth: int = 0
    size: int = 0
    entries: int = 0

    def folds_case(self) -> bool:
        """Tell whether `a` and `A` are one name here."""
        return False

    @abstractmethod
    def begin(self, entry: Entry) -> None:
        """Begin an entry."""

    @abstractmethod
    def write(self, data: memoryview) -> None:
        """Take the next bytes of a file. They are valid until `pause`, or the entry's end."""

    @abstractmethod
    def hole(self, size: int) -> None:
        """Take `size` zeros of a file, of which the archive has nothing but their number."""

    @abstractmethod
    def end(self) -> None:
        """End the entry: it is whole."""

    def put(self, entry: Entry, content: memoryview) -> None:
        """Take a whole file, a small one. The content is valid until this returns."""
        self.begin(entry)
        if content:
            self.write(content)
        self.end()

    def standing(self, wanted: Collection[bytes] | None, most: int) -> Mapping[bytes, Item]:
        """Return what stands here already, by path below `name`, which is the empty path itself.

        wanted: paths that are asked for; None for all, of which there may be `most`. Raises DestinationError.
        """
        raise NotImplementedError

    def append(self, entry: Entry, offset: int) -> None:
        """Begin a file that stands here with its first `offset` bytes; `write` takes those that follow.

        Raises DestinationError unless it is a file of that size, and has no other name. When it does not come whole, it
        is cut back by `abort`.
        """
        raise NotImplementedError

    def rename(self, at: bytes, path: bytes, size: int, *, replaces: bool) -> None:
        """Give a file of `size` bytes that stands here another name. Raises DestinationError if it is none any more.

        replaces: something may have that name; it is gone then.
        """
        raise NotImplementedError

    def remove(self, path: bytes) -> bool:
        """Remove a file or link, or a directory that is empty. Return whether nothing is there now."""
        raise NotImplementedError

    def adjust(self, entry: Entry) -> None:
        """Set what differs of a file that is whole here: mode, time, owner. Raises DestinationError if it isn't."""
        raise NotImplementedError

    def held(self, path: bytes) -> Held:
        """Return where a file stands for other copies."""
        raise NotImplementedError

    def link(self, entry: Entry, lent: Lent) -> bool:
        """Give a file of another copy a name here, too. Return False, and do nothing, where that would not have the
        entry's mode, time and owner, or can't have another name."""
        raise NotImplementedError

    def is_full(self) -> bool:
        """Tell whether what was written has yet to go on: nothing more is read from the pod meanwhile. From any thread.

        Asked now and then, also while `finish` is under way.
        """
        return False

    def pause(self) -> None:  # noqa: B027 (who keeps no views has nothing to do)
        """Let go of the memory of what was written: it is used again."""

    @abstractmethod
    def finish(self, directories: Iterable[Entry]) -> Iterator[int | LeftOut]:
        """Do what is left: the archive is known to be whole. Steps yield the bytes that they dealt with, or an entry
        that could not be written.

        directories: all that there were, deepest first, each to be taken when it is dealt with.
        """

    @abstractmethod
    def abort(self, directories: Iterable[Entry]) -> None:
        """Remove what is not whole, and close everything. Raises nothing; harmless when called again, or at the end."""

    def translated(self) -> AbstractContextManager[None]:
        """Turn an OSError of a call into a DestinationError that names the entry."""
        return nullcontext()

    def read_back(self, stored: Stored) -> Iterable[bytes]:  # noqa: ARG002
        """Yield content that was written, fewer bytes if it is not there any more."""
        return ()

    def content(self, path: bytes, offset: int, size: int) -> Iterator[bytes]:
        """Yield the last so many bytes of a file that stands here, from `offset` on. It is read as it is asked for.

        To be begun when nothing else is. Raises DestinationError unless it has exactly as many.
        """
        raise NotImplementedError

    def size_of(self, path: bytes) -> int | None:  # noqa: ARG002
        """Return the bytes of a file that stands under this path; None when nobody can tell. Any path may be asked."""
        return None

    def digest(self, path: bytes, algorithm: str) -> Generator[int, None, str | None] | None:  # noqa: ARG002
        """Return the steps to the digest of a file that stands here, None when it can't be read."""
        return None


class Destination(Protocol):
    """Takes the copies of all pods of a run."""

    def holds(self, place: Place) -> bool:
        """Tell whether something stands here that a copy would meet. It may block."""

    def open(self, place: Place) -> Sink:
        """Return the sink of one pod. Raises DestinationError. Called in any thread, for several pods at a time."""

    def finish(self, report: Report) -> Report:
        """End what all pods share: the run is over, and no sink in use. Return the report, with what that changes."""

    def close(self) -> None:
        """Give up what was not finished, and let go of everything. Raises nothing; harmless when called again."""
