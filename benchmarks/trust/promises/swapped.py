"""W2: what a program sees that reads a directory all the time while it is replaced, by each kind of tar.

The reader is a loop of the shell's own tests, so it looks some hundred thousand times a second. How long the directory
was missing is how many of its looks in a row found none, as a share of all looks and of the time that these took.
"""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.trust.cluster import real_fleet
from benchmarks.trust.row import Row
from tests.e2e.fleet import WITH_TAR, asynccp, labels_for, selector, sh
from tests.e2e.real import RealFleet

PUSHES = 50
FILES = 30
MOST_LOOKS = 200_000_000  # ten minutes: nobody may be there any more to end it
# Says how often it has looked, and for each time that the directory was missing, for how many looks in a row.
READER = """
looks=0 missing=0 gaps=
echo 1 >"$1.reads"
while [ ! -e "$1.stop" ] && [ $looks -lt "$2" ]; do
    looks=$((looks + 1))
    if [ -e "$1/f0" ]; then
        if [ $missing != 0 ]; then gaps="$gaps $missing" missing=0; fi
    else missing=$((missing + 1))
    fi
done
echo "$looks$gaps"
"""


class Seen(NamedTuple):
    """seconds: for which it was missing, each time. looks: how often it was looked for."""

    seconds: Sequence[float]
    looks: int


def measure(scale: float) -> list[Row]:
    pushes = max(2, round(PUSHES * scale))
    with real_fleet() as (fleet, directory):
        labels = labels_for("swapped")
        pods = {kind: fleet.add(kind, f"swapped-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)}
        target = f"{selector(labels)}:/tmp"
        swapped = {
            flag: _watched(fleet, pods, directory, f"{target}/{flag}", pushes) for flag in ("atomic", "atomic-link")
        }
    return [_window(swapped["atomic"], pushes), _never(swapped["atomic-link"], pushes)]


def _watched(fleet: RealFleet, pods: dict[str, str], directory: Path, target: str, pushes: int) -> dict[str, Seen]:
    """Push so many times; return what the reader in a pod of each kind saw."""
    where = target.partition(":")[2]
    flag, source = f"--{where.rpartition('/')[2]}", directory / "source"

    def push(version: int) -> None:
        source.mkdir(exist_ok=True)
        for number in range(FILES):
            (source / f"f{number}").write_text(f"{version}\n")
        ran = asynccp(fleet, "push", f"{source}/", "-l", target, flag, "-q")
        assert ran.code == 0, ran.err

    def read(pod: str) -> Seen:
        begun = time.monotonic()
        looks, *gaps = map(int, sh(fleet, pod, "sh", "-c", READER, "sh", where, str(MOST_LOOKS)).split())
        each_s = (time.monotonic() - begun) / looks
        return Seen([gap * each_s for gap in gaps], looks)

    push(0)
    with ThreadPoolExecutor(len(pods)) as readers:
        reading = {kind: readers.submit(read, pod) for kind, pod in pods.items()}
        try:
            for pod in pods.values():
                sh(fleet, pod, "sh", "-c", 'until [ -e "$1.reads" ]; do :; done', "sh", where)
            for version in range(1, pushes + 1):
                push(version)
        finally:
            for pod in pods.values():
                sh(fleet, pod, "sh", "-c", ': >"$1.stop"', "sh", where)
        return {kind: one.result() for kind, one in reading.items()}


def _window(seen: dict[str, Seen], pushes: int) -> Row:
    told = [
        f"{kind} {statistics.median(one.seconds) * 1000:.1f} ms (longest {max(one.seconds) * 1000:.1f})"
        for kind, one in seen.items()
        if one.seconds
    ]
    return Row(
        f"push --atomic, {pushes} times: how long the directory is missing between the two renames, which is told",
        f"{'; '.join(told) or 'never seen missing'}; medians of {pushes}, {_looks(seen)}",
        all(len(one.seconds) <= pushes for one in seen.values()),
    )


def _never(seen: dict[str, Seen], pushes: int) -> Row:
    return Row(
        f"push --atomic-link, {pushes} times: a reader never finds the directory missing",
        f"{sum(len(one.seconds) for one in seen.values())} times missing; {_looks(seen)}",
        not any(one.seconds for one in seen.values()),
    )


def _looks(seen: dict[str, Seen]) -> str:
    return f"{min(one.looks for one in seen.values()):,} looks or more in each of {len(seen)} pods"
