"""128 MiB of random bytes, in one file, pulled from each of 8 pods with GNU tar.

Against `kubectl cp` and `kubectl exec … tar cf - | tar xf -`, each under `xargs -P8`. Nothing makes random bytes
smaller: what is compared is the data path.
"""

import tempfile
from pathlib import Path

from benchmarks.compare import CLIENT_CPU, SERVER_CPU, TIME, compare, rows
from benchmarks.copying import Copying, place
from benchmarks.fleet import fleet
from benchmarks.row import Row
from benchmarks.setting import Setting
from benchmarks.sources import noise

PODS = 8


def measure(setting: Setting) -> list[Row]:
    with tempfile.TemporaryDirectory() as directory, fleet("gnu", PODS) as targets:
        source = noise(Path(directory, "logs"), 1, setting.scaled(128 * 1024 * 1024))
        place(targets, source)
        found = compare(Copying(targets, source).pulls(PODS), setting.runs)
    scenario = f"pull {128 * setting.scale:g} MiB random ← {PODS} pods"
    return rows(found, scenario, [(TIME, 1.7), (SERVER_CPU, 2.5), (CLIENT_CPU, None)])
