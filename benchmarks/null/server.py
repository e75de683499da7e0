"""The server: blocking sockets, one thread a connection, the GIL released while OpenSSL works.

Besides the API there are /sink and /source: so many bytes after or before nothing but an HTTP header, for a client
that is no more than a TLS socket (`benchmarks.null.floor`).

It runs nothing and reads no file; what a stranger could do at its port is keep it busy, so it wants the kubeconfig's
token.
"""

import contextlib
import hmac
import secrets
import socket
import ssl
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme

from benchmarks.null import exec as sessions
from benchmarks.null import pods
from benchmarks.null.stream import Stream

STACK_SIZE = 256 * 1024  # bytes of a thread's stack, so that 1,000 connections are no burden
BLOCK = bytes(1024 * 1024)

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: "null"
contexts: [{name: "null", context: {cluster: "null", user: "null", namespace: default}}]
users: [{name: "null", user: {token: %s}}]
clusters: [{name: "null", cluster: {server: "https://127.0.0.1:%d", certificate-authority: %s}}]
"""


def serve(directory: Path) -> None:
    """Write DIRECTORY/kubeconfig, print its path, and serve for ever."""
    threading.stack_size(STACK_SIZE)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    context = _certified(directory)
    kubeconfig, token = directory / "kubeconfig", secrets.token_hex(32)
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(KUBECONFIG % (token, listener.getsockname()[1], directory.absolute() / "ca.pem"))
    print(kubeconfig, flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection, context, token), daemon=True).start()


def _certified(directory: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def _serve(connection: socket.socket, context: ssl.SSLContext, token: str) -> None:
    """Answer a connection's requests until the client ends it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(EOFError, OSError), connection, context.wrap_socket(connection, server_side=True) as sock:
        stream = Stream(sock)
        while True:
            _answer(stream, f"Bearer {token}")


def _answer(stream: Stream, proof: str) -> None:
    request, *lines = stream.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not hmac.compare_digest(headers.get("authorization", "").encode(), proof.encode()):
        stream.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        raise EOFError
    url = urlsplit(request.split()[1])
    query = parse_qs(url.query, keep_blank_values=True)
    match url.path.strip("/").split("/"):
        case ["api", "v1", "namespaces", _, "pods"] | ["api", "v1", "pods"]:
            count = int(query["labelSelector"][0].partition("=")[2])
            start, limit = (int(query.get(key, ["0"])[0]) for key in ("continue", "limit"))
            _document(stream, pods.page(count, start, limit))
        case ["api", "v1", "namespaces", _, "pods", name]:
            _document(stream, pods.pod(int(name.partition("-")[2])))
        case ["api", "v1", "namespaces", _, "pods", _, "exec"]:
            if sessions.PROTOCOL not in headers["sec-websocket-protocol"]:  # what servers before 1.30 say to v5
                stream.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            sessions.accept(stream, headers["sec-websocket-key"])
            sessions.serve(stream, query["command"])
        case ["sink"]:
            stream.skip(int(query["bytes"][0]))
            stream.send(b"\n")
        case ["source"]:
            for _ in range(int(query["bytes"][0]) // len(BLOCK)):
                stream.send(BLOCK)
        case _:
            stream.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def _document(stream: Stream, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    stream.send(head.encode() + body)
