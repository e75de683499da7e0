"""Strangers at the demo's port: other users of this machine, and pages in a browser. None is answered."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from asynccp.cli.demo import Stage
from benchmarks.trust.row import Row
from tests.testing.strangers import Heard, visit, witnesses


def measure(scale: float) -> list[Row]:
    """scale: at least every stranger on every route of one demo; above 1, of so many demos."""
    visits = [_visited() for _ in range(max(1, round(scale)))]
    requests, left = sum(heard.requests for heard, _ in visits), sum(count for _, count in visits)
    answered = [one for heard, _ in visits for one in heard.answered]
    figure = f"{len(answered)} of {requests} requests answered, {left} commands run"
    return [
        Row(
            "`asynccp demo` answers nobody but who has its kubeconfig: no other user, no page, on no route",
            "; ".join([figure, *answered[:3]]),
            not answered and not left,
        )
    ]


def _visited() -> tuple[Heard, int]:
    """Return what strangers heard at one demo, and how many of their commands have run."""
    with TemporaryDirectory() as directory:
        stage = Stage.below(Path(directory))
        with _demo(stage, directory) as url:
            heard = visit(url)
        return heard, len(witnesses(stage.pods))


@contextmanager
def _demo(stage: Stage, directory: str) -> Iterator[str]:
    """Run `asynccp demo --serve`, whose address is the value."""
    argv = [sys.executable, "-m", "asynccp", "demo", "--serve", "--pods", "1", directory]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as demo:
        try:
            assert demo.stdout
            demo.stdout.readline()  # it serves
            yield json.loads(stage.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        finally:
            demo.terminate()
