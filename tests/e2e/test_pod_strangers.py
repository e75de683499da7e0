"""Another container of the pod, which may write where a push goes, gets nothing outside of there changed.

The storm: `python -m benchmarks.trust swaps`.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fleet import SHELLLESS, TARLESS, WITH_TAR, Ran, asynccp
from tests.e2e.real import RealFleet
from tests.e2e.strangers import CONTROL, NESTED, SECRET, VOLUME, Stranger, add_pod, digest, do, prepare

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(200)]

UNDER = [*WITH_TAR, TARLESS, SHELLLESS, "bash"]
Pods = dict[str, str]


@pytest.fixture(scope="module")
def pods(fleet: RealFleet) -> Pods:
    """A pod of each kind, and one whose sh is bash: kind → name."""
    made = {kind: add_pod(fleet, kind) for kind in fleet.kinds(*WITH_TAR, TARLESS, SHELLLESS)}
    made["bash"] = add_pod(fleet, "gnu", path="/bin")
    do(fleet, made["bash"], "main", "ln -s bash /bin/sh.new; mv /bin/sh.new /bin/sh")
    return made


@pytest.fixture(params=UNDER)
def pod(real_fleet: RealFleet, pods: Pods, request: pytest.FixtureRequest) -> Iterator[str]:
    """A pod, prepared; when the test is over, all outside the destination must be as it was."""
    pod = pods[request.param]
    prepare(real_fleet, pod)
    before = digest(real_fleet, pod)
    yield pod
    assert digest(real_fleet, pod) == before, "something outside the destination was changed"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for name in ("keep", "config/app", "nested/sub/passwd", *(f"nested/sub/{number}" for number in range(1000))):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    return tree


def push(fleet: RealFleet, pod: str, tree: Path, *options: str) -> Ran:
    return asynccp(fleet, "push", f"{tree}/", f"{pod}:{VOLUME}", "-c", "main", "-o", "json", *options)


def stage_of(fleet: RealFleet, pod: str) -> str:
    """Return how the names of what a push into `main` makes for itself begin."""
    uid = fleet.kubectl("get", "pod", pod, "-o", "jsonpath={.metadata.uid}")
    return f".asynccp-{uid[:8]}-main"


# --- what an earlier push seems to have left (A3)

STALE = """
i=0
while [ $i -lt 15000 ]; do : >$d/new/$i; i=$((i+1)); done
for n in id passwd shadow group hosts; do : >$d/new/$n; done
echo ready
while [ -e $d/new/11 ] && [ -e $d/new/222 ] && [ -e $d/new/4444 ] && [ -e $d/new/14001 ]; do
    [ ! -e CONTROL/stop ] || exit 0
