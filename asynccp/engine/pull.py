"""Pull: many pods → one directory.

For each pod, in one exec: hello; then the archive, the pod's `done` line, questions for digests if they are wanted, our
acknowledgement, the status. While a thread writes (`engine.writer`), the session holds what arrives, up to a bound;
then nothing is read, TCP's window closes, and the pod's tar waits.

A pull whose session was lost continues in the next one: what is here stays, the pod packs everything again and sends
what is missing, if the beginning is the same to the byte (`archive.prefix`). If it isn't, or the pod can't tell, it
starts over: whole files are then renamed over whole files.

The same way a pull turns to compression, once it is seen that the link is slow (`engine.compression`): the session is
ended, and the next one brings the rest compressed.
"""

import functools
import os
import time
from collections.abc import Generator, Iterator
from typing import Any

import anyio
from anyio import to_thread

from asynccp.archive.compression import Unpacker
from asynccp.archive.prefix import Overlap
from asynccp.archive.watch import Watch
from asynccp.engine.account import Account
from asynccp.engine.compression import ASK_AFTER_SIZE, MOST_LOAD, Pulls
from asynccp.engine.exchange import Exchange
from asynccp.engine.greeting import greeted
from asynccp.engine.group import let_go, single_error
from asynccp.engine.memory import MUCH, Memory, Share, give_back
from asynccp.engine.pace import paced
from asynccp.engine.protocols import Protocols
from asynccp.engine.run import run_transfers
from asynccp.engine.tally import Tally
from asynccp.engine.turns import in_turns
from asynccp.engine.verify import algorithm_of, check_watched
from asynccp.engine.writer import Work, Writer
from asynccp.errors import (
    CommandFailed,
    ConnectFailed,
    DigestsDiffer,
    ProtocolViolation,
    SessionLost,
    SourceShrank,
    TransferError,
)
from asynccp.events import Listener, Observer, Started
from asynccp.kube.base import Cluster
from asynccp.local.destination import landing
from asynccp.local.digest import digest_below
from asynccp.options import (
    RECORD_SIZE,
    RESUME_RECORDS,
    SLOWEST_DIGEST_PER_S,
    Options,
)
from asynccp.plan.plan import PullPlan
from asynccp.remote.commands import PullRequest, pull_command, pull_name
from asynccp.remote.complaints import Complaints
from asynccp.remote.dialogue import MAX_LINE_SIZE, MAX_PADDING_SIZE, LineReader
from asynccp.remote.messages import Done, Hello
from asynccp.report import Report
from asynccp.sinks.directory import Extractor
from asynccp.target import Transfer

Bytes = bytes | memoryview
_MOST_SHRUNK = 32  # times that honest logs shrink


async def pull(
    cluster: Cluster,
    plan: PullPlan,
    *,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
) -> Report:
    """Carry a pull out; return how it ended for each target, in the plan's order.

    Never raises for one target's trouble. Setting `stop` ends the run early: what isn't complete by then is reported as
    interrupted, and the remote commands are ended.
    """
    cluster, options = paced(cluster, options or Options())
    observer, protocols = observer or Listener(), Protocols()
    gathers = {one.transfer: one for one in plan.gathers}
    kept: dict[Transfer, _Gathering] = {}
    writer, memory = Writer(), Memory(options.limits.memory)
    packing = Pulls(options.compress, anyio.current_time())

    async def copy(tally: Tally) -> None:
        gather = gathers[tally.transfer]
        base = plan.destination if gather.directory else None
        root = os.path.join(plan.destination, gather.directory) if gather.directory else plan.destination
        if tally.transfer not in kept:
            kept[tally.transfer] = _Gathering(
                tally, root, plan.token, options, packing, writer, memory, base=base, onto=gather.onto
            )
        await _pull_one(kept[tally.transfer], cluster, protocols, options)

    async def over(tally: Tally) -> None:
        if gathering := kept.pop(tally.transfer, None):
            await gathering.close()

    async with writer:
        return await run_transfers("pull", plan, copy, cluster, options, observer, stop, over)


async def _pull_one(gathering: "_Gathering", cluster: Cluster, protocols: Protocols, options: Options) -> None:
    transfer, token = gathering.tally.transfer, gathering.token
    while True:
        try:
            command_for = functools.partial(pull_command, await gathering.request())
            patience_s = gathering.come_size / SLOWEST_DIGEST_PER_S
            async with greeted(
                cluster, transfer, command_for, protocols, options, token, patience_s=patience_s
            ) as found:
                gathering.tally.protocol = found.protocol[:2]
                await gathering.run(found.exchange, found.hello)
                return
        except _BetterCompressed as exc:
            let_go(exc)


