"""`asynccp cp` has kubectl cp's words and its rules of where things land: a table, and kubectl cp is its judge.

Each case begins with the same files at both ends: here `a.txt`, `dir/` with a file and a directory, an existing
`there/`; in the pod the same names below a directory of the case's own. `DIFFERS` says where we do otherwise, and why.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.fleet import REAL, WITH_TAR, Fleet, asynccp, environment, labels_for, sh, snapshot

TREE = ("there/", "there/old", "dir/", "dir/inner/", "dir/inner/leaf", "dir/file", "a.txt")


@dataclass(frozen=True)
class Case:
    """source → destination, `POD` standing for the pod's directory of the case.

    lands: where what was copied is then, below the destination's end: its files. why: kubectl does otherwise, and we do
    this because.
    """

    source: str
    destination: str
    lands: tuple[str, ...]
    why: str = ""


CASES = [
    # a file, to the pod
    Case("a.txt", "POD/b.conf", ("b.conf",)),
    Case("a.txt", "POD/there", ("there/a.txt",)),
    Case("a.txt", "POD/there/", ("there/a.txt",)),
    Case("a.txt", "POD/there/b.conf", ("there/b.conf",)),
    Case("a.txt", "POD/there/old", ("there/old",)),
    Case("./a.txt", "POD/a.txt", ("a.txt",)),
    Case(
        "a.txt", "POD/new/deep/b.conf", ("new/deep/b.conf",), "parents are made, where kubectl's tar can't enter them"
    ),
    Case("a.txt", "POD/new/", ("new/a.txt",), "a slash at the end means a directory, where kubectl makes a file `new`"),
    # a directory, to the pod
    Case("dir", "POD/copy", ("copy/inner/leaf", "copy/file")),
    Case("dir", "POD/there", ("there/dir/inner/leaf", "there/dir/file")),
    Case("dir/", "POD/there", ("there/dir/inner/leaf", "there/dir/file")),
    Case("dir/", "POD/copy", ("copy/inner/leaf", "copy/file")),
    Case("dir", "POD/dir", ("dir/dir/inner/leaf", "dir/dir/file")),
    # a file, from the pod
    Case("POD/a.txt", "b.conf", ("b.conf",)),
    Case("POD/a.txt", "./b.conf", ("b.conf",)),
    Case("POD/a.txt", "there/b.conf", ("there/b.conf",)),
    Case("POD/a.txt", "there/old", ("there/old",)),
    Case("POD/a.txt", "new/deep/b.conf", ("new/deep/b.conf",)),
    Case("POD/a.txt", "there", ("there/a.txt",), "it lands in a directory, where kubectl fails: is a directory"),
    Case("POD/a.txt", ".", ("a.txt",), "it lands there, where kubectl fails: is a directory"),
    Case("POD/a.txt", "new/", ("new/a.txt",), "a slash at the end means a directory, where kubectl makes a file"),
    # a directory, from the pod
    Case("POD/dir", "copy", ("copy/inner/leaf", "copy/file")),
    Case("POD/dir", "there", ("there/inner/leaf", "there/file")),
    Case("POD/dir/", "there", ("there/inner/leaf", "there/file")),
    Case("POD/dir", "dir", ("dir/inner/leaf", "dir/file")),
    Case("POD/dir", ".", ("inner/leaf", "file")),
    Case("POD/dir", "new/deep", ("new/deep/inner/leaf", "new/deep/file")),
]


@pytest.fixture(scope="package", params=WITH_TAR)
def pod(fleet: Fleet, request: pytest.FixtureRequest) -> str:
    if request.param not in fleet.kinds(request.param):
        pytest.skip("this machine can't be that kind")
    return fleet.add(request.param, f"cp-{request.param}", labels_for("cp"))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    directory = tmp_path / "here"
    make(directory, "from here")
    return directory


def make(directory: Path, text: str) -> None:
    for name in TREE:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True) if name.endswith("/") else path.write_text(f"{text}: {name}")


_MAKE = """
mkdir -p "$1/there" "$1/dir/inner"
for f in there/old dir/inner/leaf dir/file a.txt; do printf %s "from the pod: $f" >"$1/$f"; done
"""


def make_in_pod(fleet: Fleet, pod: str, directory: str) -> None:
    sh(fleet, pod, "sh", "-c", _MAKE, "sh", directory)


def kubectl(fleet: Fleet, cwd: Path, *arguments: str) -> int:
    return subprocess.run(
        ["kubectl", *arguments], cwd=cwd, env=environment(fleet), capture_output=True, timeout=60, check=False
    ).returncode


def files_of(fleet: Fleet, pod: str, directory: str, here: Path, case: Case) -> dict[str, str]:
    """Return path → content of what is at the destination's end."""
    if not case.destination.startswith("POD"):
        return {path.relative_to(here).as_posix(): path.read_text() for path in here.rglob("*") if path.is_file()}
    found = snapshot(fleet, pod, directory)
    return {
        os.fsdecode(name): sh(fleet, pod, "cat", f"{directory}/{os.fsdecode(name)}").decode()
        for name, facts in found.items()
        if facts.kind == "file"
    }


def carry_out(fleet: Fleet, pod: str, here: Path, case: Case, number: int, *, with_kubectl: bool) -> dict[str, str]:
    directory = f"/tmp/cp-{number}-{'k' if with_kubectl else 'a'}"
    make_in_pod(fleet, pod, directory)
    source, destination = (
        one.replace("POD", f"{pod}:{directory}") if one.startswith("POD") else one
        for one in (case.source, case.destination)
    )
    if with_kubectl:
        kubectl(fleet, here, "cp", source, destination, "-c", "main")
    else:
        ran = asynccp(fleet, "cp", source, destination, cwd=here)
        assert ran.code == 0, ran.err
        assert ran.out == ran.err == "", "as silent as kubectl cp"
    return files_of(fleet, pod, directory, here, case)


