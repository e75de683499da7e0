"""200 files of configuration, 1.5 MB, pushed to 10, 50, 200 and 600 pods, and pulled from them, beside what
asynccp/relay/costs.py says that it takes, which `--workers auto` and `python -m benchmarks.simulated` go by.

The figure is how many times too much or too little was said, of a cluster of one node that is this machine, too.
"""

import os
import tempfile
from functools import partial
from math import inf
from pathlib import Path

from asynccp.relay.costs import Place, Work, cost
from benchmarks import command
from benchmarks.compare import TIME, Comparison, compare
from benchmarks.copying import Copying, place
from benchmarks.fleet import fleet
from benchmarks.row import OURS, Row
from benchmarks.setting import Setting
from benchmarks.sources import configuration

NUMBERS = (10, 50, 200, 600)
FILES, SIZE = 200, 1_500_000
MOST_TIMES = 1.5
_BLOCK = 512  # of an archive, for each header, and at most for each end of a file
_PULL = "asynccp, pull"


def measure(setting: Setting) -> list[Row]:
    found = []
    with tempfile.TemporaryDirectory() as directory:
        source = configuration(Path(directory, "config"), FILES, SIZE)
        entries = sum(1 for _ in source.rglob("*"))
        work = Work(0, entries, SIZE + _BLOCK * (entries + FILES))
        for number in NUMBERS:
            found += _measured(setting.scaled(number), source, work, setting.runs)
    return found


def _measured(pods: int, source: Path, work: Work, runs: int) -> list[Row]:
    with fleet("gnu", pods) as targets:
        place(targets, source)
        copying = Copying(targets, source)
        pushes = copying.push(partial(command.asynccp_push, targets, source))
        pulls = copying.pull(partial(command.asynccp_pull, targets))
        copied = compare({OURS: pushes, _PULL: pulls}, runs)
    work = work._replace(pods=pods)
    return [
        _row(f"push {FILES} files, 1.5 MB → {pods} pods", copied, OURS, work),
        _row(f"pull {FILES} files, 1.5 MB ← {pods} pods", copied, _PULL, work._replace(is_pull=True)),
    ]


def _row(what: str, copied: Comparison, side: str, work: Work) -> Row:
    said_s = cost(work, Place(cores=os.cpu_count() or 1, is_one=True)).time_s
    took_s = copied.median(side, TIME)
    off = inf if took_s == inf else max(said_s / took_s, took_s / said_s)
    scenario = f"{what}: {took_s:.1f} s, and {said_s:.1f} were said"
    failures = {OURS: copied.failures.get(side, 0)}
    return Row(scenario, "what was said is off", off, MOST_TIMES, "times", "the most", 1.0, failures, {OURS: [off]})
