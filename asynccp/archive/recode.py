"""Recoding: what an archive from one pod says, as an archive for another. Pure.

Each pod's tar writes in a way of its own, and a pod is not trusted: nothing is handed on as it came. What is handed on
are plain files, directories, symbolic and hard links, each name once and nothing below a link (`archive.paths` has the
same rules for this machine); set-id and sticky bits, devices and FIFOs are not.

The order is that of `archive.layout`: entries, the directories once more, the sentinel; and if there were links, a
second archive of directories and sentinel.
"""

from collections.abc import Iterator
from dataclasses import replace

from asynccp.archive.attributes import words_of_mode
from asynccp.archive.header import END, encode_header, padding
from asynccp.archive.paths import Claims
from asynccp.archive.tar import Data, Hole, Member, MemberEnd, PassedOver, Rest, TarDecoder
from asynccp.archive.watch import Watch
from asynccp.entry import Entry, Kind, LeftOut, NotKept
from asynccp.limits import Limits

_ZEROS = bytes(64 * 1024)


class Recoder:
    """Feeds on one archive, gives another. requested: the one name asked for; empty: anything.

    entries, size: what was handed on, as a pod will count it. members: what came.
    rest: what stood behind the archive's end. watch: what the giving pod will be asked about.
    """

    def __init__(self, requested: bytes, limits: Limits, watch: Watch | None = None) -> None:
        self.entries = self.size = self.members = 0
        self.left_out: list[LeftOut] = []
        self.not_kept: list[NotKept] = []
        self.rest = b""
        self.watch = watch or Watch()
        self._decoder = TarDecoder(limits)
        self._claims = Claims(requested, lambda: False, limits)
        self._directories: dict[bytes, Entry] = {}
        self._sizes: dict[int, int] = {}  # of files that a hard link may name
        self._padding = 0

    @property
    def ended(self) -> bool:
        """Whether the archive's end marker has come."""
        return self._decoder.ended

    def describe(self) -> str:
        """Return where the archive stands, for the error when no more of it comes."""
        return self._decoder.describe()

    def is_directory(self, path: bytes) -> bool:
        """Tell whether the archive had a directory of this path."""
        return not path or path in self._directories

    def size_of(self, path: bytes) -> int | None:
        """Return the content bytes of a file of the archive."""
        return self._sizes.get(hash(path))

    def feed(self, data: bytes | memoryview) -> Iterator[bytes | memoryview]:
        """Yield what the next bytes become. Raises UnsafeEntry, ProtocolViolation."""
        for event in self._decoder.feed(memoryview(data)):
            match event:
                case Member():
                    self.watch.begin(event.entry)
                    yield from self._member(event)
                case Data():
                    self.watch.ends_with_zero = not event.data[-1]
                    yield event.data
                case Hole():
                    self.watch.skip(event.size)
                    yield from _zeros(event.size)
                case MemberEnd():
                    if size := self.watch.end():
                        self._claims.remember(size)
                    yield bytes(self._padding)
                case LeftOut():
                    self.members += 1
                    self._claims.claim_other(event.path)
                    self.left_out.append(event)
                case PassedOver():
                    self.members += 1
                case Rest():
                    self.rest += bytes(event.data)

    def settling(self, token: str) -> Iterator[bytes]:
        """Yield the end of the first archive, and the whole second one: its directories and the sentinel."""
        for path in sorted(self._directories, reverse=True):
            yield encode_header(self._directories[path])
        yield encode_header(Entry(f".asynccp-{token}-{self.sent}".encode(), Kind.FILE))
        yield END

    @property
    def sent(self) -> str:
        return f"{self.entries}-{self.size}"

    def _member(self, member: Member) -> Iterator[bytes]:
        entry, self._padding = replace(member.entry, mode=member.entry.mode & 0o777), 0
        is_again = entry.path in self._directories
        self.members += not is_again
        if not entry.path:
            return  # the directory that was archived: the destination has its own
        if not self._claim(entry) or is_again:
            return
        what = (*words_of_mode(member.entry.mode), *member.not_kept)
        if what and entry.kind in (Kind.FILE, Kind.DIRECTORY):
            self._claims.remember(len(what) * len(entry.path))
            self.not_kept += [NotKept(entry.path, one) for one in what]
        self.entries += 1
        self._padding = padding(entry.size)
        yield encode_header(entry)

    def _claim(self, entry: Entry) -> bool:
        """Take the name of an entry; return whether it is handed on."""
        match entry.kind:
            case Kind.FILE:
                self._claims.claim_file(entry.path)
                self._sizes[hash(entry.path)] = entry.size
                self.size += entry.size
            case Kind.DIRECTORY:
                self._claims.claim_directory(entry, self._directories.setdefault(entry.path, entry))
            case Kind.SYMLINK:
                self._claims.claim_other(entry.path, len(entry.link))
            case Kind.HARDLINK:
                if not self._claims.claim_link(entry.path, entry.link):
                    self._claims.remember(len(entry.path))
                    self.left_out.append(LeftOut(entry.path, "it is another name of what is no regular file"))
                    return False
                self.size += self._sizes[hash(entry.link)]
        return True


def _zeros(size: int) -> Iterator[bytes]:
    while size > 0:
        yield _ZEROS[:size] if size < len(_ZEROS) else _ZEROS
        size -= len(_ZEROS)
