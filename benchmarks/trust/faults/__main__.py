"""python -m benchmarks.trust.faults SEED… [--kind KIND]: run cases of the storm again, each alone."""

import argparse
import sys
import tempfile
from pathlib import Path

import anyio

from benchmarks.trust.faults.storm import WITH_SHELL, Case, storm


async def main(seeds: list[int], kinds: tuple[str, ...]) -> int:
    found = 0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as directory:
            ended = await storm([seed], Path(directory), kinds=kinds)
        print(Case.of(seed, kinds))
        print(*ended.lines, *map(str, ended.findings), sep="\n")
        found += len(ended.findings)
    return found


parser = argparse.ArgumentParser(prog="python -m benchmarks.trust.faults")
parser.add_argument("seeds", nargs="+", metavar="SEED", type=int)
parser.add_argument("--kind", choices=WITH_SHELL, help="of all containers, not one of the seed's choice")
asked = parser.parse_args()
sys.exit(min(1, anyio.run(main, asked.seeds, (asked.kind,) if asked.kind else WITH_SHELL)))
