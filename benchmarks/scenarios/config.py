"""200 files of configuration, 1.5 MB, pushed to 100 BusyBox pods.

Against `kubectl cp` under `xargs`, 4, 10 and 32 at once. And against the floor, in the same run: the pods' own
extraction of the archive, which is there already, and the same bytes pushed as one file, less what the execution of
`true` takes, all three carried by the same machinery. No push with one session for each pod can be faster than that.
"""

import tarfile
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import command
from benchmarks.compare import CLIENT_CPU, SERVER_CPU, TIME, Comparison, Side, compare, rows
from benchmarks.copying import Copying, check, digests, new_destination, place
from benchmarks.fleet import Fleet, fleet
from benchmarks.row import OURS, Row
from benchmarks.sample import Sample, sampled
from benchmarks.setting import Setting
from benchmarks.sources import configuration

EXTRACTION, ONE_FILE, TRUE = "extraction in the pod", "the same bytes as one file", "exec of true"
FLOOR = "/tmp/floor"


def measure(setting: Setting) -> list[Row]:
    pods = setting.scaled(100)
    with tempfile.TemporaryDirectory() as directory, fleet("busybox", pods) as targets:
        source = configuration(Path(directory, "config"), setting.scaled(200), setting.scaled(1_500_000))
        archive = _archive(source, Path(directory, "archive"))
        place(targets, archive, FLOOR)
        copying = Copying(targets, source)
        sides = {OURS: copying.push(partial(command.asynccp_push, targets, source))}
        for at_once in (4, 10, 32):
            peer = partial(command.kubectl_cp_push, targets, source, at_once=at_once)
            sides[f"xargs -P{at_once} kubectl cp"] = copying.push(peer)
        floor: dict[str, Side] = {
            EXTRACTION: partial(_extract, targets, source),
            ONE_FILE: Copying(targets, archive).push(partial(command.asynccp_push, targets, archive)),
            TRUE: lambda: sampled(command.everywhere(targets, "true").argv),
        }
        found = compare(sides | floor, setting.runs)
    scenario = f"push {setting.scaled(200)} files, 1.5 MB → {pods} BusyBox pods"
    peers = rows(found.of(*sides), scenario, [(TIME, 1.9), (CLIENT_CPU, 10), (SERVER_CPU, None)])
    return [*peers, _floor(found, f"{scenario}: against the floor")]


def _archive(source: Path, into: Path) -> Path:
    into.mkdir()
    with tarfile.open(into / "archive.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(source, ".")
    return into


def _extract(targets: Fleet, source: Path) -> Sample:
    """Extract the archive in every pod."""
    destination = new_destination()
    script = f"mkdir {destination} && tar xf {FLOOR}/archive.tar -C {destination}"
    sample = sampled(command.everywhere(targets, "sh", "-c", script).argv)
    check(targets.digests(destination), digests(source), len(targets.pods))
    return sample


def _floor(found: Comparison, scenario: str) -> Row:
    """Return our time beside the floor's. Within 1.25 times of it is a ratio of 0.8."""
    extraction, one_file, nothing = (found.median(side, TIME) for side in (EXTRACTION, ONE_FILE, TRUE))
    theirs, against = extraction + one_file - nothing, f"{EXTRACTION} + {ONE_FILE} − {TRUE}"
    return found.of(OURS, EXTRACTION, ONE_FILE, TRUE).beside(theirs, against, scenario, TIME, 0.8)
