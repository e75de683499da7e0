"""Changes: a source that is changed in every way while it is pushed to two pods, at any moment.

What must be true of each:

    complete    then the pod has what the scan found, to the byte
    otherwise   the push ends with 24, and names what changed
    always      each file in a pod is wholly one of the states that it ever had here, never a mixture
"""

import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio import to_thread

from asynccp import Options, Report, Selection, Selector, connect, plan_push, push
from asynccp.events import Listener
from asynccp.kube.cluster import KubernetesCluster
from asynccp.options import Compression, Failures, Verification
from asynccp.report import Outcome
from asynccp.target import Transfer
from asynccp.testing.pod import FakePod
from asynccp.testing.server import FakeCluster
from benchmarks.trust.faults.storm import build, contents

SIZES = {"top": 50_000, "d/small": 3_000, "d/large": 900_000, "e/f/other": 300_000}
PODS = 2
_MOST_MOVES = 10  # chunks of that, to both pods; beyond the last no change is seen
_MOST_LATE_S = 0.004  # about what a chunk takes


@dataclass(frozen=True)
class Place:
    """What a change works on: a file or directory of the tree, and the same of a tree that looks alike, beside it."""

    path: Path
    alike: Path
    aside: Path


def _append(place: Place) -> None:
    with place.path.open("ab") as file:
        file.write(b"more" * 20_000)


