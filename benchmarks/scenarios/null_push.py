"""One file of 64 MiB to 64 pods of the null cluster at once, which count and forget it: what a push costs the client,
in CPU-seconds per GiB, beside a blocking TLS socket that sends as many bytes over as many connections."""

from benchmarks.null import per_gib, sources
from benchmarks.null.copies import push, scratch
from benchmarks.null.running import null_cluster
from benchmarks.row import Row
from benchmarks.sample import Sample
from benchmarks.setting import Setting


def measure(setting: Setting) -> list[Row]:
    mib = setting.scaled(64)
    with null_cluster() as kubeconfig, scratch(mib * 1024 * 1024) as here:

        def ours(size_mib: int) -> Sample:
            size = size_mib * 1024 * 1024
            return push(kubeconfig, sources.file(here / "blob", size), per_gib.CONNECTIONS, size)

        return per_gib.rows("push", kubeconfig, mib, ours, setting.runs, wanted=1 / 1.5)
