"""Modes of what a pull brings: those of the pod, but nothing that the umask here forbids, unless that is asked for."""

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.fleet import TARLESS, WITH_TAR, Fleet, asynccp, command, environment, labels_for, selector, sh, snapshot
from tests.trees import describe_archive

pytestmark = pytest.mark.timeout(120)

MODES = {
    "open": 0o777,
    "open/all": 0o666,
    "open/run": 0o777,
    "open/group": 0o664,
    "open/mine": 0o600,
    "open/suid": 0o4755,
}


@contextmanager
def umask(wanted: int) -> Iterator[None]:
    """Have the commands that are started meanwhile inherit it."""
    old = os.umask(wanted)
    try:
        yield
    finally:
        os.umask(old)


@pytest.fixture(scope="module")
def pod(fleet: Fleet) -> str:
    name = fleet.add("gnu", "modes", labels_for("modes"))
    sh(fleet, name, "mkdir", "-p", "/tmp/open")
    for path, mode in reversed(MODES.items()):
        script = '[ -d "$1" ] || echo x >"$1"; chmod "$2" "$1"'
        sh(fleet, name, "sh", "-c", script, "sh", f"/tmp/{path}", f"{mode:o}")
    return name


def modes_below(directory: Path) -> dict[str, int]:
    return {path: stat.S_IMODE((directory / path).stat().st_mode) for path in MODES}


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_a_pull_sets_no_bit_that_the_umask_forbids(fleet: Fleet, pod: str, tmp_path: Path, mask: int) -> None:
    with umask(mask):
        assert asynccp(fleet, "pull", f"{pod}:/tmp/open", tmp_path).code == 0
        assert asynccp(fleet, "cp", f"{pod}:/tmp/open/all", tmp_path / "one").code == 0
    assert modes_below(tmp_path / pod) == {path: mode & 0o777 & ~mask for path, mode in MODES.items()}
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o666 & ~mask


