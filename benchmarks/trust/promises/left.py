"""Copies leave nothing in a pod whose first process waits for nobody, neither alive nor as a zombie."""

import os
import random
import subprocess
from contextlib import suppress
from pathlib import Path

import anyio

from asynccp.engine.planning import plan_pull, plan_push
from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.kube.cluster import connect
from asynccp.target import Selection, parse_selectors
from benchmarks.trust.cluster import kubectl_cp, left, left_at_last, real_fleet
from benchmarks.trust.row import Row
from tests.e2e.fleet import WITH_TAR, labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.e2e.running import Running

COPIES = 1000  # with each pod, pushes and pulls by turns
KILLS = 60
SEED = 1
SIZE = 64 * 1024 * 1024
SLOWLY = ("--bwlimit", "8M", "-z", "none")
SOON_S = 0.5  # in which a copy that is under way is killed


def measure(scale: float) -> list[Row]:
    copies, kills = max(2, round(COPIES * scale)), max(2, round(KILLS * scale))
    with real_fleet() as (fleet, directory):
        scene = Scene(fleet, directory)
        complete, kubectl_complete = scene.copy(copies), scene.copy_by_kubectl(copies)
        killed, kubectl_killed = scene.kill(kills), scene.kill_kubectl(kills)
    return [
        Row(
            f"{copies} complete copies with each of {len(WITH_TAR)} kinds of pod, pushes and pulls by turns: no process"
            " is left there, in any state",
            _told(complete),
            not complete,
            f"{_told(kubectl_complete)} by {copies} with one pod",
        ),
        Row(
            f"{kills} copies with {len(WITH_TAR)} pods each, pushes and pulls by turns, killed (SIGKILL) under way: no"
            " process is left there, in any state",
            _told(killed),
            not killed,
            f"{_told(kubectl_killed)} by {kills} with one pod each, killed within {SOON_S:g} s of the start",
        ),
    ]


class Scene:
    """Pods of each kind in which nothing is left yet, and what is copied."""

    def __init__(self, fleet: RealFleet, directory: Path) -> None:
        self._fleet, self._directory = fleet, directory
        self._tree, self._big = directory / "tree", directory / "big"
        self._tree.mkdir()
        for number in range(10):
            (self._tree / f"f{number}").write_bytes(os.urandom(1000))
        self._big.write_bytes(bytes(SIZE))

    def copy(self, copies: int) -> list[str]:
        which, pods = self._pods("complete")
        anyio.run(self._copy, which, copies)
        return left_at_last(self._fleet, pods)

    async def _copy(self, which: str, copies: int) -> None:
        async with connect(str(self._fleet.kubeconfig)) as cluster:
            to, of = (Selection(parse_selectors([f"{which}:{path}"], [])) for path in ("/tmp/new/", "/tmp/new/tree"))
            for _ in range(copies // 2):
                assert (await push(cluster, await plan_push(cluster, [str(self._tree)], to))).ok
                assert (await pull(cluster, await plan_pull(cluster, str(self._directory / "back"), of))).ok

    def copy_by_kubectl(self, copies: int) -> list[str]:
        _, pods = self._pods("kubectl", "gnu")
        there, back = f"{pods[0]}:/tmp/new", self._directory / "back-by-kubectl"
        for _ in range(copies // 2):
            kubectl_cp(self._fleet, self._tree, there).wait()
            kubectl_cp(self._fleet, there, back).wait()
        return left_at_last(self._fleet, pods)

    def kill(self, kills: int) -> list[str]:
        which, pods = self._pods("killed")
        chance = random.Random(SEED)
        copies: list[tuple[str | Path, ...]] = [
            ("push", "--ignore-times", self._big, "-l", f"{which}:/tmp/new/"),
            ("pull", "--ignore-times", "-l", f"{which}:/tmp/big", self._directory / "killed"),
        ]
        for number in range(kills):
            with Running(self._fleet, *copies[number % 2], *SLOWLY) as running:  # which kills it at last
                running.wait_for("started")
                with suppress(subprocess.TimeoutExpired):
                    running.finish(chance.random() * SOON_S)
        return left_at_last(self._fleet, pods)

    def kill_kubectl(self, kills: int) -> list[str]:
        _, pods = self._pods("kubectl-killed")
        chance = random.Random(SEED)
        for number in range(kills):
            pod = pods[number // 2 % len(pods)]
            ends = (self._big, f"{pod}:/tmp/new"), (f"{pod}:/tmp/big", self._directory / "killed-by-kubectl")
            with kubectl_cp(self._fleet, *ends[number % 2]) as process:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(chance.random() * SOON_S)
                process.kill()
        return left_at_last(self._fleet, pods)

    def _pods(self, test: str, *kinds: str) -> tuple[str, list[str]]:
        """Start a pod of each kind, with a large file; return their selector and names."""
        labels = labels_for(test)
        pods = [self._fleet.add(kind, f"{test}-{kind}", labels) for kind in kinds or WITH_TAR]
        for pod in pods:
            sh(self._fleet, pod, "sh", "-c", 'mkdir -p /tmp; head -c "$1" /dev/zero >/tmp/big', "sh", str(SIZE))
        assert left(self._fleet, pods) == []
        return selector(labels), pods


def _told(found: list[str]) -> str:
    return f"{len(found)} left" + (f" ({', '.join(sorted(set(found)))})" if found else "")
