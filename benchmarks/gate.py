"""python -m benchmarks.gate [--against COMMIT] [--more]: what copies cost this tree's client, against the last release
or another commit of this clone; 10 % more fails. --more: larger copies as well, which takes some minutes.

Not in seconds, which other work on the machine lengthens, but in instructions, which valgrind counts; where there is
none, in CPU time, the median of several, by turns. Each side is a tree of its own, with its own null cluster: so what
the two say to each other may have changed. Where the release is not in this clone there is nothing to measure against,
which is said.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.null.running import ROOT, null_cluster
from benchmarks.sample import Incomplete, sampled
from benchmarks.sources import configuration

MOST = 1.10
"""How often as much as before something may cost."""

UNTIL_THERE_IS_A_RELEASE = "5ef343e"
RUNS = 5  # where CPU time is what is measured
_COUNTED = re.compile(r"Collected : (\d+)")
_RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


class Job(NamedTuple):
    """One copy. arguments: of asynccp, from where its sources are to where its files go."""

    name: str
    arguments: Callable[[Path, Path], list[str]]


JOBS = (
    Job("push 1 file → 1 pod", lambda here, _: ["push", f"{here}/one", "-l", "null=1:/null"]),
    Job("push 100 files → 30 pods", lambda here, _: ["push", f"{here}/many", "-l", "null=30:/null"]),
    Job("pull 1,000 files of 1 KiB ← 4 pods", lambda _, to: ["pull", "-l", "null=4:/null/1000x1024", str(to)]),
    Job("pull 1 file of 16 MiB ← 4 pods", lambda _, to: ["pull", "-l", f"null=4:/null/1x{2**24}", str(to)]),
)
MORE_JOBS = (
    Job("push 200 files → 60 pods", lambda here, _: ["push", f"{here}/more", "-l", "null=60:/null"]),
    Job("push 1 file of 64 MiB → 16 pods", lambda here, _: ["push", f"{here}/large", "-l", "null=16:/null"]),
    Job("pull 4 files of 16 MiB ← 16 pods", lambda _, to: ["pull", "-l", f"null=16:/null/4x{2**24}", str(to)]),
)


class Cost(NamedTuple):
    """What one copy costs either side, in instructions or in CPU seconds."""

    name: str
    before: float
    now: float

    @property
    def ratio(self) -> float:
        return self.now / self.before

    @property
    def is_too_much(self) -> bool:
        return self.ratio > MOST

    def __str__(self) -> str:
        return f"{self.ratio:6.3f}  {self.name}" + (f"  more than {MOST:g}" if self.is_too_much else "")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate")
    parser.add_argument("--against", metavar="COMMIT", default="", help="the last release")
    parser.add_argument("--more", action="store_true", help="larger copies as well")
    asked = parser.parse_args()
    base = asked.against or last_release(_git("tag", "--list", "v*").split()) or UNTIL_THERE_IS_A_RELEASE
    if not _git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}"):
        print(f"nothing was measured: {base}, which this tree is to be measured against, is not in this clone")
        return
    jobs = (*JOBS, *(MORE_JOBS if asked.more else ()))
    print(f"against {base}:", flush=True)
    with tempfile.TemporaryDirectory(prefix="asynccp-gate-") as directory, tree_of(base, Path(directory)) as before:
        costs = []
        for one in measure(jobs, before, Path(directory)):
            print(one, flush=True)
            costs.append(one)
    if any(one.is_too_much for one in costs):
        sys.exit(1)


def last_release(tags: Sequence[str]) -> str:
    """Return the tag of the newest release, `vMAJOR.MINOR.PATCH`; empty if there is none."""
    numbers = {tuple(map(int, found.groups())): tag for tag in tags if (found := _RELEASE.fullmatch(tag))}
    return numbers[max(numbers)] if numbers else ""


@contextmanager
def tree_of(commit: str, below: Path) -> Iterator[Path]:
    """Check a commit out, beside this tree."""
    tree = below / "before"
    _git("worktree", "add", "--detach", str(tree), commit)
    try:
        yield tree
    finally:
        _git("worktree", "remove", "--force", str(tree))


def measure(jobs: Sequence[Job], before: Path, scratch: Path) -> Iterator[Cost]:
    configuration(scratch / "one", 1, 4096)
    configuration(scratch / "many", 100, 400_000)
    configuration(scratch / "more", 200, 1_500_000)
    (scratch / "large").write_bytes(bytes(2**26))
    with ExitStack() as stack:
        for tree in (before, ROOT):
            subprocess.run([sys.executable, "-m", "compileall", "-q", str(tree / "asynccp")], check=True)
        sides = [(tree, stack.enter_context(null_cluster(tree, _environment(tree)))) for tree in (before, ROOT)]
        for job in jobs:
            found: list[list[float]] = [[], []]
            for _ in range(1 if counts() else RUNS):
                for (tree, kubeconfig), costs_of_one in zip(sides, found, strict=True):
                    costs_of_one.append(cost(job, tree, kubeconfig, scratch))
            yield Cost(job.name, *map(median, found))


def cost(job: Job, tree: Path, kubeconfig: Path, scratch: Path) -> float:
    """Have a tree do a job; return what it cost. Raises Incomplete."""
    with tempfile.TemporaryDirectory(dir=scratch) as to:
        argv = [sys.executable, "-m", "asynccp", *job.arguments(scratch, Path(to)), "-q"]
        environment = _environment(tree) | {"KUBECONFIG": str(kubeconfig)}
        if not counts():
            return sampled(argv, environment=environment).client_cpu_s
        valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        done = subprocess.run(
            [*valgrind, *argv], cwd=tree, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise Incomplete(f"{job.name} in {tree}: {done.stderr[-2000:]}")
    return counted(done.stderr)


def counts() -> bool:
    """Tell whether instructions can be counted here."""
    return shutil.which("valgrind") is not None


def counted(words: str) -> int:
    """Return the instructions that callgrind says to have counted."""
    found = _COUNTED.search(words)
    assert found, words
    return int(found[1])


def _environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout


if __name__ == "__main__":
    main()
