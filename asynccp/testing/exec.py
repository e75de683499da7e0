"""One exec session: a WebSocket on one side, a command in a container on the other.

It does what a client sees API server, kubelet and containerd do together
(k8s.io/apiserver, pkg/util/proxy/streamtranslator.go; k8s.io/streaming, pkg/httpstream/wsstream/conn.go):

  * first message: empty, on the lowest output channel; stdout and stderr in pieces of 32 KiB; last message: the status
    on channel 3, once the command has ended and both outputs are drained; then Close 1000;
  * nothing is buffered but by pipes and sockets, so a client that doesn't read stops the command, and a command that
    doesn't read stops the client, and the answers to its pings;
  * a client that goes away ends the command's stdin, and nothing else;
  * a channel that carries nothing is ignored: `ff 00` on v4 too, which closes nothing there (wsstream/conn.go).
"""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web
from anyio import CancelScope, create_task_group
from msgspec import Struct

from asynccp.kube.exec import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT, V4, V5, encode_status
from asynccp.status import ExitStatus
from asynccp.testing.paths import RootEraser
from asynccp.testing.process import Process

MAX_CLIENT_MESSAGE = 32 * 1024 * 1024  # bytes; golang.org/x/net/websocket DefaultMaxPayloadBytes
CLOSE_GRACE_S = 2.0  # for the client's Close; a real server doesn't wait, and may reset the connection instead
_WRITER_LIMIT = 64 * 1024  # bytes that may lie between us and the socket


class ExecOptions(Struct, frozen=True):
    """What a client asks for (v1.PodExecOptions). channels: which of stdin, stdout and stderr."""

    command: Sequence[str]
    container: str = ""
    channels: frozenset[int] = frozenset()
    tty: bool = False

    @classmethod
    def parse(cls, query: str) -> "ExecOptions":
        """Parse a raw query. Words may hold any byte, as paths do: those that are not UTF-8 become surrogates."""
        pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
        values = dict(reversed(pairs))  # of a single value, the first counts
        names = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR}
        return cls(
            [value for name, value in pairs if name == "command"],
            values.get("container", ""),
            frozenset(channel for name, channel in names.items() if _is_true(values, name)),
            _is_true(values, "tty"),
        )

    def first_message(self) -> bytes:
        """Return the empty message that follows the 101. It doesn't mean that the command runs."""
        return bytes((min(self.channels - {STDIN} | {ERROR}),))


def _is_true(values: Mapping[str, str], name: str) -> bool:
    # Everything but 0 and false counts as true, the empty string too (apimachinery Convert_Slice_string_To_bool).
    return name in values and values[name].lower() not in ("0", "false")


def negotiate(offered: Sequence[str], supported: Sequence[str]) -> str | None:
    """Return the subprotocol that the server takes of those the client offers, None when it knows none.

    v5 wherever it stands in the list, because the API server looks for it first; what is left goes to the node.
    """
    return next((one for one in (V5, V4) if one in offered and one in supported), None)


class Link:
    """The one way by which messages go to and come from a client. `faults` has one on which things go wrong."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def send(self, message: bytes) -> None:
        """Send one message; waits while the client doesn't read. Raises ConnectionError when it is gone."""
        await self._socket.send_bytes(message)

    async def receive(self) -> bytes | None:
        """Return the client's next message, None when it has closed the session or is gone."""
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data).encode()
        return bytes(message.data) if message.type is WSMsgType.BINARY else None

    async def close(self) -> None:
        """Send Close 1000, and wait a little for the client's."""
        await self._socket.close()


def new_socket(protocol: str) -> web.WebSocketResponse:
    """Return the server's end of a session, which its `prepare` opens with the 101."""
    return web.WebSocketResponse(
        protocols=(protocol,),
        compress=False,
        timeout=CLOSE_GRACE_S,
        max_msg_size=MAX_CLIENT_MESSAGE,
        writer_limit=_WRITER_LIMIT,
    )


def not_run(protocol: str, reason: str) -> ExitStatus:
    """Return the status of a command that was never run; a translator (v5) wraps what it hears once more."""
    return ExitStatus(None, "Internal error occurred: " * (2 if protocol == V5 else 1) + reason)


class Session:
    """A link and a process, joined."""

    def __init__(self, link: Link, process: Process, protocol: str, root: Path, closes_stdin_early: bool) -> None:
        self._link = link
        self._process = process
        self._protocol = protocol
        self._root = root
        self._closes_stdin_early = closes_stdin_early

    async def run(self) -> ExitStatus | None:
        """Carry bytes both ways until the command has ended, or the client is gone: then there is no status."""
        status = None
        async with create_task_group() as tasks:
            tasks.start_soon(self._feed, tasks.cancel_scope)
            async with create_task_group() as outputs:
                for channel in self._process.outputs:
                    outputs.start_soon(self._drain, channel, tasks.cancel_scope)
            status = ExitStatus(await self._process.wait())
            tasks.cancel_scope.cancel()
        self._process.close_stdin()
        return status

    async def _feed(self, client: CancelScope) -> None:
        """Carry stdin to the command; when the client is gone, `client` is cancelled."""
        while (message := await self._link.receive()) is not None:
            channel, payload = message[:1], memoryview(message)[1:]
            if channel == bytes((STDIN,)):
                await self._process.write(payload)
            elif channel == bytes((CLOSE,)) and self._protocol == V5:
                if len(payload) != 1 or payload[0] > RESIZE:
                    break  # wsstream ends the connection; any other channel it closes, or ignores
                if payload[0] == STDIN:
                    self._process.close_stdin()
        client.cancel()

    async def _drain(self, channel: int, client: CancelScope) -> None:
        """Carry an output to the client; when the client is gone, `client` is cancelled."""
        eraser = RootEraser(os.fsencode(self._root))
        clean = eraser.feed if channel == STDERR else bytes
        send = functools.partial(self._send, channel)
        try:
            while data := await self._process.read(channel):
                await send(clean(data))
            await send(eraser.flush())
        except ConnectionError:
            client.cancel()
        else:
            if self._closes_stdin_early:  # containerd: exec_io.go, attachOutput; its issues 12734 and 13934
                self._process.close_stdin()

    async def _send(self, channel: int, data: bytes) -> None:
        if data:
            await self._link.send(bytes((channel,)) + data)


async def finish(link: Link, status: ExitStatus | None) -> None:
    """Say the last word, if there is one, and close the session. Raises ConnectionError when the client is gone."""
    if status is not None:
        await link.send(encode_status(status))
    await link.close()
