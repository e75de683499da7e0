"""A client that is killed in the middle of a copy: the pods' commands end, and a rerun makes all whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from msgspec import field

from asynccp.testing.faults import Fault, Silence, StruckLink
from benchmarks.trust.faults.stalled import PLACES
from benchmarks.trust.faults.storm import WITH_TAR, different
from tests.faults.fleet import Fleet, fleet


class Hold(Fault, frozen=True, kw_only=True):
    """Nothing more is said, and `reached` tells that the copy has come so far."""

    reached: anyio.Event = field(default_factory=anyio.Event)

    async def strike(self, link: StruckLink, rest: bytes) -> bytes:
        self.reached.set()
        return await Silence(self.place).strike(link, rest)


def command(ours: Fleet, direction: str) -> list[str]:
    if direction == "push":
        return [sys.executable, "-m", "asynccp", "push", str(ours.directory / "tree"), "-l", "app=web:/tmp"]
    return [sys.executable, "-m", "asynccp", "pull", "-l", "app=web:/srv/tree", str(ours.directory / "back")]


async def run(ours: Fleet, direction: str) -> anyio.abc.Process:
    environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(ours.directory / "kubeconfig")}
    return await anyio.open_process(
        command(ours, direction), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def left_behind(ours: Fleet, *, here: bool) -> list[Path]:
    roots = [pod.root() for pod in ours.pods] + ([ours.directory / "back"] if here else [])
    return [path for root in roots for path in root.rglob(".asynccp-*")]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda sign: sign.name)
@pytest.mark.parametrize("direction", ["push", "pull"])
async def test_a_client_killed_in_the_middle_leaves_nothing_and_a_rerun_is_whole(
    tmp_path: Path, direction: str, sign: signal.Signals
) -> None:
    async with fleet(tmp_path, len(WITH_TAR), kinds=WITH_TAR, sizes={"one": 100, "large": 400_000}) as ours:
        holds = [Hold(PLACES[direction]) for _ in ours.pods]
        for pod, hold in zip(ours.pods, holds, strict=True):
            ours.cluster.strike(pod, hold)
        with anyio.fail_after(60):
            client = await run(ours, direction)
            for hold in holds:
                await hold.reached.wait()
            client.send_signal(sign)
            code = await client.wait()
            await ours.cluster.wait_idle()
        assert code == (-signal.SIGKILL if sign == signal.SIGKILL else 130)
        # What a pull that was killed outright has left here goes with the next one.
        assert left_behind(ours, here=sign != signal.SIGKILL) == []
        for pod in ours.pods:
            assert not (pod.root() / "tmp" / "tree").exists(), "a part stands under its final name"

        with anyio.fail_after(60):
            assert await (await run(ours, direction)).wait() == 0
            await ours.cluster.wait_idle()
        assert left_behind(ours, here=sign != signal.SIGKILL) == []
        for pod in ours.pods:
            copied = pod.root() / "tmp" if direction == "push" else ours.directory / "back" / pod.name
            assert different(ours.directory / "tree", copied / "tree") == ""
