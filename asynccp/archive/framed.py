"""Framed: an archive that a shell reads by itself, for a push to a container without tar (`remote/scripts/unpack.sh`).

A line for each entry, and behind that of a file its content, to the byte. A shell's `read` takes lines from a pipe byte
by byte, so what follows is left where it is, and one program with an exact count copies it.

    KIND MODE SECONDS UID:GID SIZE NAME [TARGET]     KIND: d, f, s, h, as in `_LETTERS`

Small files that follow each other come as one bundle, which takes one program instead of one for each: the shell takes
it apart where SEPARATOR stands, and writes each file by itself, by printf's %b. 200 files of 7.5 KiB took dash 0.34 s
with a program for each, and take it 0.08 (bash: 0.43 and 0.17, BusyBox: 0.14 and 0.09).

    b SIZE, and so many bytes: for each file `MODE SECONDS UID:GID NAME`, SEPARATOR, its content encoded, SEPARATOR

The last entry is the sentinel (`archive.layout`), which a reader knows by its name. Only we write this, so it has no
decoder: what a pod packs is a tar, whatever packs it (`remote/scripts/pack.sh`), with bundles of its own in it
(`archive.bundle`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from asynccp.archive.format import ArchiveFormat
from asynccp.archive.printf import for_printf
from asynccp.entry import Entry, Kind

SEPARATOR = b"\x01"
MOST_SIZE = 16 * 1024
"""Bytes of a file in a bundle, encoded: to write more takes a shell as long as to start the program for it."""

_MOST_BUNDLE_SIZE = 256 * 1024  # bytes: a shell holds it three times over
_MOST_BUNDLED = 400  # files: to take one off a list of them takes a shell the longer the more there are
_LETTERS = {Kind.FILE: b"f", Kind.DIRECTORY: b"d", Kind.SYMLINK: b"s", Kind.HARDLINK: b"h"}
_PLAIN = frozenset(range(0x21, 0x7F)) - {0x5C}  # what is no blank, and nothing to printf's %b
_TEXT = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_ENCODED = {b"\\": b"\\\\", b"\0": b"\\0000", SEPARATOR: b"\\0001"}  # the first one first


class Bundles(NamedTuple):
    """What is sent of files in bundles, by their paths. before: each one's line. sizes: of their contents, encoded."""

    before: Mapping[bytes, bytes]
    sizes: Mapping[bytes, int]


class Framed:
    """As `archive.format.ArchiveFormat`. takes_bytes: the shell's variables hold any but NUL, not text alone."""

    end = b""
    is_counted = False

    def __init__(self, bundles: Bundles | None = None, *, takes_bytes: bool = True) -> None:
        self._before, self.encoded = bundles or Bundles({}, {})
        self._takes_bytes = takes_bytes

    def header_size(self, entry: Entry) -> int:
        return len(self.encode_header(entry))

    def encode_header(self, entry: Entry) -> bytes:
        """Return the line of `entry`. 3 µs an entry."""
        if (line := self._before.get(entry.path)) is not None:
            return line
        link = {Kind.HARDLINK: b" ./", Kind.SYMLINK: b" "}.get(entry.kind, b"")
        size = entry.size if entry.kind is Kind.FILE else 0
        facts = _attributes(entry), size, _name(entry), link, _word(entry.link) if link else b""
        return b"%b %b %d %b%b%b\n" % (_LETTERS[entry.kind], *facts)

    def encode(self, content: bytes) -> bytes:
        for one, instead in _ENCODED.items():
            content = content.replace(one, instead)
        return content + SEPARATOR

    def padding(self, size: int) -> int:  # noqa: ARG002 (nothing is filled up)
        return 0

    def ordered(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the directories first: many are made by one program, and files that follow each other are a bundle."""
        return sorted(entries, key=lambda one: one.kind is not Kind.DIRECTORY)

    def fitted(self, entries: Sequence[Entry], read: Callable[[Entry], bytes | None]) -> ArchiveFormat:
        before, sizes = dict[bytes, bytes](), dict[bytes, int]()
        for bundle in self._bundles(entries, read):
            start = b"b %d\n" % sum(len(_record(entry)) + size for entry, size in bundle)
            for entry, size in bundle:
                before[entry.path], sizes[entry.path] = start + _record(entry), size
                start = b""
        return Framed(Bundles(before, sizes))

    def _bundles(
        self, entries: Sequence[Entry], read: Callable[[Entry], bytes | None]
    ) -> Iterator[list[tuple[Entry, int]]]:
        """Yield files that follow each other, with their sizes in a bundle."""
        bundle: list[tuple[Entry, int]] = []
        left = 0
        for entry in entries:
            size = self._encoded_size(entry, read)
            record = len(_record(entry)) + size if size else 0
            if bundle and (not size or record > left or len(bundle) == _MOST_BUNDLED):
                yield bundle
                bundle = []
            if size:
                left = (left if bundle else _MOST_BUNDLE_SIZE) - record
                bundle.append((entry, size))
        if bundle:
            yield bundle

    def _encoded_size(self, entry: Entry, read: Callable[[Entry], bytes | None]) -> int:
        """Return how much a file's content takes in a bundle; 0: it can't be in one, or has none."""
        if entry.kind is not Kind.FILE or not 0 < entry.size <= MOST_SIZE or not (content := read(entry)):
            return 0
        if not self._takes_bytes and content.translate(None, _TEXT):
            return 0
        more = sum(content.count(one) * (len(instead) - 1) for one, instead in _ENCODED.items())
        size = len(content) + more + len(SEPARATOR)
        return size if size <= MOST_SIZE + len(SEPARATOR) else 0


def _record(entry: Entry) -> bytes:
    return b"%b %b%b" % (_attributes(entry), _name(entry), SEPARATOR)


def _attributes(entry: Entry) -> bytes:
    return b"%04o %d %d:%d" % (entry.mode & 0o7777, entry.mtime_s, entry.uid, entry.gid)


def _name(entry: Entry) -> bytes:
    return b"./%b%b" % (_word(entry.path), b"/" if entry.kind is Kind.DIRECTORY and entry.path else b"")


def _word(text: bytes) -> bytes:
    return for_printf(text, _PLAIN)


FRAMED = Framed()
FRAMED_TEXT = Framed(takes_bytes=False)
