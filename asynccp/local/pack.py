"""Packing: the archive in parts that the pod unpacks one by one, each with a line before it that tells its size.

A part that doesn't shrink goes as it is. Calls block: they are made in worker threads.
"""

from asynccp.archive.compression import compressed
from asynccp.archive.layout import ArchiveLayout
from asynccp.archive.parts import PACKED, RAW, part_line
from asynccp.chunk import ROOM_SIZE, Chunk
from asynccp.errors import SourceChanged
from asynccp.local.read import read_slice
from asynccp.options import PART_SIZE

SAMPLES, SAMPLE_SIZE = 4, 64 * 1024  # 3 ms of work for text, 8 for random bytes


class Packing:
    """The archive as one codec compresses it. `parts`: how many it has."""

    def __init__(self, layout: ArchiveLayout, codec: str) -> None:
        self.parts = layout.parts(PART_SIZE)
        self._layout = layout
        self._codec = codec

    def read(self, index: int) -> Chunk:
        """Return part `index`, with its file contents read from disk. Raises SourceChanged with the entry's name."""
        start, stop, last = self._layout.part(index, PART_SIZE)
        before = bytes(ROOM_SIZE) + part_line(RAW, stop - start, last=last)
        buffer = read_slice(self._layout, start, stop, before=before)
        if (packed := compressed(buffer[len(before) :], self._codec)) is not None:
            buffer = memoryview(bytearray(bytes(ROOM_SIZE) + part_line(PACKED, len(packed), last=last) + packed))
        return Chunk(index, stop - start, buffer)


def sample(layout: ArchiveLayout) -> bytes:
    """Return a few slices of the archive, spread over it, to see whether it shrinks. Empty when a source is gone."""
    step = max(SAMPLE_SIZE, layout.size // SAMPLES)
    try:
        slices = [
            bytes(read_slice(layout, at, min(at + SAMPLE_SIZE, layout.size))) for at in range(0, layout.size, step)
        ]
    except SourceChanged:
        return b""  # whoever reads it for a pod names it
    return b"".join(slices)
