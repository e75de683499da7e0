"""100,000 entries of a BusyBox pod listed: what is there, with sizes, times, modes, owners and where links lead.

Against `kubectl exec … find -exec stat`, whose output somebody has yet to parse.
"""

import sys
from functools import partial

from benchmarks.compare import CLIENT_CPU, PEAK_MEMORY, SERVER_CPU, TIME, compare, rows
from benchmarks.fleet import Fleet, fleet
from benchmarks.row import OURS, Row
from benchmarks.sample import Sample, sampled
from benchmarks.setting import Setting

DIRECTORY, IN_ONE = "/tmp/many", 100
MAKE = """
names= i=1
while [ $i -lt "$3" ]; do names="$names settings-$i.yaml" i=$((i + 1)); done
i=0
while [ $i -lt "$2" ]; do
    mkdir -p "$1/$i" && cd "$1/$i" && touch $names || exit
    i=$((i + 1))
done
"""


def measure(setting: Setting) -> list[Row]:
    directories = setting.scaled(1000)
    count = directories * IN_ONE + 1
    with fleet("busybox", 1) as targets:
        targets.run(["sh", "-c", MAKE, "sh", DIRECTORY, str(directories), str(IN_ONE)])
        sides = {
            OURS: partial(_asynccp, targets, count),
            "kubectl exec find -exec stat": partial(_kubectl, targets, count),
        }
        found = compare(sides, setting.runs)
    scenario = f"list {count - 1:,} entries ← 1 BusyBox pod"
    return rows(found, scenario, [(TIME, None), (CLIENT_CPU, None), (SERVER_CPU, None), (PEAK_MEMORY, None)])


def _asynccp(targets: Fleet, count: int) -> Sample:
    where = (targets.namespace, targets.pods[0], DIRECTORY)
    return sampled([sys.executable, "-m", "benchmarks.lists", *where, str(count)])


def _kubectl(targets: Fleet, count: int) -> Sample:
    find = f"find {DIRECTORY} -exec stat -c '%n %f %s %Y %u %g %d %i %h %N' {{}} +"
    lines = f"kubectl -n {targets.namespace} exec {targets.pods[0]} -- {find} | wc -l"
    return sampled(["bash", "-o", "pipefail", "-c", f'[ "$({lines})" = {count} ]'])
