"""HTTP/1.1 to the API server: one connection, one request at a time (RFC 9112), in h11's words; and the way there.

Why not aiohttp: importing it and making its session cost 0.2 s of the 0.5 s that a small copy takes, and what follows
an upgrade is ours anyway (`kube.session`).
"""

import asyncio
import base64
import logging
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from urllib.parse import SplitResult, unquote, urlsplit

import h11
from msgspec import Struct

from asynccp.net.endpoint import Endpoint
from asynccp.net.tls import start_tls
from asynccp.text import printable

MAX_ANSWER_SIZE = 32 * 1024 * 1024  # bytes, as they come and as they are: 64 KiB for each of the 500 pods in an answer
_MAX_REFUSAL_SIZE = 256 * 1024  # bytes of an answer that is an excuse: a thousand sessions may get one at once
_MAX_HEAD_SIZE = 64 * 1024
_AGENT = ("User-Agent", "asynccp")
_LOG = logging.getLogger("asynccp.net")

Headers = Sequence[tuple[str, str]]


class ProxyRefused(ConnectionError):
    """The proxy answered CONNECT with something else than 2xx."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class ProxyUnreachable(ConnectionError):
    """There is no connection to the proxy, or it speaks no HTTP. `cause`: why."""

    def __init__(self, cause: OSError | ValueError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Disconnected(ConnectionError):
    """The server closed the connection where its answer belongs."""

    def __init__(self) -> None:
        super().__init__("Server disconnected")


class TooLarge(ValueError):
    """The answer has more bytes than anybody reads."""

    def __init__(self) -> None:
        super().__init__("an answer that does not end")


class Answer(Struct, frozen=True):
    """A whole answer. `headers`: names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Upgraded(Struct, frozen=True):
    """A connection that speaks another protocol now. `rest`: what came of that already."""

    transport: asyncio.Transport
    headers: dict[str, str]
    rest: bytes


