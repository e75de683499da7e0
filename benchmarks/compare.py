"""Comparison: the same copy by several sides in turn (A B C A B C …), so that what else the machine does hits all."""

import math
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.row import OURS, Row
from benchmarks.sample import Incomplete, Sample

Side = Callable[[], Sample]
"""Copies once, checks (outside of the time taken) that all has arrived, and cleans up. Raises Incomplete."""

Measure = tuple[str, str, Callable[[Sample], float | None]]
TIME: Measure = ("time", "s", lambda sample: sample.wall_s)
CLIENT_CPU: Measure = ("client CPU", "CPU-s", lambda sample: sample.client_cpu_s)
SERVER_CPU: Measure = ("API server CPU", "CPU-s", lambda sample: sample.server_cpu_s)
PEAK_MEMORY: Measure = ("peak memory", "MiB", lambda sample: sample.peak_mib)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The samples of each side's complete copies, and how many of its copies were short or failed."""

    samples: Mapping[str, list[Sample]]
    failures: Mapping[str, int] = field(default_factory=dict)

    def figures(self, side: str, measure: Measure) -> list[float]:
        """Return one figure for each complete copy of a side."""
        found = [measure[2](sample) for sample in self.samples[side]]
        return [one for one in found if one is not None]

    def median(self, side: str, measure: Measure) -> float:
        """Return the median; infinite when no copy was complete, or the figure can't be taken here."""
        figures = self.figures(side, measure)
        return statistics.median(figures) if figures else math.inf

    def of(self, *sides: str) -> "Comparison":
        """Return the comparison of some of the sides."""
        return Comparison(
            {side: self.samples[side] for side in sides}, {side: self.failures.get(side, 0) for side in sides}
        )

    def as_ours(self, side: str, *others: str) -> "Comparison":
        """Return the comparison of one of several sides of ours, by the name that ours has, with some of the others."""
        return Comparison(
            {OURS: self.samples[side]} | {one: self.samples[one] for one in others},
            {OURS: self.failures.get(side, 0)} | {one: self.failures.get(one, 0) for one in others},
        )

    def row(self, scenario: str, measure: Measure, wanted: float | None = None, ours: str = OURS) -> Row:
        """Return our median beside the best of the other sides'."""
        others = [side for side in self.samples if side != ours]
        best = min(others, key=lambda side: self.median(side, measure))
        return self.beside(self.median(best, measure), best, scenario, measure, wanted, ours)

    def beside(
        self, theirs: float, against: str, scenario: str, measure: Measure, wanted: float | None, ours: str = OURS
    ) -> Row:
        """Return our median beside a figure that is no side's own."""
        name, unit, _ = measure
        return Row(
            scenario,
            name,
            self.median(ours, measure),
            theirs,
            unit,
            against,
            wanted,
            {side: count for side, count in self.failures.items() if count},
            {side: self.figures(side, measure) for side in self.samples},
        )


def compare(sides: Mapping[str, Side], runs: int, say: Callable[[str], None] = print) -> Comparison:
    """Let every side copy `runs` times, in turn."""
    samples: dict[str, list[Sample]] = {side: [] for side in sides}
    failures = dict.fromkeys(sides, 0)
    for run in range(runs):
        for name, side in sides.items():
            os.sync()  # what the one before wrote is not this one's burden
            try:
                samples[name].append(side())
                say(f"  {run + 1}/{runs} {name}: {described(samples[name][-1])}")
            except Incomplete as exc:
                failures[name] += 1
                say(f"  {run + 1}/{runs} {name}: FAILED: {exc}")
    return Comparison(samples, failures)


def described(sample: Sample) -> str:
    server = "" if sample.server_cpu_s is None else f", API server {sample.server_cpu_s:.2f} CPU-s"
    return f"{sample.wall_s:.2f} s, client {sample.client_cpu_s:.2f} CPU-s, {sample.peak_mib:.0f} MiB{server}"


def rows(comparison: Comparison, scenario: str, wanted: Sequence[tuple[Measure, float | None]]) -> list[Row]:
    """Return one row for each measure and its aim; no row for what can't be measured here."""
    complete = any(comparison.samples.values())
    return [
        comparison.row(scenario, measure, aim)
        for measure, aim in wanted
        if not complete or any(comparison.figures(side, measure) for side in comparison.samples)
    ]
