"""python -m benchmarks.null.floor push|pull KUBECONFIG CONNECTIONS MIB: what TLS costs at least.

MIB on each of so many connections, 256 KiB at a time and in turn, in one thread: nothing is waited for but the kernel,
no WebSocket, no archive, nothing read from or written to a disk. Ends with an error when not every byte arrived.
"""

import os
import socket
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml

BLOCK_SIZE = 256 * 1024


def main() -> None:
    direction, kubeconfig, connections, mib = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    configuration = yaml.safe_load(kubeconfig.read_text())
    cluster, user = configuration["clusters"][0]["cluster"], configuration["users"][0]["user"]
    url = urlsplit(cluster["server"])
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    address = (str(url.hostname), int(url.port or 443))
    sockets = [
        context.wrap_socket(socket.create_connection(address), server_hostname=address[0]) for _ in range(connections)
    ]
    proof = b"Authorization: Bearer %s\r\n" % user["token"].encode()
    (_push if direction == "push" else _pull)(sockets, mib * 1024 * 1024, proof)


def _push(sockets: list[ssl.SSLSocket], size: int, proof: bytes) -> None:
    block = os.urandom(BLOCK_SIZE)
    for sock in sockets:
        sock.sendall(b"POST /sink?bytes=%d HTTP/1.1\r\n%s\r\n" % (size, proof))
    for _ in range(size // BLOCK_SIZE):
        for sock in sockets:
            sock.sendall(block)
    for sock in sockets:
        if not sock.recv(1):  # the server's word that it has them all
            raise EOFError


def _pull(sockets: list[ssl.SSLSocket], size: int, proof: bytes) -> None:
    room = memoryview(bytearray(BLOCK_SIZE))
    for sock in sockets:
        sock.sendall(b"GET /source?bytes=%d HTTP/1.1\r\n%s\r\n" % (size, proof))
    for _ in range(size // BLOCK_SIZE):
        for sock in sockets:
            left = BLOCK_SIZE
            while left:
                got = sock.recv_into(room[:left])
                if not got:
                    raise EOFError
                left -= got


if __name__ == "__main__":
    main()
