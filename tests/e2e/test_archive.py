"""`pull --archive`: one archive with the report in it, valid whoever fails, whole or not there."""

import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from asynccp.kube.exec import STDOUT
from asynccp.testing.faults import Cut, Place
from asynccp.testing.kinds import gnu
from asynccp.testing.pod import Container, FakePod
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import Fleet, asynccp, command, environment, labels_for, selector, sh
from tests.e2e.running import Running
from tests.schema import conforming

LARGE = "".join(f"{number}\n" for number in range(1, 300_001)).encode()  # more than is kept in memory
FILL = 'mkdir -p "$1/d" && cd "$1" && seq 1 300000 >d/large && echo small >small && ln -s d/large l && ln small other'

Pods = tuple[str, list[str]]


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> Pods:
    """A selector, and the pods that it matches."""
    labels = labels_for("archive")
    names = [fleet.add(kind, f"archive-{kind}", labels) for kind in fleet.kinds("gnu", "busybox")]
    for one in names:
        sh(fleet, one, "sh", "-c", FILL, "sh", "/tmp/out")
    return selector(labels), names


def contents(path: Path) -> dict[str, bytes]:
    """Return the files of an archive by their names, as Python's tarfile reads them."""
    with tarfile.open(path) as tar:
        files = {one.name: tar.extractfile(one) for one in tar if one.isfile() or one.islnk()}
        return {name: file.read() for name, file in files.items() if file}


@pytest.mark.parametrize("name", ["out.tar", "out.tar.gz", "out.tgz"])
def test_a_pull_into_an_archive_has_all_pods_and_the_report(
    fleet: Fleet, pods: Pods, tmp_path: Path, name: str
) -> None:
    ran = asynccp(fleet, "pull", "-l", f"{pods[0]}:/tmp/out", "--archive", tmp_path / name, "-o", "json")
    assert ran.code == 0, ran.err
    found = contents(tmp_path / name)
    for pod in pods[1]:
        assert found[f"./{pod}/out/d/large"] == LARGE
        assert found[f"./{pod}/out/small"] == found[f"./{pod}/out/other"] == b"small\n"
    assert conforming(found["./report.json"]) | {"request": ran.report["request"]} == ran.report, (
        "whoever gets the archive needn't know what was typed"
    )
    assert list(found)[-1] == "./report.json"


