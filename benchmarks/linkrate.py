"""The link's own rate, by a known transfer through it in each direction: without this its figures prove nothing.

At its port there are zeros to be had, for so many connections as are made here: strangers would spoil the figure.
"""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.link import relayed

SIZE = 16 * 1024 * 1024  # bytes on each connection
PIECE_SIZE = 64 * 1024
CONNECTIONS = 4
EXPECTED_MB_S = (11.3, 12.5)  # the making of the connections included


def check_rates() -> None:
    """Print what the link carries in each direction, in sum. Raises RuntimeError when it isn't what it stands for."""
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        with relayed("127.0.0.1", server.getsockname()[1]) as port:
            rates = {"down": _rate_mb_s(port, b"d"), "up": _rate_mb_s(port, b"u")}
    print(f"  the link carries {rates['down']:.2f} MB/s down, {rates['up']:.2f} MB/s up", flush=True)
    if not all(EXPECTED_MB_S[0] <= rate <= EXPECTED_MB_S[1] for rate in rates.values()):
        raise RuntimeError(f"the link is not 100 Mbit/s: is the machine busy? {rates}")


def _rate_mb_s(port: int, direction: bytes) -> float:
    """Return the rate in all connections together, the making of them included."""

    def transfer(_: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as near:
            near.sendall(direction)
            if direction == b"d":
                _receive(near)
            else:
                _send(near)
                near.shutdown(socket.SHUT_WR)
                _receive(near)

    begun = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(transfer, range(CONNECTIONS)))
    return CONNECTIONS * SIZE / 1e6 / (time.monotonic() - begun)


def _serve(server: socket.socket) -> None:
    for _ in range(2 * CONNECTIONS):
        far, _ = server.accept()
        threading.Thread(target=_answer, args=(far,), daemon=True).start()


def _answer(far: socket.socket) -> None:
    with far:
        if far.recv(1) == b"d":
            _send(far)
        else:
            _receive(far)


def _send(stream: socket.socket) -> None:
    for _ in range(SIZE // PIECE_SIZE):  # piece by piece: what this process once took counts as memory of the sides
        stream.sendall(bytes(PIECE_SIZE))


def _receive(stream: socket.socket) -> None:
    while stream.recv(PIECE_SIZE):
        pass
