"""ArchiveReader: any slice of the archive, from the files that the plan names.

An entry that is not the one that the scan found, or not as it found it, before and after its bytes are read, ends the
copy with its name: a fleet never gets two states of one file without a word. Device, inode, ctime, size and mtime are
compared on the open descriptor, so a name that leads elsewhere meanwhile brings nothing. Where a file system gives an
object new inode numbers while it is there (some in user space), that is a change as well.

Calls block: they are made in worker threads. A file of 1 KiB takes 19 µs, its header included. It took 25 with a
context manager for each, and nothing of a header kept for the next one.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

from asynccp.archive.format import ArchiveFormat
from asynccp.archive.layout import ArchiveLayout, Piece
from asynccp.chunk import ROOM_SIZE, Chunk
from asynccp.entry import Entry, Kind
from asynccp.errors import SourceChanged
from asynccp.local.directories import Directories
from asynccp.options import CHUNK_SIZE
from asynccp.text import printable

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def read_chunk(layout: ArchiveLayout, index: int) -> Chunk:
    """Return chunk `index` of the archive, with its file contents read from disk.

    Raises SourceChanged with the entry's name.
    """
    start = index * CHUNK_SIZE
    stop = min(start + CHUNK_SIZE, layout.size)
    return Chunk(index, stop - start, read_slice(layout, start, stop, before=bytes(ROOM_SIZE)))


def read_slice(layout: ArchiveLayout, start: int, stop: int, *, before: bytes = b"") -> memoryview:
    """Return the archive's bytes from `start` to `stop`, behind those of `before`. Raises as `read_chunk`."""
    # Pages of its own, all zeros: padding and the end marker are in place already. They go back to the system with the
    # chunk, where the heap kept holes: a push of 512 MiB to 10 pods peaked at 132 MiB, on the heap at 220 MiB. Private,
    # since shared pages took 400 µs a chunk where these take 285.
    buffer = memoryview(mmap(-1, len(before) + stop - start, flags=MAP_PRIVATE | MAP_ANONYMOUS))
    buffer[: len(before)] = before
    view = buffer[len(before) :]
    with Directories() as directories:
        pieces = list(layout.pieces(start, stop))
        if any(is_object(piece.entry) for piece in pieces):
            _ahead(pieces, layout.format)
        for piece in pieces:
            _fill(view[piece.offset : piece.offset + piece.stop - piece.start], piece, layout.format, directories)
    return buffer


def read_content(entry: Entry) -> bytes:
    """Return all that a file has, which should be little. Raises SourceChanged."""
    with Directories() as directories:
        return _content(entry, directories)


def fitted(format: ArchiveFormat, entries: Sequence[Entry]) -> ArchiveFormat:  # noqa: A002 (the field's word)
    """Return a format's form for an archive of some entries, which may ask now what is in small files.

    What can't be read is told when it is sent.
    """
    with Directories() as directories:

        def read(entry: Entry) -> bytes | None:
            with suppress(SourceChanged):
                return _content(entry, directories)
            return None

        return format.fitted(entries, read)


def _content(entry: Entry, directories: Directories) -> bytes:
    content = bytearray(entry.size)
    _read_file(memoryview(content), entry, 0, directories)
    return bytes(content)


def _fill(view: memoryview, piece: Piece, format: ArchiveFormat, directories: Directories) -> None:  # noqa: A002
    entry, header = piece.entry, format.encode_header(piece.entry)
    if (size := format.encoded.get(entry.path)) is not None:
        header += _encoded(entry, size, format, directories)
        view[:] = header[piece.start : piece.stop]
        return
    part = header[piece.start : piece.stop]
    view[: len(part)] = part
    offset = max(0, piece.start - len(header))
    wanted = view[len(part) : len(part) + max(0, entry.size - offset)]
    if entry.kind is Kind.FILE and entry.origin and (len(wanted) or not entry.size):
        _read_file(wanted, entry, offset, directories)


def _encoded(entry: Entry, size: int, format: ArchiveFormat, directories: Directories) -> bytes:  # noqa: A002
    content = format.encode(_content(entry, directories))
    if len(content) != size:
        raise SourceChanged(f"{printable(entry.source)} changed while it was read")
    return content


def is_object(entry: Entry) -> bool:
    """Tell whether an entry's content is an object's, in a store."""
    return entry.origin is not None and entry.origin.etag is not None


def _ahead(pieces: Sequence[Piece], format: ArchiveFormat) -> None:  # noqa: A002
    """Begin to read what is wanted of objects, side by side: each is a request."""
    from asynccp.objects.reading import ahead  # few need it

    parts = [
        (one.entry, 0 if one.entry.path in format.encoded else max(0, one.start - format.header_size(one.entry)))
        for one in pieces
        if is_object(one.entry)
    ]
    ahead((entry, offset) for entry, offset in parts if offset < entry.size)


def _read_file(view: memoryview, entry: Entry, offset: int, directories: Directories) -> None:
    if entry.content is not None:
        view[:] = entry.content[offset : offset + len(view)]
        return None
    if is_object(entry):
        from asynccp.objects.reading import read

        return read(entry, view, offset)
    descriptor = _open(entry, directories)
    try:
        unchanged(entry, descriptor)
        while len(view):
            count = os.preadv(descriptor, [view], offset)
            if count == 0:
                raise SourceChanged(f"{printable(entry.source)} became shorter while it was read")
            view, offset = view[count:], offset + count
        unchanged(entry, descriptor)
    except OSError as exc:
        raise _unreadable(entry, exc) from exc
    finally:
        os.close(descriptor)


@contextmanager
def opened(entry: Entry, directories: Directories) -> Iterator[int]:
    """Open the file of an entry. Raises SourceChanged when it can't be read, now or while it is open."""
    descriptor = _open(entry, directories)
    try:
        yield descriptor
    except OSError as exc:
        raise _unreadable(entry, exc) from exc
    finally:
        os.close(descriptor)


def _open(entry: Entry, directories: Directories) -> int:
    assert entry.origin
    directory, _, name = entry.origin.below.rpartition(b"/")
    try:
        return os.open(name, READ, dir_fd=directories.at(entry.origin.root, directory))
    except OSError as exc:
        raise SourceChanged(f"{printable(entry.source)} can no longer be read: {exc.strerror}") from exc


def _unreadable(entry: Entry, exc: OSError) -> SourceChanged:
    return SourceChanged(f"{printable(entry.source)} can't be read: {exc.strerror}")


def unchanged(entry: Entry, descriptor: int) -> None:
    """Raise SourceChanged unless the file is the one that the scan found, and as it found it."""
    now, then = os.fstat(descriptor), entry.origin
    assert then
    if (now.st_ino, now.st_dev) != (then.inode, then.device):
        raise SourceChanged(f"{printable(entry.source)} was replaced by another file while it was read")
    if (now.st_size, now.st_mtime_ns, now.st_ctime_ns) != (entry.size, then.mtime_ns, then.ctime_ns):
        raise SourceChanged(f"{printable(entry.source)} changed while it was read")
