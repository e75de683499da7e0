"""Presence: in a relay, whether somebody works there. `python -m asynccp.relay.presence`: what its container runs.

Each worker holds a lock of one file, shared with others, which the kernel takes back however it ends. What the
container runs ends itself when nobody has held it for a while: so a relay ends soon after the client has, even if that
was killed; its Job is finished then, and `ttlSecondsAfterFinished` has it removed with all that belongs to it.
"""

import fcntl
import os
import sys
import time
from pathlib import Path

VARIABLE = "ASYNCCP_RELAY"
"""Of the environment: the directory that a relay may write to. It is set in a relay, and nowhere else."""

FIRST_S, ALONE_S, LOOK_EVERY_S = 30.0, 15.0, 1.0
"""Until the first worker has come, and after the last has gone. A client that has lost its connection, and finds
another one, comes back within seconds."""

_LOCK = "present"


def top() -> Path | None:
    """Return the directory of this relay; None where this is none."""
    found = os.environ.get(VARIABLE)
    return Path(found) if found else None


def hold(directory: Path) -> None:
    """Be present until this process ends."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def is_alone(descriptor: int) -> bool:
    """Tell whether nobody holds the file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def wait_until_alone(directory: Path, first_s: float = FIRST_S, alone_s: float = ALONE_S) -> None:
    """Return when nobody has been there for so long."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    last_s, patience_s = time.monotonic(), first_s
    while time.monotonic() - last_s < patience_s:
        if not is_alone(descriptor):
            last_s, patience_s = time.monotonic(), alone_s
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    found = top()
    if found is None:
        sys.exit(f"asynccp: this is what a relay's container runs: {VARIABLE} names no directory")
    wait_until_alone(found)
