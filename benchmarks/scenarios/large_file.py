"""One file of up to 8 GiB, pushed to one pod of the null cluster (a sparse file, so that no disk is read) and pulled
from one: time, CPU and memory as they grow."""

from benchmarks.null import sources
from benchmarks.null.copies import pull, push, scratch
from benchmarks.null.growth import curves, grown, straight
from benchmarks.null.running import null_cluster
from benchmarks.row import Curve, Row
from benchmarks.sample import Sample
from benchmarks.setting import Setting

MIB = 1024 * 1024


def measure(setting: Setting) -> list[Row | Curve]:
    sizes = [setting.scaled(mib) for mib in (64, 512, 2048, 8192)]
    with null_cluster() as kubeconfig:

        def pushed(mib: int) -> Sample:
            with scratch(0) as here:
                return push(kubeconfig, sources.sparse(here / "blob", mib * MIB), 1, mib * MIB)

        lines = {
            "push": grown(sizes, pushed),
            "pull": grown(sizes, lambda mib: pull(kubeconfig, 1, f"1x{mib * MIB}")),
        }
    rows = [straight(f"{what} of one file", "MiB", points) for what, points in lines.items()]
    return [*rows, *curves("One file", "MiB", lines)]
