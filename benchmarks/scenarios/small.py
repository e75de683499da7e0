"""10,000 files of 1 KiB pulled from each of 4 pods with GNU tar.

Against `kubectl cp` and `kubectl exec … tar cf - | tar xf -`, each under `xargs -P4`.
"""

import tempfile
from pathlib import Path

from benchmarks.compare import CLIENT_CPU, SERVER_CPU, TIME, compare, rows
from benchmarks.copying import Copying, place
from benchmarks.fleet import fleet
from benchmarks.row import Row
from benchmarks.setting import Setting
from benchmarks.sources import noise

PODS = 4


def measure(setting: Setting) -> list[Row]:
    files = setting.scaled(10_000)
    with tempfile.TemporaryDirectory() as directory, fleet("gnu", PODS) as targets:
        source = noise(Path(directory, "small"), files, 1024)
        place(targets, source)
        found = compare(Copying(targets, source).pulls(PODS), setting.runs)
    scenario = f"pull {files:,} files of 1 KiB ← {PODS} pods"
    return rows(found, scenario, [(TIME, 1.5), (CLIENT_CPU, None), (SERVER_CPU, None)])
