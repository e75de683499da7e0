"""ArchiveLayout: the archive as a pure function of the plan.

The entries and their sizes decide every byte's place before one is read: which entry lies at an offset, and how long
the whole is. Hence exact totals, an exact count for exec v4 (which can't close stdin), and any slice of the archive
for any pod at any time, from the same entries.

    entry, entry, …, the directories once more, sentinel, two zero blocks, zeros up to a whole number of `Blocks.size`

That number is what the pod's `dd` counts. A small archive is filled up to smaller blocks than records: one changed file
of some bytes was 64 KiB on the wire of each pod.

Directories come twice, the same header both times. Writing into a directory changes its mtime; GNU tar and toybox
set it when all is done, but BusyBox never does, and bsdtar doesn't where the directory existed before. And BusyBox
makes hard links and some symlinks after everything else: if there are links in directories, a second archive follows,
of the directories and the sentinel, for a second tar.

The sentinel is an empty file, named after the run's token and what was sent: `.asynccp-TOKEN-ENTRIES-BYTES`. Extracted,
it proves that the pod's tar came to the archive's end, and the pod compares what stands there with these numbers
(`remote/scripts/receive.sh` removes it).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from msgspec import Struct

from asynccp.archive.format import TAR, ArchiveFormat
from asynccp.entry import Entry, Kind
from asynccp.options import CHUNK_SIZE, RECORD_SIZE

SMALL_BLOCK_SIZE = 4096
"""Of an archive below RECORD_SIZE; not less, since toybox's head reads so many bytes at a time, and would take more of
stdin than it hands on."""

_LINKS = (Kind.HARDLINK, Kind.SYMLINK)


class Piece(Struct, frozen=True):
    """Part of one member, `start` to `stop` of it, that stands at `offset` of a slice of the archive.

    A member is its header, its content and its padding, in this order.
    """

    entry: Entry
    offset: int
    start: int
    stop: int


class Blocks(NamedTuple):
    """How many blocks of `size` bytes the first tar reads, and how many the second (0: there is none)."""

    size: int
    first: int
    second: int


class ArchiveLayout:
    """Where every entry lies. sent: `ENTRIES-BYTES`, what will stand where it is extracted."""

    def __init__(self, entries: Sequence[Entry], token: str, format: ArchiveFormat = TAR) -> None:  # noqa: A002
        self.token = token
        self.format = format
        self.entries = tuple(entries)
        self._members: list[Entry] = []
        self._starts: list[int] = []
        self._stops: list[int] = []
        self.size = 0
        again = [entry for entry in reversed(self.entries) if entry.kind is Kind.DIRECTORY]
        self.sent = _sent(self.entries)
        sentinel = Entry(f".asynccp-{token}-{self.sent}".encode(), Kind.FILE)
        late = any(entry.kind in _LINKS and b"/" in entry.path for entry in self.entries)
        archives = [*self.entries, *again, sentinel], [*again, sentinel] if late and again else []
        block_size = self._block_size(chain(*archives))
        self._first_size = self._append(archives[0], block_size)
        second_size = self._append(archives[1], block_size) if archives[1] else 0
        self.blocks = Blocks(block_size, self._first_size // block_size, second_size // block_size)

    @property
    def chunks(self) -> int:
        """The whole size, in units of CHUNK_SIZE, the last of which may be shorter."""
        return -(-self.size // CHUNK_SIZE)

    def parts(self, size: int) -> int:
        """Return how many parts of at most `size` bytes the whole has when none belongs to both archives."""
        return -(-self._first_size // size) - (-(self.size - self._first_size) // size)

    def part(self, index: int, size: int) -> tuple[int, int, bool]:
        """Return where such a part starts and stops, and whether it is the last one of its archive."""
        first_stop = self._first_size
        first_parts = -(-first_stop // size)
        if index < first_parts:
            start, end = index * size, first_stop
        else:
            start, end = first_stop + (index - first_parts) * size, self.size
        stop = min(start + size, end)
        return start, stop, stop == end

    def pieces(self, start: int, stop: int) -> Iterator[Piece]:
        """Yield what the slice from `start` to `stop` holds, in order; what no piece covers is zeros."""
        index = max(0, bisect_right(self._starts, start) - 1)
        while index < len(self._members) and self._starts[index] < stop:
            member, at = self._members[index], self._starts[index]
            first, last = max(start, at), min(stop, self._stops[index])
            if first < last:
                yield Piece(member, first - start, first - at, last - at)
            index += 1

    def _block_size(self, members: Iterable[Entry]) -> int:
        if not self.format.is_counted:
            return 1
        size = 0
        for member in members:
            size += self._size(member)
            if size > RECORD_SIZE:
                return RECORD_SIZE
        return SMALL_BLOCK_SIZE

    def _append(self, members: Sequence[Entry], block_size: int) -> int:
        """Add one archive at the end; return its size."""
        begin = end = self.size
        for member in members:
            self._starts.append(end)
            end += self._size(member)
            self._stops.append(end)
        self._members += members
        size = -(-(end + len(self.format.end) - begin) // block_size) * block_size
        self.size = begin + size
        return size

    def _size(self, member: Entry) -> int:
        size = self.format.encoded.get(member.path, member.size)
        return self.format.header_size(member) + size + self.format.padding(size)


def _sent(entries: Sequence[Entry]) -> str:
    """Return what will stand where these are extracted, as `ENTRIES-BYTES`. A hard link counts as its file does."""
    sizes = {entry.path: entry.size for entry in entries if entry.kind is Kind.FILE}
    size = sum(sizes.values()) + sum(sizes.get(entry.link, 0) for entry in entries if entry.kind is Kind.HARDLINK)
    return f"{len(entries)}-{size}"
