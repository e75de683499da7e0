"""ArchiveFormat: how entries become a stream of bytes: `TAR`, and `archive.framed` for pods that have no tar.

A header says all of one entry but its content, which follows, padded; `end` closes the archive. So whoever knows the
entries knows every byte's place (`archive.layout`), and who reads them needs no more than the stream (`sinks.ingest`).
What comes out of a pod is a tar always.
"""

from collections.abc import Callable, Iterator, Sequence
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
    """

    end: bytes
    is_counted: bool

    def header_size(self, entry: Entry) -> int:
        """Return `len(encode_header(entry))`, without encoding."""

    def encode_header(self, entry: Entry) -> bytes:
        """Return what stands before the content of an entry."""

    def padding(self, size: int) -> int:
        """Return how many zeros follow `size` bytes of content."""

    def fitted(self, entries: Sequence[Entry], is_text: Callable[[Entry], bool]) -> "ArchiveFormat":
        """Return the form for an archive of just these entries. is_text: reads a file, and tells."""


class Tar:
    """GNU tar, as all tars in containers read it (`archive.header`, `archive.tar`)."""

    end = header.END
    is_counted = True
    header_size = staticmethod(header.header_size)
    encode_header = staticmethod(header.encode_header)
    padding = staticmethod(header.padding)

    def fitted(self, entries: Sequence[Entry], is_text: Callable[[Entry], bool]) -> ArchiveFormat:  # noqa: ARG002
        return self  # one header is like another

    def decoder(self, limits: Limits) -> ArchiveDecoder:
        """Return a decoder for one archive."""
        from asynccp.archive.tar import TarDecoder  # here: a push decodes nothing

        return TarDecoder(limits)


TAR = Tar()
