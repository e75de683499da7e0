"""Exec messages: channel.k8s.io, v4 and v5. Bytes ⇄ values; no socket.

Every WebSocket message is one binary frame: a channel byte, then the payload (k8s.io/streaming, wsstream/conn.go).

    0 stdin    1 stdout    2 stderr    3 error: one JSON v1.Status, the last word    4 resize
    255        v5 only, client to server: the payload is one channel byte, which is closed

v4 can't close stdin, v5 can (`CLOSE_STDIN`). Servers send an empty message first, which means nothing.
"""

import json
from typing import Any

from msgspec import Struct

from asynccp.errors import ProtocolViolation
from asynccp.status import ExitStatus
from asynccp.text import printable

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
CLOSE_STDIN = bytes((CLOSE, STDIN))

# Servers read a message of at most 32 MiB (golang.org/x/net/websocket DefaultMaxPayloadBytes) and send stdout in pieces
# of 32 KiB (their io.Copy buffer). We accept up to 1 MiB, so that a hostile server can't fill our memory.
MAX_MESSAGE_SIZE = 1024 * 1024


class Stdout(Struct, frozen=True):
    data: memoryview


class Stderr(Struct, frozen=True):
    data: memoryview


Event = Stdout | Stderr | ExitStatus


def stdin_message(payload: bytes | memoryview) -> bytes:
    """Return the message that carries `payload` to the remote stdin."""
    return b"\x00" + payload


def decode(message: bytes | memoryview) -> Event | None:
    """Return what a message from the server says; None for an empty one.

    Raises ProtocolViolation for a channel that servers don't send on, or a status that can't be read.
    """
    if len(message) < 2:
        return None
    payload = memoryview(message)[1:]
    match message[0]:
        case 1:
            return Stdout(payload)
        case 2:
            return Stderr(payload)
        case 3:
            return decode_status(bytes(payload))
        case channel:
            raise ProtocolViolation(f"the server sent {len(payload)} bytes on channel {channel}, which carries nothing")


def decode_status(payload: bytes) -> ExitStatus:
    """Return what a v1.Status of channel 3 says.

    `Success` is exit code 0; reason NonZeroExitCode carries the code in a cause of type ExitCode (serialised as
    `reason`: client-go errorstream.go); any other failure means that the command did not run or was lost.
    """
    try:
        status: Any = json.loads(payload)
        if status["status"] == "Success":
            return ExitStatus(0)
        message = printable(str(status.get("message") or status.get("reason") or "no reason given"))
        causes = (status.get("details") or {}).get("causes") or ()
        codes = [int(str(cause["message"])) for cause in causes if cause.get("reason") == "ExitCode"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise ProtocolViolation(f"the server's closing status can't be read: {printable(payload, 200)}") from exc
    return ExitStatus(next(iter(codes), 0) or None, message)  # a failure is never exit code 0


def encode_status(status: ExitStatus) -> bytes:
    """Return the channel 3 message for a status, as the container runtimes write it (k8s.io/cri-streaming, exec.go)."""
    body: dict[str, Any] = {"metadata": {}, "status": "Success"}
    if status.code is None:
        body = {"metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500, "message": status.message}
    elif status.code != 0:
        body = {
            "metadata": {},
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "message": f"command terminated with non-zero exit code: exit status {status.code}",
            "details": {"causes": [{"reason": "ExitCode", "message": str(status.code)}]},
        }
    return bytes((ERROR,)) + json.dumps(body).encode()
