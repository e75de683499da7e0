"""WebSocket: one exec session on a connection that has been upgraded.

Pieces of stdout that come together are one message of up to a hop's bytes, so that whoever writes them is called
seldom: 20 to 32 KiB a message, as servers send them, cost 0.4 s of CPU per GiB more. Then the connection isn't read
until that has been received.

Pings are the engine's: it pings only while nothing flows, and wants no pong, since a server can't answer while the
pod's disk is slow.
"""

import asyncio
from collections import deque

from anyio import move_on_after

from asynccp.chunk import ROOM_SIZE, Chunk
from asynccp.errors import SessionLost
from asynccp.kube.buffers import Hop, Hops
from asynccp.kube.exec import CLOSE_STDIN, MAX_MESSAGE_SIZE, STDIN, STDOUT, Event, decode, stdin_message
from asynccp.net.http import Upgraded
from asynccp.net.websocket import (
    HEADROOM,
    NORMAL,
    BadFrame,
    Decoder,
    Opcode,
    decode_close,
    encode_close,
    encode_frame,
    seal,
)
from asynccp.options import CLOSE_GRACE_S
from asynccp.text import printable

LEAST_READ_SIZE = 16 * 1024  # bytes of a TLS record: for less it isn't worth to go on with a hop
WRITE_SIZE = 64 * 1024  # bytes that wait to be sent, besides one chunk; more is the next sender's to wait for
GATHER_SIZE, GATHER_S = 64 * 1024, 0.02
"""What is waited for while stdout flows, bytes or seconds: over a slow link it comes in small pieces, and 640 MiB
handed on piece by piece took 19 s of CPU."""

_LINE_SIZE = 4096  # bytes: messages so small together are those of the dialogue, and aren't kept waiting
_MESSAGE_COST = 100  # bytes of memory that a message takes besides its own


