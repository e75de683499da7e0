"""20 MiB of configuration text, 400 files, pushed to 10 pods, through a line of 100 Mbit/s with a round trip of 20 ms.

Against `kubectl cp` and `tar cf - | kubectl exec -i … tar xf -`, each under `xargs -P10`, through the same line, which
is a relay (benchmarks/link.py). gzip makes a quarter of this text; the others have no such thing.
"""

import tempfile
from pathlib import Path

from benchmarks.compare import CLIENT_CPU, TIME, compare, rows
from benchmarks.copying import Copying
from benchmarks.fleet import fleet
from benchmarks.link import linked
from benchmarks.linkrate import check_rates
from benchmarks.row import Row
from benchmarks.setting import Setting
from benchmarks.sources import configuration

PODS = 10


def measure(setting: Setting) -> list[Row]:
    check_rates()
    with tempfile.TemporaryDirectory() as directory, fleet("gnu", PODS) as targets, linked() as environment:
        source = configuration(Path(directory, "text"), 400, setting.scaled(20 * 1024 * 1024))
        found = compare(Copying(targets, source, environment).pushes(PODS), setting.runs)
    scenario = f"push {20 * setting.scale:g} MiB of text → {PODS} pods, 100 Mbit/s, 20 ms"
    return rows(found, scenario, [(TIME, 3), (CLIENT_CPU, None)])
