"""S3: archives that we accept are the same files to GNU tar, bsdtar and Python's tarfile."""

from benchmarks.trust.hostile.readers import READERS, compare
from benchmarks.trust.row import Row

SEEDS = 3_000


def measure(scale: float) -> list[Row]:
    comparison = compare(range(round(SEEDS * scale)))
    for one in comparison.found:
        print("differential:", one, flush=True)
    readers = ", ".join(f"{name} {count:,}" for name, count in comparison.compared.items())
    return [
        Row(
            what="What we accept has one reading: names, kinds, sizes, contents and targets are the same to other tars",
            figure=f"{comparison.generated:,} generated archives, {comparison.accepted:,} accepted; compared with "
            f"{readers}: {len(comparison.found)} differences",
            held=not comparison.found and comparison.accepted > 0 and len(comparison.compared) > len(READERS),
        )
    ]
