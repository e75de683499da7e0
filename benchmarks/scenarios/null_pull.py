"""4 files of 16 MiB from each of 64 pods of the null cluster at once, to files in memory: what a pull costs the client,
in CPU-seconds per GiB, beside a blocking TLS socket that receives as many bytes over as many connections and drops
them."""

from benchmarks.null import per_gib
from benchmarks.null.copies import pull
from benchmarks.null.running import null_cluster
from benchmarks.row import Row
from benchmarks.setting import Setting


def measure(setting: Setting) -> list[Row]:
    mib = setting.scaled(64)
    with null_cluster() as kubeconfig:
        return per_gib.rows(
            "pull",
            kubeconfig,
            mib,
            lambda size_mib: pull(kubeconfig, per_gib.CONNECTIONS, f"4x{size_mib * 1024 * 1024 // 4}"),
            setting.runs,
            wanted=1 / 2,
        )
