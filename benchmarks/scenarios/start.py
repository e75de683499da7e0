"""One file of 4 KiB pushed to one pod, and to 4 and 8: what the start of the program costs, and when it is regained.

Against `kubectl cp` for one pod, and `kubectl cp` under `xargs -P4` and `-P8` for more. BusyBox pods.
"""

import tempfile
from functools import partial
from pathlib import Path

from benchmarks import command
from benchmarks.compare import CLIENT_CPU, TIME, compare, rows
from benchmarks.copying import Copying
from benchmarks.fleet import fleet
from benchmarks.row import OURS, Row
from benchmarks.setting import Setting
from benchmarks.sources import configuration

WANTED = {1: 0.5, 4: 1.0, 8: 1.0}  # at most twice kubectl's time for one pod; for 4 and more, faster


def measure(setting: Setting) -> list[Row]:
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        source = configuration(Path(directory, "one"), 1, 4096)
        for pods, wanted in WANTED.items():
            with fleet("busybox", pods) as targets:
                copying = Copying(targets, source)
                peer = "kubectl cp" if pods == 1 else f"xargs -P{pods} kubectl cp"
                sides = {
                    OURS: copying.push(partial(command.asynccp_push, targets, source)),
                    peer: copying.push(partial(command.kubectl_cp_push, targets, source, at_once=pods)),
                }
                comparison = compare(sides, setting.runs * 2)  # short ones, which scatter
            scenario = f"push 1 file → {pods} pod{'s' if pods > 1 else ''}, cold start"
            found += rows(comparison, scenario, [(TIME, wanted), (CLIENT_CPU, None)])
    return found
