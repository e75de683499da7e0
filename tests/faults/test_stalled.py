"""One pod that stalls hurts no other. `nox -s trust -- stalled` measures by how much."""

from pathlib import Path
from typing import Any

import pytest

from asynccp import Options
from asynccp.options import Concurrency, Deadlines, Failures
from asynccp.report import Outcome
from asynccp.ui.text import closing
from benchmarks.trust.faults.stalled import copy
from tests.faults.fleet import fleet
from tests.faults.hurry import Hurries, HurryingLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": HurryingLoop}


@pytest.mark.parametrize("direction", ["push", "pull"])
async def test_99_pods_end_before_the_stalled_ones_deadline_which_then_is_named(tmp_path: Path, direction: str) -> None:
    options = Options(
        deadlines=Deadlines(stall_after_s=30.0),
        failures=Failures(retries=0),
        concurrency=Concurrency(sessions=100, sessions_per_node=100),
    )
    async with fleet(tmp_path, 100, sizes={"file": 200_000}) as ours:
        report, finish, _ = await copy(ours, direction, options, stalls=True, beside=Hurries(100, 1))
    *others, (last, _) = finish.ended
    assert {result.outcome for result, _ in others} == {Outcome.COMPLETE}
    assert last.transfer.target.pod == ours.pods[0].name
    assert last.error in ("nothing moved for 30 s", "nothing moved for 31 s")  # on a busy machine
    assert report.exit_code == 23
    assert f"1 pod failed: {last.error} ({last.transfer.target})" in closing(report)
