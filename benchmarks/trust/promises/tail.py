"""The end of a pull is not lost when its reader is slow (kubernetes #60140), here stopped half of the time."""

import hashlib
import json
import subprocess
from pathlib import Path

from benchmarks.trust.cluster import kubectl_cp, real_fleet
from benchmarks.trust.row import Row
from tests.e2e.fleet import command, environment, labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.e2e.running import stop_half_of_the_time

MIB = 1024 * 1024
SIZE = 128 * MIB
PODS = 4
RUNS = 15
HEADER_SIZE = 512  # of the one member of kubectl's archive


def measure(scale: float) -> list[Row]:
    runs = max(1, round(RUNS * scale))
    with real_fleet() as (fleet, directory):
        labels = labels_for("tail")
        pods = [fleet.add("busybox", f"tail-{number}", labels) for number in range(PODS)]
        for pod in pods:
            sh(fleet, pod, "sh", "-c", 'head -c "$1" /dev/urandom >/tmp/big', "sh", str(SIZE))
        digests = {pod: sh(fleet, pod, "sha256sum", "/tmp/big").split()[0].decode() for pod in pods}
        ours = [_ours(fleet, selector(labels), digests, directory / "ours") for _ in range(runs)]
        execs = [short for _ in range(runs) for short in _exec(fleet, digests, directory)]
        copies = [short for _ in range(runs) for short in _cp(fleet, digests, directory)]
    whole = sum(ours)
    return [
        Row(
            f"a pull of {SIZE // MIB} MiB by a client that is stopped for 1 s of every 2 s is complete",
            f"{whole} of {runs * PODS} complete and identical",
            whole == runs * PODS,
            f"{sum(copies)} of {len(copies)} short or wrong with exit code 0; "
            f"kubectl exec tar: {sum(execs)} of {len(execs)}",
        )
    ]


def _ours(fleet: RealFleet, which: str, digests: dict[str, str], directory: Path) -> int:
    """Return how many pods are complete, and so in truth."""
    argv = command("pull", "--ignore-times", "-l", f"{which}:/tmp/big", directory, "-o", "json")
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(fleet))
    stop_half_of_the_time([running])
    out, _ = running.communicate()
    complete = {one["pod"] for one in json.loads(out)["pods"] if one["outcome"] == "complete"}
    found = {pod: _digest(directory / pod / "big", 0) for pod in complete}
    return sum(found[pod] == digests[pod] for pod in complete)


def _exec(fleet: RealFleet, digests: dict[str, str], directory: Path) -> list[bool]:
    """Return, for each pod, whether kubectl exec said 0 and brought something else."""
    paths = {pod: directory / f"{pod}.tar" for pod in digests}
    processes = []
    for pod, path in paths.items():
        argv = ["kubectl", "-n", fleet.namespace, "exec", pod, "--", "tar", "cf", "-", "-C", "/tmp", "big"]
        with path.open("wb") as file:
            processes.append(subprocess.Popen(argv, stdout=file, stderr=subprocess.DEVNULL, env=environment(fleet)))
    stop_half_of_the_time(processes)
    return [
        one.wait() == 0 and _digest(paths[pod], HEADER_SIZE) != digests[pod]
        for one, pod in zip(processes, digests, strict=True)
    ]


def _cp(fleet: RealFleet, digests: dict[str, str], directory: Path) -> list[bool]:
    paths = {pod: directory / f"{pod}.cp" for pod in digests}
    processes = [kubectl_cp(fleet, f"{pod}:/tmp/big", path) for pod, path in paths.items()]
    stop_half_of_the_time(processes)
    wrong = [
        one.wait() == 0 and (not paths[pod].exists() or _digest(paths[pod], 0) != digests[pod])
        for one, pod in zip(processes, digests, strict=True)
    ]
    for path in paths.values():
        path.unlink(missing_ok=True)
    return wrong


def _digest(path: Path, start: int) -> str:
    """Return the SHA-256 of SIZE bytes of a file from `start` on."""
    with path.open("rb") as file:
        file.seek(start)
        return hashlib.sha256(file.read(SIZE)).hexdigest()
