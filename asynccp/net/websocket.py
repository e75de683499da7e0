"""WebSocket frames (RFC 6455), as the client of an API server needs them. Bytes ⇄ messages; no socket.

Why not aiohttp's: it masks and copies every frame for every connection, and reads into new memory each time. The same
bytes through TLS to and from a server that does nothing else, in CPU-seconds of client per GiB: push 1.3 with aiohttp,
1.0 with frames made once for all pods; pull 2.2 and 1.3.

What we send is one unfragmented, masked frame a message: servers take a continuation for a message of its own
(golang.org/x/net/websocket, hybi.go). What we accept is all that the RFC allows without extensions.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import IntEnum

from asynccp.errors import ConnectFailed, ProtocolRefused, ProtocolViolation, TransferError

HEADROOM = 14  # bytes of the longest header of a frame that we send: 2, a length of 8, the key of 4
MAX_CONTROL_SIZE = 125  # RFC 6455 section 5.5

# Masking a GiB takes 1.0 s of CPU with Python's integers, 0.02 s with the package websockets, and importing that 20 ms.
_MASKED_IN_PYTHON_SIZE = 128 * 1024
_STRIDE = 16 * 1024  # bytes for one integer, which stays in the processor's cache: with one for all it takes 3.8 s

_LENGTH_SIZES = {126: 2, 127: 8}  # bytes of a length that follows these numbers (section 5.2)

_WHOLE_BINARY = 0x82  # the first byte of nearly all frames that come: a message in one frame, and binary

NORMAL, PROTOCOL_ERROR, NOT_TEXT, TOO_BIG = 1000, 1002, 1007, 1009  # section 7.4.1


class Opcode(IntEnum):
    """What a frame is (section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


Message = tuple[Opcode, memoryview]
"""A whole message: what it is, and its payload, which is good until the decoder is fed again."""


class BadFrame(ProtocolViolation):
    """The server sent what is no WebSocket message, or one that is too large. `code`: for our Close."""

    def __init__(self, message: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


def encode_frame(opcode: Opcode, payload: bytes | memoryview) -> bytes:
    """Return one frame with a whole message, masked with a key that nobody can foresee (section 5.3)."""
    key = secrets.token_bytes(4)
    return _header(opcode, len(payload), key) + masked(payload, key)


def seal(buffer: memoryview) -> memoryview:
    """Make one binary frame of a message in place; return the frame.

    buffer: HEADROOM bytes, then the message. The frame is for any number of connections. The RFC wants a key for each
    frame; here it is for each message, whoever receives it: what a key protects is an intermediary from who can choose
    both the message and the key (section 10.3), and nobody can foresee it.
    """
    message = buffer[HEADROOM:]
    key = secrets.token_bytes(4)
    message[:] = masked(message, key)
    header = _header(Opcode.BINARY, len(message), key)
    start = HEADROOM - len(header)
    buffer[start:HEADROOM] = header
    return buffer[start:]


def masked(data: bytes | memoryview, key: bytes) -> bytes:
    """Return `data` XORed with the key, byte by byte and over again (section 5.3). The way back is the same."""
    if len(data) > _MASKED_IN_PYTHON_SIZE:
        with suppress(ImportError):  # where no wheel fits, pip installs the package without its C
            from websockets.speedups import apply_mask

            return apply_mask(data, key)
    if len(data) > _STRIDE:
        return _masked_in_strides(memoryview(data), key)
    keys = (key * (len(data) // 4 + 1))[: len(data)]
    return _xored(data, int.from_bytes(keys, "little"))


def _masked_in_strides(data: memoryview, key: bytes) -> bytes:
    whole = len(data) // _STRIDE * _STRIDE
    keys = int.from_bytes(key * (_STRIDE // 4), "little")
    strides = [_xored(data[start : start + _STRIDE], keys) for start in range(0, whole, _STRIDE)]
    return b"".join((*strides, masked(data[whole:], key)))


def _xored(data: bytes | memoryview, keys: int) -> bytes:
    return (int.from_bytes(data, "little") ^ keys).to_bytes(len(data), "little")


def make_key() -> str:
    """Return a new key for a handshake."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def handshake(key: str, protocol: str) -> list[tuple[str, str]]:
    """Return the headers that ask for a WebSocket that speaks `protocol` (section 4.1)."""
    return [
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Protocol", protocol),
    ]


def refused_handshake(headers: Mapping[str, str], key: str, protocol: str) -> TransferError | None:
    """Return why a 101 with these headers is not for us, None when it is. Names are in lower case."""
    if headers.get("sec-websocket-accept") != accept(key):
        return ConnectFailed("the API server can't be reached: what answers speaks no WebSocket")
    if headers.get("sec-websocket-protocol") != protocol:
        return ProtocolRefused(f"the API server did not agree to {protocol}")
    return None


def accept(key: str) -> str:
    """Return the proof that a server has read the key (section 4.2.2)."""
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def _header(opcode: Opcode, size: int, key: bytes) -> bytes:
    if size <= 125:
        length = bytes((0x80 | size,))
    elif size < 1 << 16:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes((0x80 | opcode,)) + length + key


def encode_close(code: int) -> bytes:
    """Return our Close."""
    return encode_frame(Opcode.CLOSE, code.to_bytes(2, "big"))


def decode_close(payload: bytes | memoryview) -> tuple[int | None, str]:
    """Return the code and the reason of a Close; None for one without a code. Raises BadFrame."""
    if not payload:
        return None, ""
    code = int.from_bytes(payload[:2], "big")
    # 1004 to 1006 and 1015 are never sent; 3000 to 4999 belong to applications (section 7.4).
    if len(payload) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise BadFrame("a Close without a valid code")
    try:
        return code, str(payload[2:], "utf-8")
    except UnicodeDecodeError as exc:
        raise BadFrame("a Close whose reason is no UTF-8", NOT_TEXT) from exc


class Decoder:
    """Cuts a byte stream into messages. Memory: one message of at most `max_size` bytes that isn't whole yet."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._head = b""  # of a frame whose header isn't whole yet
        self._opcode: Opcode | None = None  # of a message in fragments
        self._parts = bytearray()  # of that message, or of a frame that isn't whole yet
        self._frame: tuple[Opcode, bool, int] | None = None  # opcode, last of its message, bytes that are missing
        self._control = bytearray()

    @property
    def kept(self) -> int:
        """How many bytes have been taken in of a message that isn't whole yet."""
        return len(self._parts)

    def feed(self, data: memoryview) -> Iterator[Message]:
        """Yield the messages that `data` completes: slices of it, but for the first if that began before.

        What is behind a message hasn't been looked at when that is yielded. Raises BadFrame.
        """
        if self._head:
            data, self._head = memoryview(self._head + bytes(data)), b""
        at, end = 0, len(data)
        while at < end:
            if self._frame is None:
                if end - at > 4 and data[at] == _WHOLE_BINARY and data[at + 1] == 126 and not self._opcode:
                    stop = at + 4 + (data[at + 2] << 8 | data[at + 3])
                    if stop <= end and stop - at - 4 <= self._max_size:
                        yield Opcode.BINARY, data[at + 4 : stop]
                        at = stop
                        continue
                if (found := self._parse_header(data, at)) is None:
                    self._head = bytes(data[at:])
                    return
                self._frame, at = found
            opcode, last, missing = self._frame
            part = data[at : at + missing]
            at += len(part)
            whole = len(part) == missing
            self._frame = None if whole else (opcode, last, missing - len(part))
            yield from self._take(opcode, part, whole=whole, last=last)

    def _take(self, opcode: Opcode, part: memoryview, *, whole: bool, last: bool) -> Iterator[Message]:
        """Take a part of a frame; yield the message that it completes."""
        control = opcode >= Opcode.CLOSE
        kept = self._control if control else self._parts
        complete = whole and last
        if not complete or kept:
            kept += part
            if not complete:
                return
            part = memoryview(bytes(kept))
            kept.clear()
        if not control:
            opcode, self._opcode = self._opcode or opcode, None
            if opcode == Opcode.TEXT:
                _check_text(part)
        yield opcode, part

    def _parse_header(self, data: memoryview, at: int) -> tuple[tuple[Opcode, bool, int], int] | None:
        """Return the frame that begins at `at` and where its payload does, None when its header isn't whole."""
        left = len(data) - at
        if left < 2:
            return None
        first, second = data[at], data[at + 1]
        last, size = bool(first & 0x80), second & 0x7F
        opcode = self._opcode_of(first, last, masked=bool(second & 0x80), size=size)
        more = _LENGTH_SIZES.get(size, 0)
        if left < 2 + more:
            return None
        if more:
            size = int.from_bytes(data[at + 2 : at + 2 + more], "big")
        if opcode < Opcode.CLOSE and size + len(self._parts) > self._max_size:
            raise BadFrame(f"a message of more than {self._max_size} bytes", TOO_BIG)
        if opcode in (Opcode.TEXT, Opcode.BINARY) and not last:
            self._opcode = opcode
        return (opcode, last, size), at + 2 + more

    def _opcode_of(self, first: int, last: bool, *, masked: bool, size: int) -> Opcode:
        """Return the opcode of a frame that may come now."""
        if first & 0x70:
            raise BadFrame("a frame of an extension that was not agreed on")
        if masked:
            raise BadFrame("a masked frame")  # section 5.1
        try:
            opcode = Opcode(first & 0x0F)
        except ValueError as exc:
            raise BadFrame(f"a frame with the unknown opcode {first & 0x0F}") from exc
        if opcode >= Opcode.CLOSE:
            if not last or size > MAX_CONTROL_SIZE:
                raise BadFrame("a control frame that is fragmented, or longer than 125 bytes")
        elif (opcode == Opcode.CONTINUATION) != (self._opcode is not None):
            raise BadFrame("a continuation of nothing, or a message within another")
        return opcode


def _check_text(payload: memoryview) -> None:
    try:
        str(payload, "utf-8")
    except UnicodeDecodeError as exc:
        raise BadFrame("a text that is no UTF-8", NOT_TEXT) from exc
