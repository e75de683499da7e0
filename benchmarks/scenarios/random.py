"""64 MiB of random bytes, in one file, pushed to 8 pods with GNU tar, against `kubectl cp` under `xargs -P8`.

Nothing makes random bytes smaller: what is compared is the data path.
"""

import tempfile
from functools import partial
from pathlib import Path

from benchmarks import command
from benchmarks.compare import CLIENT_CPU, SERVER_CPU, TIME, compare, rows
from benchmarks.copying import Copying
from benchmarks.fleet import fleet
from benchmarks.row import OURS, Row
from benchmarks.setting import Setting
from benchmarks.sources import noise

PODS = 8


def measure(setting: Setting) -> list[Row]:
    with tempfile.TemporaryDirectory() as directory, fleet("gnu", PODS) as targets:
        source = noise(Path(directory, "blob"), 1, setting.scaled(64 * 1024 * 1024))
        copying = Copying(targets, source)
        sides = {
            OURS: copying.push(partial(command.asynccp_push, targets, source)),
            "xargs -P8 kubectl cp": copying.push(partial(command.kubectl_cp_push, targets, source, at_once=PODS)),
        }
        found = compare(sides, setting.runs)
    scenario = f"push {64 * setting.scale:g} MiB random → {PODS} pods"
    return rows(found, scenario, [(TIME, 1.3), (SERVER_CPU, 4), (CLIENT_CPU, None)])
