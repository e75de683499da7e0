"""Copies one after the other in one process: nothing is left behind, and memory does not grow."""

import tempfile
from pathlib import Path

from asynccp.report import Outcome
from benchmarks.trust.faults.soak import soak
from benchmarks.trust.row import Row

SECONDS, MOST_GROWTH_MIB = 300, 4.0


def measure(scale: float) -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        soaked = soak(Path(directory), seconds=SECONDS * scale)
    growth_mib = soaked.growth / 2**20
    counts = ", ".join(f"{soaked.outcomes[one]} {one.value}" for one in Outcome if soaked.outcomes[one])
    figure = (
        f"{len(soaked.memory)} runs in {SECONDS * scale:.0f} s ({counts}): {len(soaked.left)} things left behind; "
        f"memory {soaked.memory[-1] / 2**20:.0f} MiB, {growth_mib:+.1f} MiB after the warm-up"
    )
    return [
        Row(
            "Pushes and pulls, some struck or interrupted: descriptors, tasks, threads and processes as "
            f"before, and memory within {MOST_GROWTH_MIB:g} MiB",
            figure + ("; left: " + "; ".join(soaked.left[:5]) if soaked.left else ""),
            not soaked.left and growth_mib <= MOST_GROWTH_MIB and bool(soaked.outcomes[Outcome.COMPLETE]),
        )
    ]