def test_the_pods_word_is_taken_on_request_but_for_set_id_bits(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    with umask(0o077):
        assert asynccp(fleet, "pull", "--preserve-modes", f"{pod}:/tmp/open", tmp_path).code == 0
        assert asynccp(fleet, "cp", "--preserve-modes", f"{pod}:/tmp/open/all", tmp_path / "one").code == 0
    assert modes_below(tmp_path / pod) == {path: mode & 0o777 for path, mode in MODES.items()}
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o666


def test_the_umask_here_is_no_business_of_a_push(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o666)
    with umask(0o077):
        assert asynccp(fleet, "push", tmp_path / "f", f"{pod}:/tmp/pushed/").code == 0
        assert asynccp(fleet, "cp", f"{pod}:/tmp/open", f"{pod}:/tmp/along").code == 0
    assert sh(fleet, pod, "stat", "-c", "%a", "/tmp/pushed/f", "/tmp/along/all").split() == [b"666", b"666"]


def test_both_ways_modes_and_times_need_not_be_kept(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    for name, mode in (("secret", 0o600), ("run", 0o700), ("below", 0o700)):
        (source / name).touch()
        (source / name).chmod(mode)
        os.utime(source / name, (1, 1))
    flags = ["--no-perms", "--no-times"]
    before_s = time.time() - 1
    with umask(0o022):
        assert asynccp(fleet, "push", source, f"{pod}:/tmp/usual", "--checksum", *flags).code == 0
        assert asynccp(fleet, "pull", f"{pod}:/tmp/open", tmp_path, *flags).code == 0
        tar = subprocess.run(
            command("pull", f"{pod}:/tmp/open", "-", *flags), capture_output=True, env=environment(fleet)
        )
    there = snapshot(fleet, pod, "/tmp/usual/source")
    usual = {b"secret": 0o644, b"run": 0o755, b"below": 0o755}
    assert {path: facts.mode for path, facts in there.items()} == usual
    here = {path: 0o644 if path[5:] in ("all", "group", "mine") else 0o755 for path in MODES}
    assert modes_below(tmp_path / pod) == here
    packed = {path.decode().partition("/")[2]: facts for path, facts in describe_archive(tar.stdout).items()}
    assert {path: facts.mode for path, facts in packed.items()} == here
    for facts in (*there.values(), *packed.values()):
        assert facts.mtime_s > before_s


def test_modes_are_kept_whole_or_not_at_all(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    ran = asynccp(fleet, "pull", f"{pod}:/tmp/open", tmp_path, "--no-perms", "--preserve-modes")
    assert (ran.code, ran.err.splitlines()[-1]) == (
        2,
        "asynccp: modes can't be taken as the pods have them and not be kept",
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file, a link and a directory in it, and modes of one's own."""
    tree = tmp_path_factory.mktemp("owned") / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "link").symlink_to("run")
    for path, mode in (("below/plain", 0o600), ("run", 0o700)):
        (tree / path).write_text("x")
        (tree / path).chmod(mode)
    return tree


def test_a_push_changes_modes_and_owners_on_the_way(fleet: Fleet, tree: Path) -> None:
    kinds = fleet.kinds(*WITH_TAR)
    labels = labels_for("owned")
    pods = [fleet.add(kind, f"owned-{kind}", labels) for kind in kinds]
    words: list[str | Path] = [
        "push",
        tree,
        "-l",
        f"{selector(labels)}:/tmp/to",
        "--chmod",
        "D750,F640",
        "--chown",
        "nobody:root",
    ]
    for again in (False, True):
        ran = asynccp(fleet, *words, "-o", "json")
        assert ran.code == 0, ran.err
        same = {one["pod"]: one["tally"]["same"] for one in ran.report["pods"]}
        assert same == dict.fromkeys(pods, 5 if again else 0), "a second push finds it as it was asked for, links too"
    for pod in pods:
        there = snapshot(fleet, pod, "/tmp/to/tree")
        assert {facts.mode for path, facts in there.items() if path != b"link"} == {0o750, 0o640}
        assert (there[b"below/plain"].mode, there[b"run"].mode) == (0o640, 0o640)
        owners = sh(fleet, pod, "ls", "-ln", "/tmp/to/tree").decode().splitlines()[1:]
        assert {tuple(line.split()[2:4]) for line in owners} == {("65534", "0")}, pod
    ran = asynccp(fleet, *words[:-1], ":65534", "-o", "json")
    tallies = [one["tally"] for one in ran.report["pods"]]
    assert [one["changed"] + one["set"] for one in tallies] == [3] * len(pods), "directories keep theirs"


def test_an_owner_whom_the_container_does_not_know_is_named(fleet: Fleet, pod: str, tree: Path) -> None:
    ran = asynccp(fleet, "push", tree, f"{pod}:/tmp/to", "--chown", "no-such:root", "-o", "json")
    assert ran.code == 1
    assert ran.errors == {pod: "the container knows no such owner (user no-such)"}
    assert "--chown is looked up in its /etc/passwd" in ran.report["pods"][0]["hint"]
    assert asynccp(fleet, "diff", tree, f"{pod}:/tmp/to", "--chown", ":no-such").code == 1


def test_a_shell_that_has_nothing_to_give_files_away_with_says_so(fleet: Fleet, tree: Path) -> None:
    for kind in fleet.kinds(TARLESS):
        bare = fleet.add(kind, "owned-bare", labels_for("owned"))
        ran = asynccp(fleet, "push", tree, f"{bare}:/tmp/to", "--chown", "0:0", "-o", "json")
        assert ran.code == 1
        assert ran.errors == {bare: "there is neither tar nor chown in the container"}
        assert asynccp(fleet, "push", tree, f"{bare}:/tmp/to", "--chmod", "F600").code == 0


def test_a_pull_changes_modes_on_the_way(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    with umask(0o077):
        for _ in range(2):  # what is here stays so
            ran = asynccp(fleet, "pull", f"{pod}:/tmp/open", tmp_path, "--chmod", "D750,Fg+r,Fu+s", "-o", "json")
            assert ran.code == 0, ran.err
        assert ran.report["pods"][0]["tally"]["same"] == len(MODES)
    assert modes_below(tmp_path / pod) == {
        "open": 0o750,
        "open/all": 0o640,
        "open/run": 0o740,
        "open/group": 0o640,
        "open/mine": 0o640,
        "open/suid": 0o740,
    }


@pytest.mark.cluster
def test_only_root_gives_files_away(fleet: Fleet, tree: Path) -> None:
    other = fleet.add("gnu", "owned-user", labels_for("owned"), user=1000)
    ran = asynccp(fleet, "push", tree, f"{other}:/tmp/to", "--chown", "0:0", "-o", "json")
    assert (ran.code, list(ran.errors.values())) == (
        1,
        ["files can't be given to another owner: the container's user is not root (it is 1000:0)"],
    )
    assert asynccp(fleet, "push", tree, f"{other}:/tmp/to", "--chown", "1000").code == 0
