"""The storm at small size; `nox -s trust -- faults` runs 2,000 seeds."""

import os
from pathlib import Path

from asynccp.report import Outcome
from benchmarks.trust.faults.storm import (
    WITHOUT_TAR,
    Ended,
    Finding,
    build,
    contents,
    different,
    left_behind,
    storm,
    torn,
)

SEEDS = range(60)


async def test_whatever_fails_a_transfer_is_complete_or_failed_and_named_and_nothing_is_left(tmp_path: Path) -> None:
    ended = await storm(SEEDS, tmp_path)
    assert not ended.findings, "\n".join(map(str, ended.findings))
    assert sum(ended.outcomes.values()) == len(SEEDS)
    assert min(ended.outcomes[outcome] for outcome in (Outcome.COMPLETE, Outcome.FAILED)) > 10, "a storm has both"


async def test_the_same_is_true_where_there_is_no_tar(tmp_path: Path) -> None:
    ended = await storm(SEEDS[:30], tmp_path, kinds=WITHOUT_TAR)
    assert not ended.findings, "\n".join(map(str, ended.findings))
    assert min(ended.outcomes[outcome] for outcome in (Outcome.COMPLETE, Outcome.FAILED)) > 5, "a storm has both"


def test_what_the_storm_finds_says_how_to_see_it_again() -> None:
    ended = Ended([Finding(17, "torn", "a/large")])
    assert ended.count("torn") == 1
    assert str(ended.findings[0]) == "torn: a/large\n    again: python -m benchmarks.trust.faults 17"
    assert str(Finding(17, "loss", "z", "no-tar")).endswith("python -m benchmarks.trust.faults 17 --kind no-tar")


def test_the_storm_would_see_a_loss_a_torn_file_and_what_is_left(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    build(source, 1)
    build(copy, 1)
    assert different(source, copy) == ""
    old, new = {"z": "digest of the old one"}, contents(source)
    os.truncate(copy / "z", 8192)
    (copy / ".asynccp-1234.partial").touch()
    assert different(source, copy).startswith("z (")
    assert list(torn(copy, old, new)) == ["z"]
    assert list(left_behind(tmp_path)) == [copy / ".asynccp-1234.partial"]
