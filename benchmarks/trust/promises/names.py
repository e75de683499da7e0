"""S12: nasty names come back byte for byte, through every kind of tar."""

import os
from pathlib import Path

from benchmarks.trust.cluster import kubectl_cp, real_fleet
from benchmarks.trust.row import Row
from tests.e2e.fleet import WITH_TAR, asynccp, labels_for, selector
from tests.e2e.names import NASTY, build, build_one
from tests.e2e.real import RealFleet


def measure(scale: float) -> list[Row]:
    """There is one size: all names, once for each kind."""
    with real_fleet() as (fleet, directory):
        labels = labels_for("names")
        pods = {kind: fleet.add(kind, f"names-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)}
        tree, which = build(directory / "tree"), selector(labels)
        pushed = asynccp(fleet, "push", tree, "-l", f"{which}:/tmp/ours")
        pulled = asynccp(fleet, "pull", "-l", f"{which}:/tmp/ours/tree", directory / "ours")
        ours = {kind: survivors(directory / "ours" / pod / "tree") for kind, pod in pods.items()}
        theirs = [_kubectl(fleet, [tree], pod, directory / "theirs" / kind) for kind, pod in pods.items()]
        apart = _kubectl(
            fleet, [build_one(directory / "apart", name) for name in NASTY], pods["gnu"], directory / "one"
        )
    held = pushed.code == pulled.code == 0 and set(ours.values()) == {len(NASTY)}
    return [
        Row(
            f"{len(NASTY)} nasty names (quotes, $(), newlines, dashes, globs, bidi, 255 bytes, every byte value) come "
            "back byte for byte",
            told(ours),
            held,
            f"{min(theirs)} of {len(NASTY)} in one tree, at one of whose names it stops; "
            f"each in a tree of its own: {apart} of {len(NASTY)}",
        )
    ]


def _kubectl(fleet: RealFleet, trees: list[Path], pod: str, directory: Path) -> int:
    """Copy each tree there and back; return how many names came back."""
    for number, tree in enumerate(trees):
        there = f"{pod}:/tmp/{directory.name}-{number}"
        kubectl_cp(fleet, tree, there).wait(120)
        kubectl_cp(fleet, there, directory / str(number)).wait(120)
    return sum(survivors(directory / str(number)) for number in range(len(trees)))


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
