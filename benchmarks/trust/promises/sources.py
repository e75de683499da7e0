"""A source that changes in every way while it is pushed: before the first chunk, between two, and in the middle."""

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import anyio
from anyio import to_thread

from asynccp import Options
from asynccp.testing.pod import FakePod
from asynccp.testing.server import FakeCluster
from benchmarks.trust.faults.changes import OF_DIRECTORIES, OF_FILES, PODS, Change, became, prepare, pushes, torn
from benchmarks.trust.faults.storm import contents
from benchmarks.trust.row import Row

SEEDS, KUBECTL_SEEDS = 500, 50
_WAYS = [*OF_FILES, *OF_DIRECTORIES]
_LARGE = {"d/large": 24_000_000, "e/f/other": 300_000}  # kubectl is to read while it changes
_MOST_S = 20  # a kubectl that hangs is ended then


def measure(scale: float) -> list[Row]:
    with tempfile.TemporaryDirectory() as place:
        seen = anyio.run(pushes, range(round(SEEDS * scale)), Path(place))
    for one in seen.wrong:
        print("sources:", one, flush=True)
    figure = (
        f"{seen.told + seen.complete} pushes to {PODS} pods, in {len(_WAYS)} ways: {seen.told} ended with 24 and the "
        f"name, {seen.complete} had read it before; torn {seen.torn}, otherwise wrong {len(seen.wrong) - seen.torn}"
    )
    with tempfile.TemporaryDirectory() as place:
        kubectl = anyio.run(_kubectl, range(round(KUBECTL_SEEDS * scale)), Path(place))
    return [
        Row(
            "A source that changes while it is pushed, in any way, also with size and time as before: told by name "
            "(24); no pod gets a mixture, all complete ones have the same",
            figure,
            not seen.wrong and all(seen.ways[way] for way in _WAYS),
            kubectl,
        )
    ]


async def _kubectl(seeds: Iterable[int], directory: Path) -> str:
    """Return what kubectl makes of a large file that changes, or its directory does, once a part of it has come."""
    if shutil.which("kubectl") is None:
        return ""
    runs = list[tuple[bool, bool]]()
    async with FakeCluster(directory / "pods") as cluster:
        await cluster.write_kubeconfig(directory / "kubeconfig")
        for seed in seeds:
            pod = await cluster.add_pod(FakePod(f"pod-{seed}"))
            (pod.root() / "srv").mkdir()
            runs.append(await to_thread.run_sync(_copied, seed, directory, pod))
            await cluster.wait_idle(pod)
            await cluster.delete_pod(pod.name)
    torn_ones = [is_content for is_content, is_torn in runs if is_torn]
    return f"{len(runs)} pushes to one pod: {len(torn_ones)} with a torn file, {sum(torn_ones)} of them ended with 0"


def _copied(seed: int, directory: Path, pod: FakePod) -> tuple[bool, bool]:
    """Return whether kubectl was content, and whether the pod has a file that never was."""
    chance, here = random.Random(seed), directory / f"{seed}"
    way = chance.choice(_WAYS)
    change = Change(seed, way, "d/large" if way in OF_FILES else "d", 0, 0.0, Options())
    prepare(here, seed, _LARGE)
    before, alike = contents(here / "tree"), contents(here / "alike")
    size = chance.randrange(_LARGE["d/large"] // 2)
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "KUBECONFIG": str(directory / "kubeconfig")}
    command = ["kubectl", "cp", str(here / "tree"), f"{pod.name}:/srv/"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until_s = time.monotonic() + _MOST_S
        while process.poll() is None and not _has(pod.root() / "srv/tree/d/large", size) and time.monotonic() < until_s:
            time.sleep(0.0005)
        change.strike(here)
        try:
            code = process.wait(_MOST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    is_torn = bool(torn(contents(pod.root() / "srv" / "tree"), before, became(change, here, alike)))
    shutil.rmtree(here)
    return code == 0, is_torn


def _has(path: Path, size: int) -> bool:
    with suppress(OSError):
        return path.stat().st_size > size
    return False
