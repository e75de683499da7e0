"""Credentials: each kind is renewed in the middle of a run, and no failure gives a secret away."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from asynccp import Outcome
from benchmarks.trust.credentials import leaks
from benchmarks.trust.credentials.outlive import KINDS, PODS, outlive
from benchmarks.trust.row import Row


def measure(scale: float) -> list[Row]:
    """scale: at least every kind and every failure once; above 1, so many times."""
    return anyio.run(_measure, max(1, round(scale)))


async def _measure(times: int) -> list[Row]:
    renewed = [kind for kind in KINDS if all([await _outlives(kind) for _ in range(times)])]
    ours = await _leaks("asynccp", times)
    kubectls = (await _leaks("kubectl", 1)).figure if shutil.which("kubectl") else ""
    missed = f"; not: {', '.join(kind for kind in KINDS if kind not in renewed)}" if len(renewed) < len(KINDS) else ""
    return [
        Row(
            "credentials that the server stops accepting in mid-run are renewed, and the run is complete",
            f"{len(renewed)} of {len(KINDS)} kinds, {PODS} of {PODS} pods each{missed}",
            len(renewed) == len(KINDS),
        ),
        Row(ours.what, ours.figure, ours.held, kubectls),
    ]


async def _outlives(kind: str) -> bool:
    with TemporaryDirectory() as directory:
        report, _ = await outlive(KINDS[kind], Path(directory))
    return [result.outcome for result in report.results] == [Outcome.COMPLETE] * PODS


async def _leaks(program: str, times: int) -> Row:
    planted = found = failures = 0
    for name in list(leaks.FAILURES) * times:
        with TemporaryDirectory() as directory:
            outcome = await leaks.fail(name, Path(directory), program)
        planted, found, failures = planted + outcome.planted, found + len(outcome.found), failures + (outcome.code != 0)
    count = len(leaks.FAILURES) * times
    figure = f"{found} of {planted} planted secrets came out, in {failures} failures of {count}"
    return Row("no secret in an error, a log or a report", figure, found == 0 and failures == count)
