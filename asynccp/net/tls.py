"""TLS on a socket of its own: an `asyncio.Transport`, as far as the connections of `net.http` use one.

Why not asyncio's: it has OpenSSL work on buffers in memory, between which and the socket it copies, and keeps 256 KiB
for each connection. Here OpenSSL reads the socket itself, and writes to where the bytes are wanted. A pull of 2 GiB
from 64 pods of a server that does nothing else took 12.0 CPU-seconds with asyncio's, 9.7 with this; 1,000 pulls at once
took 744 MiB, and with the hops of `kube.buffers` 389.

A kernel could decrypt (kTLS, `ssl.OP_ENABLE_KTLS`), since OpenSSL has the socket here. It is not asked to: the kernels
that this was measured on have no CONFIG_TLS, and nothing is turned on that was never seen to work. A larger read gains
nothing: OpenSSL returns one record at most, of 16 KiB.
"""

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress

_READ_SIZE = 64 * 1024  # bytes, for a protocol that has no buffer
_RECORD_SIZE = 16 * 1024  # bytes of content that go in one TLS record, and so in one call (RFC 8446 section 5.1)

_CORK: int | None = getattr(socket, "TCP_CORK", None)
"""Linux's way to say that more follows: 4 GiB pushed record by record took 6.4 CPU-seconds, in full segments 5.4."""


async def start_tls(
    outer: asyncio.Transport, protocol: asyncio.BaseProtocol, tls: ssl.SSLContext, name: str
) -> "TlsTransport":
    """Speak TLS with the server `name` on the connection of `outer`, which must not be used any more.

    Raises OSError, ssl.SSLError among them; then the connection is closed.
    """
    below = outer if isinstance(outer, TlsTransport) else None
    with ExitStack() as undo:
        undo.callback(outer.abort)
        sock = await _relayed(below) if below else _taken_from(outer)
        undo.callback(sock.close)
        secure = tls.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
        undo.callback(secure.close)
        await _shake_hands(secure)
        undo.pop_all()
    return TlsTransport(secure, protocol, below)


def _taken_from(transport: asyncio.Transport) -> socket.socket:
    """Return a transport's socket, and end the transport. So the way there, by whatever address, stays asyncio's."""
    sock = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    sock.setblocking(False)
    transport.abort()
    return sock


