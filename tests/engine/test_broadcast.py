"""One archive for many pods: read once while they keep together, and nobody waits for the slowest."""

import threading
from pathlib import Path

import anyio
import pytest

from asynccp.archive.layout import ArchiveLayout
from asynccp.chunk import Chunk
from asynccp.engine import broadcast as module
from asynccp.engine.broadcast import Broadcast, Window
from asynccp.errors import SourceChanged
from asynccp.local.read import read_chunk
from asynccp.local.scan import scan
from asynccp.options import CHUNK_SIZE

from .scripted import TOKEN, layout_of

LAYOUT = layout_of(20 * CHUNK_SIZE)
WINDOW = 5  # chunks


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The chunks that have been read from disk so far."""
    indexes: list[int] = []

    def counted(layout: ArchiveLayout, index: int) -> Chunk:
        indexes.append(index)
        return read_chunk(layout, index)

    monkeypatch.setattr(module, "read_chunk", counted)
    return indexes


def small_window() -> Broadcast:
    return Broadcast(LAYOUT, Window(WINDOW * CHUNK_SIZE))


async def take(broadcast: Broadcast, delay_s: float = 0.0, first: int = 0) -> list[Chunk]:
    """Take the archive as a pod would that needs `delay_s` for each chunk."""
    chunks = []
    for index in range(first, LAYOUT.chunks):
        chunks.append(await broadcast.chunk(index))
        await anyio.sleep(delay_s)
    return chunks


async def test_pods_that_keep_together_have_one_reader(reads: list[int]) -> None:
    broadcast, taken = small_window(), []

    async def pod() -> None:
        taken.append(await take(broadcast, 1.0))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(pod)
    assert reads == list(range(LAYOUT.chunks))
    assert len(taken) == 50
    for chunks in taken:
        assert [chunk.index for chunk in chunks] == list(range(LAYOUT.chunks))
        assert all(one is other for one, other in zip(chunks, taken[0], strict=True)), (
            "each chunk is one object for all"
        )


async def test_an_archive_that_fits_the_window_is_read_once_however_pods_come(reads: list[int]) -> None:
    broadcast = Broadcast(LAYOUT)
    for first in (0, 0, 7):
        await take(broadcast, first=first)
    assert reads == list(range(LAYOUT.chunks))


async def test_what_is_handed_out_is_the_archive() -> None:
    chunks = await take(small_window())
    assert [chunk.data for chunk in chunks] == [read_chunk(LAYOUT, index).data for index in range(LAYOUT.chunks)]


async def test_a_slow_pod_does_not_delay_the_others_and_memory_stays_within_the_window(reads: list[int]) -> None:
    ended_at: dict[str, float] = {}
    broadcast, most = small_window(), 0

    async def pod(name: str, delay_s: float) -> None:
        nonlocal most
        for index in range(LAYOUT.chunks):
            assert (await broadcast.chunk(index)).index == index
            most = max(most, len(broadcast._window))
            await anyio.sleep(delay_s)
        ended_at[name] = anyio.current_time() - begun

    begun = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pod, "slow", 100.0)
        for number in range(5):
            tasks.start_soon(pod, f"fast-{number}", 1.0)
    assert {ended_at[f"fast-{number}"] for number in range(5)} == {LAYOUT.chunks}
    assert ended_at["slow"] == LAYOUT.chunks * 100
    assert most == WINDOW
    assert len(reads) <= 2 * LAYOUT.chunks, "one reader for those who keep together, one for the slow pod"


async def test_a_window_is_at_least_one_chunk(reads: list[int]) -> None:
    broadcast = Broadcast(LAYOUT, Window(1))
    await take(broadcast)
    assert reads == list(range(LAYOUT.chunks))


class Disk:
    """A disk that a test holds up, one chunk at a time, and on which a file changes at chunk `torn`."""

    def __init__(self, torn: int | None = None) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.asked: list[int] = []  # for these chunks
        self._torn = torn

    async def reads(self) -> None:
        """Wait until it is at work, and until all who ask have had their turn."""
        while not self.begun.is_set():
            await anyio.lowlevel.checkpoint()
        for _ in range(5):
            await anyio.lowlevel.checkpoint()

    def read_chunk(self, layout: ArchiveLayout, index: int) -> Chunk:
        self.asked.append(index)
        self.begun.set()
        assert self.go_on.wait(10)
        if index == self._torn:
            raise SourceChanged("a.log changed while it was read", hint="try again")
        return read_chunk(layout, index)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk(torn=12)
    monkeypatch.setattr(module, "read_chunk", found.read_chunk)
    return found


async def test_a_source_that_changed_ends_the_copy_for_everyone(disk: Disk) -> None:
    broadcast, errors, taken = small_window(), [], []
    disk.go_on.set()

    async def pod(delay_s: float) -> None:
        try:
            for index in range(LAYOUT.chunks):
                taken.append((await broadcast.chunk(index)).index)
                await anyio.sleep(delay_s)
        except SourceChanged as exc:
            errors.append((str(exc), exc.hint))

    async with anyio.create_task_group() as tasks:
        for delay_s in (0.0, 1.0, 1.0, 30.0):
            tasks.start_soon(pod, delay_s)
    assert errors == [("a.log changed while it was read", "try again")] * 4
    assert max(taken) == 11
    asked = len(disk.asked)
    with pytest.raises(SourceChanged):
        await broadcast.chunk(0)  # the window has moved on; a torn archive isn't begun again
    assert len(disk.asked) == asked


async def test_a_pod_that_leaves_while_it_reads_takes_nothing_from_the_others(disk: Disk) -> None:
    broadcast, chunks = small_window(), []

    async def wait_for_it() -> None:
        chunks.append(await broadcast.chunk(3))

    async with anyio.create_task_group() as others, anyio.create_task_group() as leaver:
        leaver.start_soon(broadcast.chunk, 3)
        await disk.reads()
        others.start_soon(wait_for_it)
        others.start_soon(wait_for_it)
        await disk.reads()
        leaver.cancel_scope.cancel()
        disk.go_on.set()
    assert [chunk.index for chunk in chunks] == [3, 3]


async def test_pods_that_ask_at_the_same_time_wait_for_one_read(disk: Disk) -> None:
    broadcast, chunks = small_window(), []

    async def ask() -> None:
        chunks.append(await broadcast.chunk(0))

    async with anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(ask)
        await disk.reads()
        assert chunks == []
        disk.go_on.set()
    assert len(chunks) == 30
    assert disk.asked == [0]


@pytest.fixture
def torn_file(tmp_path: Path) -> ArchiveLayout:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 1000)
    layout = ArchiveLayout(scan([str(path)])[0], TOKEN)
    path.write_bytes(b"x" * 10)
    return layout


async def test_a_file_that_really_changed_is_named(torn_file: ArchiveLayout) -> None:
    with pytest.raises(SourceChanged, match=r"a\.log changed while it was read"):
        await Broadcast(torn_file).chunk(0)
