"""A client's memory has a bound, also beside a pod that stalls. `nox -s trust -- memory` measures it with 100 pods."""

import gc
from collections import Counter
from pathlib import Path

import anyio
import pytest

from asynccp import Options
from asynccp.archive import zstd
from asynccp.limits import DEFAULT_LIMITS, Limits
from asynccp.options import Compression, Failures
from asynccp.report import Outcome
from asynccp.testing.pod import Container, FakePod
from benchmarks.trust.faults.liars import fifos, liar
from benchmarks.trust.faults.memory import MIB, peak_of_a_pull
from tests.archives import archive, block
from tests.faults.fleet import LABELS, Fleet, fleet

# What a transfer works with.
HEAVY = {"Ingest", "DirectorySink", "Unpacker", "Account", "TarDecoder", "Prefix", "Share", "Claims"}


def test_a_pull_from_10_pods_of_which_one_stalls_stays_within_its_memory(tmp_path: Path) -> None:
    peak, errors = peak_of_a_pull(tmp_path, pods=10, size=16 * MIB, stall_after_s=5)
    assert {pod: error for pod, error in errors.items() if error} == {"memory-0": "nothing moved for 5 s"}
    assert peak <= (100 + 10) * MIB


@pytest.mark.parametrize("direction", ["pull", "push"])
async def test_a_transfer_that_is_over_leaves_nothing_for_the_collector(direction: str, tmp_path: Path) -> None:
    async with fleet(tmp_path, 3) as one:
        left, report = await _left_by(one, direction)
    assert report == {Outcome.COMPLETE}
    assert not left


async def test_a_transfer_that_failed_leaves_nothing_for_the_collector_either(tmp_path: Path) -> None:
    kind = liar(tmp_path, "liar", zstd.frame(fifos(600)), program="zstd")
    async with fleet(tmp_path, 1) as one:
        for number in range(3):
            pod = FakePod(f"liar-{number}", LABELS, containers=[Container("main", kind)])
            await one.cluster.add_pod(pod)
            (pod.root() / "srv" / "tree").mkdir(parents=True)
        left, report = await _left_by(one, "pull")
    assert report == {Outcome.COMPLETE, Outcome.FAILED}
    assert not left


async def test_a_transfer_that_has_waited_for_memory_in_vain_leaves_nothing_for_the_collector(tmp_path: Path) -> None:
    names = archive(*(block(b"tree/%08d" % number, typeflag=b"2", link=b"x") for number in range(3000)))
    kind = liar(tmp_path, "liar", zstd.frame(names), program="zstd")
    async with fleet(tmp_path, 0) as one:
        for number in range(6):
            pod = FakePod(f"liar-{number}", LABELS, containers=[Container("main", kind)])
            await one.cluster.add_pod(pod)
            (pod.root() / "srv" / "tree").mkdir(parents=True)
        left, report = await _left_by(one, "pull", Limits(memory=2 * MIB))
    assert Outcome.FAILED in report
    assert not left


async def _left_by(one: Fleet, direction: str, limits: Limits = DEFAULT_LIMITS) -> tuple[Counter[str], set[Outcome]]:
    """Copy without the collector; return what is still there of the transfers, by type, and how they ended."""
    gc.collect()
    gc.disable()
    try:
        copy = one.pull if direction == "pull" else one.push
        report = await copy(Options(failures=Failures(retries=0), compression=Compression.ZSTD, limits=limits))
        with anyio.move_on_after(5):
            while _heavy():  # noqa: ASYNC110 (a thread tells that it is done, and lets go a moment later)
                await anyio.sleep(0.01)
        return _heavy(), {result.outcome for result in report.results}
    finally:
        gc.enable()


def _heavy() -> Counter[str]:
    kinds = (type(thing) for thing in gc.get_objects())
    return Counter(one.__name__ for one in kinds if one.__name__ in HEAVY and not issubclass(one, tuple))
