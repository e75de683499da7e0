"""Reading: any part of an object, once for all pods that keep together.

A part is asked for with the etag that the scan found, so another object under the same key is a change of the source,
and never a half of one and a half of the other. Blocks that were read last are kept: a chunk of the archive is much
smaller than what is worth a request, and one of small files is as many requests, which go side by side.

Memory: CACHE_SIZE, and a block for each request. Calls block.
"""

from collections import OrderedDict
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from threading import Lock

from asynccp.checksum import ALGORITHMS
from asynccp.entry import Entry, Origin
from asynccp.errors import SourceChanged
from asynccp.objects.errors import StoreError
from asynccp.objects.store import Store, opened
from asynccp.objects.url import parse_url
from asynccp.text import printable

BLOCK_SIZE = 4 * 1024 * 1024  # at 50 ms for a request, 80 MB/s
CACHE_SIZE = 64 * 1024 * 1024
AT_ONCE = 16
_COST = 1024  # bytes of memory for a block, besides its content


class Blocks:
    """What was read last of a store's objects."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._blocks: OrderedDict[tuple[bytes, int], Future[bytes]] = OrderedDict()
        self._sizes: dict[tuple[bytes, int], int] = {}
        self._size = 0
        self._reading = ThreadPoolExecutor(AT_ONCE, "asynccp objects")

    def read(self, entry: Entry, view: memoryview, offset: int) -> None:
        """Fill a view with what a file has from an offset on. Raises SourceChanged."""
        if not entry.size:
            self._block(entry, 0)
        while len(view):
            index, at = divmod(offset, BLOCK_SIZE)
            part = memoryview(self._block(entry, index))[at : at + len(view)]
            view[: len(part)] = part
            view, offset = view[len(part) :], offset + len(part)

    def ahead(self, entry: Entry, offset: int) -> None:
        """Begin to read what is wanted in a moment."""
        self._future(entry, offset // BLOCK_SIZE)

    def _block(self, entry: Entry, index: int) -> bytes:
        future = self._future(entry, index)
        try:
            return future.result()
        except StoreError as exc:
            self._forget(entry, index)
            raise SourceChanged(f"{printable(entry.source)} can't be read: {exc}", hint=exc.hint) from exc
        except SourceChanged as exc:
            raise SourceChanged(str(exc)) from None  # each reader's own

    def _future(self, entry: Entry, index: int) -> Future[bytes]:
        key = _origin(entry).below, index
        with self._lock:
            if found := self._blocks.get(key):
                self._blocks.move_to_end(key)
                return found
            size = min(BLOCK_SIZE, entry.size - index * BLOCK_SIZE)
            future = self._blocks[key] = self._reading.submit(self._asked, entry, index * BLOCK_SIZE, size)
            self._sizes[key] = size + _COST
            self._size += size + _COST
            while self._size > CACHE_SIZE and len(self._blocks) > 1:
                oldest, _ = self._blocks.popitem(last=False)
                self._size -= self._sizes.pop(oldest)
            return future

    def _forget(self, entry: Entry, index: int) -> None:
        key = _origin(entry).below, index
        with self._lock:
            if self._blocks.pop(key, None):
                self._size -= self._sizes.pop(key)

    def _asked(self, entry: Entry, offset: int, size: int) -> bytes:
        origin = _origin(entry)
        found = self._store.part(origin.below.decode(), offset, size, etag=origin.etag or "")
        if found is None or found.size != entry.size or (not origin.etag and found.mtime_ns != origin.mtime_ns):
            raise SourceChanged(f"{printable(entry.source)} changed while it was read")
        return found.content


def read(entry: Entry, view: memoryview, offset: int) -> None:
    """As `Blocks.read`."""
    blocks_of(_origin(entry).root).read(entry, view, offset)


def ahead(parts: Iterable[tuple[Entry, int]]) -> None:
    """Begin to read what is wanted of files, each from an offset on."""
    for entry, offset in parts:
        blocks_of(_origin(entry).root).ahead(entry, offset)


def digest(entry: Entry, algorithm: str) -> Generator[int, None, str]:
    """Return the digest of an object, in steps. Raises SourceChanged."""
    found, at = ALGORITHMS[algorithm](), 0
    piece = memoryview(bytearray(min(entry.size, 1024 * 1024)))
    while at < entry.size or not entry.size:
        view = piece[: entry.size - at]
        read(entry, view, at)
        found.update(view)
        at += len(view)
        yield len(view)
        if not entry.size:
            break
    return found.hexdigest()


@lru_cache(maxsize=8)
def blocks_of(root: bytes) -> Blocks:
    """Return what reads a store. root: a URL."""
    try:
        return Blocks(opened(parse_url(root.decode())))
    except StoreError as exc:
        raise SourceChanged(f"{printable(root)} can't be read any more: {exc}", hint=exc.hint) from exc


def _origin(entry: Entry) -> Origin:
    assert entry.origin
    return entry.origin
