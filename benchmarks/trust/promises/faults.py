"""The storm of faults at full size: 2,000 cases, each a fault at an offset of a push or pull; 1,000 without a tar.

The faults are those of `asynccp.testing.faults`.
"""

import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio

from asynccp.report import Outcome
from benchmarks.trust.faults.kubectl import kubectl_storm
from benchmarks.trust.faults.storm import WITH_SHELL, WITHOUT_TAR, Ended, storm
from benchmarks.trust.row import Row

SEEDS, SEEDS_WITHOUT_TAR, FIRST_SEED, BATCH, KUBECTL_SEEDS = 2000, 1000, 1000, 250, 60
WHATS = {
    "loss": "ended with 0 and a differing tree",
    "torn": "left a torn file under a final name",
    "late": "went past their deadline",
    "left": "left something behind",
    "unnamed": "did not name the pod and the cause",
}


def measure(scale: float) -> list[Row]:
    seeds = range(FIRST_SEED, FIRST_SEED + max(20, round(SEEDS * scale)))
    kubectl = _kubectl(seeds[: max(10, round(KUBECTL_SEEDS * scale))])
    without = range(FIRST_SEED, FIRST_SEED + max(20, round(SEEDS_WITHOUT_TAR * scale)))
    return [
        *_rows("Faults at random places of pushes and pulls", seeds, WITH_SHELL, kubectl),
        *_rows("Faults at random places of pushes and pulls without a tar", without, WITHOUT_TAR, {}),
    ]


def _rows(what: str, seeds: range, kinds: Sequence[str], kubectl: dict[str, str]) -> list[Row]:
    ended = Ended()
    for first in seeds[::BATCH]:
        with tempfile.TemporaryDirectory() as directory:
            batch = anyio.run(partial(storm, seeds[first - FIRST_SEED :][:BATCH], Path(directory), kinds=kinds))
        ended.findings += batch.findings
        ended.outcomes += batch.outcomes
    for finding in ended.findings:
        print(finding)
    ran = f"{len(seeds)} runs ({ended.outcomes[Outcome.COMPLETE]} complete, {ended.outcomes[Outcome.FAILED]} failed)"
    return [
        Row(
            f"{what}: no transfer {text}",
            f"{ran}: {ended.count(kept)} {text}",
            not ended.count(kept) and sum(ended.outcomes.values()) == len(seeds),
            kubectl.get(kept, ""),
        )
        for kept, text in WHATS.items()
    ]


def _kubectl(seeds: range) -> dict[str, str]:
    """Return what kubectl does on some of the cases; nothing where there is none."""
    if shutil.which("kubectl") is None:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        copied = anyio.run(kubectl_storm, seeds, Path(directory))
    counts = {"loss": copied.losses, "torn": copied.torn, "late": copied.hung}
    texts = {**WHATS, "late": "had not ended after 20 s"}
    return {what: f"{count} of {copied.runs} {texts[what]}" for what, count in counts.items()}
