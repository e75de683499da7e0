"""Greeting: a session whose pod has said hello, by whichever subprotocol and shell will do."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from asynccp.engine.exchange import Exchange, opened
from asynccp.engine.protocols import Protocols
from asynccp.errors import ProtocolRefused, ShellMissing
from asynccp.kube.base import Cluster
from asynccp.kube.exec import V4
from asynccp.options import Options
from asynccp.remote.messages import Hello
from asynccp.remote.script import Command
from asynccp.target import Transfer


class Greeted(NamedTuple):
    """A session, the pod's hello, and the subprotocol. counted: the pod can count what it is sent, or need not."""

    exchange: Exchange
    hello: Hello
    protocol: str

    @property
    def counted(self) -> bool:
        return self.hello.counter != "none"


@asynccontextmanager
async def greeted(
    cluster: Cluster,
    transfer: Transfer,
    command_for: Callable[..., Command],
    protocols: Protocols,
    options: Options,
    token: str,
    *,
    patience_s: float = 0.0,
) -> AsyncIterator[Greeted]:
    """Run a command in the transfer's target. Raises as `opened` and `Exchange.hello`, and what is refused to the end.

    command_for: returns the command for a shell, `shell=` its name. patience_s: as of `Exchange.hello`.
    """
    target, tried = transfer.target, set[str]()
    while True:
        protocol = protocols.offer(target.image, tried)
        command = command_for(shell=protocols.shell(target.image))
        async with AsyncExitStack() as stack:
            try:
                exchange = await stack.enter_async_context(opened(cluster, target, command, protocol, token, options))
                hello = await exchange.hello(transfer.path, target, patience_s=patience_s)
            except (ProtocolRefused, ShellMissing) as refusal:
                protocols.learn(refusal, target.image, protocol)
                tried |= {protocol} if isinstance(refusal, ProtocolRefused) else set()
                continue
            found = Greeted(exchange, hello, protocol)
            if not found.counted and protocol == V4:  # stdin's end must be told, which v4 can't
                protocols.uncounted.add(target.image)
                continue
            yield found
            return
