"""R1: pushes by relays that are struck in the middle: complete in the end or named, no pod twice, and nothing left.

Each copy to a pod is counted by the pod: a command is run there behind it. Where memory runs short the kernel kills the
process that has most of it, and that is a relay's worker: so it is killed here, by another process in its container.
"""

import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.trust.cluster import left, real_fleet
from benchmarks.trust.row import Row
from tests.e2e import component, relayimage
from tests.e2e.fleet import environment, labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.e2e.running import Running, eventually

PODS, RELAYS, TIMES = 8, 2, 10
LARGE, SMALL = 12_000_000, 20  # bytes of the one, number of the others
MINUTE_S = 60.0
_LOOK = """\
[ ! -e "$2" ] || wc -l <"$2"
cd "$1" 2>/dev/null || exit 0
ls -A; echo; find . -type f -exec sha256sum {} + | LC_ALL=C sort
"""
_KILLS = """\
import os, pathlib, signal
for one in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if one.read_bytes().endswith(b"asynccp.relay.worker\\0"):
        os.kill(int(one.parent.name), signal.SIGKILL)
"""


@dataclass
class Tally:
    """What came of the copies to all pods, of all runs with one fault."""

    outcomes: Counter[str] = field(default_factory=Counter)
    tried_again: int = 0
    again: int = 0
    wrong: list[str] = field(default_factory=list)

    def row(self, fault: str, times: int) -> Row:
        told = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        wrong = "; ".join(self.wrong[:3]) or "0"
        figure = f"{told}; {self.tried_again} by a second attempt; {self.again} twice; wrong, unnamed or left: {wrong}"
        return Row(
            f"push --relays {RELAYS} to {PODS} pods, {fault} in the middle, {times} times: complete in the end or "
            "named, no pod twice, nothing left in the cluster after a minute",
            figure,
            not self.wrong and not self.again,
        )


class Struck:
    """A fleet, what is pushed to it, and what happens meanwhile."""

    def __init__(self, fleet: RealFleet, directory: Path) -> None:
        self.fleet, self.source, self._runs = fleet, directory / "config", 0
        self._chance = Random(1)
        labels = labels_for("struck")
        self._to = selector(labels)
        self._pods = fleet.add_deployment(labels["app"], "gnu", labels, PODS)
        self.source.mkdir()
        (self.source / "large").write_bytes(self._chance.randbytes(LARGE))
        for number in range(SMALL):
            (self.source / f"f{number}").write_text(f"{number}\n")
        files = sorted(self.source.iterdir())
        self._digests = {f"{sha256(one.read_bytes()).hexdigest()}  ./{self.source.name}/{one.name}" for one in files}
        relays = relayimage.words(relayimage.ready(), directory / "template.yaml", {})
        self._words = ("--relays", str(RELAYS), *relays, "--bwlimit", "10M", "-z", "none")

    def run(self, strike: Callable[[Running], None], tally: Tally, *, is_killed: bool = False) -> None:
        """Push once, strike in the middle, and see what has become of each pod."""
        self._runs += 1
        to, count = f"/tmp/to-{self._runs}", f"/tmp/count-{self._runs}"
        words = ("-l", f"{self._to}:{to}", "--exec-after", f"echo >>{count}", *self._words)
        found: dict[str, Any] = {}
        with Running(self.fleet, "push", self.source, *words) as running:
            running.wait_for("started")
            threading.Event().wait(self._chance.uniform(0, 4))
            strike(running)
            if not is_killed:
                found = {one["pod"]: one for one in running.finish(300).report["pods"]}
        self._see_rest(tally)
        for pod in self._pods:
            self._see(pod, found.get(pod), (to, count), tally, is_killed=is_killed)

    def _see_rest(self, tally: Tally) -> None:
        try:
            eventually("nothing of relays is left", lambda: not relayimage.left(self.fleet), MINUTE_S)
            eventually("nothing runs in pods", lambda: not left(self.fleet, self._pods), MINUTE_S)
        except AssertionError as exc:
            tally.wrong.append(f"run {self._runs}: {exc}")

    def _see(
        self, pod: str, told: dict[str, Any] | None, where: tuple[str, str], tally: Tally, *, is_killed: bool
    ) -> None:
        outcome = told["outcome"] if told else "not told, as the client was killed" if is_killed else "not told"
        tally.outcomes[outcome] += 1
        lines = sh(self.fleet, pod, "sh", "-c", _LOOK, "sh", *where).decode().splitlines()
        copies = int(lines.pop(0)) if lines and lines[0].isdigit() else 0
        tally.again += max(0, copies - 1)
        tally.tried_again += bool(told and told["tries"] > 1)
        is_whole = lines[:2] == [self.source.name, ""] and set(lines[2:]) == self._digests
        is_named = told is not None and (outcome == "complete" or bool(told["error"]))
        may_lack_it = outcome != "complete" and not lines
        if not (is_whole or may_lack_it) or not (is_named or is_killed):
            tally.wrong.append(f"run {self._runs}, {pod}: {outcome}, {copies} copies, {lines[:3]}")

    def relay(self) -> str:
        """Return a relay's pod."""
        return self._chance.choice([one for one in relayimage.left(self.fleet) if one.startswith("pod/")])

    def delete_relay(self, _: Running) -> None:
        self.fleet.kubectl("delete", self.relay(), "--wait=false")

    def kill_worker(self, _: Running) -> None:
        argv = ["kubectl", "-n", self.fleet.namespace, "exec", self.relay(), "--", "python3", "-c", _KILLS]
        subprocess.run(argv, env=environment(self.fleet), capture_output=True, check=True, timeout=60)

    def delete_job(self, _: Running) -> None:
        self.fleet.kubectl("delete", "jobs", "-l", "app.kubernetes.io/component=relay", "--wait=false")

    def restart_server(self, _: Running) -> None:
        component.kill("apiserver")
        component.start("apiserver")

    def kill_client(self, running: Running) -> None:
        running.send_signal(signal.SIGKILL)


def measure(scale: float) -> list[Row]:
    times = max(1, round(TIMES * scale))
    with real_fleet() as (fleet, directory):
        struck = Struck(fleet, directory)
        faults = {
            "a relay's pod deleted": struck.delete_relay,
            "a relay's worker killed, as for want of memory": struck.kill_worker,
            "their Job deleted": struck.delete_job,
            "the client killed": struck.kill_client,
        }
        if component.may_be_killed:
            faults["the API server killed and started again"] = struck.restart_server
        return [_row(struck, fault, strike, times) for fault, strike in faults.items()]


def _row(struck: Struck, fault: str, strike: Callable[[Running], None], times: int) -> Row:
    tally = Tally()
    for _ in range(times):
        struck.run(strike, tally, is_killed=strike == struck.kill_client)
    print(
        f"trust: {fault}: {dict(tally.outcomes)}, {tally.tried_again} again, {tally.again} twice, {tally.wrong}",
        flush=True,
    )
    return tally.row(fault, times)
