"""Up to 100,000 files of 1 KiB, pushed to 1 and to 8 pods of the null cluster, and pulled from one: time, CPU and
memory as they grow."""

from benchmarks.null import sources
from benchmarks.null.copies import pull, push, scratch
from benchmarks.null.growth import curves, grown, straight
from benchmarks.null.running import null_cluster
from benchmarks.row import Curve, Row
from benchmarks.sample import Sample
from benchmarks.setting import Setting

SIZE = 1024
ROOM = 4096  # bytes that a small file takes


def measure(setting: Setting) -> list[Row | Curve]:
    counts = [setting.scaled(count) for count in (1000, 10_000, 100_000)]
    with null_cluster() as kubeconfig:

        def pushed(count: int, pods: int) -> Sample:
            with scratch(count * ROOM) as here:
                return push(kubeconfig, sources.tree(here / "tree", count, SIZE), pods, count * SIZE)

        def pulled(count: int) -> Sample:
            pull(kubeconfig, 1, f"{count}x{SIZE}")  # the server makes this archive when it is asked for it first
            return pull(kubeconfig, 1, f"{count}x{SIZE}")

        lines = {
            "push to 1 pod": grown(counts, lambda count: pushed(count, 1)),
            "push to 8 pods": grown(counts, lambda count: pushed(count, 8)),
            "pull from 1 pod": grown(counts, pulled),
        }
    rows = [straight(f"{what}, files of 1 KiB", "files", points) for what, points in lines.items()]
    return [*rows, *curves("Files of 1 KiB", "files", lines)]
