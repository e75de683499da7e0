"""Alone: a session with a container's tar, in which what a script would say is said for it (`remote.alone`)."""

from collections import deque

from asynccp.chunk import Chunk
from asynccp.engine.around import SessionAround
from asynccp.kube.base import Cluster, Session
from asynccp.kube.exec import Event, Stderr, Stdout
from asynccp.remote.alone import VERSION_ARGV, Spoken, is_trusted
from asynccp.status import ExitStatus
from asynccp.target import Target

_MOST_SAID = 4096  # bytes of tar's words that are looked at


async def has_trusted_tar(cluster: Cluster, target: Target, protocol: str) -> bool:
    """Tell whether a target has a tar that can be run without a shell, and relied on. Raises as `Cluster.open_exec`."""
    said = b""
    async with cluster.open_exec(target, VERSION_ARGV, protocol) as session:
        while (event := await session.receive()) is not None:
            if isinstance(event, ExitStatus):
                return event.code is not None and event.code < 126 and is_trusted(said)
            said = (said + bytes(event.data))[:_MOST_SAID]
    return False


class SpokenFor(SessionAround):
    """As `kube.base.Session`. What is sent nobody hears: tar reads nothing."""

    def __init__(self, session: Session, spoken: Spoken) -> None:
        super().__init__(session)
        self._spoken = spoken
        self._ready: deque[Event] = deque()
        self._said = b""

    async def send(self, data: bytes | memoryview) -> None:
        """Drop it."""

    async def send_chunk(self, chunk: Chunk) -> None:
        """Drop it."""

    async def close_stdin(self) -> None:
        """Do nothing."""

    async def receive(self) -> Event | None:
        while not self._ready:
            event = await self._session.receive()
            if event is None:
                return None
            self._take(event)
        return self._ready.popleft()

    def _take(self, event: Event) -> None:
        if isinstance(event, Stdout):
            self._say(*self._spoken.hear(event.data))
        elif isinstance(event, Stderr):
            self._said = (self._said + bytes(event.data))[:_MOST_SAID]
            self._ready.append(Stderr(memoryview(bytes(event.data))))
        else:
            self._ready.append(Stderr(memoryview(self._spoken.ended(event.code))))
            self._say(*self._spoken.end(event.code, self._said))
            self._ready.append(event)

    def _say(self, *words: bytes) -> None:
        self._ready.extend(Stdout(memoryview(word)) for word in words if word)
