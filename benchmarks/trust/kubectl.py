"""What `kubectl cp` makes of an archive: the real program against the fake cluster, whose pod has a tar that prints it.

It runs under a limit for file sizes and for time, since a header alone makes it write for ever.
"""

import asyncio
import contextlib
import os
import resource
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from asynccp.testing.kinds import Kind
from asynccp.testing.pod import Container
from asynccp.testing.server import FakeCluster

MAX_FILE_SIZE = 64 * 1024 * 1024  # bytes
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Copied:
    """code: the exit code, None when it had to be killed. said: on stdout and stderr."""

    code: int | None
    said: str


class Kubectl:
    """A cluster with one pod, and kubectl's way to it."""

    def __init__(self, cluster: FakeCluster, home: Path, root: Path) -> None:
        self._cluster = cluster
        self._home = home
        self._archive = root / "archive"

    async def copy(self, data: bytes, destination: Path, source: str = "/") -> Copied:
        """Let the pod's tar print `data`, whatever is asked of it, and copy `source` to `destination`."""
        self._archive.write_bytes(data)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "KUBECONFIG": str(self._home / "kubeconfig"),
        }
        process = await asyncio.create_subprocess_exec(
            *("kubectl", "cp", f"web-0:{source}", str(destination)),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=_limit,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
            return Copied(process.returncode, said.decode(errors="replace"))
        except TimeoutError:
            process.kill()
            await process.wait()
            return Copied(None, "")


@contextlib.asynccontextmanager
async def kubectl() -> AsyncIterator[Kubectl | None]:
    """Start the cluster; None where there is no kubectl."""
    if shutil.which("kubectl") is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as place:
        tar = _tar(Path(place, "tar"))
        async with FakeCluster(Path(place, "pods")) as cluster:
            pod = await cluster.add_pod("web-0", containers=[Container(kind=Kind("hostile", {"tar": str(tar)}))])
            await cluster.write_kubeconfig(Path(place, "kubeconfig"))
            yield Kubectl(cluster, Path(place), pod.root())


def _tar(path: Path) -> Path:
    """Make a tar that prints the file `archive` of the pod's root."""
    path.write_text(f"#!/bin/sh\nexec {shutil.which('cat')} archive\n")
    path.chmod(0o755)
    return path


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_SIZE, MAX_FILE_SIZE))
