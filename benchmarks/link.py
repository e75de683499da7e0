"""Link: a slow, long line to the API server: a relay on loopback in its own process, and a kubeconfig that uses it.

python -m benchmarks.link HOST PORT: relay to HOST:PORT; prints the port to connect to.

The kernel's own (tc netem) is missing from many, and wants root. Each direction is one wire for all connections: bytes
leave one after the other at the line's rate, and arrive half a round trip later. What waits for the wire is bounded, as
in a router: when it is full, connections are not read, and their senders feel it. A connection takes one round trip to
be made. What it leaves out: slow start, and loss.

Strangers who find its port win nothing: it leads to an API server that they reach without it, and adds no credentials.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from benchmarks.fleet import kubectl

BYTE_PER_S = 100e6 / 8 * 1448 / 1538  # what TCP with time stamps leaves of 100 Mbit/s Ethernet: 11.8 MB/s
RTT_S = 0.02
QUEUE_SIZE = 512 * 1024  # bytes that wait for the wire: 40 ms, so that it never idles while others have the processor
PIECE_SIZE = 16 * 1024
WINDOW_PIECES = 64  # of one connection, under way: what waits and what travels, and half as much again
BUFFER_SIZE = 16 * 1024  # bytes in the relay's kernel, for each end of each connection; see `_like_ethernet`
SEGMENT_SIZE = 1448  # bytes


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


async def relay(listener: socket.socket, host: str, port: int) -> None:
    """Serve for ever."""
    up, down = Wire(BYTE_PER_S, RTT_S / 2), Wire(BYTE_PER_S, RTT_S / 2)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as connections:
        while True:
            near, _ = await loop.sock_accept(listener)
            connections.create_task(_serve(near, host, port, up, down))


async def _serve(near: socket.socket, host: str, port: int, up: Wire, down: Wire) -> None:
    with near, socket.socket() as far:
        near.setblocking(False)
        far.setblocking(False)
        _like_ethernet(far)
        await asyncio.sleep(RTT_S)
        await asyncio.get_running_loop().sock_connect(far, (host, port))
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_carry(near, far, up))
            directions.create_task(_carry(far, near, down))


def _like_ethernet(one: socket.socket) -> None:
    """Bound buffers and segments before a connection is made (or accepted), so that the other end's are as in life.

    With loopback's own segments of 64 KiB a server's send buffer grows to 4 MiB, seconds of this line; with these it
    was 1 MiB. What is in there is lost when a client pings a server that has closed already, as kubectl does every 5 s
    (kubernetes #60140): the peers must not lose more copies to that than on a real line.
    """
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        one.setsockopt(socket.SOL_SOCKET, option, BUFFER_SIZE)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_SIZE)


async def _carry(source: socket.socket, sink: socket.socket, wire: Wire) -> None:
    """Carry what one end sends to the other, and then its end.

    The two directions of a connection know nothing of each other, as those of a line: when the server has closed and a
    ping of the client's can't be written any more, what the server said before that is still on its way.
    """
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WINDOW_PIECES)  # of PIECE_SIZE at most
    async with asyncio.TaskGroup() as ends:
        ends.create_task(_deliver(under_way, sink))
        await _collect(source, under_way, wire)


async def _collect(source: socket.socket, under_way: "asyncio.Queue[tuple[float, bytes]]", wire: Wire) -> None:
    loop = asyncio.get_running_loop()
    piece = b"-"
    while piece:
        while (wait_s := wire.room_at() - loop.time()) > 0:  # noqa: ASYNC110 (others fill what becomes free)
            await asyncio.sleep(wait_s)
        try:
            piece = await loop.sock_recv(source, PIECE_SIZE)
        except ConnectionError:
            piece = b""
        await under_way.put((wire.put(len(piece), loop.time()), piece))


async def _deliver(under_way: "asyncio.Queue[tuple[float, bytes]]", sink: socket.socket) -> None:
    """Deliver pieces when they arrive; an empty one is the end. What a closed end doesn't take is lost."""
    loop = asyncio.get_running_loop()
    takes, piece = True, b"-"
    while piece:
        due, piece = await under_way.get()
        await asyncio.sleep(due - loop.time())
        try:
            if takes and piece:
                await loop.sock_sendall(sink, piece)
            elif takes:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            takes = False


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
    """Run a relay to the API server of today's kubeconfig; yield the environment whose programs go through it.

    What they remember of the line is their own: the context has the name of one that has no relay before it.
    """
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
        yield {"KUBECONFIG": str(kubeconfig), "XDG_CACHE_HOME": place}


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # a line is no program: it does not wait for the processors that others use
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setblocking(False)
        _like_ethernet(listener)
        print(listener.getsockname()[1], flush=True)
        asyncio.run(relay(listener, sys.argv[1], int(sys.argv[2])))
