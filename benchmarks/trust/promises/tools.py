"""Every helper program is optional, or asked for by name before a byte moves."""

import shutil
from collections import Counter
from pathlib import Path

from benchmarks.trust.cluster import kubectl_cp, left_at_last, put_beside, real_fleet
from benchmarks.trust.row import Row
from tests.e2e.boxed import NEEDED, TOOLS, add_boxed, take_away
from tests.e2e.fleet import asynccp
from tests.e2e.real import RealFleet
from tests.e2e.shared import VOLUME, as_root, seen_by_side
from tests.trees import describe

KINDS = ("gnu", "bsdtar", "toybox")  # BusyBox's shell has its programs built in
DIRECTIONS = ("push", "pull")


def measure(scale: float) -> list[Row]:
    tools = [*TOOLS, "tar", *NEEDED][:: max(1, round(1 / scale))]
    ends, theirs = Counter[str](), 0
    with real_fleet() as (fleet, directory):
        tree = directory / "tree"
        (tree / "sub").mkdir(parents=True)
        (tree / "sub" / "file").write_text("x" * 1000)
        pods = [add_boxed(fleet, kind) for kind in KINDS]
        for pod in pods:
            put_beside(fleet, pod, tree)
            programs = _programs(fleet, pod)
            for tool in tools:
                if tool not in programs:
                    continue
                take_away(fleet, pod, tool)
                for direction in DIRECTIONS:
                    as_root(fleet, pod, "rm -rf d new")
                    ends[_ours(fleet, pod, tool, direction, tree, directory)] += 1
                    theirs += _theirs(fleet, pod, direction, directory)
            take_away(fleet, pod)
        left = left_at_last(fleet, pods)
    print(f"trust: tools: {ends}, left: {left}", flush=True)
    return [
        Row(
            f"Each of {len(tools)} programs, where an image has it, is taken away × {len(KINDS)} tars × push and pull:"
            " the copy works, or names the missing one before anything is made, and no process is left",
            f"{ends['works']} of {ends.total()} work, {ends['named']} name it; {len(left)} processes left",
            ends["works"] + ends["named"] == ends.total() and not left,
            f"{theirs} of {ends.total()} work",
        )
    ]


def _programs(fleet: RealFleet, pod: str) -> list[str]:
    return fleet.kubectl("exec", pod, "-c", "main", "--", "/bin/ls", "/bin").split()


def _ours(fleet: RealFleet, pod: str, tool: str, direction: str, tree: Path, directory: Path) -> str:
    """Return whether a copy works, or names the tool and makes nothing, or what else it does."""
    if direction == "push":
        ran = asynccp(fleet, "push", tree, f"{pod}:{VOLUME}/new/d/", "-c", "main", "-o", "json")
        made = {name for name in seen_by_side(fleet, pod, ".") if name.startswith((b"new", b".asynccp"))}
        is_same = b"new/d/tree" in made and seen_by_side(fleet, pod, "new/d/tree") == describe(tree)
    else:
        back = directory / f"{pod}-{tool}"
        ran = asynccp(fleet, "pull", f"{pod}:{VOLUME}/there/tree", back, "-c", "main", "-o", "json")
        made = set(describe(back))
        is_same = describe(back / pod / "tree") == describe(tree)
    if ran.code == 0 and is_same:
        return "works"
    if not made and ran.errors[pod] == f"there is no {tool} in the container":
        return "named"
    return f"{direction} in {pod} without {tool}: {ran.code} {ran.err}"


def _theirs(fleet: RealFleet, pod: str, direction: str, directory: Path) -> bool:
    tree, back = directory / "tree", directory / "theirs"
    if direction == "push":
        code = kubectl_cp(fleet, tree, f"{pod}:{VOLUME}/d", "main").wait()
        return code == 0 and b"d/sub/file" in seen_by_side(fleet, pod, ".")
    shutil.rmtree(back, ignore_errors=True)
    return (
        kubectl_cp(fleet, f"{pod}:{VOLUME}/there/tree", back, "main").wait() == 0 and (back / "sub" / "file").exists()
    )
