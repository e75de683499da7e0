"""Every row of the truth table, through the whole engine."""

from pathlib import Path

import pytest

from asynccp.report import Outcome
from asynccp.ui.text import closing

from . import truth


@pytest.mark.parametrize("case", list(truth.cases()), ids=str)
async def test_a_transfer_is_complete_in_exactly_one_case(case: truth.Case, tmp_path: Path) -> None:
    report = await truth.run(case, tmp_path)
    (result,) = report.results
    assert (result.outcome is Outcome.COMPLETE) is case.is_complete
    assert report.exit_code == (0 if case.is_complete else 1)
    if not case.is_complete:
        assert case.says in result.error
        assert result.error
        assert "default/web-0" in closing(report)
        assert "None" not in result.error
        assert result.seconds < 5
        assert "tar" not in result.error or case.rung != "shell"
