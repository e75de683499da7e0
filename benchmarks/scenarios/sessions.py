"""Up to 1,000 sessions of the null cluster, all under way before the first may end: a push of one small file, a push
of 64 MiB, and a pull of 4 MiB from each. The memory of the client is to stay below 100 MiB + 0.3 MiB a session."""

from benchmarks.null import sources
from benchmarks.null.copies import pull, push, scratch
from benchmarks.null.growth import Points, curves, grown
from benchmarks.null.running import null_cluster
from benchmarks.row import Curve, Row
from benchmarks.setting import Setting

SMALL, LARGE, PULLED = 1024, 64 * 1024 * 1024, 4 * 1024 * 1024
BASE_MIB, SESSION_MIB = 100.0, 0.3


def measure(setting: Setting) -> list[Row | Curve]:
    counts = [setting.scaled(count) for count in (1, 10, 100, 300, 1000)]
    with null_cluster() as kubeconfig, scratch(LARGE + SMALL) as here:
        small, large = sources.file(here / "small", SMALL), sources.file(here / "large", LARGE)

        def flags(count: int) -> tuple[str, str]:
            return "-j", str(count)

        lines = {
            "push 1 KiB": grown(
                counts, lambda n: push(kubeconfig, small, n, SMALL, *flags(n), directory=f"/at-once/{n}")
            ),
            "push 64 MiB": grown(
                counts, lambda n: push(kubeconfig, large, n, LARGE, *flags(n), directory=f"/at-once/{n}")
            ),
            "pull 4 MiB": grown(
                counts, lambda n: pull(kubeconfig, n, f"1x{PULLED}", *flags(n), directory=f"/at-once/{n}")
            ),
        }
    return [*(_row(what, points) for what, points in lines.items()), *curves("Sessions at once", "sessions", lines)]


def _row(what: str, points: Points) -> Row:
    count, sample = points[-1]
    limit = BASE_MIB + SESSION_MIB * count
    scenario, against = f"{what}, {count:,.0f} sessions at once, null cluster", "100 MiB + 0.3 MiB a session"
    return Row(scenario, "peak memory", sample.peak_mib, limit, "MiB", against, wanted=1.0)
