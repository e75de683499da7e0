"""Continuing: what a pull finds here in part is completed, before and behind the archive of what is fetched whole.

    before   what stands in the way is removed, rotated files get their new names, the rest of grown files is fetched
    behind   modes and times are set where nothing else differs, and a mirror removes what the pod doesn't have

What a pod can't read of a part comes as zeros (`engine.parts`). So it is asked which file that was, and for its size,
before what came is taken for whole. A log that was rotated meanwhile, by another name or by a copy, proves it by the
digest of what it became.
"""

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain

import anyio
from msgspec.structs import replace

from asynccp.archive.attributes import SPECIAL_BITS
from asynccp.checksum import ALGORITHMS, Digest
from asynccp.engine.conversation import Conversation
from asynccp.engine.parts import pieces
from asynccp.engine.rotating import Read, is_in_one, names_now, rotated
from asynccp.engine.state import TransferState
from asynccp.engine.verify import digest_here, objects
from asynccp.engine.writer import Work, Writer
from asynccp.entry import Entry, Kind, LeftOut, NotKept
from asynccp.errors import SourceRotated, SourceShrank
from asynccp.plan.fetch import LINE_SIZE, Fetch, Range, Tail
from asynccp.plan.manifest import Item
from asynccp.plan.proofs import Proofs
from asynccp.sinks.ingest import Ingest
from asynccp.text import human_size, printable


