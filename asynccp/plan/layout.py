"""ArchiveLayout: the archive as a pure function of the plan.

The entries and their sizes decide every byte's place before one is read: which entry lies at an offset, and how long the
whole is. Hence exact totals, an exact count for exec v4 (which can't close stdin), and any slice of the archive for
any pod at any time, from the same entries.

    member, member, …, sentinel, two zero blocks, zeros up to a multiple of RECORD_SIZE

The sentinel is an empty file in the destination, named after the run's token: extracted, it proves that the pod's tar
came to the archive's end (`cluster.commands` removes it).
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asynccp.entry import Entry, Kind
from asynccp.options import CHUNK_SIZE, RECORD_SIZE
from asynccp.wire.header import BLOCK, header_size, padding


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of one member that a slice of the archive holds: bytes `start` to `stop` of the whole member.

    A member is its header, its content and its padding, in this order.
    """

    entry: Entry
    start: int
    stop: int


class ArchiveLayout:
    """Where every entry lies in the archive."""

    def __init__(self, entries: Sequence[Entry], token: str) -> None:
        self.token = token
        self.entries = (*entries, Entry(f".asynccp-{token}".encode(), Kind.FILE))
        self._starts = []
        end = 0
        for entry in self.entries:
            self._starts.append(end)
            end += header_size(entry) + entry.size + padding(entry.size)
        self._end = end
        self.size = -(-(end + 2 * BLOCK) // RECORD_SIZE) * RECORD_SIZE

    @property
    def records(self) -> int:
        """The archive's size, in units of RECORD_SIZE."""
        return self.size // RECORD_SIZE

    @property
    def chunks(self) -> int:
        """The archive's size, in units of CHUNK_SIZE, the last of which may be shorter."""
        return -(-self.size // CHUNK_SIZE)

    def pieces(self, start: int, stop: int) -> Iterator[Piece]:
        """Yield what the slice of the archive holds, in order; what is not covered at its end is zeros."""
        index = bisect_right(self._starts, start) - 1
        while index < len(self.entries) and self._starts[index] < stop:
            first = self._starts[index]
            after = self._starts[index + 1] if index + 1 < len(self.entries) else self._end
            if start < after:
                yield Piece(self.entries[index], max(start, first) - first, min(stop, after) - first)
            index += 1
