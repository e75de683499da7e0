"""Two signals, at any distance, end a copy in either direction: 500 pairs each, and `timeout -s INT`.

Half of the pairs are at most a millisecond apart, the others up to 50. Four of five strike a copy that is under way,
one a command that starts. kubectl knows no --bwlimit: in its pod tar stands still.
"""

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio.from_thread import BlockingPortal, start_blocking_portal

from asynccp.testing.kinds import Kind, gnu, no_tar
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.server import FakeCluster
from benchmarks.trust.row import Row
from tests.e2e.fleet import command
from tests.e2e.pairs import MOST_APART_S, SEED, pairs
from tests.e2e.running import eventually

PAIRS, TIMEOUTS = 500, 20
SIZE = 64 * 1024 * 1024
START_S, UNDER_WAY_S = 0.4, 0.1  # in which a command is struck
HANGS_AFTER_S = 10.0
NOT_YET = b"Fatal Python error: init_"  # SIGINT while Python itself starts


@dataclass
class Ends:
    """How commands ended. by_signal: as every program that has not asked for its signals, or not yet."""

    count: int = 0
    hung: int = 0
    by_signal: int = 0
    other_codes: int = 0
    tracebacks: int = 0
    slowest_s: float = 0.0

    def see(self, process: subprocess.Popen[bytes], told: Path, code: int) -> None:
        """Wait for a command that was told to end, which it should with this code."""
        begun = time.monotonic()
        self.count += 1
        try:
            process.wait(HANGS_AFTER_S)
        except subprocess.TimeoutExpired:
            self.hung += 1
            process.kill()
            return
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        said = told.read_bytes()
        if process.returncode < 0 or NOT_YET in said:
            self.by_signal += 1
            return
        self.other_codes += process.returncode != code
        self.tracebacks += b"Traceback" in said

    @property
    def all_well(self) -> bool:
        return not (self.hung or self.other_codes or self.tracebacks)

    def __str__(self) -> str:
        ended = f"{self.count - self.hung} of {self.count} ended, the slowest in {self.slowest_s:.2f} s"
        return f"{ended} ({self.by_signal} by the signal itself); {self.tracebacks} tracebacks, {self.hung} hung"


@dataclass
class Scene:
    """A cluster with one pod, and commands that copy to it and from it.

    patience_s: how long what runs in the pod may run on without its command. left: how often it ran on for longer.
    """

    cluster: FakeCluster
    portal: BlockingPortal
    pod: FakePod
    directory: Path
    patience_s: float
    left: int = 0

    def strike(self, argv: list[str], count: int, ends: Ends) -> None:
        """Start a command so many times, and send it two signals each time."""
        chance = random.Random(SEED)
        for number, pair in enumerate(pairs(count)):
            early = number % 5 == 0
            with self._started(argv) as process:
                if not early:
                    eventually("a copy is under way", self._commands, HANGS_AFTER_S)
                time.sleep(chance.random() * (START_S if early else UNDER_WAY_S))
                pair.send(process.send_signal)
                ends.see(process, self._told, 130)

    def let_time_out(self, argv: list[str], count: int, ends: Ends) -> None:
        """Let coreutils' `timeout` end a command, which it signals twice."""
        chance = random.Random(SEED)
        for _ in range(count):
            after_s = START_S + chance.random() * UNDER_WAY_S
            with self._started(["timeout", "-s", "INT", str(after_s), *argv]) as process:
                time.sleep(after_s)
                ends.see(process, self._told, 124)

    @contextmanager
    def _started(self, argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """Start a command; afterwards, nothing runs in the pod."""
        environment = {**os.environ, "KUBECONFIG": str(self.directory / "kubeconfig")}
        null = subprocess.DEVNULL
        with (
            open(self._told, "wb") as told,
            subprocess.Popen(argv, env=environment, stdin=null, stdout=null, stderr=told) as process,
        ):
            yield process
        try:
            eventually("nothing runs", lambda: not self._commands(), self.patience_s)
        except AssertionError:
            self.left += 1
            self.portal.call(self.cluster.restart_container, self.pod)

    @property
    def _told(self) -> Path:
        return self.directory / "stderr"

    def _commands(self) -> list[str]:
        return self.portal.call(self.cluster.running_processes)


def measure(scale: float) -> list[Row]:
    count, timeouts = max(1, round(PAIRS * scale)), max(1, round(TIMEOUTS * scale))
    with _scene(lambda _: gnu(), HANGS_AFTER_S) as scene:
        ends = _measured(scene, _ours(scene.directory), count, timeouts)
        left = scene.left
    kubectl = ""
    if shutil.which("kubectl"):
        with _scene(_still, 0.0) as scene:
            kubectl = str(_measured(scene, _theirs(scene.directory), count, timeouts))
    return [
        Row(
            f"Two signals at most {MOST_APART_S * 1000:.0f} ms apart end a copy, also one that only starts, and leave"
            f" nothing in the pod: {count} pairs for a push, {count} for a pull, {timeouts} of `timeout -s INT` each",
            f"{ends}, {left} left something running",
            ends.all_well and not left,
            kubectl,
        )
    ]


def _measured(scene: Scene, copies: list[list[str]], count: int, timeouts: int) -> Ends:
    ends = Ends()
    for argv in copies:
        scene.strike(argv, count, ends)
        if shutil.which("timeout"):
            scene.let_time_out(argv, timeouts, ends)
        print(f"trust: {' '.join(argv)}: {ends}", flush=True)
    return ends


def _ours(directory: Path) -> list[list[str]]:
    slowly = ("--bwlimit", "1M", "-z", "none")
    return [
        command("push", "--ignore-times", directory / "big", "web-0:/tmp", *slowly),
        command("pull", "--ignore-times", "web-0:/big", directory / "back", *slowly),
    ]


def _theirs(directory: Path) -> list[list[str]]:
    big = str(directory / "big")
    return [["kubectl", "cp", big, "web-0:/tmp/big"], ["kubectl", "cp", "web-0:/big", str(directory / "back")]]


def _still(directory: Path) -> Kind:
    """Return a container whose tar stands still for longer than any copy here."""
    tar = directory / "tar"
    tar.write_text(f"#!/bin/sh\nexec {shutil.which('sleep')} 600\n")
    tar.chmod(0o755)
    return Kind("still", {**(no_tar().programs or {}), "tar": str(tar)})


@contextmanager
def _scene(kind: Callable[[Path], Kind], patience_s: float) -> Iterator[Scene]:
    """Run a cluster whose pod, and whose directory here, have the large file `big`."""
    with tempfile.TemporaryDirectory(prefix="asynccp-trust-") as place, start_blocking_portal() as portal:
        directory = Path(place)
        with portal.wrap_async_context_manager(FakeCluster(directory / "pods")) as cluster:
            pod = portal.call(cluster.add_pod, FakePod("web-0", containers=[Container("main", kind(directory))]))
            portal.call(cluster.write_kubeconfig, directory / "kubeconfig")
            for one in (directory / "big", pod.root() / "big"):
                one.write_bytes(random.Random(SEED).randbytes(SIZE))
            (pod.root() / "tmp").mkdir(exist_ok=True)
            yield Scene(cluster, portal, pod, directory, patience_s)
