"""Sources that change while they are pushed. `nox -s trust -- sources` runs 500 of these pushes."""

from pathlib import Path

from benchmarks.trust.faults.changes import pushes


async def test_a_source_that_changes_is_told_of_by_name_and_no_pod_gets_a_mixture(tmp_path: Path) -> None:
    seen = await pushes(range(40), tmp_path)
    assert not seen.wrong
    assert seen.told
    assert seen.complete
