"""Forward: one pod → another, through this machine, without a file on it.

Two sessions: the archive that one pod packs is taken apart, checked as a pull's is, put together again
(`archive.recode`) and fed to the other as a push's. The last member, without which the receiving pod puts nothing in
its place, is sent when the giving one has proved that its archive is whole. An attempt that fails starts over.

Each has a deadline of its own, and it is the one that is waited for whose silence counts: a pod that is not asked for
more is not late.
"""

import functools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager

import anyio

from asynccp.archive.parts import RAW, part_line
from asynccp.archive.recode import Recoder
from asynccp.archive.watch import Watch
from asynccp.chunk import ROOM_SIZE, Chunk
from asynccp.engine.account import Account
from asynccp.engine.greeting import Greeted, greeted
from asynccp.engine.group import single_error
from asynccp.engine.pace import paced
from asynccp.engine.protocols import Protocols
from asynccp.engine.push import Delivery
from asynccp.engine.run import GONE, became_of, run_transfers
from asynccp.engine.tally import Tally
from asynccp.errors import CommandFailed, ProtocolViolation, TransferError
from asynccp.events import Listener, Observer
from asynccp.kube.base import Cluster
from asynccp.options import CHUNK_SIZE, Options
from asynccp.plan.forward import ForwardPlan
from asynccp.remote.commands import PullRequest, PushRequest, pull_command, pull_name, push_command
from asynccp.remote.dialogue import LineReader
from asynccp.remote.messages import Done
from asynccp.report import Report
from asynccp.target import Transfer


async def forward(
    cluster: Cluster,
    plan: ForwardPlan,
    *,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
) -> Report:
    """Carry the plan out; return how it ended. As `push`."""
    cluster, options = paced(cluster, options or Options())
    observer, protocols = observer or Listener(), Protocols()

    async def copy(tally: Tally) -> None:
        if tally.tries > 1 and (became := await became_of(plan.source.target, cluster)):
            raise CommandFailed(f"{plan.source}: {became}", hint=GONE)
        await _forward_one(tally, plan, cluster, protocols, options)

    return await run_transfers("forward", plan, copy, cluster, options, observer, stop)


async def _forward_one(
    tally: Tally, plan: ForwardPlan, cluster: Cluster, protocols: Protocols, options: Options
) -> None:
    name = pull_name(plan.source.path)
    give = PullRequest(token=plan.token, path=plan.source.path, follow=options.follow)
    target = plan.destination.target
    take = PushRequest(
        token=plan.token,
        directory=plan.destination.path,
        records=None,
        renames=bool(name),
        identity=f"{target.uid[:8]}-{target.container}",
        preserve_owner=options.preserve_owner,
    )
    async with AsyncExitStack() as stack:
        with _named(plan.source):
            give_by = functools.partial(pull_command, give)
            giving = await stack.enter_async_context(
                greeted(cluster, plan.source, give_by, protocols, options, plan.token)
            )
        take_by = functools.partial(push_command, take)
        taking = await stack.enter_async_context(
            greeted(cluster, plan.destination, take_by, protocols, options, plan.token)
        )
        tally.protocol = taking.protocol[:2]
        archive = _Archive(giving, taking, tally, plan, options)
        with single_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(archive.watch)
                await Delivery(taking.exchange, tally, archive, half_close=not taking.counted).run()
                tasks.cancel_scope.cancel()
    path, is_named = plan.destination.path, taking.hello.is_named
    tally.landed = path if is_named or not name else f"{path.rstrip('/')}/{name.decode('utf-8', 'surrogateescape')}"
    tally.size, tally.entries = archive.size_sent, archive.entries
    tally.left_out += archive.left_out
    tally.not_kept += archive.not_kept


class _Archive:
    """What one pod gives, as `engine.push.Supply` for another."""

    size = None

    def __init__(self, giving: Greeted, taking: Greeted, tally: Tally, plan: ForwardPlan, options: Options) -> None:
        self._giving = giving.exchange
        self._taking = taking.exchange
        self._plan = plan
        self._options = options
        self._in_parts = taking.counted
        self._watching = anyio.CancelScope()
        path = plan.source.path
        watch = Watch(since_s=time.time(), pads=giving.hello.tar == "bsdtar")
        self._recoder = Recoder(pull_name(path), options.limits, watch)
        self._account = Account(giving.exchange, tally, self._recoder, path=path, hello=giving.hello)
        self.left_out, self.not_kept = self._recoder.left_out, self._recoder.not_kept

    @property
    def entries(self) -> int:
        return self._recoder.entries

    @property
    def size_sent(self) -> int:
        return self._recoder.size

    @property
    def sent(self) -> str:
        return self._recoder.sent

    async def watch(self) -> None:
        """Run beside the transfer, as `Exchange.watch` of the giving pod; ends when nothing more is wanted of it."""
        with self._watching, _named(self._plan.source):
            await self._giving.watch()

    async def chunks(self) -> AsyncIterator[tuple[Chunk, bool]]:
        """Yield the archives for the other pod. Raises what the giving one failed with, and its name."""
        with _named(self._plan.source):
            buffer = bytearray()
            async for piece in self._pieces():
                buffer += piece
                while len(buffer) >= CHUNK_SIZE:
                    with self._giving.at_rest():
                        yield self._chunk(buffer[:CHUNK_SIZE], is_last=False), False
                    del buffer[:CHUNK_SIZE]
        self._watching.cancel()
        for piece in self._recoder.settling(self._plan.token):
            buffer += piece
        yield self._chunk(buffer, is_last=True), not self._in_parts
        if self._in_parts:
            again = bytearray(b"".join(self._recoder.settling(self._plan.token)))
            yield self._chunk(again, is_last=True), True

    async def _pieces(self) -> AsyncIterator[bytes | memoryview]:
        """Yield what is handed on of the giving pod's archive; return when that is whole."""
        giving, trailer, done = self._giving, LineReader(self._plan.token, "done", after_zeros=True), None
        giving.brings = True
        while (data := await self._given()) is not None:
            for piece in self._recoder.feed(data):
                yield piece
            rest, self._recoder.rest = self._recoder.rest, b""
            if rest and (found := trailer.feed(rest)):
                line, after = found
                done = Done.read(line.facts)
                if after:
                    raise ProtocolViolation("the pod sent output after its last word")
                giving.brings = False
                with self._taking.at_rest():
                    await giving.hear_stderr_out()
                    await self._account.ask(self._options, None)
                    await giving.acknowledge()
        whole = self._recoder.ended and done is not None
        if error := self._account.error(done, whole=whole) or self._account.nothing():
            raise error
        self.left_out += self._account.left_out

    async def _given(self) -> bytes | memoryview | None:
        with self._taking.at_rest():
            return await self._giving.stdout()

    def _chunk(self, data: bytearray, *, is_last: bool) -> Chunk:
        line = part_line(RAW, len(data), last=is_last) if self._in_parts else b""
        return Chunk(0, len(data), memoryview(bytearray(ROOM_SIZE) + line + data))


@contextmanager
def _named(transfer: Transfer) -> Iterator[None]:
    """Put the pod's name before what is raised: the report is about the other one."""
    try:
        yield
    except TransferError as exc:
        raise type(exc)(f"{transfer}: {exc}", hint=exc.hint, after_s=exc.after_s) from exc
