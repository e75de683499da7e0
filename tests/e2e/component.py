"""Component: a part of the real cluster that the tests may kill and start again.

    ASYNCCP_TEST_COMPONENT   a command that takes `start NAME` and does nothing when NAME runs
    ASYNCCP_TEST_PIDS        a directory with NAME.pid: the process that runs as NAME on this machine

NAME is apiserver, kubelet or containerd. Where the two are not set, nothing is killed.
"""

import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.running import eventually

COMMAND = os.environ.get("ASYNCCP_TEST_COMPONENT", "")
PIDS = os.environ.get("ASYNCCP_TEST_PIDS", "")
NAMES = ("apiserver", "kubelet", "containerd")

may_be_killed = bool(COMMAND and PIDS)


def kill(name: str) -> None:
    """Kill it with SIGKILL, and wait until it is gone."""
    pid = int((Path(PIDS) / f"{name}.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    eventually(f"{name} is gone", lambda: not _runs(pid))


def start(name: str) -> None:
    subprocess.run([COMMAND, "start", name], check=True, capture_output=True, timeout=60)


def _runs(pid: int) -> bool:
    """Tell whether a process is there and no zombie, which is what is left of a killed one that nobody waits for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
