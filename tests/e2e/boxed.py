"""Pods on a real cluster whose programs can be taken away: their PATH is a directory of links in a shared volume."""

import secrets

from tests.e2e.fleet import labels_for
from tests.e2e.real import RealFleet
from tests.e2e.shared import VOLUME, shared_spec

# All that the scripts run, or would if they could; and what a shell may not have built in.
TOOLS = (
    *("[", "cat", "chmod", "chown", "cksum", "dd", "find", "grep", "gzip", "head", "ls", "md5sum", "printf"),
    *("readlink", "rmdir", "sha256sum", "sleep", "stat", "test", "touch", "zstd"),
)
NEEDED = ("mkdir", "mv", "rm")  # for a push


def add_boxed(fleet: RealFleet, kind: str, labels: dict[str, str] | None = None) -> str:
    """Start a pod whose container `main` has nothing on its PATH yet; return its name."""
    spec = shared_spec(fleet, kind, user=0, path=f"{VOLUME}/box")
    return fleet.run(f"boxed-{kind}-{secrets.token_hex(3)}", labels or labels_for("boxed"), spec)


def take_away(fleet: RealFleet, pod: str, *tools: str) -> None:
    """Let all programs of the container be on its PATH but these."""
    gone = " ".join(f"{VOLUME}/box/{tool}" for tool in tools)
    script = f"""/bin/rm -rf {VOLUME}/box; /bin/mkdir {VOLUME}/box
        for p in /bin/*; do /bin/ln -s "$p" {VOLUME}/box/; done
        /bin/rm -f {gone}"""
    fleet.kubectl("exec", pod, "-c", "main", "--", "/bin/sh", "-ec", script)
