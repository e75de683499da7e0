"""Cuttable: a line to the API server, a relay on loopback, that can be cut: bytes then neither come nor go.

Nobody is told of it, as where a cable is pulled: connections stand still, and new ones get no answer. When it is mended
those go on that were open, or, as behind a router that has forgotten them, they are reset.
"""

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

PIECE_SIZE = 64 * 1024


class Cuttable:
    """Serves in a thread of its own from `start` to `stop`. port: where."""

    def __init__(self, host: str, port: int) -> None:
        self._there = host, port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._whole.set()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listener.close()

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._whole.clear)

    def mend(self, *, resets: bool = False) -> None:
        """Let bytes pass again. resets: connections that were open are lost."""
        if resets:
            self._loop.call_soon_threadsafe(self._reset)
        self._loop.call_soon_threadsafe(self._whole.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        accepting = self._loop.create_task(self._accept())
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(accepting)
        self._loop.close()

    def _reset(self) -> None:
        for one in self._open:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    async def _accept(self) -> None:
        async with asyncio.TaskGroup() as connections:
            while True:
                await self._whole.wait()
                near, _ = await self._loop.sock_accept(self._listener)
                near.setblocking(False)
                connections.create_task(self._serve(near))

    async def _serve(self, near: socket.socket) -> None:
        with near, socket.socket() as far:
            far.setblocking(False)
            both = {near, far}
            self._open |= both
            with contextlib.suppress(OSError):
                await self._whole.wait()
                await self._loop.sock_connect(far, self._there)
                async with asyncio.TaskGroup() as directions:
                    directions.create_task(self._carry(near, far))
                    directions.create_task(self._carry(far, near))
            self._open -= both

    async def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := await self._loop.sock_recv(source, PIECE_SIZE):
                await self._whole.wait()
                await self._loop.sock_sendall(sink, piece)
        await self._whole.wait()
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def cuttable(kubeconfig: Path, place: Path) -> Iterator[tuple[Cuttable, Path]]:
    """Run a relay to the server of a kubeconfig; yield it, and a kubeconfig, below `place`, that goes through it."""
    document = yaml.safe_load(kubeconfig.read_text())
    (cluster,) = [one["cluster"] for one in document["clusters"]]
    server = urlsplit(cluster["server"])
    line = Cuttable(server.hostname or "", server.port or 443)
    cluster |= {"server": f"https://127.0.0.1:{line.port}", "tls-server-name": server.hostname}
    path = place / "through-the-line"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document))
    line.start()
    try:
        yield line, path
    finally:
        line.stop()
        os.unlink(path)
