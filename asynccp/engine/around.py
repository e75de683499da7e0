"""Around: a session that stands around another, and changes some of what goes through it."""

from asynccp.chunk import Chunk
from asynccp.kube.base import Session
from asynccp.kube.exec import Event


class SessionAround:
    """As `kube.base.Session`: each call is the other's. For classes that do some of them otherwise."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def protocol(self) -> str:
        return self._session.protocol

    @property
    def ending(self) -> str:
        return self._session.ending

    async def send(self, data: bytes | memoryview) -> None:
        await self._session.send(data)

    async def send_chunk(self, chunk: Chunk) -> None:
        await self._session.send_chunk(chunk)

    async def close_stdin(self) -> None:
        await self._session.close_stdin()

    async def receive(self) -> Event | None:
        return await self._session.receive()

    async def ping(self) -> None:
        await self._session.ping()
