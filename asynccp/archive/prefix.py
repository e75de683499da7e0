"""Prefix: the beginning of an archive as far as it was taken in, so that another session may continue behind it. Pure.

A digest of its whole records (RECORD_SIZE bytes each, what the pod's `dd` counts in) and the bytes behind the last of
them. A pod whose tar gives a beginning with the same digest is packing the same archive, as far as that goes: names,
sizes, times and content of all that we have, the first part of a large file included. So what follows may be added to
what is here.

SHA-256 of everything costs 1.0 s of CPU for a GiB, a third of a whole pull, and is wanted only when a session was lost.
So contents that were written to files are not digested as they come but read back when it is wanted. Headers and small
files are kept; when they have become KEPT_SIZE bytes, all that there is is digested, and it begins anew. A file that
somebody has changed meanwhile gives another digest, and the pull starts over.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable

from msgspec import Struct

from asynccp.options import RECORD_SIZE

KEPT_SIZE = 128 * 1024
"""Bytes of an archive kept for one pull, besides what stands in files: some hundred headers."""

_STORED_COST = 150  # bytes of memory for a Stored: a sparse file may have some ten thousand


class Stored(Struct):
    """`size` bytes of the archive that stand in the file `path`, from `offset` on."""

    path: bytes
    offset: int
    size: int


class Prefix:
    """What has been taken in, `size` bytes.

    read_back: yields the bytes of a Stored, fewer if they are not there any more. It may block.
    """

    def __init__(self, read_back: Callable[[Stored], Iterable[bytes]]) -> None:
        self.size = 0
        self._read_back = read_back
        self._pending: list[bytes | Stored] = []
        self._kept = 0
        self._lost = False
        self._digest = hashlib.sha256()
        self._tail = b""

    @property
    def records(self) -> int:
        """How many whole records have been taken in."""
        return self.size // RECORD_SIZE

    @property
    def memory(self) -> int:
        """Bytes that it takes to know what stands in files."""
        return len(self._pending) * _STORED_COST

    def take(self, data: memoryview) -> None:
        """Add the next bytes of the archive."""
        self.size += len(data)
        self._pending.append(bytes(data))
        self._kept += len(data)

    def take_stored(self, stored: Stored) -> None:
        """Add the next bytes of the archive, which have been written to a file."""
        self.size += stored.size
        last = self._pending[-1] if self._pending else None
        if isinstance(last, Stored) and last.path == stored.path and last.offset + last.size == stored.offset:
            last.size += stored.size
        else:
            self._pending.append(stored)

    @property
    def is_due(self) -> bool:
        """Whether so much is kept that it is time to `settle`."""
        return self._kept > KEPT_SIZE

    def digest(self) -> Generator[int, None, str | None]:
        """Return the SHA-256 of the whole records, in hexadecimal; None when they can't be read back. As `settle`."""
        yield from self.settle()
        return None if self._lost else self._digest.hexdigest()

    def follow(self) -> "Overlap":
        """Return what the bytes behind the whole records must begin with, when another session sends them again.

        To be called after `digest`.
        """
        return Overlap(self._tail)

    def settle(self) -> Generator[int, None, None]:
        """Digest all that there is, in steps that block; yield the bytes of each. Nothing may be taken meanwhile."""
        pending, self._pending, self._kept = self._pending, [], 0
        for one in pending:
            if isinstance(one, bytes):
                self._add(one)
                continue
            missing = one.size
            for data in self._read_back(one):
                self._add(data)
                missing -= len(data)
                yield len(data)
            self._lost = self._lost or missing != 0

    def _add(self, data: bytes) -> None:
        whole = (len(self._tail) + len(data)) // RECORD_SIZE
        if not whole:
            self._tail += data
            return
        cut = whole * RECORD_SIZE - len(self._tail)
        self._digest.update(self._tail)
        self._digest.update(memoryview(data)[:cut])
        self._tail = data[cut:]


class Overlap:
    """Bytes that come a second time."""

    def __init__(self, expected: bytes) -> None:
        self._expected = expected

    def strip(self, data: bytes | memoryview) -> memoryview | None:
        """Return what is new in `data`, the next bytes that came; None when they aren't what came before."""
        view = memoryview(data)
        count = min(len(view), len(self._expected))
        if view[:count] != self._expected[:count]:
            return None
        self._expected = self._expected[count:]
        return view[count:]
