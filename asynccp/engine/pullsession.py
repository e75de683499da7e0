"""PullSession: the archive that one session brings, from stdout into the sink, and what it is found to be.

A hop of stdout is unpacked, stripped of what came before, and taken in by the writer's thread, with rests where memory
or the sink has no room; whether the session had better be a compressed one is asked on the way.
"""

from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from asynccp.archive.compression import Unpacker
from asynccp.archive.prefix import Overlap
from asynccp.engine.account import Account
from asynccp.engine.compression import ASK_AFTER_SIZE, Pulls
from asynccp.engine.memory import Share
from asynccp.engine.sessions import Greeted
from asynccp.engine.state import TransferState
from asynccp.engine.verify import Comparison, digest_here
from asynccp.engine.writer import Work
from asynccp.errors import DigestsDiffer, ProtocolViolation, TransferError
from asynccp.remote.dialogue import MAX_LINE_SIZE, MAX_PADDING_SIZE
from asynccp.sinks.ingest import Ingest

if TYPE_CHECKING:
    from asynccp.engine.pull import PullJob

Bytes = bytes | memoryview
FULL_S = 0.05  # between two looks at a sink that is full


class BetterCompressed(TransferError):
    """This session is ended, so that another one may bring the rest, compressed."""


class PullSession:
    """What one session brings.

    overlap: what it sends again, None when it starts from the archive's beginning. behind: what follows an archive that
    is whole.
    """

    def __init__(
        self,
        job: "PullJob",
        state: TransferState,
        found: Greeted,
        ingest: Ingest,
        account: Account,
        overlap: Overlap | None,
        share: Share,
        behind: Callable[[], Awaitable[None]],
    ) -> None:
        self._behind = behind
        self._job = job
        self._state = state
        self._conversation = found.conversation
        self._ingest = ingest
        self._account = account
        self._overlap = overlap
        self._share = share
        self._unpacker: Unpacker | None = None
        self._unseen_size, self._unseen_cpu_s = 0, 0.0  # what the policy has not been told

    async def run(self, policy: Pulls | None) -> None:
        """Take the archive in, and judge it. policy: tells whether this session had better be another one.

        Raises what keeps the transfer from being complete, and BetterCompressed.
        """
        conversation = self._conversation
        if codec := self._state.negotiated.compression:  # in a thread: the codec's library may have to be loaded
            self._unpacker = await to_thread.run_sync(Unpacker, codec)
        while (data := await conversation.stdout()) is not None:
            size, rest = await self._written(data)
            self._state.advance(size, len(data))
            self._look(data, policy)
            if rest:
                await self._account.hear_end(rest, self._job.options, self._comparison())
        error = self._account.error()
        if conversation.last_word and self._ingest.ended:
            if not error:
                await self._behind()
            await self._finished()
        if error := error or self._account.nothing():
            raise error

    def _comparison(self) -> Comparison | None:
        algorithm = self._state.negotiated.checksum
        return Comparison(algorithm, self._digest, self._state.digests) if algorithm else None

    async def _digest(self, path: bytes, algorithm: str) -> str | None:
        return await digest_here(self._conversation, self._ingest, algorithm, path)

    async def _written(self, data: Bytes) -> tuple[int, bytes]:
        """Write what came; return how many bytes of archive it stood for, and what stands behind the archive's end."""
        work = Work(self._take(data), self._is_held)
        await self._sink_has_room()  # a hop may be less than a turn, at whose end it would be asked
        while not await self._job.writer.run(work):
            with self._conversation.at_rest():
                await anyio.sleep(work.rest_s)
                await self._share.room()
            await self._sink_has_room()
        if self._unpacker is None:
            self._unseen_cpu_s += work.cpu_s
        return work.result

    def _is_held(self) -> bool:
        return self._share.is_used_up() or self._ingest.sink.is_full()

    async def _sink_has_room(self) -> None:
        while self._ingest.sink.is_full():
            with self._conversation.at_rest():
                await anyio.sleep(FULL_S)

    async def _finished(self) -> None:
        work = Work(self._ingest.finishing(), self._ingest.sink.is_full)
        while not await self._job.writer.run(work):
            with self._conversation.at_rest():
                await anyio.sleep(FULL_S if self._ingest.sink.is_full() else work.rest_s)
                await self._share.room()

    def _look(self, data: Bytes, policy: Pulls | None) -> None:
        """Raise BetterCompressed if this session had better be another one."""
        self._unseen_size += len(data)
        if policy is None or self._ingest.ended or self._unseen_size < ASK_AFTER_SIZE:
            return
        if policy.pays(self._unseen_size, self._unseen_cpu_s, anyio.current_time(), data):
            raise BetterCompressed("the rest comes compressed")
        self._unseen_size, self._unseen_cpu_s = 0, 0.0

    def _take(self, data: Bytes) -> Generator[int, None, tuple[int, bytes]]:
        if self._unpacker is None:
            return len(data), (yield from self._extract(data))
        size, rest = 0, b""
        for piece in self._unpacked(data):
            size += len(piece)
            rest += yield from self._extract(piece)
            if len(rest) > MAX_PADDING_SIZE + MAX_LINE_SIZE:  # or a bomb of zeros would fill the memory
                raise ProtocolViolation("what follows the archive does not end")
            self._conversation.record_progress()  # while there is work to do here, the pod may be silent
            yield len(piece)
        return size, rest

    def _unpacked(self, data: Bytes) -> Iterator[bytes]:
        assert self._unpacker
        try:
            yield from self._unpacker.feed(data)
        except ProtocolViolation as exc:  # its program may have failed, and said why
            said = self._conversation.stderr_tail
            raise ProtocolViolation(f"{exc}: {said}" if said else str(exc)) from exc

    def _extract(self, data: Bytes) -> Generator[int, None, bytes]:
        data = memoryview(data)
        if self._overlap is not None:
            new = self._overlap.strip(data)
            if new is None:
                raise DigestsDiffer("the container's files changed while the session was lost: they are read anew")
            data = new
        return (yield from self._ingest.feeding(data))
