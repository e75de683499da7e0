"""Sharing: of a file that several pods have, one sends the content; the others' are links to it here, or copies.

    before   the pod tells the digests of its large files; what no transfer of this run has or fetches is this one's
    behind   what has come is told to the others; what they fetch is waited for, and takes its place

Nobody waits before its own are told, so no two wait for each other. What the others give up, or are slow to bring, is
fetched from this pod in the same session.
"""

from collections.abc import Callable, Generator, Mapping

import anyio

from asynccp.engine.contents import ALGORITHM, LEAST_SIZE, Content, Contents, Copy
from asynccp.engine.continuing import Continuing
from asynccp.engine.conversation import Conversation
from asynccp.engine.verify import digests
from asynccp.entry import Entry, Kind
from asynccp.errors import DestinationError
from asynccp.local.held import Lent, lent
from asynccp.local.held import content as content_of
from asynccp.options import Dedup
from asynccp.plan.manifest import Item
from asynccp.remote.messages import Hello
from asynccp.sinks.ingest import Ingest
from asynccp.text import printable

PATIENCE_S, SLOWEST_PER_S = 300.0, 100_000
"""Seconds to wait for what another pod sends, and bytes a second that it brings, at least: one that sends next to
nothing keeps others waiting no longer."""


def can_share(hello: Hello, ingest: Ingest) -> bool:
    """Tell whether a pod can prove what its files have, and what comes stands here in files of its own."""
    return ingest.sink.lends and hello.checksum == ALGORITHM


def is_worth_it(item: Item) -> bool:
    """Tell whether other pods are asked for the same content. Of several names for one tar sends it with the first."""
    return item.kind is Kind.FILE and item.size >= LEAST_SIZE and item.names <= 1


class Sharing:
    """What one transfer shares. how: what the others' files become. member: of a path below what was asked for, the
    path in the archive."""

    def __init__(
        self,
        contents: Contents,
        how: Dedup,
        conversation: Conversation,
        ingest: Ingest,
        continuing: Continuing,
        member: Callable[[bytes], bytes],
    ) -> None:
        self._contents = contents
        self._is_linked = how is Dedup.LINK
        self._conversation = conversation
        self._ingest = ingest
        self._continuing = continuing
        self._member = member
        self._mine: dict[Content, bytes] = {}
        self._theirs: dict[bytes, tuple[Content, Item]] = {}

    async def before(self, files: Mapping[bytes, Item]) -> frozenset[bytes]:
        """Have the pod tell the digests of some files; return those, by path, that need not be sent."""
        names = {self._member(path): path for path in files}
        sizes = {name: files[path].size for name, path in names.items()}
        for name, digest in (await digests(self._conversation, sizes, ALGORITHM)).items():
            if digest is None:
                continue
            path, content = names[name], Content(digest, sizes[name])
            if await self._contents.reserve(content, self._conversation.record_progress):
                self._mine[content] = path
            else:
                self._theirs[path] = content, files[path]
        return frozenset(self._theirs)

    async def behind(self) -> dict[bytes, Content]:
        """Tell the others what has come, and have what they bring; return what was not fetched, by its path."""
        for content, path in [*self._mine.items()]:
            await self._tell(content, path)
        had = dict[bytes, Content]()
        for path, (content, item) in self._theirs.items():
            if await self._is_had(path, content, item):
                had[path] = content
            else:
                await self._continuing.take({path: item})
                await self._tell(content, path)
        self._theirs.clear()
        return had

    def give_up(self) -> None:
        """Leave to others what was not told. Harmless when called again."""
        for content in self._mine:
            self._contents.give_up(content)
        self._mine.clear()

    async def _tell(self, content: Content, path: bytes) -> None:
        held = self._ingest.sink.held(self._ingest.local(self._member(path)))
        await self._contents.tell(content, held, self._conversation.record_progress)
        self._mine.pop(content, None)

    async def _is_had(self, path: bytes, content: Content, item: Item) -> bool:
        """Have a file whose content others bring. Return False if it is to be fetched from this pod."""
        moved = self._conversation.record_progress
        until_s = anyio.current_time() + PATIENCE_S + content.size / SLOWEST_PER_S
        while anyio.current_time() < until_s:
            copy = None
            with self._conversation.at_rest(), anyio.move_on_after(until_s - anyio.current_time()) as waiting:
                copy = await self._contents.found(content)
            if copy and await self._is_taken(copy, self._continuing.entry(path, item)):
                return True
            if copy:
                self._contents.lost(content, copy)
            elif not waiting.cancelled_caught and await self._contents.reserve(content, moved):
                self._mine[content] = path
                break
        return False

    async def _is_taken(self, copy: Copy, entry: Entry) -> bool:
        """Make a file of a copy. Return False if that isn't any more what it was."""
        try:
            with lent(copy.held) as one:
                if one.mark != copy.mark:
                    return False
                await self._continuing.do(self._taking(one, entry))
                return True
        except OSError:
            return False

    def _taking(self, one: Lent, entry: Entry) -> Generator[int, None, None]:
        sink = self._ingest.sink
        with sink.translated():
            if self._is_linked and sink.link(entry, one):
                yield 0
                return
            sink.begin(entry)
            left = entry.size
            for piece in content_of(one.descriptor):
                size = piece if isinstance(piece, int) else len(piece)
                left -= size
                if left < 0:
                    break
                if isinstance(piece, int):
                    sink.hole(piece)
                else:
                    sink.write(memoryview(piece))
                    sink.pause()
                yield size
            if left:
                raise DestinationError(f"{printable(entry.path)}: another pod's copy of it changed while it was read")
            sink.end()
