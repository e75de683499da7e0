"""Shipments: pods that lack the same share an archive, which is made once for all of them."""

from collections.abc import Callable, Sequence

import anyio

from asynccp.archive.format import ArchiveFormat
from asynccp.archive.framed import Framed
from asynccp.archive.layout import ArchiveLayout
from asynccp.engine.shipments import Shipment, Shipments
from asynccp.entry import Entry, Kind

ENTRIES = [Entry(b"a", Kind.DIRECTORY), Entry(b"a/b", Kind.FILE)]


class Counting(Framed):
    """A format that counts how often it is fitted to entries, for which their files may be read."""

    times = 0

    def fitted(self, entries: Sequence[Entry], read: Callable[[Entry], bytes | None]) -> ArchiveFormat:
        self.times += 1
        return super().fitted(entries, read)


async def test_pods_that_lack_the_same_at_once_have_it_made_once() -> None:
    shipments, format_, lent = Shipments(ArchiveLayout(ENTRIES, "0" * 16)), Counting(), list[Shipment]()

    async def pod() -> None:
        async with shipments.lent(ENTRIES[:1], format_) as shipment:
            lent.append(shipment)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(pod)
    assert len(lent) == 8
    assert len({id(one) for one in lent}) == 1
    assert format_.times == 1