class Streamed:
    """An answer whose body is read as it comes: while nobody asks for more, TCP's window closes.

    It ends as the server said that it would (a length, or a last chunk), or raises: an answer whose end is that of the
    connection is none (`HttpConnection.stream`).
    """

    def __init__(self, connection: "HttpConnection") -> None:
        self.connection = connection

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises Disconnected, OSError, ValueError."""
        async for piece in self.connection.rest_of_answer():
            yield piece


async def open_connection(endpoint: Endpoint) -> "HttpConnection":
    """Connect to the API server, through the proxy if there is one. Raises OSError, ProxyRefused, ProxyUnreachable."""
    way, begun_s = _way(endpoint), time.monotonic()
    try:
        connection = await _connected_by(endpoint)
    except (OSError, ValueError) as exc:  # its words may hold a password
        _LOG.debug("no connection to %s after %.3f s: %s", way, time.monotonic() - begun_s, type(exc).__name__)
        raise
    connection.way = way
    _LOG.debug("connected to %s in %.3f s, %s", way, time.monotonic() - begun_s, connection.tls_version)
    return connection


def _way(endpoint: Endpoint) -> str:
    """Say where a connection goes, without what else is in the URLs: paths and passwords may be secrets."""
    ends = (endpoint.url, *((endpoint.proxy,) if endpoint.proxy else ()))
    return " through the proxy ".join(printable("{}:{}".format(*_address(urlsplit(url)))) for url in ends)


async def _connected_by(endpoint: Endpoint) -> "HttpConnection":
    server = urlsplit(endpoint.url)
    if endpoint.proxy is None:
        return await _connected(server, endpoint.ssl, endpoint.server_hostname)
    proxy = urlsplit(endpoint.proxy)
    try:
        way = await _connected(proxy, ssl.create_default_context() if proxy.scheme == "https" else None)
    except OSError as exc:
        raise ProxyUnreachable(exc) from exc
    proof = _proxy_proof(proxy)
    if endpoint.ssl is None:
        way.origin, way.proof = endpoint.url.removesuffix(server.path), proof
        return way
    host, port = _address(server)
    try:
        await way.ask_tunnel(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", proof)
        return await way.start_tls(endpoint.ssl, endpoint.server_hostname or host)
    except BaseException:
        way.abort()
        raise


async def _connected(url: SplitResult, tls: ssl.SSLContext | None, name: str | None = None) -> "HttpConnection":
    host, port = _address(url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(HttpConnection, host, port, happy_eyeballs_delay=0.25)
    return await connection.start_tls(tls, name or host) if tls else connection


def _address(url: SplitResult) -> tuple[str, int]:
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def _proxy_proof(proxy: SplitResult) -> Headers:
    if proxy.username is None:
        return ()
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return (("Proxy-Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"),)


class HttpConnection(asyncio.Protocol):
    """One connection.

    way: where it goes, in words. origin: what precedes a path in a request line (of a proxy). proof: who we are to a
    proxy. heard: something has come since the last request. reusable: another request may follow an answer. lost: the
    connection has ended.
    """

    def __init__(self) -> None:
        self.way = ""
        self.origin = ""
        self.proof: Headers = ()
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_SIZE)
        self._news = asyncio.Event()
        self._over = self._told = False  # the connection is at its end; h11 knows it
        self._is_slow = False  # who reads the answer does so at a pace of its own: it is read only when that is wanted
        self._cause: Exception | None = None
        self.heard = self.reusable = False
        self.lost = asyncio.Event()

    async def get(self, host: str, target: str, headers: Headers) -> Answer:
        """Return the answer. Raises Disconnected, OSError, ValueError (it is no HTTP)."""
        self._send("GET", target, [("Host", host), _AGENT, ("Accept-Encoding", "gzip"), *headers, *self.proof])
        return await self._answer(await self._head())

    async def upgrade(self, host: str, target: str, headers: Headers) -> Upgraded | Answer:
        """Ask for another protocol; return the answer if that is refused. Raises as `get`."""
        self._send("GET", target, [("Host", host), _AGENT, ("Connection", "Upgrade"), *headers, *self.proof])
        head = await self._head()
        if head.status_code == 101:
            return Upgraded(self._transport, _headers(head), bytes(self._http.trailing_data[0]))
        return await self._answer(head)

    async def stream(self, host: str, target: str, headers: Headers) -> Streamed | Answer:
        """Ask for what may be long; return the whole answer if it is refused. Raises as `get`."""
        self._send("GET", target, [("Host", host), _AGENT, *headers, *self.proof])
        head = await self._head()
        if head.status_code != 200:
            return await self._answer(head)
        if not {"content-length", "transfer-encoding"} & _headers(head).keys():
            raise ValueError("an answer that does not say where it ends")
        self._is_slow = True
        return Streamed(self)

    async def rest_of_answer(self) -> AsyncIterator[bytes]:
        """Yield the body of the answer under way, as it comes. Raises Disconnected, OSError, ValueError."""
        while isinstance(event := await self._event(), h11.Data):
            yield bytes(event.data)
        self._next_cycle()

    async def ask_tunnel(self, where: str, proof: Headers) -> None:
        """Have a proxy connect us to HOST:PORT (RFC 9110 section 9.3.6). Raises ProxyRefused, ProxyUnreachable."""
        self._send("CONNECT", where, [("Host", where), _AGENT, *proof])
        try:
            head = await self._head()
        except (OSError, ValueError) as exc:
            raise ProxyUnreachable(exc) from exc
        if not 200 <= head.status_code < 300:
            raise ProxyRefused(head.status_code)

    async def start_tls(self, tls: ssl.SSLContext, name: str) -> "HttpConnection":
        """Return a connection within this one to the server `name`. Raises OSError."""
        inner = HttpConnection()
        await start_tls(self._transport, inner, tls, name)
        return inner

    @property
    def tls_version(self) -> str:
        """As OpenSSL names it: `TLSv1.3`."""
        tls: ssl.SSLSocket | None = self._transport.get_extra_info("ssl_object")
        return (tls and tls.version()) or "without TLS"

    def abort(self) -> None:
        """End the connection at once. `lost` is set when it has ended."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard = True
        self._http.receive_data(data)
        self._news.set()
        if self._is_slow:
            self._transport.pause_reading()
        if self.reusable:  # an answer to no question, such as a 408: it must not be the next question's
            self.reusable = False
            self.abort()

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)
        self.lost.set()
        if self.way:  # else it was only a part of one: below TLS, or to a proxy
            _LOG.debug("the connection to %s is closed%s", self.way, f": {type(exc).__name__}" if exc else "")

    def _end(self, exc: Exception | None) -> None:
        self._cause = self._cause or exc
        self._over, self.reusable = True, False
        self._news.set()

    def _send(self, method: str, target: str, headers: Headers) -> None:
        self.heard = self.reusable = False
        fields = [(name.encode(), value.strip().encode()) for name, value in headers]  # in UTF-8, as Go has them
        try:
            request = h11.Request(method=method, target=self.origin + target, headers=fields)
        except h11.LocalProtocolError:
            raise ValueError("the request holds what HTTP can't") from None  # h11's words quote it: it may be secret
        self._transport.write((self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b""))

    async def _head(self) -> h11.Response | h11.InformationalResponse:
        while True:
            event = await self._event()
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                return event

    async def _answer(self, head: h11.Response | h11.InformationalResponse) -> Answer:
        headers = _headers(head)
        most = MAX_ANSWER_SIZE if head.status_code == 200 else _MAX_REFUSAL_SIZE
        body = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
            if len(body) > most:
                raise TooLarge
        whole = bytes(body)
        if headers.get("content-encoding") == "gzip":
            whole = _unzipped(whole, most)
        self._next_cycle()
        return Answer(head.status_code, headers, whole)

    async def _event(self) -> h11.Event:
        """Return the next event of the answer."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as exc:
                if self._told:
                    raise Disconnected from exc
                raise ValueError(f"what answers speaks no HTTP: {exc}") from exc
            if isinstance(event, h11.ConnectionClosed):
                raise Disconnected
            if not isinstance(event, type):
                return event
            await self._more()

    async def _more(self) -> None:
        """Wait for more of the answer. Its end may be that of the connection, unless that broke."""
        if not self._over:
            self._news.clear()
            if self._is_slow:
                self._transport.resume_reading()
            await self._news.wait()
        elif self._cause or self._told:
            raise self._cause or Disconnected
        else:
            self._told = True
            self._http.receive_data(b"")

    def _next_cycle(self) -> None:
        done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if done and not self._over and not self._http.trailing_data[0]:
            self._http.start_next_cycle()
            self.reusable = True
            self._is_slow = False
            self._transport.resume_reading()


def _headers(head: h11.Response | h11.InformationalResponse) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}


def _unzipped(body: bytes, most: int) -> bytes:
    decompressor = zlib.decompressobj(wbits=31)
    try:
        whole = decompressor.decompress(body, most)
    except zlib.error as exc:
        raise ValueError("an answer that can't be decompressed") from exc
    if decompressor.unconsumed_tail:
        raise TooLarge
    if not decompressor.eof or decompressor.unused_data:
        raise ValueError("an answer that does not end")
    return whole
