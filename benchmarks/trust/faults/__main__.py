"""python -m benchmarks.trust.faults SEED…: run cases of the storm again, each alone, and say how they ended."""

import sys
import tempfile
from pathlib import Path

import anyio

from benchmarks.trust.faults.storm import Case, storm


async def main(seeds: list[int]) -> int:
    found = 0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as directory:
            ended = await storm([seed], Path(directory))
        print(Case.of(seed))
        print(*ended.lines, *map(str, ended.findings), sep="\n")
        found += len(ended.findings)
    return found


sys.exit(min(1, anyio.run(main, [int(seed) for seed in sys.argv[1:]])))
