"""A curve that bends upwards is called so, and a copy that isn't whole is not measured."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.compare import CLIENT_CPU
from benchmarks.null.copies import pull, push, scratch
from benchmarks.null.growth import curves, grown, straight
from benchmarks.null.running import null_cluster
from benchmarks.null.sources import file, sparse, tree
from benchmarks.sample import Incomplete, Sample


@pytest.mark.parametrize(
    ("cpu_s", "held"),
    [
        (lambda n: 0.5 + n / 1000, True),
        (lambda n: 0.5 + n / 1000 + (n / 100_000) ** 2, True),
        (lambda n: 0.5 + n * n / 1e8, False),
        (lambda n: 0.5 + n / 1000 + max(0, n - 10_000) / 1000, False),
    ],
    ids=["straight", "nearly straight", "quadratic", "a step"],
)
def test_growth_is_straight_or_not(cpu_s: Callable[[int], float], held: bool) -> None:
    points = grown([1000, 10_000, 100_000], lambda n: Sample(1.0, cpu_s(n), None, 1.0), say=_silent)
    assert straight("copied", "files", points, CLIENT_CPU).held is held


def test_a_curve_has_every_point_and_says_where_it_begins_and_ends() -> None:
    points = grown([1, 10], lambda n: Sample(n / 10, n, None, 50.0), say=_silent)
    time, cpu, memory = curves("Files", "files", {"push": points})
    assert time.lines == {"push": [[1, 0.1], [10, 1.0]]}
    assert (cpu.y, memory.y) == ("client CPU, CPU-s", "peak memory, MiB")
    assert "push: 0.1 s at 1, 1 at 10" in time.sentence


def test_a_copy_that_brings_other_bytes_than_it_should_counts_as_incomplete(tmp_path: Path) -> None:
    source = file(tmp_path / "blob", 100_000)
    with null_cluster() as kubeconfig:
        assert push(kubeconfig, source, 2, 100_000).client_cpu_s > 0
        with pytest.raises(Incomplete, match="of 2 pods, 0 have all"):
            push(kubeconfig, source, 2, 100_001)
        assert pull(kubeconfig, 2, "3x1000").client_cpu_s > 0
        with pytest.raises(Incomplete, match="ended with"):
            pull(kubeconfig, 1, "3x1000", "--max-entries", "2")


def test_sources_have_the_size_that_they_are_asked_for(tmp_path: Path) -> None:
    assert file(tmp_path / "file", 1_500_000).stat().st_size == 1_500_000
    assert file(tmp_path / "empty", 0).stat().st_size == 0
    assert sparse(tmp_path / "sparse", 2**33).stat().st_blocks == 0
    sizes = [one.stat().st_size for one in tree(tmp_path / "tree", 1001, 10).rglob("*") if one.is_file()]
    assert sizes == [10] * 1001


def test_what_is_too_large_for_every_disk_is_not_begun() -> None:
    with pytest.raises(Incomplete, match="no room"), scratch(2**62):
        pytest.fail("there was room")


def _silent(_: str) -> None:
    """Say nothing."""
