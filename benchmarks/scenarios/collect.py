"""4 × 16 MiB of access logs, collected from each of 10 pods three times, through a line of 100 Mbit/s and 20 ms.

First all of them, then the same logs, unchanged, and at last after each has grown by a hundredth. The line is a relay
(benchmarks/link.py). Nobody else collects twice: `kubectl cp` would take again what it took the first time
(benchmarks/scenarios/slow_pull.py). So ours are compared to our own first collection, and to what is wanted.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import command
from benchmarks.compare import CLIENT_CPU, TIME, compare, rows
from benchmarks.copying import PLACED, check, digests, place
from benchmarks.fleet import Fleet, fleet
from benchmarks.link import linked
from benchmarks.linkrate import check_rates
from benchmarks.row import Row
from benchmarks.sample import Sample, sampled
from benchmarks.setting import Setting
from benchmarks.sources import access_logs

PODS, LOGS = 10, 4
FIRST, AGAIN, GROWN = "asynccp, first time", "asynccp, unchanged", "asynccp, grown by 1 %"
MOST_S = 2.0
GROW = """
for log in "$1"/*; do
    head -c "$2" "$log" >/tmp/new && cat /tmp/new >>"$log" || exit
done
"""


def measure(setting: Setting) -> list[Row]:
    check_rates()
    size = setting.scaled(16 * 1024 * 1024)
    with tempfile.TemporaryDirectory() as directory, fleet("gnu", PODS) as targets, linked() as environment:
        place(targets, access_logs(Path(directory, "logs"), LOGS, size))
        collections = Collections(targets, Path(directory), environment, grow_size=size // 100)
        sides = {FIRST: collections.first, AGAIN: collections.again, GROWN: collections.grown}
        found = compare(sides, setting.runs)
    what = f"collect {LOGS} × {16 * setting.scale:g} MiB of logs ← {PODS} pods, 100 Mbit/s, 20 ms"
    again, grown = found.as_ours(AGAIN, FIRST), found.as_ours(GROWN, FIRST)
    return [
        found.as_ours(AGAIN).beside(MOST_S, "what is wanted", f"{what}, unchanged: against a limit", TIME, 1),
        *rows(again, f"{what}, unchanged: against the first time", [(TIME, None), (CLIENT_CPU, None)]),
        *rows(grown, f"{what}, grown by 1 %: against the first time", [(TIME, None), (CLIENT_CPU, None)]),
    ]


@dataclass(slots=True)
class Collections:
    """Collections into one directory after the other, each several times.

    environment: for the command, beside what is set here. grow_size: bytes that are added to each log.
    """

    targets: Fleet
    directory: Path
    environment: Mapping[str, str]
    grow_size: int
    _out: Path = field(default=Path(), init=False)

    def first(self) -> Sample:
        self._out = Path(tempfile.mkdtemp(dir=self.directory))
        return self._collected()

    def again(self) -> Sample:
        return self._collected()

    def grown(self) -> Sample:
        self.targets.run(["sh", "-c", GROW, "sh", PLACED, str(self.grow_size)])
        return self._collected()

    def _collected(self) -> Sample:
        made = command.asynccp_pull(self.targets, PLACED, self._out)
        sample = sampled(made.argv, environment=self.environment)
        there = self.targets.digests(PLACED)
        for pod, found in zip(self.targets.pods, there, strict=True):
            check([digests(self._out / pod)], found, 1)
        return sample