def test_an_archive_by_zstd_is_what_zstd_reads(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    ran = asynccp(fleet, "pull", "-l", f"{pods[0]}:/tmp/out", "--archive", tmp_path / "out.tar.zst")
    assert ran.code == 0, ran.err
    subprocess.run(["tar", "--zstd", "-xf", "out.tar.zst"], cwd=tmp_path, check=True)
    for pod in pods[1]:
        assert (tmp_path / pod / "out" / "d" / "large").read_bytes() == LARGE


def test_names_in_it_are_those_of_the_template(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    ran = asynccp(
        fleet, "pull", "-l", f"{pods[0]}:/tmp/out/small", "--archive", tmp_path / "out.tar",
        "--template", "{path}/{pod}", "-o", "json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert {*contents(tmp_path / "out.tar")} == {f"./tmp/out/small/{pod}" for pod in pods[1]} | {"./report.json"}
    assert {one["landed"] for one in ran.report["pods"]} == {f"tmp/out/small/{pod}" for pod in pods[1]}


def test_a_pod_that_fails_is_named_in_it_and_the_others_are_in_it(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    labels, (first, *others) = pods
    sh(fleet, first, "sh", "-c", 'mkdir -p "$1" && echo here >"$1/there"', "sh", "/tmp/only")
    ran = asynccp(fleet, "pull", "-l", f"{labels}:/tmp/only", "--archive", tmp_path / "out.tar")
    assert ran.code == (23 if others else 0), ran.err
    found = contents(tmp_path / "out.tar")
    assert found[f"./{first}/only/there"] == b"here\n"
    outcomes = {one["pod"]: one["outcome"] for one in conforming(found["./report.json"])["pods"]}
    assert outcomes == {first: "complete", **dict.fromkeys(others, "failed")}


@pytest.mark.fake_only
def test_a_pod_that_breaks_off_in_the_middle_leaves_whole_members_only(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    labels = labels_for("broken")
    made = [FakePod(f"broken-{number}", labels, containers=[Container("main", gnu())]) for number in range(2)]
    for pod in made:
        sh(fake_fleet, fake_fleet.run(pod), "sh", "-c", FILL, "sh", "/tmp/out")
    fake_fleet.strike(made[0], Cut(Place(STDOUT, 1_000_000), always=True))
    arguments = ("pull", "-l", f"{selector(labels)}:/tmp/out", "--archive", tmp_path / "out.tar.gz", "-z", "none")
    ran = asynccp(fake_fleet, *arguments, "--retries", "1")
    fake_fleet.heal()
    assert ran.code == 23, ran.err
    found = contents(tmp_path / "out.tar.gz")
    assert found["./broken-1/out/d/large"] == LARGE
    assert "./broken-0/out/d/large" not in found
    outcomes = {one["pod"]: one["outcome"] for one in conforming(found["./report.json"])["pods"]}
    assert outcomes == {"broken-0": "failed", "broken-1": "complete"}


def test_an_interrupted_pull_leaves_a_valid_archive_that_says_so(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    out = tmp_path / "out.tar"
    small, large = (f"{pods[1][0]}:/tmp/out/{name}" for name in ("small", "d/large"))
    with Running(fleet, "pull", small, large, "--archive", out, "--bwlimit", "64K", "-z", "none") as running:
        running.wait_for(":/tmp/out/small", "complete")
        running.send_signal(signal.SIGINT)
        ran = running.finish()
    assert ran.code == 130, ran.err
    found = contents(out)
    assert found[f"./{pods[1][0]}/small"] == b"small\n"
    assert sorted(one["outcome"] for one in conforming(found["./report.json"])["pods"]) == ["complete", "interrupted"]
    assert [one.name for one in tmp_path.iterdir()] == ["out.tar"]


def test_a_file_that_can_grow_no_more_fails_every_pod_and_is_not_left(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    if len(pods[1]) < 2:
        pytest.skip("one pod's files are not too large")
    argv = command("pull", "-l", f"{pods[0]}:/tmp/out", "--archive", tmp_path / "out.tar", "-o", "json")
    limited = ["sh", "-c", 'ulimit -f 6000 && exec "$@"', "sh", *argv]  # blocks of 512 bytes: one pod's files
    ran = subprocess.run(limited, capture_output=True, env=environment(fleet), timeout=100, check=False, cwd=tmp_path)
    assert ran.returncode == 1, ran.stderr
    for one in conforming(ran.stdout)["pods"]:
        assert (one["outcome"], one["entries"]) == ("failed", 0)
        assert "File too large" in one["error"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--archive", "there.tar"], 1, "there.tar is there already; a pull makes a new archive"),
        (["--archive", "link.tar"], 1, "link.tar is there already"),
        (["--archive", "no/out.tar"], 1, "no is no directory, so no/out.tar can't be made in it"),
        (["--archive", "out.zip"], 2, "an archive's name ends with .tar, .tar.gz, .tgz, .tar.zst, unlike out.zip"),
        (["--archive", "out.tar", "--checksum"], 2, "files that go into an archive can't be compared"),
        (["--archive", "out.tar", "to"], 2, "a pull goes into an archive or into a directory, not into to as well"),
        (["--archive", "out.tar", "-"], 2, "a pull goes into an archive or into a directory, not into - as well"),
        (["--archive", "out.tar", "--template", "report.json"], 2, "would land"),
        ([], 2, "there is no local directory"),
    ],
)
def test_what_can_not_be_is_one_sentence_and_nothing_is_written(
    fleet: Fleet, pods: Pods, tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    (tmp_path / "there.tar").write_text("mine")
    os.symlink("nowhere", tmp_path / "link.tar")
    ran = asynccp(fleet, "pull", "-l", f"{pods[0]}:/tmp/out", *arguments, cwd=tmp_path)
    assert ran.code == code
    assert says in ran.err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.tar", "there.tar"]
    assert (tmp_path / "there.tar").read_text() == "mine"


def test_a_dry_run_writes_nothing(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    ran = asynccp(fleet, "pull", "-l", f"{pods[0]}:/tmp/out", "--archive", tmp_path / "out.tar", "--dry-run")
    assert ran.code == 0
    assert f"{pods[1][0]}:/tmp/out → {pods[1][0]}/out\n" in ran.out
    assert list(tmp_path.iterdir()) == []