class Continuing:
    """What one transfer completes.

    member: of a path below what was asked for, the path in the archive. items: what the pod has, of what is completed.
    algorithm: of digests, where a log that is rotated meanwhile counts as unchanged; else empty. tail_size: bytes of a
    file of which only the end is taken.
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
        proofs: Proofs,
        *,
        algorithm: str = "",
        tail_size: int = 0,
    ) -> None:
        self._tail_size = tail_size
        self._proofs = proofs
        self._algorithm = algorithm
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
        await self.do(self._removing(fetch.in_the_way))
        await self.do(self._renaming(fetch))
        self._proofs.moved(fetch.moves)
        names = await self._names(fetch.rest, items)
        for rest in fetch.rest:
            await self._complete(rest, items[rest.path], names[rest.path])
            self._proofs.completed(rest.path, items[rest.path])
        for path in fetch.cut:
            self._tell_cut(path)
        for end in fetch.tails:
            await self._take_end(end, items[end.path])

    async def behind(self, fetch: Fetch, items: Mapping[bytes, Item]) -> None:
        """Do what comes behind the archive, when it is known to be whole."""
        await self.do(self._adjusting(self.entry(path, items[path]) for path in fetch.set))
        await self.do(self._removing(fetch.remove))

    async def _names(self, rests: Sequence[Range], items: Mapping[bytes, Item]) -> dict[bytes, bytes]:
        """Return under which names files are now whose rest is fetched. Raises SourceRotated."""
        if not rests:
            return {}
        files = [Read(self._member(one.path), items[one.path].inode, items[one.path].size) for one in rests]
        now = await names_now(self._conversation, files, copied=bool(self._algorithm))
        if lost := {one.name for one in files} - now.keys():
            raise rotated(sorted(lost))
        return {one.path: now[self._member(one.path)] for one in rests}

    async def take(self, items: Mapping[bytes, Item]) -> None:
        """Have whole files, by their paths, which are read under the names that they have by now.

        Raises as `before`.
        """
        ranges = [Range(path, 0, item.size) for path, item in items.items()]
        names = await self._names(ranges, items)
        for one in ranges:
            item, digest = items[one.path], ALGORITHMS[self._algorithm]() if self._algorithm else None
            await self.do(self._step(partial(self._sink.begin, self.entry(one.path, item))))
            async for piece in self._part(one, names[one.path]):
                if digest:
                    digest.update(piece)
                await self.do(self._writing(piece))
            await self._check(one, item, names[one.path], digest)
            await self.do(self._step(self._sink.end))

    async def _complete(self, rest: Range, item: Item, name: bytes) -> None:
        """Have the rest of a file that begins here already. name: that it has in the pod."""
        entry = self.entry(rest.path, item)
        await self.do(self._step(partial(self._sink.append, entry, rest.offset)))
        async for piece in self._part(rest, name):
            await self.do(self._writing(piece))
        await self._check(rest, item, name)
        await self.do(self._step(self._sink.end))

    async def _check(self, part: Range, item: Item, name: bytes, digest: Digest | None = None) -> None:
        """Raise SourceRotated or SourceShrank if what came is not what the pod has, under this name or the next ones.

        digest: of all that is here of the file; else it is read again, if it matters.
        """
        try:
            await self._check_name(part, item, name)
        except (SourceRotated, SourceShrank):
            read = Read(self._member(part.path), item.inode, part.offset + part.size)

            async def here(member: bytes) -> str | None:
                if digest:
                    return digest.hexdigest()
                return await digest_here(self._conversation, self._ingest, self._algorithm, member)

            if not self._algorithm or not await is_in_one(self._conversation, read, here, self._algorithm):
                raise

    async def _take_end(self, end: Tail, item: Item) -> None:
        """Have the end of a file as a file of its own, from the beginning of a line."""
        member, entry, part = self._member(end.path), self.entry(end.path, item), Range(end.path, end.offset, end.size)
        waiting: bytearray | None = None if end.kept else bytearray()
        if end.kept:
            await self.do(self._keeping(end, entry))
        async for piece in self._part(part, member) if end.size else _nothing():
            if waiting is None:
                await self.do(self._writing(piece))
                continue
            waiting += piece
            if b"\n" in waiting or len(waiting) >= min(LINE_SIZE, end.size):
                skipped = waiting.find(b"\n", 0, end.size - 1) + 1  # a line that is all there is stays
                await self.do(self._step(partial(self._sink.begin, replace(entry, size=end.size - skipped))))
                await self.do(self._writing(memoryview(waiting)[skipped:]))
                waiting = None
        await self._check_name(part, item, member)
        await self.do(self._step(self._sink.end))
        self._sink.size -= end.kept  # it was here before
        self._tell_cut(end.path)

    def _keeping(self, end: Tail, entry: Entry) -> Generator[int, None, None]:
        """Begin the end of a file with what is here of it, which is replaced when all has come."""
        with self._sink.translated():
            here = self._sink.content(entry.path, end.at, end.kept)
            first = next(here)  # it is open before anything else is begun
            self._sink.begin(replace(entry, size=end.kept + end.size))
            for piece in chain([first], here):
                yield from self._writing(memoryview(piece))

    def _tell_cut(self, path: bytes) -> None:
        before = f"what comes before its last {human_size(self._tail_size)}"
        self.not_kept.append(NotKept(self._member(path), before))

    async def _part(self, part: Range, name: bytes) -> AsyncIterator[memoryview]:
        """Yield the bytes of a part as they come, each piece until the next one is asked for."""
        async for piece, wire_size in pieces(self._conversation, name, part.offset, part.size):
            self._state.advance(len(piece), wire_size)
            yield piece

    async def _check_name(self, part: Range, item: Item, name: bytes) -> None:
        """Raise SourceRotated if another file has that name now, SourceShrank if it has lost its end."""
        member = self._member(part.path)
        now = (await objects(self._conversation, [name])).get(name)
        if now and now.inode != item.inode:
            raise SourceRotated(f"another file took the place of {printable(member)} while its end was read")
        if now is None or now.size < part.offset + part.size:
            raise SourceShrank(f"{printable(member)} was cut or removed while its end was read")
        if now.size > item.size:
            self.grown.append(member)

    async def do(self, steps: Generator[int, None, None]) -> None:
        """Have the writer take steps of the sink."""
        work = Work(steps)
        while not await self._writer.run(work):
            with self._conversation.at_rest():
                await anyio.sleep(work.rest_s)

    def _local(self, path: bytes) -> bytes:
        return self._ingest.local(self._member(path))

    def entry(self, path: bytes, item: Item) -> Entry:
        """Return what the sink is to have of a file in the pod."""
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


async def _nothing() -> AsyncIterator[memoryview]:
    return
    yield memoryview(b"")
