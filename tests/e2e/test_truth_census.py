"""Whether all came that is there: a tar that skips something is found out, a directory in which entries come and go is
none the worse for it; and how much there is gets told while it comes.
"""

import time
from collections import Counter
from functools import partial
from pathlib import Path

import anyio
import pytest

from asynccp.engine.planning import plan_pull
from asynccp.engine.pull import pull
from asynccp.events import Listener
from asynccp.kube.cluster import connect
from asynccp.options import Compression, Options
from asynccp.report import Report
from asynccp.target import Selection, Transfer, parse_selectors
from tests.e2e.fleet import WITH_TAR, Fleet, asynccp, labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.e2e.shared import add_shared, as_root

pytestmark = pytest.mark.timeout(200)

LIVE_S = 20.0
FILES = 300


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> dict[str, str]:
    """A pod of each kind that has a tar, with some files, and the selector of all as `labels`."""
    labels = labels_for("census")
    made = {kind: fleet.add(kind, f"census-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)}
    make = 'mkdir -p "$1" && cd "$1" && i=0; while [ $i -lt $2 ]; do echo $i >f$i; i=$((i + 1)); done'
    for pod in made.values():
        sh(fleet, pod, "sh", "-c", f"{make}; head -c 3000000 /dev/zero >big", "sh", "/tmp/many", str(FILES))
    return {**made, "labels": selector(labels)}


class Totals(Listener):
    """Hears of each pod how much there was to come, and how much came."""

    def __init__(self) -> None:
        self.totals: dict[str, list[int]] = {}
        self.came: Counter[str] = Counter()

    def sized(self, transfer: Transfer, total: int) -> None:
        self.totals.setdefault(transfer.target.pod, []).append(total)

    def advanced(self, transfer: Transfer, count: int) -> None:
        self.came[transfer.target.pod] += count


async def pulled(kubeconfig: Path, labels: str, path: str, to: Path, observer: Totals) -> Report:
    async with connect(str(kubeconfig)) as cluster:
        plan = await plan_pull(cluster, str(to), Selection(parse_selectors([f"{labels}:{path}"], [])))
        return await pull(
            cluster, plan, options=Options(want_size=True, compression=Compression.NONE), observer=observer
        )


def test_the_total_is_told_by_every_kind_and_is_about_what_comes(
    fleet: Fleet, pods: dict[str, str], tmp_path: Path
) -> None:
    observer = Totals()
    report = anyio.run(partial(pulled, fleet.kubeconfig, pods["labels"], "/tmp/many", tmp_path, observer))
    assert report.ok
    assert set(observer.totals) == set(pods.values()) - {pods["labels"]}
    for pod, totals in observer.totals.items():
        (total,) = totals
        assert 0.8 < observer.came[pod] / total < 1.25, pod


CHURN = {
    "delete, then create": 'rm "$1/$n"; echo x >"$1/$n"',
    "create, then delete": 'echo x >"$1/new$n"; rm "$1/$n"; mv "$1/new$n" "$1/$n"',
    "replace": 'echo x >"$1/tmp"; mv "$1/tmp" "$1/$n"',
    "directories": 'mkdir -p "$1/d$n/e"; echo x >"$1/d$n/e/f"; rm -r "$1/d$n"',
}


@pytest.mark.cluster
@pytest.mark.parametrize("churn", CHURN)
def test_a_directory_in_which_entries_come_and_go_is_no_failure(
    real_fleet: RealFleet, churn: str, tmp_path: Path
) -> None:
    """On all four tars at once, pull after pull: complete, or what vanished is named."""
    fleet, labels = real_fleet, labels_for("live")
    for kind in WITH_TAR:
        pod = fleet.add(kind, f"live-{labels['app'][5:]}-{kind}", labels)
        forever = f"while :; do n=0; while [ $n -lt 100 ]; do {CHURN[churn]}; n=$((n + 1)); done; done"
        begin = 'mkdir "$1"; n=0; while [ $n -lt 100 ]; do echo x >"$1/$n"; n=$((n + 1)); done'
        script = f"""{begin}; sh -c '{forever}' sh "$1" </dev/null >/dev/null 2>&1 &"""
        sh(fleet, pod, "sh", "-c", script, "sh", "/tmp/live")
    outcomes: Counter[str] = Counter()
    until = time.monotonic() + LIVE_S
    while time.monotonic() < until:
        ran = asynccp(fleet, "pull", "-l", f"{selector(labels)}:/tmp/live", tmp_path, "-o", "json")
        for one in ran.report["pods"]:
            outcomes[f"{one['pod'][12:]} {one['outcome']}"] += 1
            assert one["outcome"] in ("complete", "changed"), one["error"]
            assert one["tries"] == 1 or one["pod"].endswith("bsdtar"), "which ends where it can't open what it saw"
            if one["outcome"] == "changed":
                assert "vanished" in one["error"] or "changed while" in one["error"]
    for pod in fleet.kubectl("get", "pods", "-o", "name", "-l", selector(labels)).split():
        fleet.delete(pod.removeprefix("pod/"))
    print(f"\n{churn}: {dict(sorted(outcomes.items()))}")
    assert sum(outcomes.values()) > 8


SKIPS = """
mkdir bin; for p in sh cat dd head stat sha256sum find mkdir rm mv readlink; do ln -s /bin/$p bin/; done
cat >bin/tar <<'E'
#!/bin/sh
case $1 in cf) shift 2; exec /bin/tar --exclude=f7 -cf - "$@" ;; esac
exec /bin/tar "$@"
E
chmod 755 bin/tar
mkdir -p tree/sub tree/lost+found; chmod 700 tree/lost+found
for n in 0 1 2 3 4 5 6 7 8 9; do echo $n >tree/f$n; echo $n >tree/sub/g$n; done
"""


@pytest.mark.cluster
@pytest.mark.parametrize("kind", [kind for kind in WITH_TAR if kind != "busybox"])  # whose shell runs its own tar
@pytest.mark.parametrize("user", [0, 1000])
def test_a_tar_that_skips_a_member_is_found_out(real_fleet: RealFleet, kind: str, user: int, tmp_path: Path) -> None:
    """Also where a directory can't be read, and at once, since what has not changed was there all the time."""
    pod = add_shared(real_fleet, kind, user=user, path="/v/bin")
    as_root(real_fleet, pod, SKIPS)
    ran = asynccp(real_fleet, "pull", f"{pod}:/v/tree", tmp_path, "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"], one["tries"]) == (1, "failed", 1)
    assert one["error"].startswith("tar ended without an error, but 1 entry is missing of the ")
