"""The storm at small size; `nox -s trust -- faults` runs 2,000 seeds."""

from pathlib import Path

from asynccp.report import Outcome
from tests.faults.storm import Ended, storm

SEEDS = range(60)


async def test_whatever_fails_a_transfer_is_complete_or_failed_and_named_and_nothing_is_left(tmp_path: Path) -> None:
    ended = await storm(SEEDS, tmp_path)
    assert not ended.findings, "\n".join(map(str, ended.findings))
    assert sum(ended.outcomes.values()) == len(SEEDS)
    assert min(ended.outcomes[outcome] for outcome in (Outcome.COMPLETE, Outcome.FAILED)) > 10, "a storm has both"


def test_what_the_storm_finds_says_how_to_see_it_again() -> None:
    from tests.faults.storm import Finding

    ended = Ended([Finding(17, "torn", "a/large")])
    assert ended.count("torn") == 1
    assert str(ended.findings[0]) == "torn: a/large\n    again: python -m tests.faults 17"
