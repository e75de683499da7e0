"""What may not be read in a pod is left out with its name, and all else arrives, whichever tar it is."""

from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, asynccp
from tests.e2e.real import RealFleet
from tests.e2e.shared import add_shared, as_root

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

TREE = """
rm -rf data; mkdir -p data/sub data/closed/below data/entered data/lost+found; echo x >data/closed/below/x
for n in 0 1 2 3 4 5 6 7 8 9; do
    for f in a m z sub/a sub/m sub/z; do echo $n >data/$f$n; done
    chmod 600 data/m$n data/sub/m$n data/z$n
done
ln data/a0 data/another-name; echo x >data/entered/x
chmod 700 data/closed data/lost+found; chmod 711 data/entered
"""
UNREADABLE = {f"data/{name}{number}" for name in ("m", "sub/m", "z") for number in range(10)}
CLOSED = {"data/closed", "data/entered", "data/lost+found"}
READABLE = {f"data/{name}{number}" for name in ("a", "sub/a", "sub/z") for number in range(10)} | {"data/another-name"}


@pytest.fixture(scope="module")
def pods(real_fleet_of_module: RealFleet) -> dict[str, str]:
    """One pod of each kind that has a tar, whose user is 1000, with a tree of root's."""
    made = {kind: add_shared(real_fleet_of_module, kind) for kind in WITH_TAR}
    for pod in made.values():
        as_root(real_fleet_of_module, pod, TREE)
    return made


@pytest.fixture(scope="module")
def real_fleet_of_module(fleet: object) -> RealFleet:
    return fleet if isinstance(fleet, RealFleet) else pytest.skip("for the real cluster")


@pytest.fixture(params=WITH_TAR)
def pod(request: pytest.FixtureRequest, pods: dict[str, str]) -> str:
    return pods[request.param]


def files_below(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_all_that_can_be_read_arrives_and_all_else_is_named(
    real_fleet: RealFleet, pod: str, tmp_path: Path, compression: str
) -> None:
    ran = asynccp(real_fleet, "pull", f"{pod}:/v/data", tmp_path, "-z", compression, "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"], one["error"]) == (23, "partial", None)
    assert files_below(tmp_path / pod) == READABLE
    left_out = {entry["path"]: entry["reason"] for entry in one["left_out"]}
    assert set(left_out) == UNREADABLE | CLOSED
    assert len(one["left_out"]) == len(left_out), "each once"
    assert set(left_out.values()) == {"it can't be read: Permission denied"}


def test_it_is_the_same_for_the_contents_of_a_directory(real_fleet: RealFleet, pod: str, tmp_path: Path) -> None:
    ran = asynccp(real_fleet, "pull", f"{pod}:/v/data/", tmp_path, "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"]) == (23, "partial")
    assert {f"data/{name}" for name in files_below(tmp_path / pod)} == READABLE
    assert {f"data/{entry['path']}" for entry in one["left_out"]} == UNREADABLE | CLOSED


def test_ten_are_named_in_text_and_how_many_more(real_fleet: RealFleet, pod: str, tmp_path: Path) -> None:
    ran = asynccp(real_fleet, "pull", f"{pod}:/v/data", tmp_path)
    assert ran.code == 23
    assert "partial: 33 entries left out" in ran.err
    (line,) = (line for line in ran.err.splitlines() if "it can't be read: Permission denied" in line)
    assert line.count("data/") == 10
    assert "left out 23 more (-o json has all)" in ran.err


def test_a_volume_with_its_lost_and_found_is_partial_and_not_failed(
    real_fleet: RealFleet, pod: str, tmp_path: Path
) -> None:
    as_root(real_fleet, pod, "rm -rf pvc; mkdir -p pvc/lost+found; chmod 700 pvc/lost+found; echo x >pvc/data")
    ran = asynccp(real_fleet, "pull", f"{pod}:/v/pvc", tmp_path)
    assert ran.code == 23
    assert "left out pvc/lost+found: it can't be read: Permission denied" in ran.err
    assert "pulled from 0 of 1 pod (1 partial)" in ran.out
    assert files_below(tmp_path / pod) == {"pvc/data"}


@pytest.mark.parametrize("path", ["/v/data/m0", "/v/data/lost+found", "/v/data/lost+found/"])
def test_what_was_named_and_may_not_be_read_is_a_failure_that_says_so(
    real_fleet: RealFleet, pod: str, tmp_path: Path, path: str
) -> None:
    ran = asynccp(real_fleet, "pull", f"{pod}:{path}", tmp_path, "-o", "json")
    assert ran.code == 1
    assert ran.errors[pod].startswith(f"{path} may not be read by the container's user")
    assert not list((tmp_path / pod).rglob("*"))


def test_libarchives_tar_without_find_says_that_the_rest_was_not_read(real_fleet: RealFleet, tmp_path: Path) -> None:
    pod = add_shared(real_fleet, "bsdtar", path="/v/bin")
    as_root(real_fleet, pod, "mkdir bin; for p in sh tar cat dd head stat; do ln -s /bin/$p bin/$p; done" + TREE)
    ran = asynccp(real_fleet, "pull", f"{pod}:/v/data", tmp_path, "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"]) == (1, "failed")
    assert one["error"].startswith("tar stopped: ")
    assert one["error"].endswith(" can't be read (Permission denied); what comes after it was not read")
    assert "add find" in one["hint"]
