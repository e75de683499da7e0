"""Forward: one pod → another, through this machine, without a file on it.

Two sessions: the archive that one pod packs is taken apart, checked as a pull's is, put together again
(`sinks.recoded`) and fed to the other as a push's. The last member, without which the receiving pod puts nothing in
its place, is sent when the giving one has proved that its archive is whole. An attempt that fails starts over.

Each has a deadline of its own, and it is the one that is waited for whose silence counts: a pod that is not asked for
more is not late.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager

import anyio

from asynccp.archive.parts import RAW, part_line
from asynccp.archive.watch import Watch
from asynccp.chunk import ROOM_SIZE, Chunk
from asynccp.engine.account import Account
from asynccp.engine.delivery import Delivery
from asynccp.engine.group import single_error
from asynccp.engine.run import GONE, Run, became_of
from asynccp.engine.sessions import Greeted, Sessions
from asynccp.engine.state import Negotiated, TransferState
from asynccp.engine.steps import Publish
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import CommandFailed, TransferError
from asynccp.events import Listener, Observer
from asynccp.kube.base import Cluster
from asynccp.options import CHUNK_SIZE, Options
from asynccp.plan.forward import ForwardPlan
from asynccp.remote.commands import PullRequest, PushRequest, pull_name, read_for_pulls, read_for_pushes
from asynccp.report import Report
from asynccp.sinks.ingest import Ingest
from asynccp.sinks.recoded import RecodedSink
from asynccp.target import Transfer

read_for_pulls()
read_for_pushes()


async def forward(
    cluster: Cluster,
    plan: ForwardPlan,
    *,
    options: Options | None = None,
    observer: Observer | None = None,
    stop: anyio.Event | None = None,
) -> Report:
    """Carry the plan out; return how it ended. As `push`."""
    options = options or Options()
    job = ForwardJob(plan, Sessions(cluster, options, plan.token), cluster)
    return await Run(job, cluster, options, observer or Listener()).carry_out(plan, stop)


class ForwardJob:
    """One pod's files for another, as `engine.run.Job`: the transfer is the one that receives."""

    direction = "forward"

    def __init__(self, plan: ForwardPlan, sessions: Sessions, cluster: Cluster) -> None:
        self._plan = plan
        self._sessions = sessions
        self._cluster = cluster
        self._options = sessions.options
        self.digests_size = self._options.limits.memory

    async def attempt(self, state: TransferState) -> None:
        plan, name = self._plan, pull_name(self._plan.source.path)
        if state.tries > 1 and (became := await became_of(plan.source.target, self._cluster)):
            raise CommandFailed(f"{plan.source}: {became}", hint=GONE)
        async with AsyncExitStack() as stack:
            with _named(plan.source):
                giving = await stack.enter_async_context(self._sessions.greeted(plan.source, self._give()))
            taking = await stack.enter_async_context(self._sessions.greeted(plan.destination, self._take()))
            state.negotiated = Negotiated(protocol=taking.protocol, way=taking.way)
            archive = _Archive(giving, taking, state, plan, self._options)
            with single_error():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(archive.watch)
                    steps = [Publish(half_close=taking.half_close)]
                    arrived = await Delivery(taking, state, archive, steps).run()
                    tasks.cancel_scope.cancel()
        path, is_named = plan.destination.path, taking.hello.is_named
        state.arrived = arrived._replace(
            size=archive.size_sent,
            entries=archive.entries,
            left_out=[*arrived.left_out, *archive.left_out],
            not_kept=[*arrived.not_kept, *archive.not_kept],
            landed=path if is_named or not name else f"{path.rstrip('/')}/{name.decode('utf-8', 'surrogateescape')}",
        )

    async def release(self, state: TransferState) -> None:
        """Nothing is kept: an attempt starts over."""

    def _give(self) -> PullRequest:
        return PullRequest(token=self._plan.token, path=self._plan.source.path, follow=self._options.attributes.follow)

    def _take(self) -> PushRequest:
        target = self._plan.destination.target
        return PushRequest(
            token=self._plan.token,
            directory=self._plan.destination.path,
            blocks=None,
            renames=bool(pull_name(self._plan.source.path)),
            identity=f"{target.uid[:8]}-{target.container}",
            preserve_owner=self._options.attributes.preserve_owner,
        )


class _Archive:
    """What one pod gives, as `engine.push.Supply` for another."""

    size = None

    def __init__(
        self, giving: Greeted, taking: Greeted, state: TransferState, plan: ForwardPlan, options: Options
    ) -> None:
        self._giving = giving.conversation
        self._taking = taking.conversation
        self._plan = plan
        self._options = options
        self._in_parts = not taking.half_close
        self._watching = anyio.CancelScope()
        name = pull_name(plan.source.path)
        self._sink = RecodedSink(name, taking.takes)
        watch = Watch(since_s=time.time(), pads=giving.hello.tar == "bsdtar")
        self._ingest = Ingest(
            self._sink, name, limits=options.limits, watch=watch, resumes=False, bundles=giving.hello.by_shell
        )
        self._account = Account(giving.conversation, state, self._ingest, giving.hello, path=plan.source.path)
        self.left_out: list[LeftOut] = []

    @property
    def not_kept(self) -> list[NotKept]:
        return self._ingest.not_kept

    @property
    def entries(self) -> int:
        return self._sink.entries

    @property
    def size_sent(self) -> int:
        return self._sink.size

    @property
    def sent(self) -> str:
        return self._sink.sent

    async def watch(self) -> None:
        """Run beside the transfer, as `Conversation.watch` of the giving pod; ends when that one is done."""
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
        for piece in self._sink.settling(self._plan.token):
            buffer += piece
        yield self._chunk(buffer, is_last=True), not self._in_parts
        if self._in_parts:
            again = bytearray(b"".join(self._sink.settling(self._plan.token)))
            yield self._chunk(again, is_last=True), True

    async def _pieces(self) -> AsyncIterator[bytes]:
        """Yield what is handed on of the giving pod's archive; return when that is whole."""
        while (data := await self._given()) is not None:
            rest = self._ingest.feed(data)
            for piece in self._sink.drained():
                yield piece
            if rest:
                with self._taking.at_rest():
                    await self._account.hear_end(rest, self._options, None)
        if error := self._account.error() or self._account.nothing():
            raise error
        self._ingest.finish()
        self.left_out = [*self._ingest.left_out, *self._account.left_out]

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
