"""One stalled pod of 100: the other 99 need at most 1.1 times as long as without it."""

import statistics
import tempfile
from pathlib import Path

from benchmarks.trust.faults.stalled import measured
from benchmarks.trust.row import Row

PODS, ROUNDS, SIZE, STALL_AFTER_S, MOST_FACTOR = 100, 7, 1_000_000, 15.0, 1.1


def measure(scale: float) -> list[Row]:
    return [_row(direction, max(1, round(ROUNDS * scale))) for direction in ("push", "pull")]


def _row(direction: str, rounds: int) -> Row:
    with tempfile.TemporaryDirectory() as directory:
        calm, struck, wrong = measured(
            Path(directory), direction, pods=PODS, size=SIZE, rounds=rounds, stall_after_s=STALL_AFTER_S
        )
    factor = statistics.median(struck) / statistics.median(calm)
    figure = (
        f"{PODS - 1} pods of {SIZE / 1e6:g} MB: {statistics.median(calm):.2f} s undisturbed, "
        f"{statistics.median(struck):.2f} s beside a stalled one (medians of {rounds}, alternating): x {factor:.2f}; "
        + ("; ".join(wrong) if wrong else f"the stalled one named at its deadline of {STALL_AFTER_S:g} s each time")
    )
    return Row(
        f"One stalled pod of {PODS} in a {direction}: the others take at most {MOST_FACTOR} times as long",
        figure,
        not wrong and factor <= MOST_FACTOR,
    )