class _BetterCompressed(TransferError):
    """This session is ended, so that another one may bring the rest, compressed."""


class _Gathering:
    """One pod's archive on its way to the disk, in one session or in several."""

    def __init__(
        self,
        tally: Tally,
        root: str,
        token: str,
        options: Options,
        packing: Pulls,
        writer: Writer,
        memory: Memory,
        *,
        base: str | None,
        onto: bool,
    ) -> None:
        self.tally = tally
        self._memory = memory
        self._share = memory.share(self._taken)
        self._complaints = Complaints()  # of the session under way
        self._onto = onto
        self._writer = writer
        self._packing = packing
        self._offer = packing.offer  # of the session under way
        self.token = token
        self._root = root
        self._base = base
        self._options = options
        self._extractor: Extractor | None = None
        self._ended_early = False  # once already, because a file changed under tar's hands

    @property
    def _records(self) -> int:
        """How many records are here, if that is enough to continue behind them; else 0."""
        records = self._extractor.prefix.records if self._extractor else 0
        return records if records >= RESUME_RECORDS else 0

    def _taken(self) -> int:
        """Return the bytes of memory that what must be remembered takes."""
        return self._complaints.memory + (self._extractor.memory if self._extractor else 0)

    @property
    def come_size(self) -> int:
        """Bytes of the archive behind which the next session continues, as far as what came may stand for them."""
        return min(self._records * RECORD_SIZE, _MOST_SHRUNK * self.tally.wire_size)

    async def request(self) -> PullRequest:
        """Return what the next session asks for: it continues where the last one was lost, if that pays."""
        digest = None
        if self._extractor and self._records:
            digest = await in_turns(self._extractor.prefix.digest())
        records = self._records if digest else 0
        self._offer = self._packing.offer
        return PullRequest(
            token=self.token,
            path=self.tally.transfer.path,
            records=records,
            digest=digest or "",
            codecs=self._offer.codecs,
            most_load=MOST_LOAD if self._options.compress == "auto" else 0,
            want_size=self._options.want_size and not records,
            follow=self._options.follow,
        )

    async def run(self, exchange: Exchange, hello: Hello) -> None:
        """Write the archive. Raises what keeps the transfer from being complete."""
        try:
            with single_error():
                async with anyio.create_task_group() as watched:
                    watched.start_soon(exchange.watch)
                    await self._run(exchange, hello)
                    watched.cancel_scope.cancel()
        except (SessionLost, ConnectFailed, _BetterCompressed):  # it may continue
            if self._extractor and (self._extractor.is_torn or not self._records):
                await self._close()
            raise
        except SourceShrank as exc:
            await self._close()
            if self._ended_early:
                raise CommandFailed(str(exc), hint="twice: is that file's size a lie? pull what is beside it") from exc
            self._ended_early = True
            raise
        except BaseException:
            await self._close()
            raise

    async def _run(self, exchange: Exchange, hello: Hello) -> None:
        path = self.tally.transfer.path
        if self._options.checksum:
            self.tally.checksum = algorithm_of(hello)
        if self._options.strict_sources:
            check_watched(hello)
        self.tally.compression, self.tally.compression_note = self._offer.taken(hello)
        overlap = None
        if self._extractor and self._records and hello.resumes_at == self._records:
            overlap = self._extractor.prefix.follow()
        else:
            await self._close()
            root, name = self._root, pull_name(path)
            if self._onto:
                is_directory = hello.is_directory
                root, name = await to_thread.run_sync(functools.partial(landing, is_directory=is_directory), root, name)
                self.tally.landed = os.path.join(root, os.fsdecode(name)) if name else root
            self._share = self._memory.share(self._taken)
            self._extractor = Extractor(
                root,
                pull_name(path),
                name=name,
                base=self._base,
                preserve_owner=self._options.preserve_owner,
                preserve_modes=self._options.preserve_modes,
                limits=self._options.limits,
                watch=Watch(
                    since_s=time.time(),
                    every=self._options.checksum or self._options.strict_sources,
                    pads=hello.tar == "bsdtar",
                ),
                has_room=self._share.has_room,
            )
            self.tally.observer(Started(self.tally.transfer, None))
        packing = self._packing if not self._offer.codecs else None  # once compressed, or refused, it stays so
        account = Account(exchange, self.tally, self._extractor, path=path, hello=hello)
        self._complaints = exchange.complaints
        self._complaints.has_room = self._share.has_room
        writing = _Writing(exchange, self.tally, self._extractor, account, overlap, packing, self._writer, self._share)
        try:
            await writing.run(self._options)
        finally:
            self.tally.size, self.tally.entries = self._extractor.size, self._extractor.entries
            self.tally.left_out = [*self._extractor.left_out, *account.left_out]
            self.tally.not_kept = self._extractor.not_kept

    async def close(self) -> None:
        """Remove what is not whole, forget what there is. Harmless when called again."""
        await self._close()

    async def _close(self) -> None:
        took = self._share.used()
        self._share.release()  # at once: the end of a session takes its time, and others wait
        extractor, self._extractor = self._extractor, None
        if extractor:
            with anyio.CancelScope(shield=True):  # bounded: one temporary file, some descriptors, modes for a moment
                await to_thread.run_sync(extractor.abort)
                if took > MUCH:
                    await to_thread.run_sync(give_back)


