"""S8: the kill storm. Parts of the cluster, pods and the client are killed at random moments of copies.

Each round ends complete and identical, or not zero with every pod that isn't complete named; and a second run makes
everything whole. The moments are a seeded share of what the same copy takes undisturbed.
"""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trust.cluster import kubectl_cp, real_fleet
from benchmarks.trust.row import Row
from tests.e2e import component
from tests.e2e.fleet import WITH_TAR, Ran, asynccp, command, environment, labels_for, selector, sh
from tests.e2e.real import RealFleet

VICTIMS = (*component.NAMES, "pod", "client")
ROUNDS = 4  # for each victim, pushes and pulls by turns: 20 in all, which take about 10 minutes
KUBECTL_ROUNDS = 2
SIZE = 48 * 1024 * 1024
SEED = 20
HANGS_AFTER_S = 180.0  # longer than any deadline of the command, with its retries


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy that can be made again and again: how to start it, and what is under the final name in each pod."""

    start: Callable[[], list[subprocess.Popen[bytes]]]
    digest: Callable[[str], str | None]  # pod → SHA-256 of what is there, None when nothing is
    forget: Callable[[], None]


class Storm:
    """Four pods, one of each kind, with the same file in each and here."""

    def __init__(self, fleet: RealFleet, directory: Path) -> None:
        self.fleet, self.directory = fleet, directory
        self.labels = labels_for("storm")
        self.kinds = {f"storm-{kind}": kind for kind in fleet.kinds(*WITH_TAR)}
        self.source = directory / "big"
        self.source.write_bytes(random.Random(SEED).randbytes(SIZE))
        self.wanted = hashlib.sha256(self.source.read_bytes()).hexdigest()
        for pod in self.kinds:
            self.add(pod)

    def add(self, pod: str) -> None:
        """Start a pod, with the file in it."""
        self.fleet.add(self.kinds[pod], pod, self.labels)
        ran = asynccp(self.fleet, "push", self.source, f"{pod}:/tmp/here")
        assert ran.code == 0, ran.err

    def kill(self, victim: str, running: list[subprocess.Popen[bytes]], chance: random.Random) -> None:
        if victim == "client":
            for one in running:
                one.kill()
        elif victim == "pod":
            self.lost = chance.choice(sorted(self.kinds))
            self.fleet.delete(self.lost)
        else:
            component.kill(victim)
            component.start(victim)

    def mend(self, victim: str) -> None:
        if victim == "pod":
            with suppress(AssertionError):  # it is gone already
                self.fleet.delete_and_wait(self.lost)
            self.add(self.lost)
        component.mend(self.fleet, next(iter(self.kinds)))

    def ours(self, direction: str) -> Copy:
        which, here = selector(self.labels), self.directory / "ours"
        arguments: list[str | Path] = ["push", "--ignore-times", self.source, "-l", f"{which}:/tmp/ours"]
        if direction == "pull":
            arguments = ["pull", "--ignore-times", "-l", f"{which}:/tmp/here/big", here]
        argv = command(*arguments, "-o", "json")

        def start() -> list[subprocess.Popen[bytes]]:
            pipe = subprocess.PIPE
            return [subprocess.Popen(argv, stdout=pipe, stderr=pipe, env=environment(self.fleet))]

        return self._copy(direction, start, here, "/tmp/ours")

    def theirs(self, direction: str) -> Copy:
        here = self.directory / "theirs"

        def start() -> list[subprocess.Popen[bytes]]:
            if direction == "push":
                return [kubectl_cp(self.fleet, self.source, f"{pod}:/tmp/theirs/big") for pod in self.kinds]
            return [kubectl_cp(self.fleet, f"{pod}:/tmp/here/big", here / pod / "big") for pod in self.kinds]

        return self._copy(direction, start, here, "/tmp/theirs")

    def _copy(self, direction: str, start: Callable[[], list[subprocess.Popen[bytes]]], here: Path, there: str) -> Copy:
        def digest(pod: str) -> str | None:
            if direction == "push":
                script = 'if [ -e "$1" ]; then sha256sum "$1"; fi'
                found = sh(self.fleet, pod, "sh", "-c", script, "sh", f"{there}/big").split()
                return found[0].decode() if found else None
            path = here / pod / "big"
            return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None

        def forget() -> None:
            for pod in self.kinds:
                if direction == "push":
                    sh(self.fleet, pod, "sh", "-c", 'rm -rf "$1" && mkdir "$1"', "sh", there)
                else:
                    (here / pod).mkdir(parents=True, exist_ok=True)
                    (here / pod / "big").unlink(missing_ok=True)

        return Copy(start, digest, forget)


def measure(scale: float) -> list[Row]:
    if not component.may_be_killed:
        sys.exit("set ASYNCCP_TEST_COMPONENT and ASYNCCP_TEST_PIDS (tests/e2e/component.py)")
    with real_fleet() as (fleet, directory):
        storm = Storm(fleet, directory)
        ours = _rounds(storm, max(1, round(ROUNDS * scale)), storm.ours, _judge)
        theirs = _rounds(storm, max(1, round(KUBECTL_ROUNDS * scale)), storm.theirs, _judge_kubectl)
    figure = (
        f"{ours['rounds']} rounds: {ours['complete']} complete and identical, {ours['named']} not zero and named, "
        f"{ours['killed']} clients killed; {ours['silent']} silent losses, {ours['torn']} torn files, "
        f"{ours['hang']} hangs, {ours['not whole']} not whole after a second run"
    )
    return [
        Row(
            f"the kill storm: {', '.join(VICTIMS)} killed at random moments of copies, {len(storm.kinds)} pods",
            figure,
            not (ours["silent"] or ours["torn"] or ours["hang"] or ours["not whole"] or ours["unnamed"]),
            f"{theirs['rounds']} rounds: {theirs['silent']} copies short or wrong with exit code 0, "
            f"{theirs['torn']} torn files, {theirs['hang']} hangs",
        )
    ]


Judge = Callable[[Storm, str, Copy, list[subprocess.Popen[bytes]]], Counter[str]]


def _rounds(storm: Storm, count: int, make: Callable[[str], Copy], judge: Judge) -> Counter[str]:
    chance, total = random.Random(SEED), Counter[str]()
    copies = {direction: make(direction) for direction in ("push", "pull")}
    takes_s = {direction: _undisturbed_s(copy) for direction, copy in copies.items()}
    for victim in VICTIMS:
        for number in range(count):
            direction = ("push", "pull")[number % 2]
            copy = copies[direction]
            copy.forget()
            running = copy.start()
            time.sleep(chance.random() * takes_s[direction])
            storm.kill(victim, running, chance)
            found = judge(storm, victim, copy, running)
            print(f"trust: {victim} killed in a {direction}: {dict(found)}", flush=True)
            total += found + Counter(rounds=1)
    return total


def _undisturbed_s(copy: Copy) -> float:
    copy.forget()
    begun = time.monotonic()
    for one in copy.start():
        one.communicate()
    return time.monotonic() - begun


def _judge(storm: Storm, victim: str, copy: Copy, running: list[subprocess.Popen[bytes]]) -> Counter[str]:
    """Hear one round of ours out, and a second run after it."""
    found = Counter[str]()
    try:
        out, err = running[0].communicate(timeout=HANGS_AFTER_S)
    except subprocess.TimeoutExpired:
        running[0].kill()
        running[0].communicate()
        found["hang"] += 1
        out, err = b"", b""
    storm.mend(victim)
    ran = Ran(running[0].returncode, out.decode(), err.decode())
    outcomes = ran.outcomes if ran.out else {}
    there = {pod: copy.digest(pod) for pod in storm.kinds}
    complete = {pod for pod, outcome in outcomes.items() if outcome == "complete"}
    if victim == "pod" and storm.lost in complete:  # complete before it was deleted: nothing is left to look at
        there[storm.lost] = storm.wanted if there[storm.lost] is None else there[storm.lost]
    # A pod that was deleted before the pods were listed is none that was asked for.
    unasked = {storm.lost} - set(outcomes) if victim == "pod" and ran.out else set()
    asked = (set(storm.kinds) if ran.code == 0 else complete) - unasked
    found["silent"] += sum(there[pod] != storm.wanted for pod in asked)
    found["torn"] += sum(there[pod] not in (None, storm.wanted) for pod in storm.kinds)
    if ran.code == -signal.SIGKILL:
        found["killed"] += 1
    elif ran.code == 0:
        found["complete"] += 1
    elif _all_named(ran, set(storm.kinds) - unasked):
        found["named"] += 1
    else:
        found["unnamed"] += 1
    for one in copy.start():
        one.communicate()
        whole = one.returncode == 0 and all(copy.digest(pod) == storm.wanted for pod in storm.kinds)
        found["not whole"] += not whole
    return +found


def _all_named(ran: Ran, asked: set[str]) -> bool:
    """Tell whether each pod that isn't complete is in the report with its cause, or why nothing moved was said."""
    if not ran.out:
        return "asynccp: " in ran.err
    errors = {one["pod"]: one["error"] for one in json.loads(ran.out)["pods"] if one["outcome"] != "complete"}
    return set(ran.outcomes) == asked and all(errors.values())


def _judge_kubectl(storm: Storm, victim: str, copy: Copy, running: list[subprocess.Popen[bytes]]) -> Counter[str]:
    found = Counter[str]()
    for one in running:
        try:
            one.wait(timeout=HANGS_AFTER_S)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()
            found["hang"] += 1
    storm.mend(victim)
    for one, pod in zip(running, storm.kinds, strict=True):
        if victim == "pod" and pod == storm.lost:
            continue
        there = copy.digest(pod)
        found["silent"] += one.returncode == 0 and there != storm.wanted
        found["torn"] += there not in (None, storm.wanted)
    return +found
