"""What one run of a command used: python usage.py FILE ARGV… writes it to FILE as JSON, and ends as the command did.

It runs in a small process of its own. Linux lets a new program's peak memory begin with that of the process which
started it (fs/exec.c, exec_mmap), so that a benchmark with a plotting library in it would measure itself.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """code: the command's exit code. memory_mib: the largest resident set of any process in it."""

    code: int
    wall_s: float
    cpu_s: float
    memory_mib: float


def used_by(argv: Sequence[str], **environment: str) -> Usage:
    """Run a command, its output thrown away, and return what it used."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as written:
        launcher = [sys.executable, "-S", "-E", __file__, written.name, *argv]
        subprocess.run(launcher, env=os.environ | environment, stdout=subprocess.DEVNULL, check=False)
        return Usage(**json.load(written))


def main() -> None:
    begun = time.monotonic()
    child = subprocess.Popen(sys.argv[2:])
    _, status, rusage = os.wait4(child.pid, 0)
    usage = {
        "code": os.waitstatus_to_exitcode(status),
        "wall_s": time.monotonic() - begun,
        "cpu_s": rusage.ru_utime + rusage.ru_stime,
        "memory_mib": rusage.ru_maxrss / 1024,  # Linux counts it in KiB
    }
    Path(sys.argv[1]).write_text(json.dumps(usage))


if __name__ == "__main__":
    main()
