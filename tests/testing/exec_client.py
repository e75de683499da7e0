"""A client of exec on nothing but aiohttp: what it hears is what the fake server says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from asynccp.kube.exec import STDERR, STDOUT, V4, decode
from asynccp.status import ExitStatus
from asynccp.testing.server import FakeCluster

ALL = ("stdin", "stdout", "stderr")


@dataclass
class Heard:
    """Everything that a session said."""

    messages: list[bytes] = field(default_factory=list)
    close_code: int | None = None

    @property
    def stdout(self) -> bytes:
        return self._on(STDOUT)

    @property
    def stderr(self) -> bytes:
        return self._on(STDERR)

    @property
    def status(self) -> ExitStatus | None:
        last = decode(self.messages[-1]) if self.messages else None
        return last if isinstance(last, ExitStatus) else None

    def _on(self, channel: int) -> bytes:
        return b"".join(message[1:] for message in self.messages if message[0] == channel)


class Client:
    """Opens exec sessions on a fake cluster."""

    def __init__(self, cluster: FakeCluster, http: aiohttp.ClientSession) -> None:
        self.cluster = cluster
        self.http = http

    def url(self, pod: str, command: Sequence[str], container: str = "", channels: Sequence[str] = ALL) -> URL:
        pairs = [("command", word) for word in command] + [(channel, "true") for channel in channels]
        pairs += [("container", container)] if container else []
        query = urlencode(pairs, quote_via=quote, errors="surrogateescape")
        return URL(f"{self.cluster.url}/api/v1/namespaces/default/pods/{pod}/exec?{query}", encoded=True)

    async def open(
        self, pod: str, *command: str, protocol: str = V4, container: str = "", channels: Sequence[str] = ALL
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a session."""
        url = self.url(pod, command, container, channels)
        return await self.http.ws_connect(url, protocols=(protocol,), max_msg_size=0)

    async def run(
        self, pod: str, *command: str, protocol: str = V4, container: str = "", channels: Sequence[str] = ALL
    ) -> Heard:
        """Run a command that reads nothing, to its end."""
        websocket = await self.open(pod, *command, protocol=protocol, container=container, channels=channels)
        return await listen(websocket)

    async def offer(self, pod: str, *protocols: str, container: str = "", method: str = "GET") -> tuple[int, str]:
        """Ask for an upgrade as a WebSocket client does, and return how it is refused."""
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        headers |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": ", ".join(protocols)}
        async with self.http.request(method, self.url(pod, ["true"], container), headers=headers) as answer:
            return answer.status, await answer.text()


async def listen(websocket: aiohttp.ClientWebSocketResponse) -> Heard:
    """Hear a session to its end."""
    heard = Heard()
    async for message in websocket:
        heard.messages.append(bytes(message.data))
    heard.close_code = websocket.close_code
    return heard
