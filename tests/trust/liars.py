"""A fleet that lies: 1,000 pods, each with more to remember and to name than anybody reads."""

import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from asynccp.fake.pod import Container, FakePod
from asynccp.fake.server import FakeCluster
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import peak_memory
from tests.faults.liars import LABELS, fifos, liar
from tests.trust.row import Row

PODS, ENTRIES, MOST_MIB, MIB = 1000, 5000, 300, 1024 * 1024


def measure(scale: float) -> list[Row]:
    pods = max(2, round(PODS * scale))
    peak, counts = peak_of_liars(pods)
    figure = f"{pods} pods, {ENTRIES} FIFOs each: peak {peak / MIB:.0f} MiB, {min(counts)} entries told of each"
    return [
        Row(
            f"Memory of a pull from {PODS} pods that all lie: below {MOST_MIB} MiB, and what is not named is counted",
            figure,
            peak < MOST_MIB * MIB and min(counts) == ENTRIES,
        )
    ]


def peak_of_liars(pods: int) -> tuple[int, list[int]]:
    """Return the peak of a pull from so many, in bytes, and how many entries it has told of each."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        directory = Path(place)
        portal = stack.enter_context(start_blocking_portal())
        cluster = stack.enter_context(portal.wrap_async_context_manager(FakeCluster(directory / "pods")))
        fleet = FakeFleet(cluster, portal, directory)
        zstd = shutil.which("zstd") or "zstd"
        packed = subprocess.run([zstd, "-1c"], input=fifos(ENTRIES), stdout=subprocess.PIPE, check=True).stdout
        kind = liar(directory, "liar", packed, program="zstd")
        for number in range(pods):
            pod = FakePod(f"liar-{number}", LABELS, containers=[Container("main", kind)])
            portal.call(cluster.add_pod, pod)
            (pod.root() / "d").mkdir()
        many = ("-z", "zstd", "--retries", "0")
        peak, report = peak_memory(fleet, "pull", "-l", "app=web:/d", directory / "back", *many, code=1)
    return peak, [sum(one.get("count", 1) for one in result["left_out"]) for result in report["pods"]]
