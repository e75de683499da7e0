"""W1: `push --watch`: a directory in which something is saved all the time, and the pods of one node that follow it.

How long after the last save a pod had all of it is told by the pod: the time at which the file got its name there. Its
clock is compared with ours before, so that a cluster elsewhere is refused rather than misread.
"""

import os
import signal
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.trust.cluster import real_fleet
from benchmarks.trust.row import Row
from tests.e2e.cuttable import Cuttable, cuttable
from tests.e2e.fleet import labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.e2e.running import Running, eventually

PODS = 20
FILES = 10
SAVES, OVER_S = 200, 60.0
MINUTES = 3  # of saving, each with a last save of its own
CUT_S = 20.0
WITHIN_S = 2.0
CLOCKS_APART_S = 0.5
_ALL = 'cd "$1" && for f in f*; do read -r x <"$f" && echo "$x $(stat -c %.9Z "$f")"; done'


class Watched:
    """Pods, a directory, and how often something in it was saved."""

    def __init__(self, fleet: RealFleet, directory: Path) -> None:
        self.fleet, self.source = fleet, directory / "source"
        self.labels = labels_for("watched")
        self.pods = fleet.add_deployment(self.labels["app"], "gnu", self.labels, PODS)
        self.saves = 0
        self.source.mkdir()
        for number in range(FILES):
            (self.source / f"f{number}").write_text("0\n")
        begun = time.time()
        there = float(sh(fleet, self.pods[0], "date", "+%s.%N"))
        assert begun - CLOCKS_APART_S < there < time.time() + CLOCKS_APART_S, "the pods' clock is another one"

    def watching(self, kubeconfig: Path, to: str) -> Running:
        """Start the push that goes on."""
        arguments = ["push", f"{self.source}/", "-l", f"{selector(self.labels)}:{to}", "--watch"]
        return Running(self.fleet, *arguments, more={"KUBECONFIG": str(kubeconfig)})

    def save(self) -> None:
        """Save one of the files, as editors do: in place, or by another one that gets its name."""
        self.saves += 1
        path = self.source / f"f{self.saves % FILES}"
        if self.saves % 2:
            path.write_text(f"{self.saves}\n")
            return
        beside = path.with_suffix(".new")
        beside.write_text(f"{self.saves}\n")
        beside.rename(path)

    def save_for(self, seconds: float, saves: int) -> float:
        """Save so many times, evenly; return when the last was."""
        pause, begun = threading.Event(), time.monotonic()
        for number in range(saves):
            pause.wait(begun + number * seconds / saves - time.monotonic())
            self.save()
        return time.time()

    def lags_s(self, to: str, last: float) -> list[float]:
        """Wait until all pods have what is here; return how long after the last save each had it."""
        here = [(self.source / f"f{number}").read_text().strip() for number in range(FILES)]

        def had(pod: str) -> float:
            times: list[float] = []

            def is_equal() -> bool:
                lines = [line.split() for line in sh(self.fleet, pod, "sh", "-c", _ALL, "sh", to).decode().splitlines()]
                times[:] = [float(line[1]) for line in lines]
                return [line[0] for line in lines] == here

            eventually(f"{pod} has all", is_equal, 60)
            return max(times) - last

        time.sleep(2 * WITHIN_S)  # who looks has the node do something, too
        with ThreadPoolExecutor(4) as looking:
            return sorted(looking.map(had, self.pods))


def measure(scale: float) -> list[Row]:
    with real_fleet() as (fleet, directory):
        watched = Watched(fleet, directory)
        return [_saved(watched, scale), _cut(watched, directory, scale)]


def _saved(watched: Watched, scale: float) -> Row:
    to, lags, rounds = "/tmp/saved", list[float](), list[int]()
    minutes = max(1, round(MINUTES * scale))
    for _ in range(minutes):
        with watched.watching(watched.fleet.kubeconfig, to) as push:
            for _ in watched.pods:
                push.wait_for("complete")
            last = watched.save_for(OVER_S * min(1.0, scale), round(SAVES * min(1.0, scale)))
            found = watched.lags_s(to, last)
            rounds += _ended(push)
        print(f"trust: {_figures(found)} s after the last save", flush=True)
        lags += found
    figure = (
        f"{minutes} times {SAVES} saves in {OVER_S:.0f} s: {_figures(lags)} s after the last "
        f"(median, slowest of {len(lags)}); {min(rounds)} to {max(rounds)} copies to a pod"
    )
    return Row(
        f"push --watch, {SAVES} saves in a minute, {PODS} pods on a node of {os.cpu_count()} cores, which this machine "
        f"is too: all pods have all of it {WITHIN_S:.0f} s after the last save",
        figure,
        max(lags) <= WITHIN_S,
    )


def _cut(watched: Watched, directory: Path, scale: float) -> Row:
    to, lags = "/tmp/cut", list[float]()
    for resets in (False, True):
        with (
            cuttable(watched.fleet.kubeconfig, directory) as (line, kubeconfig),
            watched.watching(kubeconfig, to) as push,
        ):
            for _ in watched.pods:
                push.wait_for("complete")
            mended = _save_while_cut(watched, line, resets=resets)
            found = watched.lags_s(to, mended)
            _ended(push)
        print(f"trust: {_figures(found)} s after it was mended (resets: {resets})", flush=True)
        lags += found
    figure = (
        f"0 of {len(lags)} pods lack anything; they had it {_figures(lags)} s after the line was mended "
        "(median, slowest), connections that were open going on, or reset"
    )
    return Row(
        f"push --watch, {PODS} pods, the network to the API server cut for {CUT_S:.0f} s while something is saved all "
        "the time: nothing is lost",
        figure,
        True,  # else it would have ended above
    )


def _save_while_cut(watched: Watched, line: Cuttable, *, resets: bool) -> float:
    """Save before, while and after the line is cut; return when it was mended."""
    watched.save_for(3, 10)
    line.cut()
    watched.save_for(CUT_S, round(CUT_S * SAVES / OVER_S))
    line.mend(resets=resets)
    return time.time()


def _ended(push: Running) -> Sequence[int]:
    """End it; return how often each pod was copied to."""
    push.send_signal(signal.SIGINT)
    ran = push.finish()
    assert ran.code == 0, ran.err
    return [one.get("rounds", 1) for one in ran.report["pods"]]


def _figures(lags: Sequence[float]) -> str:
    return f"{statistics.median(lags):.1f}, {max(lags):.1f}"
