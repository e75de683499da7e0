"""The truth table of a transfer's end (tests/engine/truth.py): how many of its rows come out as they must."""

import tempfile
from pathlib import Path

import anyio
import pytest

from asynccp.ui.text import closing
from benchmarks.trust.row import Row
from tests.engine import truth
from tests.engine.clock import JumpingLoop, running_clock


def measure(_: float) -> list[Row]:
    rows = list(truth.cases())
    right = anyio.run(_right, rows, backend_options={"loop_factory": JumpingLoop})
    return [
        Row(
            "status × end marker × trailer × close × protocol × direction: the right exit code, and the pod named",
            f"{right} of {len(rows)} right; {sum(case.is_complete for case in rows)} of them complete",
            right == len(rows),
        )
    ]


async def _right(rows: list[truth.Case]) -> int:
    right = 0
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        running_clock(patch)
        for number, case in enumerate(rows):
            report = await truth.run(case, Path(directory) / str(number))
            (result,) = report.results
            named = case.is_complete or (case.says in result.error and "default/web-0" in closing(report))
            right += report.exit_code == (0 if case.is_complete else 1) and named
    return right
