"""Copies to and from the null cluster, by the command line, each looked at for completeness when it is done.

What was pushed the server has counted, and says so; what was pulled is on the disk, file by file.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.null.archive import numbers
from benchmarks.sample import Incomplete, Sample, sampled

MEMORY = Path("/dev/shm")  # a disk is not what is measured, so pulls go to memory where there is enough
_ALL_AT_ONCE = ("--per-node", "100000")


def push(kubeconfig: Path, source: Path, pods: int, size: int, *flags: str, directory: str = "/null") -> Sample:
    """Push `source`, which holds `size` bytes, to so many pods. Raises Incomplete."""
    with tempfile.TemporaryDirectory() as own:
        report = Path(own, "report.json")
        written = ("--report", str(report), *_ALL_AT_ONCE)
        sample = _asynccp(kubeconfig, "push", str(source), "-l", f"null={pods}:{directory}", *written, *flags)
        found = [(one["outcome"], one["bytes"]) for one in json.loads(report.read_text())["pods"]]
    if found != [("complete", size)] * pods:
        raise Incomplete(f"of {pods} pods, {found.count(('complete', size))} have all")
    return sample


def pull(kubeconfig: Path, pods: int, name: str, *flags: str, directory: str = "/null") -> Sample:
    """Pull the directory `name`, COUNTxSIZE, from so many pods, to memory if there is room. Raises Incomplete."""
    count, size = numbers(name)
    with scratch(pods * count * max(size, 4096)) as here:
        remote = f"null={pods}:{directory}/{name}"
        sample = _asynccp(kubeconfig, "pull", "-l", remote, str(here / "to"), *_ALL_AT_ONCE, *flags)
        sizes = [one.stat().st_size for one in (here / "to").glob(f"*/{name}/*")]
    if sizes != [size] * count * pods:
        raise Incomplete(f"{sizes.count(size)} of {count * pods} files are here whole")
    return sample


@contextmanager
def scratch(size: int) -> Iterator[Path]:
    """Make a directory with room for so many bytes, in memory if half of what is free there is enough for them."""
    for parent, most in ((MEMORY, _free_memory() // 2), (Path(tempfile.gettempdir()), sys.maxsize)):
        if parent.is_dir() and size < min(most, shutil.disk_usage(parent).free):
            with tempfile.TemporaryDirectory(prefix="asynccp-bench-", dir=parent) as directory:
                yield Path(directory)
            return
    raise Incomplete(f"there is no room for {size} bytes here")


def _free_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def _asynccp(kubeconfig: Path, *arguments: str) -> Sample:
    argv = [sys.executable, "-m", "asynccp", *arguments, "-q"]
    return sampled(argv, environment={"KUBECONFIG": os.fspath(kubeconfig)})
