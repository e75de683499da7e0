"""20 MiB of random bytes pushed to 20 pods, through a line of 100 Mbit/s with a round trip of 20 ms, by one relay.

Against a push from here, and `kubectl cp` under `xargs -P20`, through the same line, which is a relay of another kind
(benchmarks/link.py). The time has all in it: the Job, its pod, and their end. The relay's image and template are
$ASYNCCP_BENCH_RELAY_IMAGE and $ASYNCCP_BENCH_RELAY_TEMPLATE.
"""

import os
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import command
from benchmarks.command import Command
from benchmarks.compare import CLIENT_CPU, TIME, compare, rows
from benchmarks.copying import Copying
from benchmarks.fleet import Fleet, fleet
from benchmarks.link import linked
from benchmarks.linkrate import check_rates
from benchmarks.row import OURS, Row
from benchmarks.setting import Setting
from benchmarks.sources import noise

PODS = 20
_HERE, _KUBECTL = "asynccp, from here", f"xargs -P{PODS} kubectl cp"


def measure(setting: Setting) -> list[Row]:
    check_rates()
    with tempfile.TemporaryDirectory() as directory, fleet("gnu", PODS) as targets, linked() as environment:
        source = noise(Path(directory, "blob"), 1, setting.scaled(20 * 1024 * 1024))
        copying = Copying(targets, source, environment)
        sides = {
            OURS: copying.push(partial(_by_relay, targets, source)),
            _HERE: copying.push(partial(command.asynccp_push, targets, source)),
            _KUBECTL: copying.push(partial(command.kubectl_cp_push, targets, source, at_once=PODS)),
        }
        found = compare(sides, setting.runs)
    scenario = f"push {20 * setting.scale:g} MiB random → {PODS} pods by one relay, 100 Mbit/s, 20 ms"
    return [
        *rows(found.of(OURS, _HERE), scenario, [(TIME, 6), (CLIENT_CPU, None)]),
        *rows(found.of(OURS, _KUBECTL), scenario, [(TIME, 8)]),
    ]


def _by_relay(targets: Fleet, source: Path, destination: str) -> Command:
    image, template = (os.environ.get(f"ASYNCCP_BENCH_RELAY_{one}", "") for one in ("IMAGE", "TEMPLATE"))
    flags = ["--relays", "1", "--relay-image", image or "asynccp.test/relay:1"]
    return command.asynccp_push(
        targets, source, destination, *flags, *(["--relay-template", template] if template else [])
    )