done
mv $d/new $d/old
ln -s SECRET/k $d/new
""".replace("CONTROL", CONTROL).replace("SECRET", SECRET)


def test_what_a_stranger_made_is_not_taken_for_what_an_earlier_push_left(
    real_fleet: RealFleet, pod: str, tree: Path
) -> None:
    d = f"{stage_of(real_fleet, pod)}-99999.1"
    with Stranger(real_fleet, pod, f"d={d}; mkdir -p $d/new; echo $d >$d/made\n{STALE}"):
        assert push(real_fleet, pod, tree).code == 0
    assert do(real_fleet, pod, "admin", f"ls {d}/new | wc -l").split() == ["15005"], "it was taken for ours"


def test_a_directory_of_root_s_that_a_stranger_renamed_is_not_taken_for_it_either(
    real_fleet: RealFleet, pod: str, tree: Path
) -> None:
    """It is open to all, and so is what its name is found in."""
    d = f"{stage_of(real_fleet, pod)}-99999.1"
    do(real_fleet, pod, "admin", "mkdir uploads; chmod 777 uploads")
    with Stranger(real_fleet, pod, f"d={d}; mv uploads $d; mkdir $d/new; echo $d >$d/made\n{STALE}"):
        assert push(real_fleet, pod, tree).code == 0
    assert do(real_fleet, pod, "admin", f"ls {d}/new | wc -l").split() == ["15005"], "it was taken for ours"


def test_who_owns_a_directory_is_not_decided_by_what_a_stranger_puts_into_it(
    real_fleet: RealFleet, pod: str, tree: Path
) -> None:
    """A push once made a directory in there to see whose it becomes; the stranger was there first, one time in six."""
    name = stage_of(real_fleet, pod)
    script = f"""
        i=0
        while [ $i -lt 50 ]; do
            d={name}-$((99900 + i)).1 i=$((i + 1))
            mkdir -p $d/new/kept && echo $d >$d/made
        done
        echo ready
        while [ ! -e {CONTROL}/stop ]; do
            for d in {name}-999*; do rmdir $d/probe && mkdir $d/probe; done 2>/dev/null
        done"""
    with Stranger(real_fleet, pod, script):
        assert push(real_fleet, pod, tree).code == 0
    assert do(real_fleet, pod, "admin", f"ls -d {name}-999*/new/kept | wc -l").split() == ["50"]


def test_what_a_killed_push_left_in_a_mounted_volume_goes_with_the_next_that_copies_there(
    real_fleet: RealFleet, pod: str, tree: Path
) -> None:
    left = f"{NESTED}/{stage_of(real_fleet, pod)}-4194304.1.0123456789abcdef"
    do(real_fleet, pod, "admin", f"mkdir -m 700 {left}; cd {left}; mkdir new; : >new/kept; echo ${{PWD##*/}} >made")
    assert push(real_fleet, pod, tree).code == 0
    assert do(real_fleet, pod, "admin", f"ls -A {NESTED}").split() == ["sub"]


# --- what a push holds (A4)


@pytest.mark.parametrize("options", [(), ("--checksum",)], ids=["plain", "checksum"])
def test_a_push_works_in_what_it_made_though_its_name_leads_elsewhere(
    real_fleet: RealFleet, pod: str, tree: Path, options: tuple[str, ...]
) -> None:
    script = f"""
        mkdir trap; ln -s {SECRET}/k trap/new
        echo ready
        until [ -e "$s" ]; do for s in .asynccp-*; do :; done; [ ! -e {CONTROL}/stop ] || exit; done
        mv $s aside; mv trap $s
        while [ ! -e {CONTROL}/stop ]; do :; done"""
    with Stranger(real_fleet, pod, script):
        ran = push(real_fleet, pod, tree, "--bwlimit", "1M", "-z", "none", *options)
    assert ran.code == 0 or ran.errors[pod], "it is complete, or says why not"
    if ran.code == 0:
        assert do(real_fleet, pod, "admin", "cat config/app") == "config/app"


def test_a_directory_that_is_copied_across_mounts_is_not_entered_by_its_name(
    real_fleet: RealFleet, pod: str, tree: Path
) -> None:
    script = f"""
        cd {NESTED}; echo ready
        until [ -e sub ]; do [ ! -e {CONTROL}/stop ] || exit 0; done
        mv sub moved; ln -s {SECRET}/k sub
        while [ ! -e {CONTROL}/stop ]; do :; done"""
    with Stranger(real_fleet, pod, script):
        assert push(real_fleet, pod, tree).code == 0
    assert do(real_fleet, pod, "admin", f"ls {NESTED}/moved | wc -l").split() == ["1001"]


# --- names that are there already (A17)


def test_squatted_names_stop_no_push(real_fleet: RealFleet, pod: str, tree: Path) -> None:
    name = stage_of(real_fleet, pod)
    do(
        real_fleet,
        pod,
        "side",
        f"i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); ln -s {SECRET}/none {name}-$i; done",
    )
    ran = push(real_fleet, pod, tree)
    assert ran.code == 0, ran.err


# --- links


@pytest.mark.parametrize("mode", ["777", "1777"])
def test_a_link_of_a_stranger_s_out_of_the_destination_is_named_and_not_followed(
    real_fleet: RealFleet, pod: str, tree: Path, mode: str
) -> None:
    do(real_fleet, pod, "admin", f"chmod {mode} .")
    do(real_fleet, pod, "side", f"ln -s {SECRET}/k config")
    ran = push(real_fleet, pod, tree)
    assert ran.code == 1
    assert "config: a link out of the destination is in its place" in ran.errors[pod]
    assert do(real_fleet, pod, "admin", f"ls -A | grep -v '^{Path(NESTED).name}$' || :").split() == ["config"]


@pytest.mark.parametrize("mode", ["755", "1777"])
def test_root_s_own_links_are_followed(real_fleet: RealFleet, pods: Pods, tree: Path, mode: str) -> None:
    """Out of the destination, where nobody else may replace them; and within it."""
    for kind, (target, name) in itertools.product(UNDER, [(SECRET, f"{SECRET}/app"), ("other", "other/app")]):
        pod = pods[kind]
        prepare(real_fleet, pod, mode=mode)
        do(real_fleet, pod, "admin", f"mkdir other; ln -s {target} config")
        ran = push(real_fleet, pod, tree)
        assert ran.code == 0, f"{kind}: {ran.err}"
        assert do(real_fleet, pod, "admin", f"cat {name}; [ -h config ]") == "config/app"


def test_below_the_root_a_stranger_s_link_is_not_followed_and_root_s_is(
    real_fleet: RealFleet, pod: str, tmp_path: Path
) -> None:
    """All is below `/`, so there each link leads out."""
    name = Path(VOLUME).name
    for one in (f"{name}/config/app", f"{name}/links/linked/app"):
        (tmp_path / one).parent.mkdir(parents=True)
        (tmp_path / one).write_text("new")
    do(real_fleet, pod, "side", f"ln -s {SECRET}/k config")
    do(real_fleet, pod, "admin", f"mkdir -m 755 links; cd links; mkdir {VOLUME}/real; ln -s {VOLUME}/real linked")
    ran = asynccp(real_fleet, "push", f"{tmp_path}/", f"{pod}:/", "-c", "main", "-o", "json", "--partial")
    assert ran.code == 23
    assert "config: a link out of the destination is in its place" in ran.err
    assert "linked" not in ran.err
    assert do(real_fleet, pod, "admin", "cat real/app") == "new"