def _truncate(place: Place) -> None:
    os.truncate(place.path, place.path.stat().st_size // 2)


def _rewrite(place: Place) -> None:
    found = place.path.stat()
    with place.path.open("r+b", buffering=0) as file:
        file.write(place.alike.read_bytes())
    os.utime(place.path, ns=(found.st_atime_ns, found.st_mtime_ns))


def _rename(place: Place) -> None:
    place.alike.replace(place.path)


def _link(place: Place) -> None:
    place.aside.symlink_to(place.alike)
    place.aside.replace(place.path)


def _fifo(place: Place) -> None:
    os.mkfifo(place.aside)
    place.aside.replace(place.path)


def _directory(place: Place) -> None:
    place.path.unlink()
    place.alike.parent.rename(place.path)


def _remove(place: Place) -> None:
    place.path.unlink()


def _swap(place: Place) -> None:
    place.path.rename(place.aside)
    place.alike.rename(place.path)


def _swap_for_link(place: Place) -> None:
    place.path.rename(place.aside)
    place.path.symlink_to(place.alike)


OF_FILES: dict[str, Callable[[Place], None]] = {
    "appended to": _append,
    "truncated": _truncate,
    "rewritten in place, with its time set back": _rewrite,
    "replaced by a file of equal size and time": _rename,
    "replaced by a link": _link,
    "replaced by a FIFO": _fifo,
    "replaced by a directory": _directory,
    "removed": _remove,
}
OF_DIRECTORIES: dict[str, Callable[[Place], None]] = {
    "directory swapped for another": _swap,
    "directory swapped for a link": _swap_for_link,
}


@dataclass(frozen=True)
class Change:
    """What becomes of `name` after so many `moves`, `late_s` later: from a thread then, in the middle of anything."""

    seed: int
    way: str
    name: str
    moves: int
    late_s: float
    options: Options

    @classmethod
    def of(cls, seed: int) -> "Change":
        chance = random.Random(seed)
        way = chance.choice([*OF_FILES, *OF_DIRECTORIES])
        name = chance.choice([*SIZES, "d/large"] if way in OF_FILES else ["d", "e", "e/f"])
        moves, late_s = chance.randrange(_MOST_MOVES), chance.choice((0.0, chance.uniform(0, _MOST_LATE_S)))
        compress = "zstd" if chance.random() < 0.2 else "none"
        options = Options(
            failures=Failures(retries=0),
            verification=Verification(checksum=chance.random() < 0.2),
            compression=Compression(compress),
        )
        return cls(seed, way, name, moves, late_s, options)

    def strike(self, here: Path) -> None:
        """Do it to `tree` in the directory `here`, which has `alike` beside it."""
        place = Place(here / "tree" / self.name, here / "alike" / self.name, here / "aside")
        (OF_FILES | OF_DIRECTORIES)[self.way](place)


@dataclass
class Seen:
    """What became of some pushes. told: those that ended with 24 and the name. torn: files, in a pod.

    wrong: each promise that was not kept.
    """

    told: int = 0
    complete: int = 0
    torn: int = 0
    ways: Counter[str] = field(default_factory=Counter)  # of those that were told
    wrong: list[str] = field(default_factory=list)


class _Striker(Listener):
    """Strikes when so much has moved."""

    def __init__(self, change: Change, here: Path) -> None:
        self._change, self._here, self._moves = change, here, 0
        self._thread: threading.Thread | None = None
        self._count()

    def advanced(self, transfer: Transfer, count: int) -> None:
        self._moves += 1
        self._count()

    def wait(self) -> None:
        """Wait until it has struck, if it is going to."""
        if self._thread:
            self._thread.join()

    def _count(self) -> None:
        if self._moves != self._change.moves:
            return
        if not self._change.late_s:
            self._change.strike(self._here)
            return
        self._thread = threading.Thread(target=self._strike_late)
        self._thread.start()

    def _strike_late(self) -> None:
        time.sleep(self._change.late_s)
        self._change.strike(self._here)


def prepare(here: Path, seed: int, sizes: dict[str, int] = SIZES) -> None:
    """Make `tree`, and `alike`: the same names, sizes and times with other contents."""
    build(here / "tree", -1 - seed, sizes)
    build(here / "alike", -1_000_001 - seed, sizes)


async def pushes(seeds: Iterable[int], directory: Path, *, together: int = 4) -> Seen:
    """Push, and change what is pushed, so many at a time."""
    seen, limiter = Seen(), anyio.CapacityLimiter(together)

    async def one(change: Change, cluster: FakeCluster, client: KubernetesCluster) -> None:
        async with limiter:
            await _push(change, cluster, client, directory / f"{change.seed}", seen)

    async with FakeCluster(directory / "pods") as cluster:
        await cluster.write_kubeconfig(directory / "kubeconfig")
        async with connect(str(directory / "kubeconfig")) as client, anyio.create_task_group() as tasks:
            for change in map(Change.of, seeds):
                tasks.start_soon(one, change, cluster, client)
    return seen


async def _push(change: Change, cluster: FakeCluster, client: KubernetesCluster, here: Path, seen: Seen) -> None:
    labels = {"case": str(change.seed)}
    pods = [await cluster.add_pod(FakePod(f"pod-{change.seed}-{number}", labels)) for number in range(PODS)]
    await to_thread.run_sync(prepare, here, change.seed)
    before, alike = contents(here / "tree"), contents(here / "alike")
    for pod in pods:
        (pod.root() / "srv").mkdir()
    selection = Selection((Selector("labels", f"case={change.seed}", "/srv"),))
    plan = await plan_push(client, [str(here / "tree")], selection)
    striker = _Striker(change, here)
    report = await push(client, plan, options=change.options, observer=striker)
    await to_thread.run_sync(striker.wait)
    for pod in pods:
        await cluster.wait_idle(pod)
    after = became(change, here, alike)
    found = [contents(pod.root() / "srv" / "tree") for pod in pods]
    seen.torn += sum(len(torn(there, before, after)) for there in found)
    seen.wrong += [f"{change.seed}, {change.way}: {what}" for what in _wrong(change, report, found, before, after)]
    told = any(result.outcome is Outcome.CHANGED for result in report.results)
    seen.told, seen.complete = seen.told + told, seen.complete + (not told)
    seen.ways[change.way] += told
    for pod in pods:
        await cluster.delete_pod(pod.name)
    await to_thread.run_sync(shutil.rmtree, here)


def became(change: Change, here: Path, alike: dict[str, str]) -> dict[str, str]:
    """Return what the files of the tree have become, by their digests, behind a link to a directory as well."""
    swapped = {name: one for name, one in alike.items() if name.startswith(f"{change.name}/")}
    return contents(here / "tree") | (swapped if change.way in OF_DIRECTORIES else {})


def _wrong(
    change: Change, report: Report, found: list[dict[str, str]], before: dict[str, str], after: dict[str, str]
) -> Iterator[str]:
    for result, there in zip(report.results, found, strict=True):
        yield from (f"{path} is torn" for path in torn(there, before, after))
        if result.outcome is Outcome.COMPLETE and there != before:
            yield "a pod is complete, but has not what was scanned"
        elif result.outcome is Outcome.CHANGED and f"tree/{change.name}" not in result.error:
            yield f"not named: {result.error}"
        elif result.outcome not in (Outcome.COMPLETE, Outcome.CHANGED):
            yield f"{result.outcome.value}: {result.error}"
    is_changed = any(result.outcome is Outcome.CHANGED for result in report.results)
    if report.exit_code != (24 if is_changed else 0):
        yield f"exit code {report.exit_code}"


def torn(there: dict[str, str], before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the files in a pod that are neither what they were here nor what they became."""
    return [path for path, digest in there.items() if digest not in (before.get(path), after.get(path))]
