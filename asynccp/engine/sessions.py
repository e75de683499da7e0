"""Sessions: opens those of one run, by whichever subprotocol and shell will do, and at its pace."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import anyio
from anyio import to_thread

from asynccp.archive.format import ArchiveFormat
from asynccp.chunk import ROOM_SIZE, Chunk
from asynccp.engine.conversation import Conversation
from asynccp.engine.pace import Pace, patient
from asynccp.engine.place import Place
from asynccp.engine.protocols import Protocols
from asynccp.errors import ConnectFailed, OtherUser, ProtocolRefused, SessionLost, ShellMissing
from asynccp.kube.base import Cluster, Session
from asynccp.kube.exec import V4
from asynccp.options import Ephemeral, Options
from asynccp.remote.agent import RemoteAgent, Request, ShellAgent, TarAgent
from asynccp.remote.commands import PullRequest
from asynccp.remote.messages import Hello
from asynccp.remote.script import Command
from asynccp.target import Log, Target, Transfer
from asynccp.text import printable

if TYPE_CHECKING:
    from asynccp.engine.ephemeral import Beside

Refusal = ProtocolRefused | ShellMissing | OtherUser

_LOG = logging.getLogger("asynccp.engine")
_WITHOUT_TAR = ShellAgent()


class Greeted(NamedTuple):
    """A session whose pod has said hello. protocol: its subprotocol, as `Negotiated` has it.

    takes: the format of the archive that it is sent; what it sends is a tar. way: as `remote.agent.RemoteAgent` has it.
    half_close: the pod can't count what it is sent, so that the end of its stdin must be told.
    """

    conversation: Conversation
    hello: Hello
    protocol: str
    takes: ArchiveFormat
    way: str
    half_close: bool


class Sessions:
    """token: of the run. agent: what the pods are asked by.

    options: those of the run, under which to wait for one's turn is no stall.
    """

    def __init__(self, cluster: Cluster, options: Options, token: str, agent: RemoteAgent | None = None) -> None:
        self._cluster = cluster
        self.options = patient(options)
        self._token = token
        self._agent = agent or TarAgent()
        self._pace = Pace(options.concurrency.rate_per_s) if options.concurrency.rate_per_s else None
        self._protocols = Protocols()
        self._scripts: dict[bytes, Chunk] = {}  # as many as there are kinds of requests: 10 KiB each
        self._beside: Beside | None = None
        self._alone: dict[str, bool] = {}  # images without a shell → whether their tar can be asked

    @asynccontextmanager
    async def greeted(
        self, transfer: Transfer, request: Request, *, extra_stall_s: float = 0.0
    ) -> AsyncIterator[Greeted]:
        """Run what a request asks for in the transfer's target.

        extra_stall_s: as of `Conversation.hello`. Raises as `opened` and `Conversation.hello`, and what is refused to
        the end.
        """
        place, tried = Place(transfer.target, self._agent), set[str]()
        if self._beside and self._beside.is_needed(transfer.target):
            place = await self._beside.place(transfer.target)
        elif self._alone.get(transfer.target.image) and isinstance(request, PullRequest):
            place = self._by_tar_alone(transfer.target, request)
        refusal: Refusal | None = None
        protocol = ""
        while True:
            if refusal:
                place, refusal = await self._next(place, transfer.target, request, refusal, protocol), None
            target = place.target
            protocol = self._protocols.offer(target.image, tried)
            command = place.agent.command(request, shell=self._protocols.shell(target.image))
            async with AsyncExitStack() as stack:
                try:
                    conversation = await stack.enter_async_context(self.opened(target, command, protocol, place))
                    takes, way, hello = await self._met(conversation, place.agent, transfer, request, extra_stall_s)
                except (ProtocolRefused, ShellMissing, OtherUser) as exc:
                    refusal = exc
                    tried |= {protocol} if isinstance(exc, ProtocolRefused) else set()
                    _LOG.debug("%s: another way is tried: %s", target, refusal)
                    continue
                found = Greeted(conversation, hello, protocol[:2], takes, way, half_close=hello.counter == "none")
                if found.half_close and protocol == V4:  # which can't
                    self._protocols.uncounted.add(target.image)
                    _LOG.debug("%s: nothing there can count, so its stdin has to be closed", target)
                    continue
                codec, counter = printable(hello.codec, 20), printable(hello.counter, 20)
                told = found.protocol, way, counter, codec or "none"
                _LOG.debug("%s: hello by %s, %s, counter %s, codec %s", target, *told)
                yield found
                return

    async def _met(
        self, conversation: Conversation, agent: RemoteAgent, transfer: Transfer, request: Request, extra_stall_s: float
    ) -> tuple[ArchiveFormat, str, Hello]:
        """Return what a pod takes, by what it does its part, and its hello."""
        hello = await conversation.hello(transfer.path, transfer.target, extra_stall_s=extra_stall_s)
        if not hello.lacks:
            return agent.takes, agent.way, hello
        conversation.worker = _WITHOUT_TAR.worker
        await conversation.send(_WITHOUT_TAR.lesson(request))
        hello = await conversation.hello(transfer.path, transfer.target, extra_stall_s=extra_stall_s)
        return _WITHOUT_TAR.format(hello), _WITHOUT_TAR.way if agent is self._agent else agent.way, hello

    async def _next(self, place: Place, target: Target, request: Request, refusal: Refusal, protocol: str) -> Place:
        """Return where to ask next, after a refusal. Raises what can't be helped."""
        if not isinstance(refusal, OtherUser):
            try:
                self._protocols.learn(refusal, place.target.image, protocol)
            except ShellMissing:
                if place.target is not target or place.speaks:
                    raise
                if not self.options.ephemeral.image:
                    if not isinstance(request, PullRequest) or not await self._has_tar(target, protocol):
                        raise
                    return self._by_tar_alone(target, request)
            else:
                return place
        if self._beside is None:  # by then another may have made it
            made = await to_thread.run_sync(_beside, self._cluster, self.options.ephemeral)
            self._beside = self._beside or made
        return await self._beside.place(target, refusal)

    async def _has_tar(self, target: Target, protocol: str) -> bool:
        """Tell whether a target that has no shell has a tar that can be asked for all that."""
        from asynccp.engine.alone import has_trusted_tar  # few need it

        if target.image not in self._alone:
            with anyio.move_on_after(self.options.deadlines.open_timeout_s):
                self._alone[target.image] = await has_trusted_tar(self._cluster, target, protocol)
        return self._alone.get(target.image, False)

    def _by_tar_alone(self, target: Target, request: PullRequest) -> Place:
        from asynccp.engine.alone import SpokenFor
        from asynccp.remote.alone import AloneAgent, Spoken

        def speaks(session: Session) -> Session:
            return SpokenFor(session, Spoken(self._token, follow=request.follow))

        return Place(target, AloneAgent(), speaks)

    @asynccontextmanager
    async def log(self, target: Target, log: Log) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read a log. Raises as `Cluster.open_log`, and ConnectFailed when the server does not answer."""
        async with AsyncExitStack() as stack:
            with self._limited() as limit:
                pieces = await stack.enter_async_context(self._cluster.open_log(target, log))
            self._check(limit)
            yield self._pace.pieces(pieces) if self._pace else pieces

    @asynccontextmanager
    async def opened(
        self, target: Target, command: Command, protocol: str, place: Place | None = None
    ) -> AsyncIterator[Conversation]:
        """Run a command in the target. place: where that is, if it is a special one.

        Raises as `Cluster.open_exec`, and ConnectFailed when the server does not answer.
        """
        async with AsyncExitStack() as stack:
            with self._limited() as limit:
                session = await stack.enter_async_context(self._cluster.open_exec(target, command.argv, protocol))
                if command.script:
                    with suppress(SessionLost):  # whoever hears it out is told why
                        await session.send_chunk(self._sealed(command.script))
                if self._pace:
                    session = self._pace.of(session, sent_size=len(command.script))
                if place and place.speaks:
                    session = place.speaks(session)
                conversation = Conversation(session, self._token, self.options)
            self._check(limit)
            try:
                yield conversation
            finally:
                conversation.forget()

    def _sealed(self, script: bytes) -> Chunk:
        """Return a script as a chunk: nearly all pods are sent the same, which is framed once."""
        if script not in self._scripts:
            self._scripts[script] = Chunk(0, len(script), memoryview(bytearray(ROOM_SIZE) + script))
        return self._scripts[script]

    def _limited(self) -> anyio.CancelScope:
        return anyio.move_on_after(self.options.deadlines.open_timeout_s)

    def _check(self, limit: anyio.CancelScope) -> None:
        if limit.cancelled_caught:
            timeout_s = self.options.deadlines.open_timeout_s
            raise ConnectFailed(f"the API server did not answer within {timeout_s:.0f} s")


def _beside(cluster: Cluster, options: Ephemeral) -> "Beside":
    from asynccp.engine.ephemeral import Beside  # few need it, and it reads files

    return Beside(cluster, options)
