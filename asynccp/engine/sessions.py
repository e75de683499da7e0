"""Sessions: opens those of one run, by whichever subprotocol and shell will do, and at its pace."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import anyio

from asynccp.engine.conversation import Conversation
from asynccp.engine.pace import Pace, patient
from asynccp.engine.protocols import Protocols
from asynccp.errors import ConnectFailed, ProtocolRefused, ShellMissing
from asynccp.kube.base import Cluster
from asynccp.kube.exec import V4
from asynccp.options import Options
from asynccp.remote.agent import RemoteAgent, Request, ShellAgent, TarAgent
from asynccp.remote.messages import Hello
from asynccp.remote.script import Command
from asynccp.target import Log, Target, Transfer
from asynccp.text import printable

_LOG = logging.getLogger("asynccp.engine")
_WITHOUT_TAR = ShellAgent()


class Greeted(NamedTuple):
    """A session whose pod has said hello. protocol: its subprotocol, as `Negotiated` has it.

    agent: what it does that by, as its hello has told.
    half_close: the pod can't count what it is sent, so that the end of its stdin must be told.
    """

    conversation: Conversation
    hello: Hello
    protocol: str
    agent: RemoteAgent
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

    @asynccontextmanager
    async def greeted(
        self, transfer: Transfer, request: Request, *, extra_stall_s: float = 0.0
    ) -> AsyncIterator[Greeted]:
        """Run what a request asks for in the transfer's target.

        extra_stall_s: as of `Conversation.hello`. Raises as `opened` and `Conversation.hello`, and what is refused to
        the end.
        """
        target, tried = transfer.target, set[str]()
        while True:
            protocol = self._protocols.offer(target.image, tried)
            command = self._agent.command(request, shell=self._protocols.shell(target.image))
            async with AsyncExitStack() as stack:
                try:
                    conversation = await stack.enter_async_context(self.opened(target, command, protocol))
                    agent, hello = await self._met(conversation, transfer, request, extra_stall_s)
                except (ProtocolRefused, ShellMissing) as refusal:
                    self._protocols.learn(refusal, target.image, protocol)
                    _LOG.debug("%s: another way is tried: %s", target, refusal)
                    tried |= {protocol} if isinstance(refusal, ProtocolRefused) else set()
                    continue
                found = Greeted(conversation, hello, protocol[:2], agent, half_close=hello.counter == "none")
                if found.half_close and protocol == V4:  # which can't
                    self._protocols.uncounted.add(target.image)
                    _LOG.debug("%s: nothing there can count, so its stdin has to be closed", target)
                    continue
                codec, counter = printable(hello.codec, 20), printable(hello.counter, 20)
                told = found.protocol, agent.way, counter, codec or "none"
                _LOG.debug("%s: hello by %s, %s, counter %s, codec %s", target, *told)
                yield found
                return

    async def _met(
        self, conversation: Conversation, transfer: Transfer, request: Request, extra_stall_s: float
    ) -> tuple[RemoteAgent, Hello]:
        """Return what a pod can do it by, and its hello."""
        hello = await conversation.hello(transfer.path, transfer.target, extra_stall_s=extra_stall_s)
        if not hello.lacks:
            return self._agent, hello
        await conversation.send(_WITHOUT_TAR.lesson(request))
        return _WITHOUT_TAR, await conversation.hello(transfer.path, transfer.target, extra_stall_s=extra_stall_s)

    @asynccontextmanager
    async def log(self, target: Target, log: Log) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read a log. Raises as `Cluster.open_log`, and ConnectFailed when the server does not answer."""
        async with AsyncExitStack() as stack:
            with self._limited() as limit:
                pieces = await stack.enter_async_context(self._cluster.open_log(target, log))
            self._check(limit)
            yield self._pace.pieces(pieces) if self._pace else pieces

    @asynccontextmanager
    async def opened(self, target: Target, command: Command, protocol: str) -> AsyncIterator[Conversation]:
        """Run a command in the target.

        Raises as `Cluster.open_exec`, and ConnectFailed when the server does not answer.
        """
        async with AsyncExitStack() as stack:
            with self._limited() as limit:
                session = await stack.enter_async_context(self._cluster.open_exec(target, command.argv, protocol))
                if self._pace:
                    session = self._pace.of(session)
                conversation = Conversation(session, self._token, self.options)
                await conversation.tell(command.script)
            self._check(limit)
            try:
                yield conversation
            finally:
                conversation.forget()

    def _limited(self) -> anyio.CancelScope:
        return anyio.move_on_after(self.options.deadlines.open_timeout_s)

    def _check(self, limit: anyio.CancelScope) -> None:
        if limit.cancelled_caught:
            timeout_s = self.options.deadlines.open_timeout_s
            raise ConnectFailed(f"the API server did not answer within {timeout_s:.0f} s")
