"""Standard output as a destination: the files of all pods as one tar, each pod's below a directory of its own.

    asynccp pull web-0:/var/log web-1:/var/log - | tar xf -

A member begins only when all of it is here, in memory or in a temporary file: so a pod whose session is lost leaves no
torn one behind, and members of many pods do not mix. Where a pod had to start over a name may come twice, and counts as
it does the second time (POSIX pax, "the last one"). A pod is complete when the reader has taken its last member.

One thread writes. While it waits for the reader with QUEUED_SIZE bytes in hand, the sinks are full, and no pod is read.
"""

import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from threading import Condition, Thread
from typing import BinaryIO

from asynccp.archive.attributes import as_asked
from asynccp.archive.format import TAR
from asynccp.entry import Entry, Kind, LeftOut
from asynccp.errors import DestinationError, UsageError
from asynccp.local.write import write_all
from asynccp.options import Attributes
from asynccp.sinks.base import Place, Sink

QUEUED_SIZE = 32 * 1024 * 1024
"""Bytes that wait for the reader, of all pods together; what has a file of its own there counts as well."""

_MEMORY_SIZE = 1024 * 1024  # bytes of a file that is kept in memory until it is whole
_PIECE_SIZE = 256 * 1024  # bytes written at a time
_LOOK_S = 0.02  # how long a step waits for the reader
CLOSE_S = 3.0  # for which a reader may stand still at the end

Member = tuple[bytes, bytearray | BinaryIO, int]
"""A header; the content, which is the content's size long; and that size."""


class Stdout:
    """Takes standard output for itself: what is printed from now on goes to standard error.

    attributes: what of an entry's its member has.
    """

    def __init__(self, attributes: Attributes) -> None:
        if os.isatty(1):
            raise UsageError(
                "an archive is nothing for a terminal", hint="give it to a file, or to a program: | tar xf -"
            )
        sys.stdout.flush()
        self._fd = os.dup(1)
        os.dup2(2, 1)
        self._attributes, self._now_ns = attributes, time.time_ns()
        self._news = Condition()
        self._queue: deque[Member] = deque()
        self._queued_size = 0
        self._put = self._gone = 0  # how many members
        self._ended = False
        self._error = ""
        self._is_told = False  # a pod has failed with it
        self._thread = Thread(target=self._write_all, name="asynccp stdout", daemon=True)
        self._thread.start()

    def open(self, place: Place) -> Sink:
        return TarSink(self, place)

    def header(self, entry: Entry) -> bytes:
        """Return the header of an entry, under its name there."""
        return TAR.encode_header(as_asked(entry, self._attributes, self._now_ns))

    def put(self, member: Member) -> int:
        """Queue a member; return its number. Raises DestinationError."""
        with self._news:
            self._check()
            self._queue.append(member)
            self._queued_size += member[2]
            self._put += 1
            self._news.notify_all()
            return self._put

    def is_full(self) -> bool:
        return self._queued_size > QUEUED_SIZE and not self._error

    def has_gone(self, number: int) -> bool:
        """Wait a moment for a member to be written; tell whether it is. Raises DestinationError."""
        with self._news:
            self._news.wait_for(lambda: self._gone >= number or self._error, _LOOK_S)
            self._check()
            return self._gone >= number

    def close(self) -> None:
        """Write what is left, and the archive's end. Raises DestinationError when that could not be done, unless a pod
        has failed for it: then the report says it.
        """
        with self._news:
            self._ended = True
            self._news.notify_all()
        gone = -1
        while self._thread.is_alive() and gone != self._gone:
            gone = self._gone
            self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._error = f"its reader has stood still for {CLOSE_S:.0f} s"
        if not self._is_told:
            self._check()

    def _check(self) -> None:
        if self._error:
            self._is_told = True
            raise DestinationError(f"standard output can't be written: {self._error}")

    def _write_all(self) -> None:
        try:
            while member := self._next():
                header, content, size = member
                write_all(self._fd, header)
                if isinstance(content, bytearray):
                    write_all(self._fd, content)
                else:
                    with content:
                        for begin in range(0, size, _PIECE_SIZE):
                            write_all(self._fd, os.pread(content.fileno(), min(_PIECE_SIZE, size - begin), begin))
                write_all(self._fd, bytes(TAR.padding(size)))
                with self._news:
                    self._gone += 1
                    self._queued_size -= size
                    self._news.notify_all()
            write_all(self._fd, TAR.end)
        except OSError as exc:
            with self._news:
                self._error = exc.strerror or str(exc)
                self._queue.clear()
                self._news.notify_all()
        finally:
            os.close(self._fd)

    def _next(self) -> Member | None:
        with self._news:
            self._news.wait_for(lambda: self._queue or self._ended)
            return self._queue.popleft() if self._queue else None


class TarSink(Sink):
    """One pod's share of it."""

    def __init__(self, destination: Stdout, place: Place) -> None:
        self.name = place.name
        self.own_depth = int(place.shares)
        self._destination = destination
        self._above = os.fsencode(place.directory)
        self._entry = Entry(b"", Kind.DIRECTORY)  # the one under way
        self._content: bytearray | BinaryIO = bytearray()
        self._last = 0  # the number of the last member
        self._is_finishing = False

    def begin(self, entry: Entry) -> None:
        self._entry = entry
        is_small = entry.kind is not Kind.FILE or entry.size <= _MEMORY_SIZE
        self._content = bytearray() if is_small else tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (see `end`)

    def write(self, data: memoryview) -> None:
        if isinstance(self._content, bytearray):
            self._content += data
        else:
            write_all(self._content.fileno(), data)

    def hole(self, size: int) -> None:
        if isinstance(self._content, bytearray):
            self._content += bytes(size)  # no more than the file is long
        else:
            self._content.seek(size, os.SEEK_CUR)

    def end(self) -> None:
        entry, content = self._entry, self._content
        if not isinstance(content, bytearray):
            content.truncate(entry.size)  # a hole at its end
        link = self._placed(entry.link) if entry.kind is Kind.HARDLINK else entry.link
        header = self._destination.header(replace(entry, path=self._placed(entry.path), link=link))
        self._last = self._destination.put((header, content, entry.size if entry.kind is Kind.FILE else 0))
        self._content = bytearray()
        self.entries += 1
        self.size += entry.size

    def is_full(self) -> bool:
        return self._is_finishing or self._destination.is_full()

    def finish(self, directories: Iterable[Entry]) -> Iterator[int | LeftOut]:  # noqa: ARG002 (written as they came)
        """Wait until the reader has taken everything."""
        self._is_finishing = True
        while not self._destination.has_gone(self._last):
            yield 0
        self._is_finishing = False

    def abort(self, directories: Iterable[Entry]) -> None:  # noqa: ARG002 (likewise)
        if not isinstance(self._content, bytearray):
            with suppress(OSError):
                self._content.close()
        self._content = bytearray()

    def translated(self) -> AbstractContextManager[None]:
        return _disk_translated()

    def _placed(self, path: bytes) -> bytes:
        return b"/".join(filter(None, (self._above, path)))


@contextmanager
def _disk_translated() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise DestinationError(
            f"a file that is not whole yet can't be kept in {tempfile.gettempdir()}: {exc.strerror}",
            hint="free some space, or name another directory in TMPDIR",
        ) from exc
