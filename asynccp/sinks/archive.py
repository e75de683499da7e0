"""One tar as a destination: the files of all pods, each pod's below a directory of its own, wherever the bytes go.

A member begins only when all of it is here, in memory or in a temporary file: so a pod whose session is lost leaves no
torn one behind, members of many pods do not mix, and the archive is valid whoever fails. Where a pod had to start over
a name may come twice, and counts as it does the second time (POSIX pax, "the last one"). A pod is complete when its
last member is written; if later the archive can't be ended, none is.

One thread writes. While it waits for its output with QUEUED_SIZE bytes in hand, the sinks are full, and no pod is read.
"""

import os
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Condition, Thread
from typing import BinaryIO, Protocol

from msgspec.structs import replace

from asynccp.archive.attributes import as_asked
from asynccp.archive.format import TAR
from asynccp.entry import Entry, Kind, LeftOut
from asynccp.errors import DestinationError
from asynccp.local.write import write_all
from asynccp.options import Attributes
from asynccp.report import ARCHIVED_NAME, Report
from asynccp.sinks.base import Place, Sink

QUEUED_SIZE = 32 * 1024 * 1024
"""Bytes that wait to be written, of all pods together; what has a file of its own there counts as well."""

_MEMORY_SIZE = 1024 * 1024  # bytes of a file that is kept in memory until it is whole
_PIECE_SIZE = 256 * 1024  # bytes written at a time
_LOOK_S = 0.02  # how long a step waits for what is written
_LOOK_ON_S = 0.25  # between two looks at whether the end is reached

Member = tuple[bytes, bytearray | BinaryIO, int]
"""A header; the content, which is the content's size long; and that size."""


class Output(Protocol):
    """Where an archive's bytes go. Calls block, are made by one thread, and raise OSError.

    name: as errors call it. patience_s: how long it may stand still at the end before it is given up.
    """

    @property
    def name(self) -> str: ...
    @property
    def patience_s(self) -> float: ...

    def begin(self) -> None:
        """Make what is needed before the first byte."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""

    def finish(self) -> None:
        """All has come: let it stand."""

    def discard(self) -> None:
        """It is not whole, or nobody wants it: leave nothing behind. Raises nothing; harmless after `finish`."""


class Archive:
    """One archive, as a Destination.

    attributes: what of an entry's its member has. has_report: its last member is to be the run's report.
    """

    def __init__(self, output: Output, attributes: Attributes, *, has_report: bool = False) -> None:
        self._output = output
        self._attributes, self._now_ns = attributes, time.time_ns()
        self._has_report = has_report
        self._news = Condition()
        self._queue: deque[Member] = deque()
        self._queued_size = 0
        self._put = self._gone = 0  # how many members
        self._pieces = 0  # how many were written, to see that it moves
        self._ended = self._is_whole = False
        self._error = ""
        self._thread = Thread(target=self._write_all, name="asynccp archive", daemon=True)
        self._thread.start()

    def header(self, entry: Entry) -> bytes:
        """Return the header of an entry, under its name there."""
        return TAR.encode_header(as_asked(entry, self._attributes, self._now_ns))

    def holds(self, place: Place) -> bool:  # noqa: ARG002 (it is new)
        return False

    def open(self, place: Place) -> Sink:
        return TarSink(self, place)

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

    def finish(self, report: Report) -> Report:
        """Write what is left, the report and the archive's end. An archive of nothing is not kept.

        Returns a report in which every pod is failed if the archive has no end.
        """
        try:
            if self._put and self._has_report:
                self.put(_member_of(report))
            self._end(is_whole=self._put > 0)
            self._check()
        except DestinationError as exc:
            return report.spoiled(exc)
        return report

    def close(self) -> None:
        """Give up an archive that was not finished."""
        if not self._ended:
            self._give_up("the run has ended in a defect")
            self._end(is_whole=False)

    def _end(self, *, is_whole: bool) -> None:
        with self._news:
            self._ended, self._is_whole = True, is_whole
            self._news.notify_all()
        moved, since_s = -1, time.monotonic()
        while self._thread.is_alive():
            if moved != self._pieces:
                moved, since_s = self._pieces, time.monotonic()
            elif time.monotonic() - since_s > self._output.patience_s:
                self._error = f"its reader has stood still for {self._output.patience_s:.0f} s"
                return
            self._thread.join(_LOOK_ON_S)

    def _check(self) -> None:
        if self._error:
            raise DestinationError(f"{self._output.name} can't be written: {self._error}")

    def _write_all(self) -> None:
        try:
            self._output.begin()
            while member := self._next():
                self._write(*member)
                with self._news:
                    self._gone += 1
                    self._queued_size -= member[2]
                    self._news.notify_all()
            if self._is_whole:
                self._output.write(TAR.end)
                self._output.finish()
        except Exception as exc:  # whatever it is: those who wait must hear of it
            self._give_up(getattr(exc, "strerror", None) or str(exc))
        finally:
            self._output.discard()

    def _give_up(self, error: str) -> None:
        with self._news:
            self._error = error
            for _, content, _ in self._queue:
                _let_go(content)
            self._queue.clear()
            self._news.notify_all()

    def _write(self, header: bytes, content: bytearray | BinaryIO, size: int) -> None:
        try:
            self._output.write(header)
            if isinstance(content, bytearray):
                self._output.write(content)
            else:
                for begin in range(0, size, _PIECE_SIZE):
                    self._output.write(os.pread(content.fileno(), min(_PIECE_SIZE, size - begin), begin))
                    self._pieces += 1
            self._output.write(bytes(TAR.padding(size)))
            self._pieces += 1
        finally:
            _let_go(content)

    def _next(self) -> Member | None:
        with self._news:
            self._news.wait_for(lambda: self._queue or self._ended)
            return self._queue.popleft() if self._queue else None


def _let_go(content: bytearray | BinaryIO) -> None:
    if not isinstance(content, bytearray):
        with suppress(OSError):
            content.close()


def _member_of(report: Report) -> Member:
    text = bytearray(report.dumps().encode() + b"\n")
    entry = Entry(ARCHIVED_NAME.encode(), Kind.FILE, len(text), mtime_ns=time.time_ns())
    return TAR.encode_header(entry), text, len(text)


class TarSink(Sink):
    """One pod's share of an archive."""

    def __init__(self, destination: Archive, place: Place) -> None:
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
        """Wait until everything is written."""
        self._is_finishing = True
        while not self._destination.has_gone(self._last):
            yield 0
        self._is_finishing = False

    def abort(self, directories: Iterable[Entry]) -> None:  # noqa: ARG002 (likewise)
        _let_go(self._content)
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
