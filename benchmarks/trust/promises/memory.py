"""A pull from 100 pods at once, one of them stalled: at most 100 MiB and 1 MiB for each connection."""

import tempfile
from pathlib import Path

from benchmarks.trust.faults.memory import MIB, peak_of_a_pull
from benchmarks.trust.row import Row

PODS, SIZE, STALL_AFTER_S, BASE_MIB, PER_CONNECTION_MIB = 100, 24 * MIB, 30, 100, 1


def measure(scale: float) -> list[Row]:
    size = max(MIB, round(SIZE * scale))
    with tempfile.TemporaryDirectory() as directory:
        peak, errors = peak_of_a_pull(Path(directory), pods=PODS, size=size, stall_after_s=STALL_AFTER_S)
    most = BASE_MIB + PODS * PER_CONNECTION_MIB
    failed = {pod: error for pod, error in errors.items() if error}
    figure = f"{PODS} x {size // MIB} MiB: peak {peak / MIB:.0f} MiB of {most} MiB; failed: {failed}"
    return [
        Row(
            f"Memory of a pull from {PODS} pods at once, one stalled: "
            f"at most {BASE_MIB} MiB and {PER_CONNECTION_MIB} MiB for each connection",
            figure,
            peak <= most * MIB and list(failed) == ["memory-0"] and "nothing moved for" in failed["memory-0"],
        )
    ]
