"""Framed: an archive that a shell reads by itself, for a push to a container without tar (`remote/scripts/unpack.sh`).

A line for each entry, and behind that of a file its content, to the byte. A shell's `read` takes lines from a pipe byte
by byte, so what follows is left where it is, and one program with an exact count copies it.

    KIND MODE SECONDS UID:GID SIZE NAME [TARGET]     KIND: d, f, s, h, as in `_LETTERS`

Small text files that follow each other come as one bundle, which takes one program instead of one for each: the shell
takes it apart where SEPARATOR stands, and writes each file by itself.

    b SIZE, and so many bytes: for each file SEPARATOR, `MODE SECONDS UID:GID SIZE NAME`, SEPARATOR, its content

The last entry is the sentinel (`archive.layout`), which a reader knows by its name. Only we write this, so it has no
decoder: what a pod packs is a tar, whatever packs it (`remote/scripts/pack.sh`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from asynccp.archive.format import ArchiveFormat
from asynccp.archive.printf import for_printf
from asynccp.entry import Entry, Kind

SEPARATOR = b"\x01"
MOST_TEXT_SIZE = 16 * 1024  # bytes of a file in a bundle; to copy more takes longer than to start the program for it
_MOST_SIZE = 256 * 1024  # bytes of a bundle: a shell holds it three times over
_LETTERS = {Kind.FILE: b"f", Kind.DIRECTORY: b"d", Kind.SYMLINK: b"s", Kind.HARDLINK: b"h"}
_PLAIN = frozenset(range(0x21, 0x7F)) - {0x5C}  # what is no blank, and nothing to printf's %b
_TEXT = bytes(range(0x20, 0x7F)) + b"\t\n\r"


class Framed:
    """As `archive.format.ArchiveFormat`. bundled: what begins the line of each file in a bundle, by its path."""

    end = b""
    is_counted = False

    def __init__(self, bundled: Mapping[bytes, bytes] | None = None) -> None:
        self._bundled = bundled or {}

    def header_size(self, entry: Entry) -> int:
        return len(self.encode_header(entry))

    def encode_header(self, entry: Entry) -> bytes:
        """Return the line of `entry`. 3 µs an entry."""
        if (begin := self._bundled.get(entry.path)) is not None:
            return begin + _record(entry)
        link = {Kind.HARDLINK: b" ./", Kind.SYMLINK: b" "}.get(entry.kind, b"")
        return b"%b %b%b%b\n" % (_LETTERS[entry.kind], _facts(entry), link, _word(entry.link) if link else b"")

    def padding(self, size: int) -> int:  # noqa: ARG002 (nothing is filled up)
        return 0

    def fitted(self, entries: Sequence[Entry], is_text: Callable[[Entry], bool]) -> ArchiveFormat:
        bundled: dict[bytes, bytes] = {}
        for bundle in _bundles(entries, is_text):
            size = sum(len(_record(entry)) + entry.size for entry in bundle)
            bundled |= {bundle[0].path: b"b %d\n" % size} | dict.fromkeys((one.path for one in bundle[1:]), b"")
        return Framed(bundled)


def is_text(content: bytes) -> bool:
    """Tell whether a file can be in a bundle: a shell's variable holds neither NUL nor, in all shells, more than ASCII,
    and loses newlines at its end."""
    return not content.translate(None, _TEXT) and not content.endswith(b"\n\n\n")


def _bundles(entries: Sequence[Entry], is_text: Callable[[Entry], bool]) -> Iterator[list[Entry]]:
    """Yield files that follow each other, and are worth it."""
    bundle: list[Entry] = []
    size = 0
    for entry in (*entries, None):
        fits = entry and entry.kind is Kind.FILE and 0 < entry.size <= MOST_TEXT_SIZE and is_text(entry)
        if bundle and (not fits or not entry or size + entry.size > _MOST_SIZE):
            yield bundle
            bundle, size = [], 0
        if fits and entry:
            bundle.append(entry)
            size += entry.size


def _record(entry: Entry) -> bytes:
    return SEPARATOR + _facts(entry) + SEPARATOR


def _facts(entry: Entry) -> bytes:
    return b"%04o %d %d:%d %d ./%b%b" % (
        entry.mode & 0o7777,
        entry.mtime_s,
        entry.uid,
        entry.gid,
        entry.size if entry.kind is Kind.FILE else 0,
        _word(entry.path),
        b"/" if entry.kind is Kind.DIRECTORY and entry.path else b"",
    )


def _word(text: bytes) -> bytes:
    return for_printf(text, _PLAIN)


FRAMED = Framed()
