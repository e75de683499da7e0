"""Shipments: what pods lack, as archives. Pods that lack the same share one, read and encoded once for each codec.

All that are under way share one window (`engine.broadcast`), so that a fleet in which each pod lacks something else
takes no more memory than one whose pods lack the same. Some that nobody uses are kept: pods come one after the other.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from anyio import Lock, to_thread

from asynccp.archive.format import ArchiveFormat
from asynccp.archive.layout import ArchiveLayout
from asynccp.engine.broadcast import Broadcast, Window
from asynccp.entry import Entry
from asynccp.local.pack import Packing
from asynccp.local.read import fitted

MOST_IDLE = 8


class Shipment:
    """One archive, in each form that a pod takes it in."""

    def __init__(self, layout: ArchiveLayout, window: Window) -> None:
        self.layout = layout
        self.users = 0
        self._window = window
        self._forms: dict[str, Broadcast] = {}

    def form(self, codec: str) -> Broadcast:
        """Return the archive as one codec has it; as it is for none."""
        if codec not in self._forms:
            packing = Packing(self.layout, codec) if codec else None
            self._forms[codec] = Broadcast(self.layout, self._window, packing=packing)
        return self._forms[codec]


class Shipments:
    """whole: the archive of everything."""

    def __init__(self, whole: ArchiveLayout) -> None:
        self._whole = whole
        self._window = Window()
        self._making = Lock()
        self._known: dict[tuple[ArchiveFormat, tuple[int, int] | None, tuple[bytes, ...]], Shipment] = {}

    @asynccontextmanager
    async def lent(self, entries: Sequence[Entry], format: ArchiveFormat) -> AsyncIterator[Shipment]:  # noqa: A002
        """Lend the archive of some of the entries, in their order, in a format."""
        # Hashed in no time: each bytes object knows its hash.
        paths = () if entries is self._whole.entries else tuple(entry.path for entry in entries)
        # All are one owner's, or each its own (`engine.owners`); of nothing at all there is none.
        key = format, (entries[0].uid, entries[0].gid) if entries else None, paths
        async with self._making:  # many pods lack the same at once: one has it made, and the others wait
            if key not in self._known:
                self._known[key] = Shipment(await self._layout(entries, format), self._window)
            shipment = self._known[key]
            shipment.users += 1
        try:
            yield shipment
        finally:
            shipment.users -= 1
            idle = [key for key, one in self._known.items() if not one.users]
            for one in idle[:-MOST_IDLE]:
                del self._known[one]

    async def _layout(self, entries: Sequence[Entry], format: ArchiveFormat) -> ArchiveLayout:  # noqa: A002
        whole = self._whole
        if format is whole.format and len(entries) == len(whole.entries) and entries[0] is whole.entries[0]:
            return whole

        def made() -> ArchiveLayout:
            ordered = format.ordered(entries)
            return ArchiveLayout(ordered, whole.token, fitted(format, ordered))

        return await to_thread.run_sync(made)
