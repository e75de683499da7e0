"""A3, A4, A17 of the audit: another container of the pod swaps whatever appears in the destination of a push."""

import itertools
from collections import Counter
from pathlib import Path

from tests.e2e.fleet import WITH_TAR, asynccp
from tests.e2e.real import RealFleet
from tests.e2e.strangers import VOLUME, Stranger, add_pod, digest, prepare
from tests.trust.cluster import kubectl_cp, real_fleet
from tests.trust.row import Row

OPTIONS = ((), ("--dir-perms",), ("--partial",), ("--in-place",), ("--checksum",))
MODES = ("777", "1777")
USERS = (0, 1000)
ROUNDS = len(OPTIONS) * len(MODES)  # for each kind and user; a round takes about 2 s

# What is there is moved aside, and in its place comes: a link, or a directory with links under the names that a push
# uses; some of what was moved comes back, under other names. All are built-in: more than 1,000 a second.
STORM = """
n=0
make() {
    case $((n % 5)) in
    0) ln -s /secret/k "$1" ;;
    1) ln -s /etc "$1" ;;
    2) mkdir "$1" && ln -s /secret/k "$1/new" ;;
    3) mkdir "$1" && mkdir "$1/new" && ln -s /secret/k "$1/new/sub" && echo "${1##*/}" >"$1/made" ;;
    4) mkdir -m 777 "$1" && mkdir "$1/probe" && ln -s /secret "$1/new" ;;
    esac
}
echo ready
while [ ! -e /control/stop ]; do
    for f in .asynccp-* sub sub/* sub/deep/* nested/.asynccp-* nested/* nested/sub/* a b; do
        [ -e "$f" ] || [ -h "$f" ] || continue
        mv "$f" "aside-$n" && make "$f" && n=$((n + 1))
        rmdir "$f/probe" 2>/dev/null && mkdir "$f/probe"
    done
    case $((n % 7)) in 3) ln -s /secret/k sub; ln -s /secret/k nested/sub; ln -s nowhere b ;; esac
done 2>/dev/null
echo $n
"""


def measure(scale: float) -> list[Row]:
    rounds = max(2, round(ROUNDS * scale))
    ours, theirs = Counter[str](), Counter[str]()
    with real_fleet() as (fleet, directory):
        tree = _tree(directory / "tree")
        for kind, user in itertools.product(WITH_TAR, USERS):
            pod = add_pod(fleet, kind, user=user)
            cases = itertools.cycle(itertools.product(OPTIONS, MODES))
            step = max(1, ROUNDS // rounds) | 1  # odd: so that both modes come
            for options, mode in itertools.islice(cases, 0, rounds * step, step):
                ours += _round(fleet, pod, user, mode, tree, options)
            theirs += _round(fleet, pod, user, MODES[0], tree, None)
            print(f"trust: swaps in {pod} as {user}: {dict(ours)}; kubectl cp: {dict(theirs)}", flush=True)
            fleet.delete(pod)
    return [
        Row(
            "Another container of the pod swaps, moves, links and squats in the destination (0777, 1777) and in a"
            f" volume mounted below it while {len(WITH_TAR)} tars are pushed to as root and not: nothing else in the"
            " container is changed (digest of all), and what failed is named",
            f"{ours['attempts']} swaps in {ours['rounds']} pushes: harm {ours['harm']}; {ours['complete']} complete,"
            f" {ours['named']} failed and named, {ours['silent']} failed without a word",
            not ours["harm"] and not ours["silent"],
            f"{theirs['attempts']} swaps in {theirs['rounds']} copies: harm {theirs['harm']}",
        )
    ]


def _tree(tree: Path) -> Path:
    for name in ("a", "b", "sub/c", "sub/deep/d", "nested/sub/e", "nested/f", "new/g", "closed/h"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    for number in range(100):
        (tree / "nested" / "sub" / f"{number}").write_text("n")
    (tree / "closed").chmod(0o555)
    return tree


def _round(
    fleet: RealFleet, pod: str, user: int, mode: str, tree: Path, options: tuple[str, ...] | None
) -> Counter[str]:
    """Push a tree in the storm, or copy it with kubectl where there are no options; tell what came of it."""
    prepare(fleet, pod, user, mode)
    before = digest(fleet, pod)
    with Stranger(fleet, pod, STORM) as storm:
        if options is None:
            code, said = kubectl_cp(fleet, f"{tree}/.", f"{pod}:{VOLUME}", "main").wait(), "-"
        else:
            ran = asynccp(fleet, "push", f"{tree}/", f"{pod}:{VOLUME}", "-c", "main", "-o", "json", *options)
            code, said = ran.code, "".join(ran.errors.values()) or ran.err
    harm = digest(fleet, pod) != before
    if harm:
        print(f"trust: HARM in {pod} as {user}, {mode}, {options}: {code} {said}", flush=True)
    outcome = "complete" if code == 0 else "named" if said else "silent"
    return Counter({"rounds": 1, "attempts": storm.attempts, "harm": int(harm), outcome: 1})
