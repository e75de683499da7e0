"""`kubectl cp` on the storm's cases: the same faults, the same trees, a real kubectl."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio import to_thread

from asynccp.testing.faults import Fault, Flip
from asynccp.testing.kinds import KINDS
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.server import FakeCluster
from benchmarks.trust.faults.storm import Case, build, contents, torn

MOST_S = 20  # a kubectl that hangs is ended then


@dataclass
class Copied:
    """How often kubectl ended with 0 although the files differ, left a torn file under a final name, or hung."""

    runs: int = 0
    losses: int = 0
    torn: int = 0
    hung: int = 0


async def kubectl_storm(seeds: Iterable[int], directory: Path, *, together: int = 6) -> Copied:
    """Run the cases, those of v4 too by kubectl's own protocol; but none where only a digest tells."""
    copied, limiter = Copied(), anyio.CapacityLimiter(together)
    async with FakeCluster(directory / "pods") as cluster, anyio.create_task_group() as tasks:
        await cluster.write_kubeconfig(directory / "kubeconfig")
        for case in (case for case in map(Case.of, seeds) if not isinstance(case.fault, Flip)):
            tasks.start_soon(_copy, case, cluster, directory, copied, limiter)
    return copied


async def _copy(
    case: Case, cluster: FakeCluster, directory: Path, copied: Copied, limiter: anyio.CapacityLimiter
) -> None:
    async with limiter:
        pod = await cluster.add_pod(FakePod(f"pod-{case.seed}", containers=[Container("main", KINDS[case.kind]())]))
        ours, theirs = directory / f"{case.seed}" / "tree", pod.root() / "srv" / "tree"
        source, destination = (ours, theirs) if case.direction == "push" else (theirs, ours)
        await to_thread.run_sync(build, source, case.seed, case.sizes)
        if case.old:
            await to_thread.run_sync(build, destination, -1 - case.seed, dict(list(case.sizes.items())[::2]))
        for parent in (ours.parent, theirs.parent):
            parent.mkdir(parents=True, exist_ok=True)
        old, new = contents(destination), contents(source)
        if case.direction == "push":  # its first session only asks whether the destination is a directory
            cluster.strike(pod, Fault())
        cluster.strike(pod, case.fault)
        # Where the destination exists, kubectl copies a directory into it when it pushes, and over it when it pulls.
        words = [str(ours), f"{pod.name}:/srv/"] if case.direction == "push" else [f"{pod.name}:/srv/tree", str(ours)]
        code = await to_thread.run_sync(_kubectl, directory / "kubeconfig", words)
        cluster.heal(pod)
        with anyio.move_on_after(MOST_S):
            await cluster.wait_idle(pod)
        await to_thread.run_sync(_count, copied, code, destination, old, new)
        await cluster.delete_pod(pod.name)
        await to_thread.run_sync(shutil.rmtree, ours.parent, True)


def _kubectl(kubeconfig: Path, words: list[str]) -> int | None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(kubeconfig.parent), "KUBECONFIG": str(kubeconfig)}
    try:
        done = subprocess.run(
            ["kubectl", "cp", *words], capture_output=True, env=environment, timeout=MOST_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


def _count(copied: Copied, code: int | None, destination: Path, old: dict[str, str], new: dict[str, str]) -> None:
    now = contents(destination)
    copied.runs += 1
    copied.hung += code is None
    copied.losses += code == 0 and any(now.get(path) != digest for path, digest in new.items())
    copied.torn += any(torn(destination, old, new))
