"""S12: nasty names come back byte for byte, through every kind of tar."""

import os
from pathlib import Path

from tests.e2e.fleet import WITH_TAR, asynccp, labels_for, selector
from tests.e2e.names import NASTY, build
from tests.trust.cluster import kubectl_cp, real_fleet
from tests.trust.row import Row


def measure(scale: float) -> list[Row]:
    """There is one size: all names, once for each kind."""
    with real_fleet() as (fleet, directory):
        labels = labels_for("names")
        pods = {kind: fleet.add(kind, f"names-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)}
        tree, which = build(directory / "tree"), selector(labels)
        pushed = asynccp(fleet, "push", tree, "-l", f"{which}:/tmp/ours")
        pulled = asynccp(fleet, "pull", "-l", f"{which}:/tmp/ours/tree", directory / "ours")
        ours = {kind: survivors(directory / "ours" / pod / "tree") for kind, pod in pods.items()}
        theirs = {}
        for kind, pod in pods.items():
            kubectl_cp(fleet, tree, f"{pod}:/tmp/theirs").wait(120)
            kubectl_cp(fleet, f"{pod}:/tmp/theirs", directory / "theirs" / pod).wait(120)
            theirs[kind] = survivors(directory / "theirs" / pod)
    held = pushed.code == pulled.code == 0 and set(ours.values()) == {len(NASTY)}
    return [
        Row(
            f"{len(NASTY)} nasty names (quotes, $(), newlines, dashes, globs, bidi, 255 bytes, every byte value) come "
            "back byte for byte",
            told(ours),
            held,
            told(theirs),
        )
    ]


def survivors(directory: Path) -> int:
    """Return how many of the names are there, each with its content."""
    found = 0
    for name in NASTY:
        try:
            with open(os.path.join(os.fsencode(directory), name), "rb") as file:
                found += file.read() == name
        except OSError:
            continue
    return found


def told(counts: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count} of {len(NASTY)}" for kind, count in counts.items())
