"""Another container of the pod swaps whatever appears in the destination of a push."""

import itertools
from collections import Counter
from pathlib import Path

from benchmarks.trust.cluster import kubectl_cp, real_fleet
from benchmarks.trust.row import Row
from tests.e2e.fleet import WITH_TAR, asynccp
from tests.e2e.real import RealFleet
from tests.e2e.strangers import VOLUME, Stranger, add_pod, digest, prepare

OPTIONS = ((), ("--dir-perms",), ("--partial",), ("--in-place",), ("--checksum",))
MODES = ("777", "1777")
USERS = (0, 1000)
ROUNDS = len(OPTIONS) * len(MODES)  # for each kind and user
PUSHES = 3  # in a round, one after the other: what came of one is there for the next

# What is there is moved aside, and in its place comes: a link, a FIFO, a directory with links under the names that a
# push uses, as an earlier push's may be, or what was moved before. Half of the time names that are not there yet are
# squatted, and links go half of the time, or each push would end before it puts anything in place. No link is followed:
# all takes place where a push works.
STORM = """
n=0 done=0 loops=0
make() {
    case $((n % 9)) in
    0) ln -s /secret/k "$1" ;;
    1) ln -s /etc "$1" ;;
    2) mkdir "$1" && ln -s /secret/k "$1/new" ;;
    3) mkdir "$1" && mkdir "$1/new" && ln -s /secret/k "$1/new/sub" && echo "${1##*/}" >"$1/made" ;;
    4) mkdir -m 777 "$1" && mkdir "$1/probe" && ln -s /secret "$1/new" ;;
    5) ln -s /secret/none "$1" ;;
    6) mkfifo "$1" ;;
    7) mv "${1%/*}/.aside-$((n - 3))" "$1" ;;
    8) ln -s .. "$1" ;;
    esac
}
swap() {
    if [ -e "$1" ] || [ -h "$1" ]; then mv "$1" "${1%/*}/.aside-$n" || return; fi
    make "$1" && done=$((done + 1))
    n=$((n + 1))
}
echo ready
while [ ! -e /control/stop ]; do
    loops=$((loops + 1))
    for d in . sub nested sub/deep nested/sub; do
        if [ -h $d ] || [ ! -d $d ]; then continue; fi
        for f in $d/.asynccp-*; do
            if [ -e "$f" ] || [ -h "$f" ]; then swap "$f"; fi
            case $f in *-main-[0-9]*) stale=${f##*/} ;; esac
            rmdir "$f/probe" && mkdir "$f/probe"
        done
        if [ "$stale" ]; then swap "$d/${stale%-*}-$((4194304 + n % 3)).1"; fi
        for f in sub deep a b closed 7; do
            f=$d/$f
            case $((loops / 8 % 2))$((n % 2)) in
            00) swap "$f" ;;
            10) if [ -h "$f" ] || [ -p "$f" ]; then rm "$f"; elif [ -e "$f" ]; then swap "$f"; fi ;;
            esac
            n=$((n + 1))
        done
    done
done 2>/dev/null
echo $done
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
            f"{ours['attempts']} swaps in {ours['pushes']} pushes: harm {ours['harm']}; {ours['complete']} complete,"
            f" {ours['named']} failed and named, {ours['silent']} failed without a word",
            not ours["harm"] and not ours["silent"],
            f"{theirs['attempts']} swaps in {theirs['pushes']} copies: harm {theirs['harm']}",
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
    before, found = digest(fleet, pod), Counter[str]()
    with Stranger(fleet, pod, STORM) as storm:
        for _ in range(PUSHES):
            if options is None:
                code, said = kubectl_cp(fleet, f"{tree}/.", f"{pod}:{VOLUME}", "main").wait(), "-"
            else:
                ran = asynccp(
                    fleet, "push", f"{tree}/", f"{pod}:{VOLUME}", "-c", "main", "-o", "json", "--ignore-times", *options
                )
                code, said = ran.code, "".join(ran.errors.values()) or ran.err
            found += Counter({"pushes": 1, "complete" if code == 0 else "named" if said else "silent": 1})
    harm = digest(fleet, pod) != before
    if harm:
        print(f"trust: HARM in {pod} as {user}, {mode}, {options}: {code} {said}", flush=True)
    return found + Counter({"attempts": storm.attempts, "harm": int(harm)})
