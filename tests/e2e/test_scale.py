"""Many pods, many bytes, a client that is too slow: what only a real cluster can show. Each prints what it measured."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from asynccp.options import CHUNK_SIZE, MOST_HOP_SIZE, WINDOW_SIZE
from tests.e2e.fleet import asynccp, command, environment, labels_for, peak_memory, selector, sh, snapshot
from tests.e2e.real import RealFleet
from tests.e2e.running import stop_half_of_the_time
from tests.schema import conforming
from tests.trees import describe

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(900)]

MIB = 1024 * 1024
FLEET_SIZE = 200
PAUSED_RUNS = 20

# What memory may come to: an idle process; the window of a push; and for each session what is under way in it: a chunk
# of a push twice (ours and the transport's), or of a pull a hop that fills and one that is written.
IDLE_SIZE = 64 * MIB
PUSH_SESSION_SIZE = 2 * (CHUNK_SIZE + MIB)
PULL_SESSION_SIZE = 2 * MOST_HOP_SIZE
MOST = 200 * MIB


def test_200_pods_get_200_files_in_one_command_with_one_exec_each(real_fleet: RealFleet, tmp_path: Path) -> None:
    labels, config = labels_for("many"), tmp_path / "config"
    config.mkdir()
    for number in range(200):
        (config / f"{number:03}.conf").write_bytes(os.urandom(7500))
    pods = real_fleet.add_many("busybox", labels, FLEET_SIZE)
    assert len(pods) == FLEET_SIZE
    ran = asynccp(real_fleet, "push", config, "-l", f"{selector(labels)}:/etc/app", "-o", "json")
    assert ran.code == 0, ran.err
    assert set(ran.outcomes.values()) == {"complete"}
    assert {(one["entries"], one["tries"], one["protocol"]) for one in ran.report["pods"]} == {(201, 1, "v4")}
    for pod in (pods[0], pods[-1]):
        there = {
            path.removeprefix(b"config/"): facts.content
            for path, facts in snapshot(real_fleet, pod, "/etc/app").items()
        }
        assert there == {**{path: facts.content for path, facts in describe(config).items()}, b"config": ""}
    print(f"\n{FLEET_SIZE} pods x 200 files: {ran.report['seconds']:.1f} s")


def test_a_pull_by_a_client_that_is_stopped_half_of_the_time_is_complete(real_fleet: RealFleet, tmp_path: Path) -> None:
    """The case that loses the tail with kubectl exec (kubernetes #60140): stopped for 1 s of every 2 s."""
    labels = labels_for("paused")
    pods = [real_fleet.add("busybox", f"paused-{number}", labels) for number in range(4)]
    for pod in pods:
        sh(real_fleet, pod, "sh", "-c", "dd if=/dev/urandom of=/tmp/big bs=1M count=128 2>/dev/null")
    sums = {pod: sh(real_fleet, pod, "sha256sum", "/tmp/big").split()[0].decode() for pod in pods}
    seconds = []
    for run in range(PAUSED_RUNS):
        begun, back = time.monotonic(), tmp_path / f"back-{run}"
        argv = command("pull", "-l", f"{selector(labels)}:/tmp/big", back, "-o", "json")
        running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(real_fleet))
        stop_half_of_the_time([running])
        out, err = running.communicate(timeout=60)
        assert running.returncode == 0, err.decode()
        assert {one["outcome"] for one in conforming(out)["pods"]} == {"complete"}
        for pod in pods:
            found = subprocess.run(["sha256sum", back / pod / "big"], capture_output=True, text=True, check=True).stdout
            assert found.split()[0] == sums[pod], f"run {run}, {pod}"
            (back / pod / "big").unlink()
        seconds.append(time.monotonic() - begun)
    print(
        f"\n{PAUSED_RUNS} runs of 4 x 128 MiB, stopped 1 s of 2 s: complete; {min(seconds):.1f} to {max(seconds):.1f} s"
    )


def test_the_memory_of_a_push_of_512_mib_to_10_pods_is_bounded(real_fleet: RealFleet, tmp_path: Path) -> None:
    labels = labels_for("memory")
    for number in range(10):
        real_fleet.add("busybox", f"memory-{number}", labels)
    with open(tmp_path / "big", "wb") as file:
        file.writelines(os.urandom(MIB) for _ in range(512))
    peak, report = peak_memory(real_fleet, "push", tmp_path / "big", "-l", f"{selector(labels)}:/tmp")
    assert {one["outcome"] for one in report["pods"]} == {"complete"}
    print(f"\npush of 512 MiB to 10 pods: peak {peak / MIB:.0f} MiB, {report['seconds']:.1f} s")
    assert peak < IDLE_SIZE + WINDOW_SIZE + 10 * PUSH_SESSION_SIZE < MOST
    for number in range(10):
        real_fleet.delete(f"memory-{number}")


def test_the_memory_of_a_pull_of_1_gib_from_4_pods_is_bounded(real_fleet: RealFleet, tmp_path: Path) -> None:
    labels = labels_for("gib")
    for number in range(4):
        pod = real_fleet.add("busybox", f"gib-{number}", labels)
        sh(real_fleet, pod, "sh", "-c", "dd if=/dev/urandom of=/tmp/big bs=1M count=256 2>/dev/null")
    peak, report = peak_memory(real_fleet, "pull", "-l", f"{selector(labels)}:/tmp/big", tmp_path / "back")
    assert {one["outcome"] for one in report["pods"]} == {"complete"}
    print(f"\npull of 1 GiB from 4 pods: peak {peak / MIB:.0f} MiB, {report['seconds']:.1f} s")
    assert peak < IDLE_SIZE + 4 * PULL_SESSION_SIZE < MOST
    for number in range(4):
        real_fleet.delete(f"gib-{number}")
