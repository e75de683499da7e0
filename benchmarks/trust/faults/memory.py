"""What a client's memory comes to when it pulls from many pods at once and one of them stalls."""

from pathlib import Path

from asynccp.testing.faults import Silence
from asynccp.testing.kinds import gnu
from asynccp.testing.pod import Container, FakePod
from benchmarks.trust.faults.stalled import PLACES
from tests.e2e.fakefleet import served
from tests.e2e.fleet import peak_memory

MIB = 1024 * 1024
LABELS = {"app": "memory"}


def peak_of_a_pull(directory: Path, *, pods: int, size: int, stall_after_s: int) -> tuple[int, dict[str, str]]:
    """Pull a file of `size` bytes from each pod, in a process of its own; return its peak in bytes, and each error.

    The pods have the same content, by hard links, so that it lies in the page cache.
    """
    content = directory / "content"
    content.write_bytes(bytes(range(256)) * (size // 256))
    with served(directory) as fleet:
        for number in range(pods):
            pod = FakePod(f"memory-{number}", LABELS, containers=[Container("main", gnu())])
            fleet.run(pod)
            (pod.root() / "file").hardlink_to(content)
            if number == 0:
                fleet.strike(pod, Silence(PLACES["pull"], deaf=True))
        everywhere = ("-j", str(pods), "--per-node", str(pods), "--timeout", str(stall_after_s), "--retries", "0")
        peak, report = peak_memory(fleet, "pull", "-l", "app=memory:/file", directory / "back", *everywhere, code=23)
        fleet.heal()
    return peak, {one["pod"]: one["error"] or "" for one in report["pods"]}