def expected(case: Case) -> dict[str, str]:
    """Return what is at the destination's end when the copy is done."""
    ends = ("from the pod", "from here")
    there, come = ends if case.destination.startswith("POD") else ends[::-1]
    found = {name: f"{there}: {name}" for name in TREE if not name.endswith("/")}
    sources = {"file": "dir/file", "leaf": "dir/inner/leaf"} if "dir" in case.source else {}
    return found | {name: f"{come}: {sources.get(name.rpartition('/')[2], 'a.txt')}" for name in case.lands}


# Shell, mkdir and mv settle it, not tar: on the fake cluster the two kinds that have their own of these are enough.
@pytest.mark.parametrize("pod", WITH_TAR if REAL else ["gnu", "busybox"], indirect=True)
@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n].source}→{CASES[n].destination}")
def test_cp_lands_where_the_table_says(fleet: Fleet, pod: str, here: Path, number: int) -> None:
    case = CASES[number]
    assert carry_out(fleet, pod, here, case, number, with_kubectl=False) == expected(case)


@pytest.mark.cluster
@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n].source}→{CASES[n].destination}")
def test_kubectl_cp_does_the_same_but_where_the_table_says_why_not(
    fleet: Fleet, here: Path, number: int, judged: str
) -> None:
    case = CASES[number]
    does = carry_out(fleet, judged, here, case, number, with_kubectl=True)
    assert (does == expected(case)) is (case.why == ""), does


@pytest.fixture(scope="package")
def judged(fleet: Fleet) -> str:
    return fleet.add("gnu", "cp-judged", labels_for("cp"))


def test_pod_to_pod(fleet: Fleet, pod: str, here: Path) -> None:
    to = fleet.add("busybox", f"cp-to-{pod}", labels_for("cp"))
    make_in_pod(fleet, pod, "/tmp/from")
    sh(
        fleet,
        pod,
        "sh",
        "-c",
        'ln -s inner/leaf "$1/link"; ln "$1/file" "$1/hard"; chmod 750 "$1/inner"',
        "sh",
        "/tmp/from/dir",
    )
    for path, destination, lands in (
        ("/tmp/from/dir", "/tmp/to", "/tmp/to"),
        ("/tmp/from/dir", "/tmp", "/tmp/dir"),
    ):
        ran = asynccp(fleet, "cp", f"{pod}:{path}", f"{to}:{destination}", cwd=here)
        assert (ran.code, ran.err) == (0, ""), ran.err
        ours, theirs = snapshot(fleet, pod, path), snapshot(fleet, to, lands)
        assert {name: facts for name, facts in ours.items() if name} == {
            name: facts for name, facts in theirs.items() if name
        }
    ran = asynccp(fleet, "cp", f"{pod}:/tmp/from/a.txt", f"{to}:/tmp/b.txt", cwd=here)
    assert (ran.code, ran.err) == (0, "")
    assert sh(fleet, to, "cat", "/tmp/b.txt") == b"from the pod: a.txt"


def test_what_can_not_be_copied_is_a_sentence(fleet: Fleet, pod: str, here: Path) -> None:
    sh(fleet, pod, "sh", "-c", 'echo x >"$1"', "sh", "/tmp/afile")
    for arguments, code, says in (
        (("missing", f"{pod}:/tmp/x"), 1, "missing does not exist"),
        ((f"{pod}:/missing", "x"), 1, "/missing does not exist"),
        (("a.txt", "there"), 2, "one side of cp must be in a pod"),
        (("a.txt",), 2, "cp takes a source and a destination"),
        (("a.txt", "nopod:/x"), 3, "there is no pod nopod"),
        ((f"{pod}:/missing", f"{pod}:/tmp/x"), 1, f"{pod}:/missing: /missing does not exist"),
        (("dir", f"{pod}:/tmp/afile/x"), 1, "/tmp/afile"),
        (("dir", f"{pod}:/tmp/afile"), 1, "afile: a file or a dangling link is in its place"),
    ):
        ran = asynccp(fleet, "cp", *arguments, cwd=here)
        assert ran.code == code, (arguments, ran)
        assert says in ran.err, (arguments, ran.err)


def test_a_directory_is_copied_whole_as_kubectl_copies_it(fleet: Fleet, pod: str, here: Path) -> None:
    (here / "own").mkdir()
    (here / "own/.asynccpignore").write_text("*\n")
    (here / "own/a").touch()
    assert asynccp(fleet, "cp", "own", f"{pod}:/tmp/own", cwd=here).code == 0
    assert sorted(snapshot(fleet, pod, "/tmp/own")) == [b".asynccpignore", b"a"]


def test_no_preserve_gives_the_usual_modes(fleet: Fleet, pod: str, here: Path) -> None:
    (here / "a.txt").chmod(0o777)
    assert asynccp(fleet, "cp", "--no-preserve", "a.txt", f"{pod}:/tmp/plain", cwd=here).code == 0
    assert asynccp(fleet, "cp", "a.txt", f"{pod}:/tmp/kept", cwd=here).code == 0
    modes = {os.fsdecode(name): facts.mode for name, facts in snapshot(fleet, pod, "/tmp").items()}
    assert (modes["plain"], modes["kept"]) == (0o755, 0o777)
