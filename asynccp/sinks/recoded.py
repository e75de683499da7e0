"""The recoded sink: one pod's files, as an archive for another pod's tar.

Each pod's tar writes in a way of its own, and a pod is not trusted: nothing is handed on as it came. The order is that
of `archive.layout`: entries, the directories once more, the sentinel; and a second archive of directories and sentinel.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from asynccp.archive.format import TAR, ArchiveFormat
from asynccp.entry import Entry, Kind, LeftOut
from asynccp.sinks.base import Sink

_ZEROS = bytes(64 * 1024)


class RecodedSink(Sink):
    """entries, size: as the pod will count them: a hard link has its file's size, the destination itself is none."""

    confines_links = False

    def __init__(self, name: bytes, format: ArchiveFormat = TAR) -> None:  # noqa: A002 (the field's word)
        self.name = name
        self._format = format
        self._pieces: deque[bytes | int] = deque()  # an int: so many zeros; a hole is but a number that a pod says
        self._directories: list[Entry] = []  # deepest first, once all have come
        self._sizes: dict[int, int] = {}  # of files that a hard link may name
        self._entry: Entry | None = None  # the one under way, if it is handed on

    @property
    def sent(self) -> str:
        """`ENTRIES-BYTES`, as the pod will say it."""
        return f"{self.entries}-{self.size}"

    def begin(self, entry: Entry) -> None:
        self._entry = entry if entry.path else None  # of the destination there is one
        if entry.path:
            self._pieces.append(self._format.encode_header(entry))

    def write(self, data: memoryview) -> None:
        self._pieces.append(bytes(data))

    def hole(self, size: int) -> None:
        self._pieces.append(size)

    def end(self) -> None:
        if entry := self._entry:
            self._pieces.append(self._format.padding(entry.size))
            self.entries += 1
            self.size += self._sizes.get(hash(entry.link), 0) if entry.kind is Kind.HARDLINK else entry.size
            if entry.kind is Kind.FILE:
                self._sizes[hash(entry.path)] = entry.size

    def finish(self, directories: Iterable[Entry]) -> Iterator[int | LeftOut]:
        self._directories += directories
        yield 0

    def abort(self, directories: Iterable[Entry]) -> None:  # noqa: ARG002 (they were never here)
        self._pieces.clear()

    def size_of(self, path: bytes) -> int | None:
        return self._sizes.get(hash(path))

    def drained(self) -> Iterator[bytes]:
        """Yield what has come to be handed on; it is gone then."""
        while self._pieces:
            piece = self._pieces.popleft()
            if isinstance(piece, bytes):
                yield piece
            else:
                for begin in range(0, piece, len(_ZEROS)):
                    yield _ZEROS[: piece - begin]

    def settling(self, token: str) -> Iterator[bytes]:
        """Yield the end of the first archive, and the whole second one: directories, the sentinel. After `finish`."""
        for entry in self._directories:
            yield self._format.encode_header(entry)
        yield self._format.encode_header(Entry(f".asynccp-{token}-{self.sent}".encode(), Kind.FILE))
        yield self._format.end
