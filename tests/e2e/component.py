"""Component: a part of the real cluster that the tests may kill and start again.

    ASYNCCP_TEST_COMPONENT   a command that takes `start NAME` and does nothing when NAME runs
    ASYNCCP_TEST_PIDS        a directory with NAME.pid: the process that runs as NAME on this machine

NAME is apiserver, kubelet or containerd. Where the two are not set, nothing is killed.
"""

import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.fleet import Fleet, sh
from tests.e2e.running import eventually

COMMAND = os.environ.get("ASYNCCP_TEST_COMPONENT", "")
PIDS = os.environ.get("ASYNCCP_TEST_PIDS", "")
NAMES = ("apiserver", "kubelet", "containerd")

may_be_killed = bool(COMMAND and PIDS)


def kill(name: str) -> None:
    """Kill it with SIGKILL, and wait until it is gone: until nobody takes what is left of it for running."""
    pid = int((Path(PIDS) / f"{name}.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    eventually(f"{name} is gone", lambda: not Path(f"/proc/{pid}").exists())


def start(name: str) -> None:
    subprocess.run([COMMAND, "start", name], check=True, capture_output=True, timeout=60)


def mend(fleet: Fleet, pod: str) -> None:
    """Start whatever was killed, and wait until commands can be run in a pod again."""
    for name in NAMES:
        start(name)
    eventually("pods can be reached", lambda: answers(fleet, pod), timeout_s=120)


def answers(fleet: Fleet, pod: str) -> bool:
    """Tell whether commands can be run in a pod; Ready is told a moment later than a container has ended."""
    try:
        return sh(fleet, pod, "echo", "here") == b"here\n"
    except AssertionError:
        return False
