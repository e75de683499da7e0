"""Sent: in a relay, the destination of what is pulled: each pod's entries as an archive of ours, for who ordered it.

An archive for each pod, so that nothing of one waits for another's, and what a lost session leaves torn is dropped
where it arrives (`relay.received`). Each piece is compressed alone, if it shrinks.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from asynccp.archive.compression import compressed
from asynccp.archive.format import TAR
from asynccp.entry import Entry, Kind, LeftOut
from asynccp.relay.lines import CODEC, Archived, sign_line
from asynccp.report import Report
from asynccp.sinks.base import Place, Sink

PIECE_SIZE = 256 * 1024
"""Bytes of an archive that are compressed and sent together."""

QUEUED_SIZE = 16 * 1024 * 1024
"""Bytes that wait to be sent, of all pods together."""

_ZEROS = bytes(PIECE_SIZE)


class Piece(NamedTuple):
    """The next bytes of a pod's archive; or so many zeros, which a hole is. begins: the archive is a new one."""

    place: Place
    content: bytes | int
    begins: bool

    @property
    def size(self) -> int:
        return 0 if isinstance(self.content, int) else len(self.content)

    def lines(self, *, compresses: bool) -> Iterator[bytes]:
        """Yield it as it goes out, some at a time."""
        if isinstance(self.content, int):
            for at in range(0, self.content, PIECE_SIZE):
                yield from self._line(_ZEROS[: self.content - at], compresses=compresses)
        else:
            yield from self._line(self.content, compresses=compresses)

    def _line(self, data: bytes, *, compresses: bool) -> Iterator[bytes]:
        packed = compressed(memoryview(data), CODEC) if compresses else None
        content, codec = (packed, CODEC) if packed else (data, "")
        place = self.place
        sign = Archived(place.directory, os.fsdecode(place.name), len(content), codec, self.begins)
        yield sign_line(sign).encode() + b"\n"
        yield content


class Sent:
    """As a Destination. send: queues a piece, from any thread. is_full: tells whether too many wait."""

    def __init__(self, send: Callable[[Piece], None], is_full: Callable[[], bool]) -> None:
        self.send = send
        self.is_full = is_full

    def holds(self, place: Place) -> bool:  # noqa: ARG002 (what is there nobody knows here)
        return False

    def open(self, place: Place) -> Sink:
        return SentSink(self, place)

    def finish(self, report: Report) -> Report:
        return report

    def close(self) -> None:
        """There is nothing that the pods share."""


class SentSink(Sink):
    """One pod's archive."""

    def __init__(self, destination: Sent, place: Place) -> None:
        self.name = place.name
        self.own_depth = int(place.shares)
        self._destination = destination
        self._place = place
        self._entry = Entry(b"", Kind.DIRECTORY)  # the one under way
        self._waiting = bytearray()
        self._begins = True

    def begin(self, entry: Entry) -> None:
        self._entry = entry
        self._add(TAR.encode_header(entry))

    def write(self, data: memoryview) -> None:
        self._add(data)

    def hole(self, size: int) -> None:
        self._send()
        self._destination.send(Piece(self._place, size, False))

    def end(self) -> None:
        if self._entry.kind is Kind.FILE:
            self._add(bytes(TAR.padding(self._entry.size)))
        self.entries += 1
        self.size += self._entry.size

    def is_full(self) -> bool:
        return self._destination.is_full()

    def finish(self, directories: Iterable[Entry]) -> Iterator[int | LeftOut]:  # noqa: ARG002 (sent as they came)
        self._add(TAR.end)
        self._send()
        yield 0

    def abort(self, directories: Iterable[Entry]) -> None:  # noqa: ARG002 (likewise)
        self._waiting.clear()

    def _add(self, data: bytes | memoryview) -> None:
        self._waiting += data
        if len(self._waiting) >= PIECE_SIZE:
            self._send()

    def _send(self) -> None:
        if self._waiting or self._begins:
            self._destination.send(Piece(self._place, bytes(self._waiting), self._begins))
            self._waiting.clear()
            self._begins = False
