"""Sample: what one copy took. `sampled` runs a program and takes it."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 1800.0  # a copy that takes longer hangs
TAIL_SIZE = 2000  # bytes of what a program said that are worth showing


class Incomplete(Exception):
    """A copy that failed, or says that it didn't and is short all the same: it counts as a failure, not as a time."""


@dataclass(frozen=True, slots=True)
class Sample:
    """wall_s: from start to end. client_cpu_s: user and system, of the program and all that it started and waited for.

    server_cpu_s: of the API server in that time; None where it isn't a process of this machine.
    peak_mib: resident memory of the largest single process. Linux hands the parent's peak on to what it starts, so it
    is never less than that of the benchmark itself, which therefore makes its files piece by piece.
    """

    wall_s: float
    client_cpu_s: float
    server_cpu_s: float | None
    peak_mib: float


def sampled(argv: Sequence[str], *, stdin: str = "", environment: Mapping[str, str] | None = None) -> Sample:
    """Run a program to its end. Raises Incomplete when its exit code isn't 0, or it hangs.

    environment: variables that are set beside those of this process.
    """
    read_end, write_end = os.pipe()  # small enough for a pipe to hold: names of pods
    os.write(write_end, stdin.encode())
    os.close(write_end)
    said = os.memfd_create("said")
    before, begun = server_cpu_s(), time.monotonic()
    process = subprocess.Popen(
        argv,
        stdin=read_end,
        stdout=said,
        stderr=said,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    pidfd = os.pidfd_open(process.pid)
    hangs = not select.select([pidfd], [], [], LIMIT_S)[0]
    wall_s, after = time.monotonic() - begun, server_cpu_s()
    if hangs:
        os.killpg(process.pid, signal.SIGKILL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    words = os.pread(said, TAIL_SIZE, max(0, os.fstat(said).st_size - TAIL_SIZE)).decode(errors="replace").strip()
    for descriptor in (read_end, said, pidfd):
        os.close(descriptor)
    if hangs:
        raise Incomplete(f"{argv[0]} was not done after {LIMIT_S:.0f} s: {words}")
    if process.returncode != 0:
        raise Incomplete(f"{argv[0]} ended with {process.returncode}: {words}")
    return Sample(
        wall_s,
        usage.ru_utime + usage.ru_stime,
        None if before is None or after is None else after - before,
        usage.ru_maxrss / 1024,
    )


def server_cpu_s() -> float | None:
    """Return the CPU time, in seconds, that API servers of this machine have used; None when none runs here."""
    ticks = [_ticks(one.parent) for one in Path("/proc").glob("[0-9]*/comm") if _read(one) == "kube-apiserver\n"]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None


def _ticks(process: Path) -> int:
    user, system = _read(process / "stat").rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""
