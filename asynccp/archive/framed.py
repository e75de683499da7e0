"""Framed: an archive that a shell reads by itself, for a push to a container without tar (`remote/scripts/unpack.sh`).

A line for each entry, and behind that of a file its content, to the byte. A shell's `read` takes lines from a pipe byte
by byte, so what follows is left where it is, and one program with an exact count copies it.

    KIND MODE SECONDS UID:GID SIZE NAME [TARGET]     KIND: d, f, s, h, as in `_LETTERS`

The last entry is the sentinel (`archive.layout`), which a reader knows by its name. Only we write this, so it has no
decoder: what a pod packs is a tar, whatever packs it (`remote/scripts/pack.sh`).
"""

from asynccp.entry import Entry, Kind

_LETTERS = {Kind.FILE: b"f", Kind.DIRECTORY: b"d", Kind.SYMLINK: b"s", Kind.HARDLINK: b"h"}
_PLAIN = frozenset(range(0x21, 0x7F)) - {0x5C}  # what is no blank, and nothing to printf's %b


class Framed:
    """As `archive.format.ArchiveFormat`."""

    end = b""
    is_counted = False

    def header_size(self, entry: Entry) -> int:
        return len(self.encode_header(entry))

    def encode_header(self, entry: Entry) -> bytes:
        """Return the line of `entry`. 3 µs an entry."""
        size = entry.size if entry.kind is Kind.FILE else 0
        slash = b"/" if entry.kind is Kind.DIRECTORY and entry.path else b""
        link = {Kind.HARDLINK: b" ./", Kind.SYMLINK: b" "}.get(entry.kind, b"")
        return b"%b %04o %d %d:%d %d ./%b%b%b%b\n" % (
            _LETTERS[entry.kind],
            entry.mode & 0o7777,
            entry.mtime_s,
            entry.uid,
            entry.gid,
            size,
            _word(entry.path),
            slash,
            link,
            _word(entry.link) if link else b"",
        )

    def padding(self, size: int) -> int:  # noqa: ARG002 (nothing is filled up)
        return 0


def _word(text: bytes) -> bytes:
    """Return bytes as one word, as printf's %b reads it (POSIX printf: `\\0` and three octal digits)."""
    if _PLAIN.issuperset(text):
        return text
    return b"".join(b"%c" % byte if byte in _PLAIN else b"\\0%03o" % byte for byte in text)


FRAMED = Framed()
