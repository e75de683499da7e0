"""Client CPU per GiB beside that of a blocking TLS socket, over as many connections to the same null cluster."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.compare import Measure, compare
from benchmarks.row import OURS, Row
from benchmarks.sample import Sample, sampled

CONNECTIONS = 64
FLOOR = "blocking TLS socket"


def rows(
    direction: str, kubeconfig: Path, mib: int, ours: Callable[[int], Sample], runs: int, wanted: float
) -> list[Row]:
    """Compare copies of `mib` MiB on each connection.

    ours: copies so many MiB to or from each of CONNECTIONS pods. What a copy of nothing takes, just before, is
    subtracted on both sides: start-up, handshakes, and the dialogue.
    """

    def floor(size: int) -> Sample:
        argv = [sys.executable, "-m", "benchmarks.null.floor", direction, os.fspath(kubeconfig), str(CONNECTIONS)]
        return sampled([*argv, str(size)])

    gib = CONNECTIONS * mib / 1024
    cpu: Measure = ("CPU per GiB", "CPU-s/GiB", lambda sample: sample.client_cpu_s / gib)
    time: Measure = ("time per GiB", "s/GiB", lambda sample: sample.wall_s / gib)
    comparison = compare({OURS: lambda: _beyond(ours, mib), FLOOR: lambda: _beyond(floor, mib)}, runs)
    scenario = f"{direction} {mib} MiB, {CONNECTIONS} sessions, null cluster"
    return [comparison.row(scenario, cpu, wanted), comparison.row(scenario, time)]


def _beyond(copy: Callable[[int], Sample], mib: int) -> Sample:
    nothing, all_of_it = copy(0), copy(mib)
    return Sample(
        all_of_it.wall_s - nothing.wall_s, all_of_it.client_cpu_s - nothing.client_cpu_s, None, all_of_it.peak_mib
    )
