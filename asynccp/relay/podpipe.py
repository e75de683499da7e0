"""PodPipe: a worker that an exec has started in a relay."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio

from asynccp.errors import ProtocolRefused, ProtocolViolation, SessionLost
from asynccp.kube.base import Cluster, Session
from asynccp.kube.exec import V4, V5, Stderr, Stdout
from asynccp.status import ExitStatus
from asynccp.target import Target
from asynccp.text import printable

PING_S = 15.0
SILENT_S = 60.0
"""Seconds without a word: a worker that lives says so every five (`relay.worker.ALIVE_EVERY_S`)."""
_TAIL_SIZE = 400  # bytes of stderr that are told
_MESSAGE_SIZE = 256 * 1024  # bytes: as a push sends them


class PodPipe:
    """`Pipe` of an exec session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tail = b""
        self._status: ExitStatus | None = None
        self._why = ""

    @property
    def ended(self) -> str:
        if self._why:
            return self._why
        said = printable(self._tail.strip().rpartition(b"\n")[2])
        code = self._status.code if self._status else None
        if code is not None:
            return f"ended with code {code}" + (f": {said}" if said else "")
        why = (self._status.message if self._status else "") or self._session.ending
        return "was lost" + (f": {why}" if why else "")

    async def send(self, data: bytes | memoryview) -> None:
        with suppress(SessionLost):
            for start in range(0, len(data), _MESSAGE_SIZE):
                await self._session.send(data[start : start + _MESSAGE_SIZE])

    async def receive(self) -> bytes:
        silent_at = anyio.current_time() + SILENT_S
        while not self._why and anyio.current_time() < silent_at:
            with anyio.move_on_after(PING_S) as waited:
                try:
                    event = await self._session.receive()
                except ProtocolViolation as exc:
                    self._why = f"can't be understood: {exc}"
                    return b""
            if waited.cancelled_caught:
                with suppress(SessionLost):
                    await self._session.ping()
                continue
            match event:
                case Stdout(data):
                    return bytes(data)
                case Stderr(data):
                    self._tail = (self._tail + bytes(data))[-_TAIL_SIZE:]
                case ExitStatus():
                    self._status = event
                case None:
                    return b""
        self._why = self._why or f"said nothing for {SILENT_S:.0f} s"
        return b""

    async def stop(self) -> None:
        """Its stdin may have no end (v4); a byte says as much."""
        with suppress(SessionLost):
            await self._session.send(b"\n")


@asynccontextmanager
async def opened(cluster: Cluster, target: Target, command: Sequence[str]) -> AsyncIterator[PodPipe]:
    """Start a command in a relay. Raises TransferError."""
    async with AsyncExitStack() as stack:
        try:
            session = await stack.enter_async_context(cluster.open_exec(target, command, V5))
        except ProtocolRefused:
            session = await stack.enter_async_context(cluster.open_exec(target, command, V4))
        yield PodPipe(session)
