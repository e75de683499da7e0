"""Link: a slow, long line to the API server: a relay on loopback in its own process, and a kubeconfig that uses it.

python -m benchmarks.link HOST PORT: relay to HOST:PORT; prints the port to connect to.

The kernel's own (tc netem) is missing from many, and wants root. Each direction is one wire for all connections: bytes
leave one after the other at the line's rate, and arrive half a round trip later. What waits for the wire is bounded, as
in a router: when it is full, connections are not read, and their senders feel it. A connection takes one round trip to
be made. What it leaves out: slow start, and loss.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from urllib.parse import urlsplit

import anyio
import yaml
from anyio.abc import ByteReceiveStream, SocketAttribute, SocketStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from benchmarks.fleet import kubectl

BYTE_PER_S = 100e6 / 8 * 1448 / 1538  # what TCP with time stamps leaves of 100 Mbit/s Ethernet: 11.8 MB/s
RTT_S = 0.02
QUEUE_SIZE = 512 * 1024  # bytes that wait for the wire: 40 ms, so that it never idles while others have the processor
PIECE_SIZE = 16 * 1024
WINDOW_PIECES = 64  # of one connection, under way: what waits and what travels, and half as much again
BUFFER_SIZE = 256 * 1024  # bytes in the kernel, for each end of each connection


class Wire:
    """One direction: when what is put on it now arrives, and how much waits. Pure: the time is told, in seconds."""

    def __init__(self, byte_per_s: float, delay_s: float) -> None:
        self.byte_per_s = byte_per_s
        self._delay_s = delay_s
        self._free_at = 0.0

    def put(self, size: int, now: float) -> float:
        """Put bytes on the wire, behind all that wait for it; return the time at which the last of them arrives."""
        self._free_at = max(self._free_at, now) + size / self.byte_per_s
        return self._free_at + self._delay_s

    def room_at(self) -> float:
        """Return when no more than QUEUE_SIZE waits; until then, nothing may be put."""
        return self._free_at - QUEUE_SIZE / self.byte_per_s


async def relay(host: str, port: int) -> None:
    up, down = Wire(BYTE_PER_S, RTT_S / 2), Wire(BYTE_PER_S, RTT_S / 2)

    async def serve(near: SocketStream) -> None:
        await anyio.sleep(RTT_S)
        async with near, await anyio.connect_tcp(host, port) as far:
            _bound_buffers(near, far)
            await carry_both(near, far, up, down)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=1024)
    print(listener.extra(SocketAttribute.local_port), flush=True)
    await listener.serve(serve)


async def carry_both(near: SocketStream, far: SocketStream, up: Wire, down: Wire) -> None:
    """Carry what each end of a connection sends to the other, until both have ended."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_carry, near, far, up)
        tasks.start_soon(_carry, far, near, down)


async def _carry(source: SocketStream, sink: SocketStream, wire: Wire) -> None:
    send, receive = anyio.create_memory_object_stream[tuple[float, bytes]](WINDOW_PIECES)  # of PIECE_SIZE at most
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_deliver, receive, sink)
        await _collect(source, send, wire)


async def _collect(source: ByteReceiveStream, onto: MemoryObjectSendStream[tuple[float, bytes]], wire: Wire) -> None:
    async with onto:
        while True:
            await anyio.sleep_until(wire.room_at())
            try:
                piece = await source.receive(PIECE_SIZE)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return
            try:
                await onto.send((wire.put(len(piece), anyio.current_time()), piece))
            except anyio.BrokenResourceError:  # nobody takes it any more
                return


async def _deliver(pieces: MemoryObjectReceiveStream[tuple[float, bytes]], sink: SocketStream) -> None:
    async with pieces:
        try:
            async for due, piece in pieces:
                await anyio.sleep_until(due)
                await sink.send(piece)
            await sink.send_eof()
        except (anyio.BrokenResourceError, OSError):
            return


def _bound_buffers(*streams: SocketStream) -> None:
    for stream in streams:
        for option in (SO_RCVBUF, SO_SNDBUF):
            stream.extra(SocketAttribute.raw_socket).setsockopt(SOL_SOCKET, option, BUFFER_SIZE)


@contextlib.contextmanager
def relayed(host: str, port: int) -> Iterator[int]:
    """Run a relay; yield its port."""
    argv = [sys.executable, "-m", "benchmarks.link", host, str(port)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@contextlib.contextmanager
def linked() -> Iterator[dict[str, str]]:
    """Run a relay to the API server of today's kubeconfig; yield the environment whose programs go through it."""
    configuration = yaml.safe_load(kubectl("config", "view", "--raw", "--minify", "--flatten"))
    cluster = configuration["clusters"][0]["cluster"]
    server = urlsplit(cluster["server"])
    host = server.hostname or ""
    with relayed(host, server.port or 443) as port, tempfile.TemporaryDirectory() as place:
        cluster["server"] = f"https://127.0.0.1:{port}"
        cluster.setdefault("tls-server-name", host)
        kubeconfig = Path(place, "kubeconfig")
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(yaml.safe_dump(configuration))
        yield {"KUBECONFIG": str(kubeconfig)}


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # a line is no program: it does not wait for the processors that others use
    anyio.run(relay, sys.argv[1], int(sys.argv[2]))
