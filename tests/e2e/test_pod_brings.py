"""What a container brings along, its variables, its programs and its shell, never changes what is copied.

Which variables, in every shell: `tests.remote.test_container`.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.e2e.boxed import NEEDED, TOOLS, add_boxed, take_away
from tests.e2e.fleet import WITH_TAR, asynccp, labels_for, selector, sh
from tests.e2e.processes import assert_all_ended
from tests.e2e.real import RealFleet
from tests.e2e.running import Running
from tests.e2e.shared import VOLUME, add_shared, as_root, seen_by_side, shared_spec
from tests.remote.variables import VARIABLES
from tests.trees import Facts, describe

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(200)]

ANY_NAME_SINCE = 32  # Kubernetes 1.32 lets variables have all names of printable ASCII without `=`
ASKED_FOR = {
    ("--dir-perms",): ("stat", "chmod", "touch"),
    ("--dir-perms", "--preserve-owner"): ("chown",),
    ("--in-place",): ("cat",),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for name in (".git/HEAD", "x.tmp", "keep", "a e/i.o", ".hidden", "tail"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name * 100)
    (tree / "link").symlink_to("keep")
    return tree


def assert_same_both_ways(fleet: RealFleet, pod: str, tree: Path, tmp_path: Path) -> None:
    """Push a tree to `main`, see it from `side`, which has its own variables and programs, and pull it back."""
    as_root(fleet, pod, "rm -rf tree")
    pushed = asynccp(fleet, "push", tree, f"{pod}:{VOLUME}", "-c", "main")
    assert pushed.code == 0, pushed.err
    assert seen_by_side(fleet, pod, "tree") == describe(tree)
    pulled = asynccp(fleet, "pull", f"{pod}:{VOLUME}/tree", tmp_path, "-c", "main")
    assert pulled.code == 0, pulled.err
    assert describe(tmp_path / pod / "tree") == describe(tree)


# --- variables


def add_with_variables(fleet: RealFleet, kind: str, more: dict[str, str]) -> str:
    spec = shared_spec(fleet, kind, user=0)
    variables = {**VARIABLES, **more}
    if fleet.minor_version() < ANY_NAME_SINCE:
        variables = {name: value for name, value in variables.items() if name.isidentifier()}
    spec["containers"][0]["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    return fleet.run(f"variables-{kind}-{len(more)}", labels_for("variables"), spec)


@pytest.mark.parametrize("kind", WITH_TAR)
def test_no_variable_of_a_container_changes_what_is_copied(
    real_fleet: RealFleet, kind: str, tree: Path, tmp_path: Path
) -> None:
    pod = add_with_variables(real_fleet, kind, {})
    assert_same_both_ways(real_fleet, pod, tree, tmp_path)
    assert_all_ended(real_fleet, pod)


def test_no_variable_that_bash_heeds_changes_what_is_copied(real_fleet: RealFleet, tree: Path, tmp_path: Path) -> None:
    """It takes functions and options from its environment, too."""
    pod = add_with_variables(real_fleet, "gnu", {"PATH": f"{VOLUME}/bash:/bin"})
    as_root(real_fleet, pod, "mkdir bash; ln -s /bin/bash bash/sh")
    assert_same_both_ways(real_fleet, pod, tree, tmp_path)


# --- a tar that is not what it says


SKIPS = """#!/bin/sh
exec /bin/tar "$@" --exclude=keep
"""


@pytest.mark.parametrize("kind", ["gnu", "bsdtar"])
def test_a_tar_that_skips_what_it_receives_is_found_out_and_nothing_is_changed(
    real_fleet: RealFleet, kind: str, tree: Path, tmp_path: Path
) -> None:
    pod = add_shared(real_fleet, kind, user=0, path=f"{VOLUME}/bin:/bin")
    as_root(real_fleet, pod, f"mkdir -p bin old; cat >bin/tar <<'E'\n{SKIPS}E\nchmod 755 bin/tar; echo old >old/tail")
    ran = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:{VOLUME}/old", "-c", "main", "-o", "json")
    assert ran.code == 1
    error = ran.errors[pod]
    assert error.startswith("tar ended without an error, but left something out: 8 of 9 entries, "), error
    assert set(seen_by_side(real_fleet, pod, "old")) == {b"tail"}


# --- helpers that are not there


@pytest.fixture(scope="module")
def labels() -> dict[str, str]:
    return labels_for("boxed")


@pytest.fixture(scope="module")
def boxed(fleet: RealFleet, labels: dict[str, str]) -> list[str]:
    """Pods of each kind, all with the same labels."""
    return [add_boxed(fleet, kind, labels) for kind in fleet.kinds(*WITH_TAR)]


def without(fleet: RealFleet, pods: list[str], tools: Sequence[str]) -> None:
    for pod in pods:
        take_away(fleet, pod, *tools)


def test_no_helper_is_needed(
    real_fleet: RealFleet, boxed: list[str], labels: dict[str, str], tree: Path, tmp_path: Path
) -> None:
    cases = [[tool] for tool in TOOLS] + [list(TOOLS)]
    for number, tools in enumerate(cases):
        without(real_fleet, boxed, tools)
        there, here = f"{VOLUME}/all/{number}", tmp_path / "all" / str(number)
        pushed = asynccp(real_fleet, "push", tree, "-l", f"{selector(labels)}:{there}/", "-c", "main")
        assert pushed.code == 0, f"without {tools}: {pushed.err}"
        pulled = asynccp(real_fleet, "pull", "-l", f"{selector(labels)}:{there}/tree", here, "-c", "main")
        assert pulled.code == 0, f"without {tools}: {pulled.err}"
        for pod in boxed:
            assert describe(here / pod / "tree") == describe(tree), f"{pod} without {tools}"
    for pod in boxed:
        seen = seen_by_side(real_fleet, pod, "all")
        for number, tools in enumerate(cases):
            assert below(seen, b"%d/tree/" % number) == describe(tree), f"{pod} without {tools}"


def below(seen: dict[bytes, Facts], at: bytes) -> dict[bytes, Facts]:
    """Return what was seen in one of its directories."""
    return {
        name.removeprefix(at): replace(facts, same_as=facts.same_as.removeprefix(at))
        for name, facts in seen.items()
        if name.startswith(at)
    }


def test_what_is_needed_is_asked_for_by_name_before_a_byte_moves(
    real_fleet: RealFleet, boxed: list[str], labels: dict[str, str], tree: Path, tmp_path: Path
) -> None:
    for pod in boxed:
        as_root(real_fleet, pod, "rm -rf tree; mkdir tree; echo a >tree/a")
    push: list[str | Path] = ["push", tree, "-l", f"{selector(labels)}:{VOLUME}/new/deeper"]
    cases = [(push, tool) for tool in NEEDED]
    cases += [([*push, *flags], tool) for flags, tools in ASKED_FOR.items() for tool in tools]
    for arguments, tool in cases:
        without(real_fleet, boxed, [tool])
        ran = asynccp(real_fleet, *arguments, "-c", "main", "-o", "json")
        for pod in boxed:
            if "busybox" in pod:  # its shell has all of them built in
                assert ran.outcomes[pod] == "complete", ran.err
            else:
                assert f"there is no {tool} in the container" in ran.errors[pod], f"{pod} {arguments}"
    for pod in boxed:
        if "busybox" not in pod:
            assert set(seen_by_side(real_fleet, pod, ".")).isdisjoint({b"new", b"new/deeper"})


def test_a_container_that_lost_its_tar_is_copied_to_and_from_by_its_shell(
    real_fleet: RealFleet, boxed: list[str], labels: dict[str, str], tree: Path, tmp_path: Path
) -> None:
    """toybox's head takes more of stdin than it is told, so it can't stand in for dd."""
    for pod in boxed:
        as_root(real_fleet, pod, "rm -rf tree shelled; mkdir tree; echo a >tree/a")
    without(real_fleet, boxed, ["tar"])
    pushed = asynccp(
        real_fleet, "push", tree, "-l", f"{selector(labels)}:{VOLUME}/shelled/", "-c", "main", "-o", "json"
    )
    pulled = asynccp(
        real_fleet, "pull", "-l", f"{selector(labels)}:{VOLUME}/tree", tmp_path, "-c", "main", "-o", "json"
    )
    for pod in boxed:
        assert (tmp_path / pod / "tree/a").read_text() == "a\n", pulled.err
        if "toybox" in pod:
            assert "there is neither tar nor dd in the container" in pushed.errors[pod]
        else:
            seen = seen_by_side(real_fleet, pod, "shelled")
            assert below(seen, b"tree/") == describe(tree), f"{pod}: {pushed.err}"


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_copy_outlives_who_kills_every_sleep(real_fleet: RealFleet, direction: str, tmp_path: Path) -> None:
    """As start scripts do: none of our sleeps is needed."""
    pod = real_fleet.add("gnu", f"sleepless-{direction}", labels_for("sleepless"))
    sh(real_fleet, pod, "sh", "-c", "head -c 8388608 /dev/zero >/tmp/big")
    (tmp_path / "big").write_bytes(bytes(8 * 1024 * 1024))
    slowly = ("--bwlimit", "4M", "-z", "none")
    arguments = (
        ("push", tmp_path / "big", f"{pod}:/tmp/new/") if direction == "push" else ("pull", f"{pod}:/tmp/big", tmp_path)
    )
    kill = """for p in /proc/[0-9]*; do
        read -r name <"$p/comm" && [ "$name" = sleep ] && [ "$p" != /proc/1 ] && kill "${p#/proc/}"
    done; exit 0"""
    with Running(real_fleet, *arguments, *slowly) as running:
        running.wait_for("started")
        sh(real_fleet, pod, "sh", "-c", kill)
        ran = running.finish()
    assert set(ran.outcomes.values()) == {"complete"}, ran.err
    assert_all_ended(real_fleet, pod)


# --- shells


def test_a_shell_that_is_not_on_the_path_is_found(real_fleet: RealFleet, tree: Path, tmp_path: Path) -> None:
    pod = add_shared(real_fleet, "gnu", user=0, path="/opt/app/bin")
    assert_same_both_ways(real_fleet, pod, tree, tmp_path)


def test_a_shell_that_greets_is_heard_out(real_fleet: RealFleet, tree: Path, tmp_path: Path) -> None:
    pod = add_shared(real_fleet, "gnu", user=0)
    wrapper = '#!/bin/sh.real\necho asynccp is not it; printf "Welcome to production"\nexec /bin/sh.real "$@"\n'
    script = "mv /bin/sh /bin/sh.real; cat >/bin/sh.new; chmod 755 /bin/sh.new; mv /bin/sh.new /bin/sh"
    sh(real_fleet, pod, "sh", "-c", script, stdin=wrapper.encode())
    assert_same_both_ways(real_fleet, pod, tree, tmp_path)
