"""ArchiveFormat: how entries become a stream of bytes: `TAR`, and `archive.framed` for pods that have no tar.

A header says all of one entry but its content, which follows, padded; `end` closes the archive. So whoever knows the
entries knows every byte's place (`archive.layout`), and who reads them needs no more than the stream (`sinks.ingest`).
What comes out of a pod is a tar always; a shell's has bundles among its members.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from asynccp.archive import header
from asynccp.entry import Entry
from asynccp.limits import Limits

if TYPE_CHECKING:
    from asynccp.archive.tar import Event


class ArchiveDecoder(Protocol):
    """One archive's bytes → events, in the order of the archive; strict. Raises ProtocolViolation and UnsafeEntry.

    ended: the end has come. offset: bytes taken in. memory: bytes that it takes to know where it is.
    """

    ended: bool

    @property
    def offset(self) -> int: ...
    @property
    def memory(self) -> int: ...
    def feed(self, data: bytes | memoryview) -> "Iterator[Event]":
        """Yield what the next bytes say. Any slicing of an archive gives the same events. All are to be taken."""

    def describe(self) -> str:
        """Return where the archive stands, for the error when no more of it comes."""


class ArchiveFormat(Protocol):
    """end: what closes an archive, all zeros.

    is_counted: whoever reads it has to be told how many blocks there are, so it is filled up to whole ones.
    encoded: by their paths, the sizes in the archive of contents that `encode` makes others of; all else stands in it
    as it is.
    """

    end: bytes
    is_counted: bool
    encoded: Mapping[bytes, int]

    def header_size(self, entry: Entry) -> int:
        """Return `len(encode_header(entry))`, without encoding."""

    def encode_header(self, entry: Entry) -> bytes:
        """Return what stands before the content of an entry."""

    def encode(self, content: bytes) -> bytes:
        """Return what stands for the content of a file that is in `encoded`."""

    def padding(self, size: int) -> int:
        """Return how many zeros follow `size` bytes of content."""

    def ordered(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the entries in the order in which they are best read; what one needs stands before it, as there."""

    def fitted(self, entries: Sequence[Entry], read: Callable[[Entry], bytes | None]) -> "ArchiveFormat":
        """Return the form for an archive of just these entries. read: returns the content of a small file, None where
        that can't be read."""


class Tar:
    """GNU tar, as all tars in containers read it (`archive.header`, `archive.tar`)."""

    end = header.END
    is_counted = True
    encoded: Mapping[bytes, int] = {}
    header_size = staticmethod(header.header_size)
    encode_header = staticmethod(header.encode_header)
    padding = staticmethod(header.padding)

    def encode(self, content: bytes) -> bytes:
        return content

    def ordered(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        return entries

    def fitted(self, entries: Sequence[Entry], read: Callable[[Entry], bytes | None]) -> ArchiveFormat:  # noqa: ARG002
        return self  # one header is like another

    def decoder(self, limits: Limits, *, bundles: bool = False) -> ArchiveDecoder:
        """Return a decoder for one archive. bundles: it may have some (`archive.bundle`): a shell has packed it."""
        from asynccp.archive.tar import TarDecoder  # here: a push decodes nothing

        return TarDecoder(limits, bundles=bundles)


TAR = Tar()
