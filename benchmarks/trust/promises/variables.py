"""No variable of a container changes what is copied, whichever tar it has."""

from pathlib import Path
from typing import Any

from benchmarks.trust.cluster import kubectl_cp, put_beside, real_fleet
from benchmarks.trust.row import Row
from tests.e2e.fleet import WITH_TAR, asynccp, labels_for
from tests.e2e.real import RealFleet
from tests.e2e.shared import VOLUME, as_root, seen_by_side, shared_spec
from tests.remote.variables import VARIABLES
from tests.trees import Facts, describe


def measure(scale: float) -> list[Row]:
    names = list(VARIABLES)[: max(1, round(len(VARIABLES) * scale))]
    ours, theirs = Ends(), Ends()
    with real_fleet() as (fleet, directory):
        tree = _tree(directory / "tree")
        for kind in WITH_TAR:
            pod = fleet.run(f"variables-{kind}", labels_for("variables"), _spec(fleet, kind, names))
            put_beside(fleet, pod, tree)
            for number in range(len(names)):
                _ours(fleet, pod, f"c{number}", tree, directory / "ours", ours)
                _theirs(fleet, pod, f"c{number}", tree, directory / f"theirs-{pod}-{number}", theirs)
    return [
        Row(
            f"{len(names)} of the {len(VARIABLES)} variables that tars, compressors, find, ls, shells or our own"
            f" scripts may heed, each set in a container × {len(WITH_TAR)} tars × push and pull: the copy is identical",
            str(ours),
            ours.identical == ours.count,
            f"{theirs} (links and times, which it doesn't keep, are not compared)",
        )
    ]


class Ends:
    """How copies ended: identical, failed by their exit code, or neither."""

    def __init__(self) -> None:
        self.count = self.identical = self.failed = 0

    def see(self, code: int, is_same: bool) -> None:
        self.count += 1
        self.identical += code == 0 and is_same
        self.failed += code != 0

    def __str__(self) -> str:
        wrong = self.count - self.identical - self.failed
        return f"{self.identical} of {self.count} identical; {self.failed} failed, {wrong} wrong with exit code 0"


def _tree(top: Path) -> Path:
    for name in (".git/HEAD", "x.tmp", "keep", "a e/i.o", ".hidden"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    (top / "link").symlink_to("keep")
    return top


def _spec(fleet: RealFleet, kind: str, names: list[str]) -> dict[str, Any]:
    """Return a pod with a container for each variable, and `side`, which has none."""
    spec = shared_spec(fleet, kind, user=0)
    main, side = spec["containers"]
    spec["containers"] = [
        main | {"name": f"c{number}", "env": [{"name": name, "value": VARIABLES[name]}]}
        for number, name in enumerate(names)
    ]
    spec["containers"].append(side)
    return spec


def _ours(fleet: RealFleet, pod: str, container: str, tree: Path, back: Path, ends: Ends) -> None:
    pushed = asynccp(fleet, "push", tree, f"{pod}:{VOLUME}/{container}/", "-c", container).code
    ends.see(pushed, pushed == 0 and seen_by_side(fleet, pod, f"{container}/tree") == describe(tree))
    pulled = asynccp(fleet, "pull", f"{pod}:{VOLUME}/there/tree", back / container, "-c", container).code
    ends.see(pulled, pulled == 0 and describe(back / container / pod / "tree") == describe(tree))


def _theirs(fleet: RealFleet, pod: str, container: str, tree: Path, back: Path, ends: Ends) -> None:
    as_root(fleet, pod, f"mkdir -p theirs-{container}")
    what = _content(describe(tree))
    pushed = kubectl_cp(fleet, tree, f"{pod}:{VOLUME}/theirs-{container}/tree", container).wait()
    ends.see(pushed, pushed == 0 and _content(seen_by_side(fleet, pod, f"theirs-{container}/tree")) == what)
    pulled = kubectl_cp(fleet, f"{pod}:{VOLUME}/there/tree", back, container).wait()
    ends.see(pulled, pulled == 0 and _content(describe(back)) == what)


def _content(found: dict[bytes, Facts]) -> dict[bytes, tuple[str, int, str]]:
    """Return what kubectl keeps of a tree as well."""
    return {name: (one.kind, one.mode, one.content) for name, one in found.items() if one.kind != "symlink"}
