"""The demo's stage: a fake cluster with some pods that have logs, and a configuration to push to them."""

import os
import random
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Self

from anyio import to_thread
from msgspec import Struct

from asynccp.errors import UsageError
from asynccp.testing.kinds import Kind, available_kinds
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.server import FakeCluster
from asynccp.text import printable

LOG_SIZE = 2 * 1024 * 1024  # bytes, about, in each pod


class Stage(Struct, frozen=True):
    """Where things are: what may be pushed, where a pull may go, the pods' file systems, and how to reach them.

    cache: for kubectl's discovery, which it keeps under the server's whole address, secret and all; its own place is
    open to the user's group.
    """

    config: Path
    logs: Path
    pods: Path
    kubeconfig: Path
    cache: Path

    @classmethod
    def below(cls, directory: Path) -> Self:
        return cls(*(directory / name for name in ("config", "logs", "pods", "kubeconfig", "kubectl-cache")))


@asynccontextmanager
async def staged(directory: Path, count: int) -> AsyncIterator[Stage]:
    """Run a cluster of `count` pods, labelled app=web, of every kind that this machine has the programs for.

    Raises UsageError: the directory is another user's.
    """
    await to_thread.run_sync(_make_private, directory)
    stage = Stage.below(directory)
    await to_thread.run_sync(_write_config, stage.config)
    kinds = await to_thread.run_sync(_kinds_with_tar)
    async with FakeCluster(stage.pods) as cluster:
        for number, kind in zip(range(count), cycle(kinds), strict=False):
            pod = FakePod(f"web-{number}", {"app": "web", "tar": kind.name}, containers=[Container("main", kind)])
            await cluster.add_pod(pod)
            await to_thread.run_sync(_write_logs, pod.root() / "var" / "log", number)
        cluster.add_deployment("web", {"app": "web"})
        await cluster.write_kubeconfig(stage.kubeconfig)
        yield stage


def _make_private(directory: Path) -> None:
    """Make the directory for us alone; one that is there must be ours: who writes in it chooses what pods run."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    named, found = directory.lstat(), directory.stat()
    if {named.st_uid, found.st_uid} != {os.geteuid()} or found.st_mode & stat.S_IWOTH:
        raise UsageError(f"{printable(str(directory))} is another user's, or open to all", hint="name a new directory")


def _kinds_with_tar() -> list[Kind]:
    return [kind for kind in available_kinds() if kind.name not in ("no-tar", "no-dd", "distroless")]


def _write_config(directory: Path) -> None:
    (directory / "conf.d").mkdir(parents=True, exist_ok=True)
    (directory / "app.toml").write_text('[server]\nlisten = "0.0.0.0:8080"\nworkers = 4\n')
    for number in range(20):
        (directory / "conf.d" / f"{number:02}-site.conf").write_text(f"server_name site-{number}.example;\n" * 40)
    link = directory / "current"
    if not link.is_symlink():
        link.symlink_to("conf.d/00-site.conf")


def _write_logs(directory: Path, seed: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)  # noqa: S311 (the same logs each time)
    lines = [
        f'10.0.{chance.randrange(256)}.{chance.randrange(256)} "GET /{chance.randrange(10**6)}" 200'
        for _ in range(1000)
    ]
    text = "\n".join(lines) + "\n"
    (directory / "access.log").write_text(text * (LOG_SIZE // len(text)))
    (directory / "error.log").write_text("".join(f"warning: slow upstream ({line})\n" for line in lines[:100]))
