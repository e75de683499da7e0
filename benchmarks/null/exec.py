"""One exec session: the pod's part of the dialogue (`asynccp.remote.dialogue`), and nothing behind it."""

import base64
import functools
import hashlib
import re
import threading
from collections.abc import Sequence
from pathlib import PurePosixPath

from benchmarks.null.archive import archive, frame, numbers, stdout
from benchmarks.null.stream import Stream

PROTOCOL = "v4.channel.k8s.io"
PATIENCE_S = 100.0  # below the client's own, so that sessions that wait for one that never comes fail here
RECORD_SIZE = 65536  # bytes that a pod's dd reads at a time: the unit of a push's count
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_SUCCESS = frame(b'\x03{"metadata":{},"status":"Success"}')
_CLOSE = frame((1000).to_bytes(2, "big"), opcode=8)


def accept(stream: Stream, key: str) -> None:
    """Answer the upgrade."""
    proof = base64.b64encode(hashlib.sha1(key.encode() + _MAGIC).digest()).decode()
    stream.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {proof}\r\nSec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n".encode()
    )


def serve(stream: Stream, argv: Sequence[str]) -> None:
    """Speak as the script would that is called so: sh -c BOOTSTRAP sh TOKEN SIZE DIRECTORY NAME KEY=VALUE…"""
    stdin = _Stdin(stream)
    token, size, directory, name, *words = argv[4:]
    values = dict(word.split("=", 1) for word in words)
    stdin.skip_one(int(size))
    path = PurePosixPath(directory, name)
    if "tar_options" in values:  # a push
        taken = int(values["block"]) * (int(values["blocks"]) + int(values["more_blocks"]))
        _swallow(stream, stdin, token, path, taken)
    else:
        _give(stream, stdin, token, path)
    stream.send(_SUCCESS + _CLOSE)
    stdin.end()


def _swallow(stream: Stream, stdin: "_Stdin", token: str, path: PurePosixPath, size: int) -> None:
    stream.send(_line(token, "hello count=dd sum=none"))
    stdin.skip(size)
    _meet(path)
    stream.send(_line(token, "received rc=0 sentinel=yes"))
    stdin.expect(b"go\n")
    stream.send(_note(token, "ended") + _line(token, "done rc=0 settled=yes"))
    stdin.expect(b"ok\n")


def _give(stream: Stream, stdin: "_Stdin", token: str, path: PurePosixPath) -> None:
    count, size = numbers(path.name)
    stream.send(_line(token, "hello sum=none") + _note(token, f"census entries={count} bytes={count * size}"))
    _meet(path)
    for messages in archive(path.name):
        stream.send(messages)
    stream.send(_note(token, "ended rc=0 entries=") + _line(token, "done rc=0"))
    stdin.expect(b"ok\n")


def _meet(path: PurePosixPath) -> None:
    """Wait until so many sessions are here as the path says, if it begins with /at-once/COUNT."""
    if match := re.match(r"/at-once/(\d+)", str(path)):
        _meeting(int(match[1])).wait(PATIENCE_S)


@functools.cache
def _meeting(count: int) -> threading.Barrier:
    return threading.Barrier(count)


def _line(token: str, text: str) -> bytes:
    return stdout(f"asynccp {token} {text}\n".encode())


def _note(token: str, text: str) -> bytes:
    return frame(f"\x02asynccp {token} {text}\n".encode())


class _Stdin:
    """The client's messages. What isn't needed isn't unmasked. Raises ValueError for what the client should not say."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def skip(self, size: int) -> None:
        """Swallow so many bytes, which end with a message."""
        while size > 0:
            length, _ = self._message()
            self._stream.skip(length)
            size -= length - 1  # the channel byte
        if size:
            raise ValueError(f"{-size} bytes more than were announced")

    def skip_one(self, least: int) -> None:
        """Swallow a message: the script, and what it is asked about, to which nobody listens here."""
        length, _ = self._message()
        self._stream.skip(length)
        if length - 1 < least:
            raise ValueError(f"{least} bytes were announced, but {length - 1} came")

    def expect(self, line: bytes) -> None:
        length, mask = self._message()
        said = _unmasked(self._stream.take(length), mask)
        if said != b"\0" + line:
            raise ValueError(f"{said!r} came where {line!r} belongs")

    def end(self) -> None:
        """Read until the client is gone."""
        while True:
            self._message()

    def _message(self) -> tuple[int, bytes]:
        """Return length and mask of the next binary message, which then follows. Answers pings."""
        while True:
            first, length = self._stream.take(2)
            length &= 0x7F
            if length > 125:
                length = int.from_bytes(self._stream.take(2 if length == 126 else 8), "big")
            mask = self._stream.take(4)
            match first & 0x0F:
                case 2:
                    return length, mask
                case 8:
                    raise EOFError
                case 9:
                    self._stream.send(frame(_unmasked(self._stream.take(length), mask), opcode=10))
                case _:
                    self._stream.skip(length)


def _unmasked(data: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
