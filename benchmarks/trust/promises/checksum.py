"""One-byte corruptions under --checksum (tests/corruption.py): how many are caught, with the file's name."""

import tempfile
from collections import Counter
from pathlib import Path

import anyio

from asynccp.testing.server import FakeCluster
from benchmarks.trust.row import Row
from tests.corruption import carry_out, corruptions


def measure(scale: float) -> list[Row]:
    count = max(5, round(1000 * scale))
    caught, struck = anyio.run(_measure, count)
    places = ", ".join(f"{place} {number}" for place, number in sorted(caught.items()))
    total = sum(caught.values())
    return [
        Row(
            "one-byte corruptions with --checksum: every one is caught, and the file named",
            f"{total} of {count} caught ({places})",
            total == count == struck,
            "compares nothing",
        )
    ]


async def _measure(count: int) -> tuple[Counter[str], int]:
    caught: Counter[str] = Counter()
    struck = 0
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        async with FakeCluster(here / "pods") as cluster:
            await cluster.add_pod("web-0")
            await cluster.write_kubeconfig(here / "kubeconfig")
            for number, one in enumerate(corruptions(count, 1)):
                was_struck, report = await carry_out(cluster, here / "kubeconfig", one, here / str(number))
                struck += was_struck
                if was_struck and report.exit_code == 1 and one.file in report.results[0].error:
                    caught[one.place] += 1
    return caught, struck
