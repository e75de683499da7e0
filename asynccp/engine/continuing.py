"""Continuing: what a pull finds here in part is completed, before and behind the archive of what is fetched whole.

    before   what stands in the way is removed, rotated files get their new names, the rest of grown files is fetched
    behind   modes and times are set where nothing else differs, and a mirror removes what the pod doesn't have

What a pod can't read of a part comes as zeros (`engine.parts`). So it is asked which file that was, and for its size,
before what came is taken for whole.
"""

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from dataclasses import replace
from functools import partial

import anyio

from asynccp.archive.attributes import SPECIAL_BITS
from asynccp.engine.conversation import Conversation
from asynccp.engine.parts import pieces
from asynccp.engine.state import TransferState
from asynccp.engine.verify import objects
from asynccp.engine.writer import Work, Writer
from asynccp.entry import Entry, Kind, LeftOut, NotKept
from asynccp.errors import SourceRotated, SourceShrank
from asynccp.plan.fetch import Fetch, Range
from asynccp.plan.manifest import Item
from asynccp.sinks.ingest import Ingest
from asynccp.text import human_size, printable

LINE_SIZE = 64 * 1024
"""Bytes of a file's end in which the beginning of a line is looked for."""


class Continuing:
    """What one transfer completes.

    member: of a path below what was asked for, the path in the archive. items: what the pod has, of what is completed.
    grown: files that were appended to meanwhile. not_kept: what was fetched, but not all of it. left_out: what could
    not be removed.
    """

    def __init__(
        self,
        conversation: Conversation,
        state: TransferState,
        ingest: Ingest,
        writer: Writer,
        member: Callable[[bytes], bytes],
    ) -> None:
        self.grown: list[bytes] = []
        self.not_kept: list[NotKept] = []
        self.left_out: list[LeftOut] = []
        self._conversation = conversation
        self._state = state
        self._ingest = ingest
        self._sink = ingest.sink
        self._writer = writer
        self._member = member

    async def before(self, fetch: Fetch, items: Mapping[bytes, Item]) -> None:
        """Do what comes before the archive. Raises DestinationError, SourceShrank, and as a conversation."""
        await self._do(self._removing(fetch.in_the_way))
        await self._do(self._renaming(fetch))
        for rest in fetch.rest:
            await self._complete(rest, items[rest.path])
        for end in fetch.tails:
            await self._take_end(end, items[end.path])

    async def behind(self, fetch: Fetch, items: Mapping[bytes, Item]) -> None:
        """Do what comes behind the archive, when it is known to be whole."""
        await self._do(self._adjusting(self._entry(path, items[path]) for path in fetch.set))
        await self._do(self._removing(fetch.remove))

    async def _complete(self, rest: Range, item: Item) -> None:
        """Have the rest of a file that begins here already."""
        entry = self._entry(rest.path, item)
        await self._do(self._step(partial(self._sink.append, entry, rest.offset)))
        async for piece in self._part(rest, item):
            await self._do(self._writing(piece))
        await self._do(self._step(self._sink.end))

    async def _take_end(self, end: Range, item: Item) -> None:
        """Have the end of a file as a file of its own, from the beginning of a line."""
        entry = self._entry(end.path, item)
        waiting: bytearray | None = bytearray()
        async for piece in self._part(end, item):
            if waiting is None:
                await self._do(self._writing(piece))
                continue
            waiting += piece
            if b"\n" in waiting or len(waiting) >= min(LINE_SIZE, end.size):
                skipped = waiting.find(b"\n", 0, end.size - 1) + 1  # a line that is all there is stays
                await self._do(self._step(partial(self._sink.begin, replace(entry, size=end.size - skipped))))
                await self._do(self._writing(memoryview(waiting)[skipped:]))
                waiting = None
        await self._do(self._step(self._sink.end))
        self.not_kept.append(NotKept(self._member(end.path), f"what comes before its last {human_size(end.size)}"))

    async def _part(self, part: Range, item: Item) -> AsyncIterator[memoryview]:
        """Yield the bytes of a part as they come, each piece until the next one is asked for.

        Raises SourceRotated if by then another file has that name, SourceShrank if it has lost its end.
        """
        conversation, member = self._conversation, self._member(part.path)
        async for piece, wire_size in pieces(conversation, member, part.offset, part.size):
            self._state.advance(len(piece), wire_size)
            yield piece
        now = (await objects(conversation, [member])).get(member)
        if now and now.inode != item.inode:
            raise SourceRotated(f"another file took the place of {printable(member)} while its end was read")
        if now is None or now.size < part.offset + part.size:
            raise SourceShrank(f"{printable(member)} was cut or removed while its end was read")
        if now.size > item.size:
            self.grown.append(member)

    async def _do(self, steps: Generator[int, None, None]) -> None:
        work = Work(steps)
        while not await self._writer.run(work):
            with self._conversation.at_rest():
                await anyio.sleep(work.rest_s)

    def _local(self, path: bytes) -> bytes:
        return self._ingest.local(self._member(path))

    def _entry(self, path: bytes, item: Item) -> Entry:
        mode = item.mode & ~SPECIAL_BITS
        return Entry(self._local(path), Kind.FILE, item.size, mode, item.mtime_ns, item.uid, item.gid)

    def _step(self, call: Callable[[], None]) -> Generator[int, None, None]:
        with self._sink.translated():
            call()
            yield 0

    def _writing(self, piece: memoryview) -> Generator[int, None, None]:
        with self._sink.translated():
            self._sink.write(piece)
            self._sink.pause()
            yield len(piece)

    def _removing(self, paths: Iterable[bytes]) -> Generator[int, None, None]:
        with self._sink.translated():
            for path in paths:
                if not self._sink.remove(self._local(path)):
                    self.left_out.append(LeftOut(self._member(path), "it could not be removed here: it isn't empty"))
                yield 0

    def _renaming(self, fetch: Fetch) -> Generator[int, None, None]:
        with self._sink.translated():
            for move in fetch.moves:
                self._sink.rename(self._local(move.at), self._local(move.path), move.size, replaces=move.replaces)
                yield 0

    def _adjusting(self, entries: Iterable[Entry]) -> Generator[int, None, None]:
        with self._sink.translated():
            for entry in entries:
                self._sink.adjust(entry)
                yield 0
