"""Broadcast: one archive for many pods, read once as long as they stay within one window of each other.

Each session asks for its next chunk when it has room for it, at its own pace. A chunk is read and encoded by whoever
asks first; all who ask while it is in the window get the same object. So there is one reader while the pods keep
together, and a pod that falls behind the window reads for itself, from its own offset, while nobody waits for
anybody. An archive that fits the window is read once, however many pods and however they come and go.

Why not a queue for each pod, filled by one reader in lock-step: there a full queue stops the reader, so that one
stalled pod holds up the fleet until a timer throws it out; all sessions of a wave must be open before the first chunk,
and a wave ends with its slowest pod. Here there are no waves, no timer and no deadlock, and the bound is the same.

Memory: at most WINDOW_SIZE bytes of chunks, of all archives of a run together, and one chunk for each session that is
behind.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator

from anyio import Event, to_thread

from asynccp.archive.layout import ArchiveLayout
from asynccp.chunk import Chunk
from asynccp.errors import TransferError
from asynccp.local.pack import Packing
from asynccp.local.read import read_chunk
from asynccp.options import WINDOW_SIZE


class Window:
    """The chunks read last, of one archive or of several: at most `size` bytes, but for a single larger one."""

    def __init__(self, size: int = WINDOW_SIZE) -> None:
        self._size = size
        self._taken_size = 0
        self._chunks: OrderedDict[tuple[object, int], Chunk] = OrderedDict()

    def __len__(self) -> int:
        return len(self._chunks)

    def get(self, archive: object, index: int) -> Chunk | None:
        return self._chunks.get((archive, index))

    def put(self, archive: object, index: int, chunk: Chunk) -> None:
        self._chunks[archive, index] = chunk
        self._taken_size += chunk.wire_size
        while self._taken_size > self._size and len(self._chunks) > 1:
            self._taken_size -= self._chunks.popitem(last=False)[1].wire_size


class Broadcast:
    """One archive in one form, as a window over its chunks.

    window: several may share one. packing: gives the chunks of a compressed archive; None: it goes as it is.
    """

    def __init__(self, layout: ArchiveLayout, window: Window | None = None, *, packing: Packing | None = None) -> None:
        self.size = layout.size
        self.entries = len(layout.entries)
        self.sent = layout.sent
        self._count = packing.parts if packing else layout.chunks
        self._layout = layout
        self._packing = packing
        self._window = Window() if window is None else window
        self._reading: dict[int, Event] = {}
        self._broken: TransferError | None = None

    async def chunks(self) -> AsyncIterator[tuple[Chunk, bool]]:
        """Yield all chunks in order, and of each whether it is the last. Raises as `chunk`."""
        for index in range(self._count):
            yield await self.chunk(index), index == self._count - 1

    async def chunk(self, index: int) -> Chunk:
        """Return chunk `index`. Raises SourceChanged, and then for everyone: no pod gets the rest of a torn archive."""
        while (found := self._window.get(self, index)) is None:
            if self._broken:
                raise type(self._broken)(str(self._broken), hint=self._broken.hint)
            if (someone := self._reading.get(index)) is None:
                return await self._read(index)
            await someone.wait()
        return found

    async def _read(self, index: int) -> Chunk:
        self._reading[index] = done = Event()
        try:
            if self._packing is not None:
                chunk = await to_thread.run_sync(self._packing.read, index)
            else:
                chunk = await to_thread.run_sync(read_chunk, self._layout, index)
        except TransferError as exc:
            self._broken = exc
            raise
        finally:
            del self._reading[index]
            done.set()
        self._window.put(self, index, chunk)
        return chunk
