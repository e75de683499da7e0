"""A server of bytes on loopback: it says what a test tells it to, byte for byte.

To a stranger too, who hears bytes that stand in this directory; nothing is run, read or kept for whoever asks.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from asynccp.auth.access import Access
from asynccp.kube.base import Session
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import STDERR, STDOUT, V4, Stderr, Stdout, encode_status
from asynccp.net.websocket import accept
from asynccp.target import Selector, Target

WEB = Selector("labels", "app=web", "/x")
TARGET = Target("default", "web-0", "main")
EMPTY = b'{"items":[]}'
LIST = b'{"items":[{"metadata":{"name":"a"}}]}'


def answer(body: bytes = LIST, *headers: str, status: str = "200 OK") -> bytes:
    """Return an answer of HTTP/1.1, with the length of its body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class Client:
    """Whoever has connected. number: 0 for the first connection."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def upgrade(self, rest: bytes = b"") -> None:
        """Agree to an exec session; `rest` comes together with the 101."""
        head = (await self.request()).decode()
        fields = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        key = next(value for name, value in fields.items() if name.lower() == "sec-websocket-key")
        lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
        more = (f"Sec-WebSocket-Accept: {accept(key)}", f"Sec-WebSocket-Protocol: {V4}", "", "")
        await self.say("\r\n".join((*lines, *more)).encode() + rest)

    async def gone(self) -> bytes:
        """Wait until the other end has closed or broken the connection; return what came until then."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    def reset(self) -> None:
        """Break the connection: the other end gets an RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Talk = Callable[[Client], Awaitable[None]]


async def next_message(session: Session) -> bytes | None:
    """Receive; return the message that the event stands for."""
    match await session.receive():
        case None:
            return None
        case Stdout(data):
            return bytes((STDOUT,)) + data
        case Stderr(data):
            return bytes((STDERR,)) + data
        case status:
            return encode_status(status)


@dataclass
class Server:
    port: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def connections(self) -> int:
        """How many connections were made to it."""
        return len(self.tasks)

    async def done(self) -> None:
        """Wait until every conversation has come to its end; what went wrong in one is raised."""
        await asyncio.gather(*self.tasks)


@asynccontextmanager
async def serving(talk: Talk, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """Hold `talk` with everyone who connects, and close the connection when it returns."""
    served = Server()

    async def converse(client: Client) -> None:
        try:
            await talk(client)
        finally:
            client.writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.tasks.append(asyncio.create_task(converse(Client(len(served.tasks), reader, writer))))

    server = await asyncio.start_server(connected, host, 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in served.tasks:
            task.cancel()
        await asyncio.gather(*served.tasks, return_exceptions=True)


async def names(cluster: KubernetesCluster, namespace: str = "default") -> list[str]:
    pages = [page async for page in cluster.list_pods(WEB, namespace, "")]
    return [pod["metadata"]["name"] for page in pages for pod in page]


def at(server: Server, **more: object) -> KubernetesCluster:
    """Return the client of a server without TLS."""
    return KubernetesCluster(Access(f"http://127.0.0.1:{server.port}", **more))  # type: ignore[arg-type]