class WebSocket(asyncio.BufferedProtocol):
    """`Session` of cluster.base."""

    def __init__(self, upgraded: Upgraded, protocol: str, hops: Hops) -> None:
        self.protocol = protocol
        self.ending = ""
        self._hops = hops
        self._into: Hop | None = None  # what is read into
        self._received: Hop | None = None  # what the receiver looks at
        self._decoder = Decoder(MAX_MESSAGE_SIZE + 1)
        self._gap = 0  # what was left free before it, for the beginning of a message that the decoder has kept
        self._had = 0  # what the decoder had kept of the message that comes next
        self._messages: deque[bytes | Hop] = deque()
        self._held = 0
        self._paused = False
        self._over = False
        self._news = asyncio.Event()
        self._flows = False
        self._gathered = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._pong: bytes | None = None
        self._lost = asyncio.Event()
        self._transport = upgraded.transport
        self._transport.set_write_buffer_limits(high=WRITE_SIZE)
        self._transport.set_protocol(self)
        self._feed(memoryview(upgraded.rest))
        if self._transport.is_closing():  # connection_lost may have been told to the one before us
            self.connection_lost(None)

    async def send(self, data: bytes | memoryview) -> None:
        await self._send(encode_frame(Opcode.BINARY, stdin_message(data)))

    async def send_chunk(self, chunk: Chunk) -> None:
        await self._send(chunk.frame(_framed))

    async def close_stdin(self) -> None:
        await self._send(encode_frame(Opcode.BINARY, CLOSE_STDIN))

    async def ping(self) -> None:
        await self._send(encode_frame(Opcode.PING, b""))

    async def _send(self, frame: bytes | memoryview) -> None:
        if not self._over:
            self._transport.write(frame)
            if not self._writable.is_set():
                await self._writable.wait()
        if self._over:
            raise SessionLost(f"the session broke while sending: {self.ending or 'the server has closed it'}")

    async def receive(self) -> Event | None:
        while (message := await self._receive()) is not None:
            if event := decode(message):
                return event
        return None

    async def _receive(self) -> bytes | memoryview | None:
        if self._received:
            self._hops.give(self._received)
            self._received = None
        if self._flows and self._held < GATHER_SIZE and not self._paused and not self._over:
            self._gathered.clear()
            timer = asyncio.get_running_loop().call_later(GATHER_S, self._gathered.set)
            await self._gathered.wait()
            timer.cancel()
        while not self._messages:
            if self._over:
                return None
            self._news.clear()
            await self._news.wait()
        message = self._messages.popleft()
        self._held -= len(message) + _MESSAGE_COST
        self._flows = len(message) > _LINE_SIZE
        if self._paused and not self._is_full:
            self._paused = False
            self._transport.resume_reading()
        if isinstance(message, Hop):
            self._received = message
            return message.message
        return message

    async def close(self) -> None:
        """End the session. The other end needn't agree."""
        if not self._over:
            self._transport.write(encode_close(NORMAL))
            self._over = True
        self._transport.close()
        with move_on_after(CLOSE_GRACE_S, shield=True):
            await self._lost.wait()
        self._transport.abort()
        self._give_back()

    def _give_back(self) -> None:
        """Give back what nobody is going to receive."""
        for one in (self._received, *self._messages):
            if isinstance(one, Hop):
                self._hops.give(one)
        self._messages.clear()
        self._received = self._into = None
        self._decoder = Decoder(MAX_MESSAGE_SIZE + 1)

    # asyncio.BufferedProtocol

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 (asyncio's own)
        last, self._gap = self._last, self._decoder.kept
        self._into = last if last and len(last.room) >= self._gap + LEAST_READ_SIZE else self._hops.spare
        if len(self._into.room) < self._gap + LEAST_READ_SIZE:
            self._gap = 0  # such a message doesn't go into a hop
        return self._into.room[self._gap :]

    def buffer_updated(self, nbytes: int) -> None:
        assert self._into is not None
        self._feed(self._into.room[self._gap : self._gap + nbytes])

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
        if (pong := self._pong) is not None and not self._over:
            self._pong = None
            self._transport.write(pong)

    def eof_received(self) -> None:
        self._end("the connection broke off")

    def connection_lost(self, exc: Exception | None) -> None:
        cause = f": {printable(str(exc) or type(exc).__name__, 300)}" if exc else " off"
        self._end(f"the connection broke{cause}")
        self._lost.set()

    def _feed(self, data: memoryview) -> None:
        if self._over:
            return
        self._had = self._decoder.kept
        try:
            for opcode, payload in self._decoder.feed(data):
                if opcode is Opcode.BINARY:
                    self._hold(payload)
                else:
                    self._take(opcode, payload)
                    if self._over:
                        return  # nothing follows a Close (RFC 6455 section 5.5.1)
        except BadFrame as exc:
            self._transport.write(encode_close(exc.code))
            self._end(f"the connection broke: the server sent {exc}")
            self._transport.close()
        if self._messages:
            self._news.set()
        if self._is_full and not self._paused and not self._over:
            self._paused = True
            self._transport.pause_reading()
        if self._held >= GATHER_SIZE or self._paused:
            self._gathered.set()

    def _take(self, opcode: Opcode, payload: memoryview) -> None:
        if opcode == Opcode.TEXT:
            self._hold(payload)
        elif opcode == Opcode.PING:
            pong = encode_frame(Opcode.PONG, payload)
            if self._writable.is_set():
                self._transport.write(pong)
            else:  # the last ping is enough (RFC 6455 section 5.5.3), and who reads nothing gets no more of our memory
                self._pong = pong
        elif opcode == Opcode.CLOSE:
            code, reason = decode_close(payload)
            self._transport.write(encode_close(NORMAL if code is None else code))
            self._end(_ending(code, reason))

    @property
    def _last(self) -> Hop | None:
        """The message that came last, if it can grow."""
        last = self._messages[-1] if self._messages else None
        return last if isinstance(last, Hop) else None

    @property
    def _is_full(self) -> bool:
        """Whether to read no more until something is received. What has only begun nobody can receive."""
        size = self._held + self._decoder.kept
        return bool(self._messages) and size > self._hops.size() - LEAST_READ_SIZE

    def _hold(self, message: memoryview) -> None:
        """Keep a message for the receiver. Its bytes are where it was read to, unless the decoder had a part of it."""
        if len(message) < 2:
            return  # it carries nothing
        is_line = self._held + len(message) <= _LINE_SIZE and not self._last  # a hop for each was 28 MiB of 64 pushes
        if message[0] != STDOUT or is_line or self._had > self._gap:
            self._append(bytes(message))
        else:
            self._hold_stdout(message[1:])
        self._had = 0

    def _hold_stdout(self, payload: memoryview) -> None:
        while payload:
            hop = self._last
            if hop is None or not hop.room:
                hop = self._hops.take_spare() if self._into is self._hops.spare else self._hops.take()
                self._append(hop)
            rest = hop.add(payload)
            self._held += len(payload) - len(rest)
            payload = rest

    def _append(self, message: bytes | Hop) -> None:
        self._messages.append(message)
        self._held += len(message) + _MESSAGE_COST

    def _end(self, ending: str) -> None:
        if not self._over:
            self._over = True
            self.ending = ending
        self._news.set()
        self._gathered.set()
        self._writable.set()


def _framed(buffer: memoryview) -> memoryview:
    """Return the frame of a chunk, in the chunk's own memory."""
    buffer[ROOM_SIZE - 1] = STDIN
    return seal(buffer[ROOM_SIZE - 1 - HEADROOM :])


def _ending(code: int | None, reason: str) -> str:
    """Return what a Close code means (RFC 6455 section 7.4.1); empty for a regular end."""
    if code in (NORMAL, None):
        return ""
    return f"the server closed the connection with code {code}" + (f": {printable(reason, 200)}" if reason else "")
