"""Logs that grow and rotate while they are collected, again and again, come whole, once, and without what is here.

Each pod has a writer that appends blocks and rotates (`app.log` → `app.log.1` → …): by renaming, or by copying and
truncating. A log is known by its first line, which no other has. The writers pause between two collections, while what
was collected is compared in the pod: by inode, and the digest of so many bytes as are here.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.trust.cluster import real_fleet
from benchmarks.trust.row import Row
from tests.e2e.fleet import WITH_TAR, asynccp, labels_for, selector, sh
from tests.e2e.real import RealFleet

PODS, COLLECTIONS = 20, 5
GROW_EVERY_S, ROTATE_EVERY = 0.25, 40  # of them: 10 s
BLOCK_SIZE = 256 * 1024  # 1 MiB/s
FIRST_S, BETWEEN_S = 14.0, 7.0  # in which logs grow before a collection
MOST_EXCESS, MOST_STILL = 1.05, 0.1
MIB = 1024 * 1024
_LISTING = 100_000  # bytes, at most, that are no log's
LOGS, SHELLS = "/tmp/w/logs", 8

WRITE = """
mkdir -p "$1" && cd "$1" || exit
head -c "$2" /dev/urandom >../block
n=0
while :; do
    if [ -e ../pause ]; then
        mv ../pause ../paused
        while [ -e ../paused ]; do sleep 0.1; done
    fi
    n=$((n + 1))
    { echo "block $n" && cat ../block; } >>app.log
    if [ $((n % $3)) = 0 ]; then
        i=1
        while [ -e app.log.$i ]; do i=$((i + 1)); done
        while [ $i -gt 1 ]; do mv app.log.$((i - 1)) app.log.$i && i=$((i - 1)); done
        $4 app.log app.log.1 && : >app.log
    fi
    sleep "$5"
done
"""
START = '(sh -c "$0" sh "$@" </dev/null >/dev/null 2>&1 &)'
PAUSE = ': >"$1/../pause" && until [ -e "$1/../paused" ]; do sleep 0.1; done'
RESUME = 'rm "$1/../paused"'
LOOK = """
cd "$1" && for log in *; do
    first=
    read -r first <"$log"
    echo "$(stat -c '%i %s' "$log") $log $first"
