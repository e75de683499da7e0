"""python -m benchmarks.peers.python_client push|pull NAMESPACE LOCAL REMOTE POD…: tar through the official client.

As a careful user of its `stream` writes it: binary, a thread for each of 8 pods at once, and its exit code looked at.
exec v4, which is all that it speaks, can't close stdin, so the pod counts what it gets; what its examples do instead,
closing the connection once everything is written, ends tar in the middle.
"""

import io
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any

from kubernetes import client, config
from kubernetes.stream import stream

AT_ONCE = 8
CHUNK_SIZE = 1024 * 1024
_PUSH = 'mkdir -p "$1" && head -c "$2" | tar xf - -C "$1"'


def push(namespace: str, archive: bytes, remote: str, pod: str) -> None:
    session = _session(namespace, pod, ["sh", "-c", _PUSH, "sh", remote, str(len(archive))])
    for start in range(0, len(archive), CHUNK_SIZE):
        session.write_stdin(archive[start : start + CHUNK_SIZE])
    session.run_forever()
    _end(session, pod)


def pull(namespace: str, local: Path, remote: str, pod: str) -> None:
    session = _session(namespace, pod, ["tar", "cf", "-", "-C", remote, "."])
    with tempfile.TemporaryFile() as spool:
        while session.is_open():
            session.update(timeout=1)
            _take(session, spool)
        _take(session, spool)
        _end(session, pod)
        spool.seek(0)
        with tarfile.open(fileobj=spool) as archive:
            archive.extractall(local / pod, filter="data")


def _session(namespace: str, pod: str, argv: list[str]) -> Any:
    """Open an exec session; a client for each, since `stream` changes the one that it is given."""
    run = client.CoreV1Api(client.ApiClient()).connect_get_namespaced_pod_exec
    how = {"stdin": True, "stdout": True, "stderr": True, "tty": False, "binary": True, "_preload_content": False}
    return stream(run, pod, namespace, command=argv, **how)


def _take(session: Any, spool: IO[bytes]) -> None:
    if session.peek_stdout():
        spool.write(session.read_stdout())


def _end(session: Any, pod: str) -> None:
    session.close()
    if session.returncode != 0:
        sys.exit(f"{pod}: exit code {session.returncode}")


def main() -> None:
    direction, namespace, local, remote, *pods = sys.argv[1:]
    config.load_kube_config()  # type: ignore[no-untyped-call, unused-ignore]
    if direction == "push":
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(local, ".")
        one = partial(push, namespace, packed.getvalue(), remote)
    else:
        one = partial(pull, namespace, Path(local), remote)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(one, pods))


if __name__ == "__main__":
    main()