async def _shake_hands(sock: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            sock.do_handshake()
            return
        except ssl.SSLWantReadError:
            await _ready(sock, loop.add_reader, loop.remove_reader)
        except ssl.SSLWantWriteError:
            await _ready(sock, loop.add_writer, loop.remove_writer)


async def _ready(sock: ssl.SSLSocket, add: Callable[..., object], remove: Callable[..., object]) -> None:
    ready = asyncio.Event()
    add(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        remove(sock.fileno())


class TlsTransport(asyncio.Transport):
    """A connection after its handshake. What asyncio.Transport says of each method holds.

    A close is told to the other end, and waits for it to close as well, as asyncio's does; `abort` doesn't.
    outer: what the bytes are relayed through, if that isn't the socket; it ends with an abort.
    """

    def __init__(
        self, sock: ssl.SSLSocket, protocol: asyncio.BaseProtocol, outer: "TlsTransport | None" = None
    ) -> None:
        super().__init__({"ssl_object": sock})
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._fd = sock.fileno()  # asyncio puts the name of a socket that it is given into words, 20 µs each time
        self._outer = outer
        self._waiting: deque[memoryview] = deque()  # to be sent
        self._waiting_size = 0
        self._most_waiting_size = _READ_SIZE
        self._full = False
        self._paused = False
        self._send_needs_bytes = self._read_needs_room = False  # OpenSSL wants the other direction first
        self._closing = self._lost = False
        self._protocol = _streaming(protocol)
        protocol.connection_made(self)
        self._loop.add_reader(self._fd, self._readable)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = _streaming(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def get_write_buffer_size(self) -> int:
        return self._waiting_size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002
        self._most_waiting_size = _READ_SIZE if high is None else high

    def pause_reading(self) -> None:
        if self.is_reading():
            self._paused = True
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        if self._paused and not self._closing:
            self._paused = False
            self._read_on()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        view = memoryview(data)
        if not self._waiting:
            view = self._send(view)
            if view and not self._lost and not self._send_needs_bytes:
                self._loop.add_writer(self._fd, self._writable)
        if view:
            self._waiting.append(view)
            self._waiting_size += len(view)
            if self._waiting_size > self._most_waiting_size and not self._full:
                self._full = True
                self._protocol.pause_writing()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._read_on()
            if not self._waiting:
                self._say_goodbye()

    def abort(self) -> None:
        self._end(None)
        if self._outer:
            self._outer.abort()

    def _read_on(self) -> None:
        """Read when there is something, be it within OpenSSL, where the socket tells nothing of it."""
        self._loop.add_reader(self._fd, self._readable)
        if self._sock.pending():
            self._loop.call_soon(self._readable)

    def _readable(self) -> None:
        if self._send_needs_bytes:  # here are some; they are read below before it is tried again
            self._send_needs_bytes = False
            self._loop.add_writer(self._fd, self._writable)
        if self._closing:
            self._discard()
            return
        if self._paused:
            return
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            room = memoryview(protocol.get_buffer(-1))
            size, ended, error = self._fill(room)
            if size:
                protocol.buffer_updated(size)
        else:
            room = memoryview(bytearray(_READ_SIZE))
            size, ended, error = self._fill(room)
            if size:
                protocol.data_received(bytes(room[:size]))
        if error:
            self._end(error)
        elif ended and not self._closing:
            protocol.eof_received()
            self.close()
        elif size == len(room) and not self._lost and self._sock.pending():
            self._loop.call_soon(self._readable)

    def _fill(self, room: memoryview) -> tuple[int, bool, OSError | None]:
        """Read what is here and fits; return its size, whether the other end has closed, and what broke."""
        size = 0
        try:
            while size < len(room):
                count = self._sock.recv_into(room[size:])
                if not count:
                    return size, True, None
                size += count
        except ssl.SSLWantWriteError:
            self._read_needs_room = True
            self._loop.remove_reader(self._fd)
            self._loop.add_writer(self._fd, self._writable)
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError as exc:
            return size, False, exc
        return size, False, None

    def _discard(self) -> None:
        """Read on after a close, to hear that the other end has closed as well."""
        if not self._lost:
            _, ended, error = self._fill(memoryview(bytearray(_READ_SIZE)))
            if ended or error:
                self._end(None)

    def _send(self, view: memoryview) -> memoryview:
        """Send what goes now; return the rest."""
        large = len(view) > _RECORD_SIZE
        if large:
            self._cork(1)
        try:
            while view:
                view = view[self._sock.send(view) :]
        except ssl.SSLWantReadError:
            self._send_needs_bytes = True
        except (ssl.SSLWantWriteError, BlockingIOError):
            pass
        except OSError as exc:
            self._end(exc)
            return view[:0]
        if large:
            self._cork(0)
        return view

    def _cork(self, on: int) -> None:
        if _CORK is not None:
            with suppress(OSError):  # it is a socket of another kind
                self._sock.setsockopt(socket.IPPROTO_TCP, _CORK, on)

    def _writable(self) -> None:
        if self._read_needs_room:
            self._read_needs_room = False
            if not self._paused:
                self._read_on()
        while self._waiting:
            first = self._waiting.popleft()
            rest = self._send(first)
            if self._lost:
                return
            self._waiting_size -= len(first) - len(rest)
            if rest:
                self._waiting.appendleft(rest)
                if self._send_needs_bytes:
                    self._loop.remove_writer(self._fd)
                return
            if self._full and self._waiting_size <= self._most_waiting_size // 4:
                self._full = False
                self._protocol.resume_writing()
        self._loop.remove_writer(self._fd)
        if self._closing and not self._lost:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        try:
            self._sock.unwrap()
        except ssl.SSLWantReadError:
            pass  # the answer isn't there yet
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self._fd, self._writable)
        except (OSError, ValueError):
            # Bytes came instead of the answer, and OpenSSL reads no more. They are read without it: to close with bytes
            # unread is to reset the connection, and what we sent would not arrive.
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)
        else:
            self._end(None)  # the other end had closed

    def _end(self, exc: Exception | None) -> None:
        """End the connection, and tell the protocol."""
        if not self._lost:
            self._closing = self._lost = True
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._waiting.clear()
            self._waiting_size = 0
            self._loop.call_soon(self._drop, exc)

    def _drop(self, exc: Exception | None) -> None:
        self._sock.close()
        self._protocol.connection_lost(exc)


def _streaming(protocol: asyncio.BaseProtocol) -> asyncio.Protocol | asyncio.BufferedProtocol:
    assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
    return protocol


async def _relayed(outer: TlsTransport) -> socket.socket:
    """Return a socket whose bytes go through `outer` and come from it: OpenSSL speaks TLS on sockets only.

    That is for TLS to a server by a proxy that speaks TLS itself.
    """
    near, far = socket.socketpair()
    near.setblocking(False)
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: _Relay(outer), sock=far)
    except BaseException:
        near.close()
        raise
    outer.set_protocol(_Relay(transport))
    return near


class _Relay(asyncio.Protocol):
    """What comes here goes to `other`, at the pace at which it takes it."""

    def __init__(self, other: asyncio.Transport) -> None:
        self._other = other

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's own)
        self._other.close()
