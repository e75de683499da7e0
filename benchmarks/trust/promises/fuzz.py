"""S4: mutations of archives, with checksums mended, through the decoder and the extractor."""

import time

from benchmarks.trust.hostile.fuzz import fuzz
from benchmarks.trust.row import Row

MUTATIONS = 40_000


def measure(scale: float) -> list[Row]:
    # A new day brings new seeds; which ones they were is in the figure, and each finding names its own.
    first = int(time.time()) // 86_400 * 100_000_000
    findings = fuzz(first, round(MUTATIONS * scale))
    for one in findings.found:
        print("fuzz:", one, "(python -m benchmarks.trust.hostile.fuzz SEED)", flush=True)
    return [
        Row(
            what="Whatever an archive says, only our own errors are raised, and any slicing of it says the same",
            figure=f"{findings.decoded:,} mutations (seeds from {first}) decoded whole and in pieces, "
            f"{findings.extracted:,} of them extracted, {findings.accepted:,} of these accepted: "
            f"{len(findings.found)} findings",
            held=not findings.found and findings.decoded > 0,
        )
    ]
