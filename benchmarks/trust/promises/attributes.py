"""Directories that are there keep what they have, and hand down to what is new in them what they should."""

from collections import Counter
from pathlib import Path

from benchmarks.trust.cluster import kubectl_cp, real_fleet
from benchmarks.trust.row import Row
from tests.e2e.fleet import WITH_TAR, asynccp
from tests.e2e.real import RealFleet
from tests.e2e.shared import VOLUME, add_shared, as_root

# Of a tree as README pushes it onto `/`: mode, owner and group.
THERE = {
    "tmp": "1777 0 0",
    "root": "700 0 0",
    "root/.ssh": "700 0 0",
    "srv": "2775 0 4321",
    "srv/deep": "3770 33 4321",
    "opt": "555 7 8",
    "opt/app": "2755 1000 1000",
}
NEW = {
    "srv/new": "2755 0 4321",
    "srv/new/deeper": "2755 0 4321",
    "srv/new/file": "644 0 4321",
    "opt/app/file": "644 0 1000",
}
FILES = ("tmp/one", "root/.ssh/key", "srv/deep/file", "srv/new/file", "srv/new/deeper/file", "opt/app/file")
OWNED = [("--preserve-owner",)]
AGAIN = "--ignore-times"  # also what is the same
PUSHES = [(), (), ("--partial",), *OWNED]


def measure(_: float) -> list[Row]:
    """There is one size."""
    ours, theirs = Counter[str](), Counter[str]()
    with real_fleet() as (fleet, directory):
        tree = _tree(directory / "rootfs")
        for kind in WITH_TAR:
            pod = _add(fleet, kind)
            for flags in PUSHES:
                ran = asynccp(fleet, "push", f"{tree}/", f"{pod}:{VOLUME}/d", "-c", "main", "-o", "json", *flags, AGAIN)
                assert ran.code == 0, ran.err
                ours["kept"] += _same(fleet, pod, THERE)
                if flags not in OWNED:
                    told = any(one["what"].startswith("the group that") for one in ran.report["pods"][0]["not_kept"])
                    ours["told" if told else "handed"] += len(NEW) if told else _same(fleet, pod, NEW)
            pod = _add(fleet, kind)
            kubectl_cp(fleet, f"{tree}/.", f"{pod}:{VOLUME}/d", "main").wait()
            theirs["kept"] += _same(fleet, pod, THERE)
            theirs["handed"] += _same(fleet, pod, NEW)
    there = len(THERE) * len(WITH_TAR)
    new = len(NEW) * len(WITH_TAR)
    pushes, handing = len(PUSHES), len(PUSHES) - len(OWNED)
    return [
        Row(
            f"A push of rootfs/ over what is there leaves mode, owner, group, set-id and sticky bits of {len(THERE)}"
            f" directories as they are, × {len(WITH_TAR)} tars × {pushes} pushes (new, again, --partial,"
            " --preserve-owner)",
            f"{ours['kept']} of {there * pushes} as they were",
            ours["kept"] == there * pushes,
            f"{theirs['kept']} of {there} as they were, in one push",
        ),
        Row(
            "What is new in a directory with the set-group-id bit has its group, directories the bit as well, all the"
            " source's mode; where a container has no chown, it is told that the group is not kept",
            f"{ours['handed']} of {new * handing} are so, {ours['told']} in pods of which it is told",
            ours["handed"] + ours["told"] == new * handing and ours["handed"] > 0,
            f"{theirs['handed']} of {new} are so, in one push",
        ),
    ]


def _tree(top: Path) -> Path:
    for name in FILES:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    for path in (top, *top.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return top


def _add(fleet: RealFleet, kind: str) -> str:
    pod = add_shared(fleet, kind, user=0)
    made = [
        f"chown {o}:{g} {name}; chmod {mode} {name}"
        for name, (mode, o, g) in ((n, s.split()) for n, s in THERE.items())
    ]
    as_root(fleet, pod, f"mkdir d; cd d; mkdir -p {' '.join(THERE)}; {'; '.join(made)}")
    return pod


def _same(fleet: RealFleet, pod: str, wanted: dict[str, str]) -> int:
    """Return how many entries are as they should be."""
    script = f"cd d; for f in {' '.join(wanted)}; do stat -c '%n %a %u %g' $f || :; done 2>/dev/null"
    found = dict(line.split(" ", 1) for line in as_root(fleet, pod, script).splitlines())
    return sum(found.get(name) == state for name, state in wanted.items())
