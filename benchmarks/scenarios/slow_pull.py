"""4 × 16 MiB of access logs pulled from each of 10 pods, through a line of 100 Mbit/s with a round trip of 20 ms.

Against `kubectl cp` and `kubectl exec … tar cf - | tar xf -`, each under `xargs -P10`, through the same line, which is
a relay (benchmarks/link.py). gzip makes a ninth or tenth of these logs; the others have no such thing. On such a line
kubectl loses the end of most copies (as in kubernetes #60140, it seems), over SPDY too, so there is a third peer: the
second one with the remedy of those who know, a pause of 3 s after the pod's tar. And the line itself: what it takes to
carry these bytes as they are is less than any copy without compression can take, whole or short.

asynccp finds out in the first second that it is slow, and remembers that for a day: so it copies twice, the first time
as if nobody had been there before.

It has no busy node compress, so it begins when what was measured before, and the making of the logs, has gone from
the load average.
"""

import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

from asynccp.engine.compression import MOST_LOAD
from benchmarks import command
from benchmarks.compare import CLIENT_CPU, TIME, Side, compare, rows
from benchmarks.copying import Copying, place
from benchmarks.fleet import fleet
from benchmarks.link import BYTE_PER_S, linked
from benchmarks.linkrate import check_rates
from benchmarks.row import OURS, Row
from benchmarks.sample import Sample
from benchmarks.setting import Setting
from benchmarks.sources import access_logs

PODS = 10
KNOWN = "asynccp, known to be slow"


def measure(setting: Setting) -> list[Row]:
    check_rates()
    with tempfile.TemporaryDirectory() as directory, fleet("gnu", PODS) as targets, linked() as environment:
        source = access_logs(Path(directory, "logs"), 4, setting.scaled(16 * 1024 * 1024))
        size = PODS * sum(path.stat().st_size for path in source.iterdir())
        place(targets, source)
        _wait_for_idle_node()
        copying = Copying(targets, source, environment)
        copied, memory = copying.pulls(PODS), Path(environment["XDG_CACHE_HOME"], "asynccp")
        ours = copied.pop(OURS)
        lingering = copying.pull(partial(command.exec_tar_pull, targets, at_once=PODS, linger_s=3))
        sides: dict[str, Side] = {OURS: partial(_forgotten, memory, ours), KNOWN: ours}
        sides |= copied | {f"xargs -P{PODS} kubectl exec, tar and a pause": lingering}
        found = compare(sides, setting.runs)
    scenario = f"pull 4 × {16 * setting.scale:g} MiB of access logs ← {PODS} pods, 100 Mbit/s, 20 ms"
    peers = found.of(OURS, *(one for one in sides if one not in (OURS, KNOWN)))
    line = found.of(OURS).beside(size / BYTE_PER_S, "the line: these bytes as they are", scenario, TIME, 3.5)
    known = found.of(OURS, KNOWN).row(f"{scenario}, known to be slow", TIME, 1.3, ours=KNOWN)
    return [*rows(peers, scenario, [(TIME, 3.5), (CLIENT_CPU, None)]), line, known]


def _forgotten(memory: Path, side: Side) -> Sample:
    """Copy as who knows nothing of the line."""
    shutil.rmtree(memory, ignore_errors=True)
    return side()


def _wait_for_idle_node() -> None:
    for _ in range(300):
        if os.getloadavg()[0] < MOST_LOAD * (os.cpu_count() or 1) / 2:
            return
        time.sleep(1)
    raise RuntimeError("this node does not come to rest")