done
"""
DIGESTS = """
cd "$1" && shift && while [ $# -gt 0 ]; do
    for log in *; do
        if [ "$(stat -c %i "$log")" = "$1" ]; then head -c "$2" "$log" | sha256sum; fi
    done
    shift 2
done
"""


class There(NamedTuple):
    """A log in a pod. first: its first line."""

    inode: str
    size: int
    name: str
    first: str


class Here(NamedTuple):
    """A log that was collected."""

    size: int
    name: str
    first: str
    digest: str


@dataclass(slots=True)
class Found:
    """What collections have shown.

    wrong: what is not as promised. named: what the reports say is not whole. files: how many were compared.
    wire_size, new_size: bytes of each collection, by pod.
    """

    wrong: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    files: int = 0
    wire_size: list[dict[str, int]] = field(default_factory=list)
    new_size: list[dict[str, int]] = field(default_factory=list)


def measure(scale: float) -> list[Row]:
    with real_fleet() as (fleet, directory):
        labels = labels_for("collecting")
        pods = [
            fleet.add(WITH_TAR[number % len(WITH_TAR)], f"collecting-{number}", labels, wait=False)
            for number in range(max(len(WITH_TAR), round(PODS * scale)))
        ]
        fleet.wait_ready(*pods)
        found = Scene(fleet, pods, selector(labels), directory / "out").collect()
    return _rows(found, len(pods))


class Scene:
    """Pods with growing logs, and the directory that they are collected into."""

    def __init__(self, fleet: RealFleet, pods: list[str], which: str, out: Path) -> None:
        self._fleet, self._pods, self._which, self._out = fleet, pods, which, out
        self._found = Found()
        self._here: dict[str, dict[str, int]] = {pod: {} for pod in pods}
        self._before: dict[str, dict[str, int]] = {pod: {} for pod in pods}

    def collect(self) -> Found:
        for number, pod in enumerate(self._pods):
            way = ("mv", "cp")[number // len(WITH_TAR) % 2]
            self._sh(pod, START, WRITE, LOGS, str(BLOCK_SIZE), str(ROTATE_EVERY), way, str(GROW_EVERY_S))
        for number in range(COLLECTIONS):
            time.sleep(BETWEEN_S if number else FIRST_S)
            self._collected(str(number + 1), pauses=True)
            self._each(lambda pod: self._sh(pod, RESUME, "sh", LOGS))
        time.sleep(BETWEEN_S)
        self._each(lambda pod: self._sh(pod, PAUSE, "sh", LOGS))
        for name in ("when the logs stood still", "at last"):
            self._collected(name, pauses=False)
            self._each(self._check_whole)
        return self._found

    def _collected(self, name: str, *, pauses: bool) -> None:
        ran = asynccp(self._fleet, "pull", "-l", f"{self._which}:{LOGS}/", self._out, "-z", "none", "-o", "json")
        if pauses:
            self._each(lambda pod: self._sh(pod, PAUSE, "sh", LOGS))
        told = {one["pod"]: one for one in ran.report["pods"]}
        self._found.wire_size.append({pod: told[pod]["wire_bytes"] for pod in self._pods})
        self._found.new_size.append({})
        self._each(lambda pod: self._compare(name, pod, told[pod]))
        print(f"  {name}: exit code {ran.code}, {sum(self._found.wire_size[-1].values()) / MIB:.0f} MiB on the wire,"
              f" {sum(self._found.new_size[-1].values()) / MIB:.0f} MiB new", flush=True)  # fmt: skip

    def _compare(self, name: str, pod: str, told: Mapping[str, Any]) -> None:
        there, here = self._there(pod), _here(self._out / pod)
        found, where = self._found, f"{name}: {pod}"
        found.files += len(here)
        if told["outcome"] != "complete":
            found.named.append(f"{where}: {told['error']}")
        found.wrong += [f"{where}: {one}" for one in self._wrong(pod, there, here)]
        if told["outcome"] == "complete":
            had = {one.first: one.size for one in here}
            missing = [first for first, size in self._before[pod].items() if had.get(first, 0) < size]
            found.wrong += [f"{where}: of the log that begins with {one} something is missing" for one in missing]
        now = {one.first: one.size for one in here}
        found.new_size[-1][pod] = sum(now.values()) - sum(self._here[pod].values())
        wire, new = told["wire_bytes"], found.new_size[-1][pod]
        if self._here[pod] and wire > MOST_EXCESS * new + _LISTING:
            why = [one["error"] for one in told["attempts"]]
            print(f"  {where}: {wire / MIB:.2f} MiB for {new / MIB:.2f}, tries {told['tries']} {why}", flush=True)
        self._here[pod], self._before[pod] = now, {one.first: one.size for one in there if one.size}

    def _wrong(self, pod: str, there: list[There], here: list[Here]) -> list[str]:
        by_first = {one.first: one for one in there}
        pairs = [(one, by_first[one.first]) for one in here if one.first in by_first]
        wrong = [f"{one.name} is no log of the pod" for one in here if one.first not in by_first]
        asked = [word for one, its in pairs for word in (its.inode, str(one.size))]
        digests = [line.split()[0] for line in self._sh(pod, DIGESTS, "sh", LOGS, *asked).splitlines()]
        for (one, its), digest in zip(pairs, digests, strict=True):
            if one.size > its.size or one.digest != digest:
                wrong.append(f"{one.name} is not what {its.name} begins with, {one.size} of {its.size} bytes")
        firsts = [one.first for one in here]
        return wrong + [f"{one.name} is here twice" for one in here if firsts.count(one.first) > 1]

    def _check_whole(self, pod: str) -> None:
        there = {one.name: one.size for one in self._there(pod) if one.size}
        here = {one.name: one.size for one in _here(self._out / pod)}
        if there != here:
            self._found.wrong.append(f"{pod} has {there} at last, but here are {here}")

    def _there(self, pod: str) -> list[There]:
        lines = (line.split(maxsplit=3) for line in self._sh(pod, LOOK, "sh", LOGS).splitlines())
        return [There(inode, int(size), name, " ".join(first)) for inode, size, name, *first in lines]

    def _sh(self, pod: str, script: str, *arguments: str) -> str:
        return sh(self._fleet, pod, "sh", "-c", script, *arguments).decode()

    def _each(self, do: Callable[[str], object]) -> None:
        with ThreadPoolExecutor(SHELLS) as threads:
            list(threads.map(do, self._pods))


def _here(directory: Path) -> list[Here]:
    """Return what was collected of a pod, but for what is empty."""
    found = []
    for path in sorted(directory.iterdir()):
        with path.open("rb") as file:
            if first := file.readline(100):
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                found.append(Here(file.tell(), path.name, first.decode(errors="replace").strip(), digest))
    return found


def _rows(found: Found, pods: int) -> list[Row]:
    for one in (*found.wrong, *found.named):
        print(f"  {one}")
    first, last = (sum(found.wire_size[which].values()) for which in (0, -1))
    excess = _excess(found)
    logs = f"{pods} pods of {len(WITH_TAR)} kinds of tar whose logs grow at 1 MiB/s and rotate every 10 s"
    return [
        Row(
            f"{logs}, half of them by copying, collected {COLLECTIONS} times: every file is what one there begins with,"
            " none is here twice, and nothing is missing but what is named",
            f"{found.files} files compared: {len(found.wrong)} wrong; {len(found.named)} of"
            f" {pods * len(found.wire_size)} copies not complete, and named",
            not found.wrong,
        ),
        Row(
            f"{logs}: all but the first collection move what is new, within 5 %, and the listing",
            f"the worst pod x {max(excess):.3f}, all together x {sum(excess) / len(excess):.3f}",
            max(excess) <= MOST_EXCESS,
        ),
        Row(
            f"{logs}, and then stand still: a collection moves at most a tenth of what the first did",
            f"{last / MIB:.2f} MiB of {first / MIB:.0f} MiB",
            last <= MOST_STILL * first,
        ),
    ]


def _excess(found: Found) -> list[float]:
    """Return how many times the bytes that were new each pod has sent, but for its listing, in each collection."""
    listing = found.wire_size[-1]
    return [
        (wire[pod] - listing[pod]) / new[pod]
        for wire, new in list(zip(found.wire_size, found.new_size, strict=True))[1:-1]
        for pod in wire
        if new[pod]
    ]
