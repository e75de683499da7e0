"""Exchange: one exec session as push and pull see it: stdout to read, the last words of stderr, and how it ended.

It also watches the clock: a session in which nothing moves is pinged, and after the deadline ended.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from asynccp.cluster.base import Cluster, Session
from asynccp.errors import ConnectFailed, ProtocolViolation, SessionLost, Stalled, TransferError
from asynccp.escape import printable
from asynccp.options import CLOSE_GRACE_S, LOOK_EVERY_S, PING_AFTER_S, STDERR_TAIL_SIZE, Options
from asynccp.target import Target
from asynccp.wire.dialogue import ACKNOWLEDGEMENT, Line, LineReader, refusal, verdict
from asynccp.wire.exec import ExitStatus, Stderr, Stdout, decode


@asynccontextmanager
async def opened(
    cluster: Cluster, target: Target, argv: Sequence[str], protocol: str, token: str, options: Options
) -> AsyncIterator["Exchange"]:
    """Run a command in the target. Raises as `Cluster.open_exec`, and ConnectFailed when the server does not answer."""
    async with AsyncExitStack() as stack:
        with anyio.move_on_after(options.open_timeout_s) as limit:
            session = await stack.enter_async_context(cluster.open_exec(target, argv, protocol))
        if limit.cancelled_caught:
            raise ConnectFailed(f"the API server did not answer within {options.open_timeout_s:.0f} s")
        yield Exchange(session, token, options)


class Exchange:
    """One session, and what has been heard in it."""

    def __init__(self, session: Session, token: str, options: Options) -> None:
        self.status: ExitStatus | None = None
        self.patience_s = 0.0  # beyond the deadline, while the pod has silent work to do
        self.session = session
        self.token = token
        self._options = options
        self._stderr = bytearray()
        self._ahead = b""
        self._moves = 0  # a count, not a time: on the path of a byte the clock cost an eighth of a pull's CPU

    @property
    def said(self) -> str:
        """The last words on stderr, escaped, on one line."""
        lines = bytes(self._stderr).strip().splitlines()
        return printable(b"; ".join(line.strip() for line in lines[-5:]), 600)

    @property
    def ending(self) -> str:
        """How the session ended, in words; empty for a regular end."""
        return self.session.ending

    async def hello(self, path: str, *, patience_s: float = 0.0) -> Line:
        """Return the pod's first line; raise what stands in the way when the pod can't do it.

        patience_s: how much longer than usual it may take, because the pod has work to do before it speaks.
        """
        timeout_s, self.patience_s = self._options.open_timeout_s + patience_s, patience_s
        with anyio.move_on_after(timeout_s) as limit:
            hello = await self.line("hello")
        self.patience_s = 0.0
        if limit.cancelled_caught:
            raise ConnectFailed(f"the pod did not answer within {timeout_s:.0f} s")
        if hello is None:
            raise self._no_hello()
        if "problem" in hello.facts:
            with anyio.move_on_after(CLOSE_GRACE_S):  # for its last words
                await self.acknowledge()
                await self.drain()
        if problem := refusal(hello, printable(path), self.said):
            raise problem
        return hello

    async def line(self, word: str) -> Line | None:
        """Return the next line of the dialogue, None when the session ends before it."""
        reader = LineReader(self.token, word)
        while (data := await self.stdout()) is not None:
            if found := reader.feed(data):
                line, self._ahead = found
                return line
        return None

    async def stdout(self) -> bytes | memoryview | None:
        """Return the next bytes of stdout, None when the session is over."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        while (message := await self.session.receive()) is not None:
            self.moved()
            match decode(message):
                case Stdout(payload):
                    if self.status:
                        raise ProtocolViolation("the server sent output after the command's end")
                    return payload
                case Stderr(payload):
                    self._stderr += payload
                    del self._stderr[:-STDERR_TAIL_SIZE]
                case ExitStatus() as status:
                    self.status = status
        return None

    async def drain(self) -> None:
        """Hear the session out: its status, and what is left on stderr."""
        while await self.stdout() is not None:
            pass

    def moved(self) -> None:
        """Something moved: the deadline starts again."""
        self._moves += 1

    async def send(self, message: bytes | memoryview) -> None:
        await self.session.send(message)
        self.moved()

    async def send_frame(self, frame: memoryview) -> None:
        await self.session.send_frame(frame)
        self.moved()

    async def acknowledge(self, message: bytes = ACKNOWLEDGEMENT) -> None:
        """Let the process in the pod go. If the session is gone, it has gone already, and `drain` tells."""
        try:
            await self.session.send(message)
        except SessionLost:
            return

    async def watch(self) -> None:
        """Run beside the transfer: ping while nothing flows, and raise Stalled at the deadline."""
        moves, moved_at = self._moves, anyio.current_time()
        ping_at = moved_at + PING_AFTER_S
        while True:
            now = anyio.current_time()
            if moves != self._moves:
                moves, moved_at, ping_at = self._moves, now, now + PING_AFTER_S
            if now - moved_at >= self._options.stall_after_s + self.patience_s:
                raise Stalled(
                    f"nothing moved for {now - moved_at:.0f} s" + (f": {self.said}" if self.said else ""),
                    hint="raise --timeout if the pod's disk is that slow; or its memory limit has ended the command",
                )
            if now >= ping_at:
                ping_at = now + PING_AFTER_S
                with anyio.move_on_after(LOOK_EVERY_S):  # what takes no bytes takes no ping either
                    await self.session.ping()
            await anyio.sleep(min(LOOK_EVERY_S, self._options.stall_after_s))

    def _no_hello(self) -> TransferError:
        error = verdict(None, self.status, self.said, ending=self.ending)
        return error or SessionLost("the session ended before the pod spoke")
