"""A fleet that lies: 1,000 pods, each with more to remember and to name than anybody reads."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.trust.faults.liars import MIB, Lie, liars, lies_of_many
from benchmarks.trust.row import Row
from tests.e2e.fleet import peak_memory

PODS, MOST_MIB = 1000, 300


def measure(scale: float) -> list[Row]:
    lies, pods = lies_of_many(), max(2, round(PODS * scale))
    peak, results = pull_from_liars(pods, {"fifos": lies["fifos"]})
    counts = {sum(one.get("count", 1) for one in result["left_out"]) for result in results}
    rows = [
        Row(
            f"Memory of a pull from {PODS} pods that all lie: below {MOST_MIB} MiB, and what is not named is counted",
            f"{pods} pods, 5000 FIFOs each: peak {peak / MIB:.0f} MiB, {min(counts)} entries told of each",
            peak < MOST_MIB * MIB and counts == {5000},
        )
    ]
    peak, results = pull_from_liars(pods, lies)
    outcomes = Counter(result["outcome"] for result in results)
    rows.append(
        Row(
            f"Memory of a pull from {PODS} pods that lie in {len(lies)} ways ({', '.join(lies)}): below {MOST_MIB} MiB",
            f"{pods} pods: peak {peak / MIB:.0f} MiB; {dict(outcomes)}",
            peak < MOST_MIB * MIB and len(results) == pods,
        )
    )
    return rows


def pull_from_liars(pods: int, lies: Mapping[str, Lie]) -> tuple[int, list[dict[str, Any]]]:
    """Return the peak of a pull from so many, in bytes, and its results."""
    with tempfile.TemporaryDirectory() as place, liars(Path(place), pods, lies) as fleet:
        code = 1 if set(lies) == {"fifos"} else 23
        peak, report = peak_memory(fleet, "pull", "-l", "app=web:/d", Path(place) / "back", "-z", "zstd", code=code)
    return peak, report["pods"]