class _Writing:
    """What one session brings. overlap: what it sends again, None when it starts from the archive's beginning."""

    def __init__(
        self,
        exchange: Exchange,
        tally: Tally,
        extractor: Extractor,
        account: Account,
        overlap: Overlap | None,
        packing: Pulls | None,
        writer: Writer,
        share: Share,
    ) -> None:
        self._packing = packing
        self._writer = writer
        self._share = share
        self._digests: dict[tuple[int, int], str] = {}  # of files with several names, by device and inode
        self._unseen_size, self._unseen_cpu_s = 0, 0.0  # what `packing` has not been told
        self._unpacker: Unpacker | None = None
        self._exchange = exchange
        self._tally = tally
        self._extractor = extractor
        self._overlap = overlap
        self._done: Done | None = None
        self._account = account
        self._trailer = LineReader(exchange.token, "done", after_zeros=True)

    async def run(self, options: Options) -> None:
        """Hear the session out. Raises what keeps the transfer from being complete."""
        exchange = self._exchange
        exchange.brings = True
        if self._tally.compression:  # in a thread: the codec's library may have to be loaded
            self._unpacker = await to_thread.run_sync(Unpacker, self._tally.compression)
        while (data := await exchange.stdout()) is not None:
            size, rest = await self._written(data)
            self._tally.advance(size, len(data))
            self._look(data)
            if rest and (found := self._trailer.feed(rest)):
                line, after = found
                self._done = Done.read(line.facts)
                if after:
                    raise ProtocolViolation("the pod sent output after its last word")
                exchange.brings = False
                await exchange.hear_stderr_out()
                await self._account.ask(options, self._digest if self._tally.checksum else None)
                await exchange.acknowledge()
        whole = self._extractor.ended and self._done is not None
        error = self._account.error(self._done, whole=whole)
        if whole:
            await self._worked(Work(self._extractor.finishing()))
        if error := error or self._account.nothing():
            raise error

    async def _written(self, data: Bytes) -> tuple[int, bytes]:
        """Write what came; return how many bytes of archive it stood for, and what stands behind the archive's end."""
        work = Work(self._take(data), self._share.is_used_up)
        await self._worked(work)
        if self._unpacker is None:
            self._unseen_cpu_s += work.cpu_s
        return work.result

    async def _worked(self, work: Work[Any]) -> None:
        while not await self._writer.run(work):
            with self._exchange.at_rest():
                await anyio.sleep(work.rest_s)
                await self._share.room()

    async def _digest(self, path: bytes, algorithm: str) -> str | None:
        root, local = os.fsdecode(self._extractor.root), self._extractor.local(path)
        return await in_turns(digest_below(root, local, algorithm, self._digests), self._exchange.moved)

    def _look(self, data: Bytes) -> None:
        """Raise _BetterCompressed if this session had better be another one."""
        self._unseen_size += len(data)
        if self._packing is None or self._extractor.ended or self._unseen_size < ASK_AFTER_SIZE:
            return
        if self._packing.pays(self._unseen_size, self._unseen_cpu_s, anyio.current_time(), data):
            raise _BetterCompressed("the rest comes compressed")
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
            self._exchange.moved()  # while there is work to do here, the pod may be silent
            yield len(piece)
        return size, rest

    def _unpacked(self, data: Bytes) -> Iterator[bytes]:
        assert self._unpacker
        try:
            yield from self._unpacker.feed(data)
        except ProtocolViolation as exc:  # its program may have failed, and said why
            said = self._exchange.said
            raise ProtocolViolation(f"{exc}: {said}" if said else str(exc)) from exc

    def _extract(self, data: Bytes) -> Generator[int, None, bytes]:
        data = memoryview(data)
        if self._overlap is not None:
            new = self._overlap.strip(data)
            if new is None:
                raise DigestsDiffer("the container's files changed while the session was lost: they are read anew")
            data = new
        return (yield from self._extractor.feeding(data))
