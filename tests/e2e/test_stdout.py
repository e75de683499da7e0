"""`pull … -`: the files of all pods as one tar on standard output, whole members only, and nothing else there."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet, command, environment, labels_for, selector, sh
from tests.schema import conforming

LARGE = "".join(f"{number}\n" for number in range(1, 300_001)).encode()  # more than is kept in memory
FILL = """
mkdir -p "$1/d" && cd "$1" && seq 1 300000 >d/large && echo small >small
ln -s d/large l && ln small other && ln -s /etc/passwd away
"""

Pods = tuple[str, list[str]]


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> Pods:
    """A selector, and the pods that it matches."""
    labels = labels_for("stdout")
    names = [fleet.add(kind, f"stdout-{kind}", labels) for kind in fleet.kinds("gnu", "busybox")]
    for one in names:
        sh(fleet, one, "sh", "-c", FILL, "sh", "/tmp/out")
    return selector(labels), names


def pulled(fleet: Fleet, pods: Pods, *more: str, stdout: int = subprocess.PIPE) -> "subprocess.CompletedProcess[bytes]":
    argv = command("pull", "-l", f"{pods[0]}:/tmp/out", "-", *more)
    return subprocess.run(argv, stdout=stdout, stderr=subprocess.PIPE, env=environment(fleet), timeout=100, check=False)


def test_a_pull_to_standard_output_is_one_tar_of_all_pods(fleet: Fleet, pods: Pods) -> None:
    ran = pulled(fleet, pods)
    assert ran.returncode == 23, "the link that leads away is left out"
    assert ran.stderr.count(b"leads out of the pod's directory") >= len(pods[1])
    with tarfile.open(fileobj=io.BytesIO(ran.stdout)) as tar:
        found = {one.name: one for one in tar}
        for pod in pods[1]:
            large, small = (tar.extractfile(f"./{pod}/out/{name}") for name in ("d/large", "small"))
            assert large
            assert small
            assert (large.read(), small.read()) == (LARGE, b"small\n")
            assert found[f"./{pod}/out/l"].linkname == "d/large"
            assert {found[f"./{pod}/out/{name}"].type for name in ("small", "other")} == {
                tarfile.REGTYPE,
                tarfile.LNKTYPE,
            }
    assert not [name for name in found if name.endswith("away")]
    assert ran.stdout.endswith(bytes(1024)), "its end, and no report behind it"


def test_a_reader_that_goes_fails_every_pod_by_name(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = pulled(fleet, pods, "--report", str(tmp_path / "report"), stdout=writing)
    os.close(writing)
    assert ran.returncode == 1
    assert b"standard output can't be written: Broken pipe" in ran.stderr
    assert b"Traceback" not in ran.stderr
    errors = {one["pod"]: one["error"] for one in conforming((tmp_path / "report").read_text())["pods"]}
    assert errors == dict.fromkeys(pods[1], "standard output can't be written: Broken pipe"), (
        "there is a report as well"
    )


def test_what_can_not_be_compared_is_refused_before_anything_is_read(fleet: Fleet, pods: Pods) -> None:
    ran = pulled(fleet, pods, "--checksum")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"pull into a directory, or without --checksum" in ran.stderr
