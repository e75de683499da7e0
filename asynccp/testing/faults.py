"""Faults: what goes wrong between a client and a pod, each a value that says what happens, where, and how often.

    cluster.strike(pod, Cut(Place(STDOUT, 70_000)))     the pod's next session breaks there, the one after it is well
    cluster.strike(pod, Refuse(503, always=True))       every session is refused, until `cluster.heal()`

A place is a byte of what the client hears or sends, or the moment before the last word (channel ERROR). Faults live in
a link of their own, `StruckLink`: a session that nothing is planned for knows nothing of them. What aiohttp's server
won't send (a torn frame, a reset, a Close code that doesn't exist) is written on the transport.
"""
# ruff: noqa: ARG002 (each fault takes of a session what it needs)

import asyncio
import socket
from collections import defaultdict
from typing import ClassVar

from aiohttp import web
from anyio import sleep
from msgspec import Struct

from asynccp.kube.exec import ERROR, STDERR, STDOUT, encode_status
from asynccp.status import ExitStatus
from asynccp.testing.documents import ApiError
from asynccp.testing.exec import Link
from asynccp.testing.pod import FakePod

TEXT_FRAME, BINARY_FRAME, CLOSE_FRAME = 1, 2, 8  # opcodes (RFC 6455 section 5.2)
_LOOK_EVERY_S = 0.02  # whether a client is gone that nobody listens to
_FLOOD = b"\x1b[31mtar: \x07something is wrong\r" * 1024


class Place(Struct, frozen=True):
    """channel: STDIN, STDOUT, or ERROR: before the last word. offset: the byte of this session that it strikes at."""

    channel: int = STDOUT
    offset: int = 0


LAST_WORD = Place(ERROR)


class Fault(Struct, frozen=True):
    """always: it strikes every session, not only the next.

    corrupts: bytes arrive that the pod did not send, so that only a digest can tell.
    """

    place: Place = Place()
    always: bool = False
    corrupts: ClassVar[bool] = False

    async def open(self, request: web.Request) -> web.Response | None:
        """Strike before the 101; return the answer that is given in its stead."""
        return None

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        """Strike at the place. rest: what the message holds from there on; what is returned goes on in its stead."""
        return rest


class Refuse(Fault, frozen=True, kw_only=True):
    """No session: an HTTP status. says_why: with a v1.Status, as the API server; else an empty body, as a proxy."""

    code: int = 503
    says_why: bool = True
    retry_after: str = ""

    async def open(self, request: web.Request) -> web.Response:
        error = ApiError(self.code, "Struck", f"a fault answers {self.code}")
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        if not self.says_why:
            return web.Response(status=self.code, headers=headers)
        return web.Response(status=self.code, text=error.body, content_type=error.content_type, headers=headers)


class Dropped(Fault, frozen=True):
    """No session: the connection breaks before the 101."""

    async def open(self, request: web.Request) -> web.Response:
        _reset(_transport(request))
        return web.Response()


class Unanswered(Fault, frozen=True):
    """No session: nothing comes, until the client gives up or the cluster is healed."""

    async def open(self, request: web.Request) -> web.Response:
        await _until_gone(_transport(request))
        return web.Response()


class Cut(Fault, frozen=True, kw_only=True):
    """The connection ends without a Close. in_frame: in the middle of a frame. resets: by RST, not FIN."""

    in_frame: bool = False
    resets: bool = False

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        if self.in_frame:
            link.write(frame(BINARY_FRAME, bytes((STDOUT,)) + rest)[: 2 + len(rest) // 2])
        link.end(resets=self.resets)
        return b""


class Close(Fault, frozen=True, kw_only=True):
    """The server closes: 1000, 1011; and 1006, which may never be sent."""

    code: int = 1000

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        link.close_with(self.code)
        return b""


class Delay(Fault, frozen=True, kw_only=True):
    """One pause."""

    seconds: float = 0.05

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        await sleep(self.seconds)
        return rest


class Slow(Fault, frozen=True, kw_only=True):
    """From the place on, each message of its direction waits a little: stdin is taken, or stdout said, slowly."""

    seconds: float = 0.005

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        link.delay_s[self.place.channel] = self.seconds
        return rest


class Silence(Fault, frozen=True, kw_only=True):
    """From the place on, nothing is said. deaf: nor is anything taken, until the cluster is healed."""

    deaf: bool = False

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        link.silent, link.deaf = True, self.deaf
        return rest


class Garbage(Fault, frozen=True):
    """Bytes that are no frame, then the session goes on."""

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        link.write(b"\xff\xfe garbage \x1b[2J\x07" * 8)
        return rest


class WrongChannel(Fault, frozen=True, kw_only=True):
    """A message on a channel that carries nothing."""

    channel: int = 7

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        await link.say(bytes((self.channel,)) + b"astray")
        return rest


class OversizedFrame(Fault, frozen=True, kw_only=True):
    """A frame whose header announces more than anybody takes."""

    size: int = 1 << 40

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        link.write(bytes((0x80 | BINARY_FRAME, 127)) + self.size.to_bytes(8, "big") + b"\x01")
        return rest


class TextFrame(Fault, frozen=True):
    """Stdout as text, as if each byte were a character: those above 127 become two."""

    corrupts: ClassVar[bool] = True

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        if self.place.channel != STDOUT:
            link.write(frame(TEXT_FRAME, b"\x01text"))
            return rest
        link.write(frame(TEXT_FRAME, b"\x01" + rest.decode("latin-1").encode()))
        return b""


class EndlessStdout(Fault, frozen=True):
    """Stdout never ends."""

    corrupts: ClassVar[bool] = True

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        while True:
            await link.say(bytes((STDOUT,)) + b"\xaa" * 32 * 1024)


class StderrFlood(Fault, frozen=True, kw_only=True):
    """A great deal of stderr, with control characters; then the session goes on."""

    size: int = 1024 * 1024

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        for _ in range(0, self.size, len(_FLOOD)):
            await link.say(bytes((STDERR,)) + _FLOOD)
        return rest


class EarlySuccess(Fault, frozen=True):
    """Success is said before the data's end; then the session goes on."""

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        await link.say(encode_status(ExitStatus(0)))
        return rest


class FalseSuccess(Fault, frozen=True):
    """The session ends with Success and Close 1000, as when an API server that translates lost its kubelet."""

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        await link.say(encode_status(ExitStatus(0)))
        link.close_with(1000)
        return b""


class LastWord(Fault, frozen=True, kw_only=True):
    """Something else than the status stands on channel 3; nothing: no status comes."""

    place: Place = LAST_WORD
    text: bytes = b""

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        return self.text


class Flip(Fault, frozen=True):
    """One bit of stdout or stdin is wrong."""

    corrupts: ClassVar[bool] = True

    async def strike(self, link: "StruckLink", rest: bytes) -> bytes:
        return bytes((rest[0] ^ 1,)) + rest[1:]


class StruckLink(Link):
    """A link on which a fault waits for its place.

    silent: nothing more is said; deaf: nor taken. delay_s: channel → seconds before each message.
    """

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, fault: Fault) -> None:
        super().__init__(socket)
        self.silent = self.deaf = False
        self.delay_s: dict[int, float] = {}
        self._transport = _transport(request)
        self._fault = fault
        self._left = fault.place.offset
        self._struck = False
        self._kept = b""

    async def send(self, message: bytes) -> None:
        if (cut := self._reached(message)) is None:
            await self.say(message)
            return
        channel, head, rest = message[:1], message[1:cut], message[cut:]
        if head:
            await self.say(channel + head)
        self._struck = True
        if rest := await self._fault.strike(self, rest):
            await self.say(channel + rest)

    async def receive(self) -> bytes | None:
        message, self._kept = self._kept or await self._take(), b""
        if message is None or (cut := self._reached(message)) is None:
            return message
        channel, head, rest = message[:1], message[1:cut], message[cut:]
        if head:
            self._kept = channel + rest
            return channel + head
        self._struck = True
        try:
            rest = await self._fault.strike(self, rest)
        except ConnectionError:
            return None
        return await self._take() if self.silent or self._transport.is_closing() else channel + rest

    async def say(self, message: bytes) -> None:
        """Send a message as it is, unless nothing is said any more."""
        if self.silent:
            await _until_gone(self._transport)
        if delay_s := self.delay_s.get(message[0]):
            await sleep(delay_s)
        if self._transport.is_closing():
            raise ConnectionResetError("a fault has ended the session")
        await super().send(message)

    def write(self, data: bytes) -> None:
        """Write bytes on the connection, between two frames."""
        self._transport.write(data)

    def close_with(self, code: int) -> None:
        """Send a Close, and nothing more; hear the client out, so that no reset overtakes it."""
        self.write(frame(CLOSE_FRAME, code.to_bytes(2, "big") + b"struck"))
        self.silent = True

    def end(self, *, resets: bool = False) -> None:
        """End the connection."""
        if resets:
            _reset(self._transport)
        else:
            self._transport.close()

    def _reached(self, message: bytes) -> int | None:
        """Return the index in the message that the fault strikes at, None when it isn't in there."""
        if self._struck or message[0] != self._fault.place.channel:
            return None
        if self._left < len(message) - 1:
            cut, self._left = self._left + 1, 0
            return cut
        self._left -= len(message) - 1
        return None

    async def _take(self) -> bytes | None:
        while True:
            if self.deaf:
                await _until_gone(self._transport)
            message = None if self._transport.is_closing() else await super().receive()
            if message is None or not self.silent:
                await sleep(self.delay_s.get(message[0], 0) if message else 0)
                return message


class Faults:
    """What is planned for which pod, and whom it struck."""

    def __init__(self) -> None:
        self._planned: defaultdict[FakePod, list[Fault]] = defaultdict(list)
        self._struck: defaultdict[FakePod, list[asyncio.Transport]] = defaultdict(list)

    def plan(self, pod: FakePod, fault: Fault) -> None:
        self._planned[pod].append(fault)

    def next(self, pod: FakePod, request: web.Request) -> Fault | None:
        """Return what strikes the pod's session that begins with this request."""
        if not self._planned.get(pod):
            return None
        self._struck[pod].append(_transport(request))
        fault = self._planned[pod][0]
        return fault if fault.always else self._planned[pod].pop(0)

    def heal(self, pod: FakePod | None = None) -> None:
        """Forget what is planned for the pod, or for all, and break off the sessions that were struck."""
        for one in [pod] if pod else [*self._planned, *self._struck]:
            self._planned.pop(one, None)
            for transport in self._struck.pop(one, ()):
                if transport.get_extra_info("socket").fileno() >= 0:
                    transport.abort()


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a server's frame (RFC 6455 section 5.2)."""
    if len(payload) < 126:
        return bytes((0x80 | opcode, len(payload))) + payload
    if len(payload) < 1 << 16:
        return bytes((0x80 | opcode, 126)) + len(payload).to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + len(payload).to_bytes(8, "big") + payload


def _transport(request: web.Request) -> asyncio.Transport:
    if request.transport is None:
        raise ConnectionResetError("the client is gone")
    return request.transport


def _reset(transport: asyncio.Transport) -> None:
    """End a connection by RST: what the client has not yet read is lost."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    transport.abort()


async def _until_gone(transport: asyncio.Transport) -> None:
    while not transport.is_closing():  # noqa: ASYNC110 (a transport tells nobody but its protocol)
        await sleep(_LOOK_EVERY_S)
