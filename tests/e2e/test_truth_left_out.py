"""What is not copied is named, with its reason: sockets, FIFOs, links that lead out. So is what is copied without
something of it. And what was named and brings nothing is a failure.
"""

from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, asynccp, labels_for, sh
from tests.e2e.real import RealFleet
from tests.e2e.shared import add_shared, as_root

MAKE = """
rm -rf "$1"; mkdir -p "$1/bits" && cd "$1" || exit
echo kept >file; mkfifo pipe; ln -s /dev/stdout access.log; ln -s ../../outside up; ln -s file inside
for f in setuid setgid sticky; do echo x >bits/$f; done; mkdir bits/shared bits/tmp
chmod 4755 bits/setuid; chmod 2755 bits/setgid; chmod 1644 bits/sticky; chmod 2775 bits/shared; chmod 1777 bits/tmp
"""
PLACE = "/tmp/odd"
KINDS_WITH_MKFIFO = [kind for kind in WITH_TAR if kind != "bsdtar"]  # its image has none


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> dict[str, str]:
    labels = labels_for("odd")
    made = {kind: fleet.add(kind, f"odd-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)}
    for kind, pod in made.items():
        script = MAKE if kind in KINDS_WITH_MKFIFO else MAKE.replace("mkfifo pipe; ", "")
        sh(fleet, pod, "sh", "-c", script, "sh", PLACE)
    return made


@pytest.fixture(params=WITH_TAR)
def kind(request: pytest.FixtureRequest, pods: dict[str, str]) -> str:
    found: str = request.param
    return found if found in pods else pytest.skip(f"there is no {found} here")


LEFT_OUT = {
    "odd/pipe": "a FIFO is never copied",
    "odd/access.log": "its target, /dev/stdout, leads out of the pod's directory",
    "odd/up": "its target, ../../outside, leads out of the pod's directory",
}
NOT_KEPT = {
    "odd/bits/setuid": "set-user-id bit",
    "odd/bits/setgid": "set-group-id bit",
    "odd/bits/sticky": "sticky bit",
    "odd/bits/shared": "set-group-id bit",
    "odd/bits/tmp": "sticky bit",
}


def test_what_is_left_out_is_named_with_its_reason_in_text_and_json(
    fleet: Fleet, pods: dict[str, str], kind: str, tmp_path: Path
) -> None:
    pod = pods[kind]
    expected = {path: why for path, why in LEFT_OUT.items() if path != "odd/pipe" or kind in KINDS_WITH_MKFIFO}
    ran = asynccp(fleet, "pull", f"{pod}:{PLACE}", tmp_path, "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"]) == (23, "partial")
    told = {entry["path"]: entry["reason"] for entry in one["left_out"]}
    assert set(told) == set(expected)
    for path, why in expected.items():
        assert told[path] == why or (path == "odd/access.log" and "leads out" in told[path])
        assert f"left out {path}: {told[path]}" in ran.err, "for who reads the text, too"
    assert (tmp_path / pod / "odd" / "inside").read_text() == "kept\n"


def test_bits_that_are_never_set_here_are_named_and_no_failure(
    fleet: Fleet, pods: dict[str, str], kind: str, tmp_path: Path
) -> None:
    pod = pods[kind]
    ran = asynccp(fleet, "pull", f"{pod}:{PLACE}/bits", tmp_path, "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"]) == (0, "complete")
    told = {f"odd/{entry['path']}": entry["what"] for entry in one["not_kept"]}
    assert told == NOT_KEPT
    assert "not kept: set-group-id bit of 2 entries: bits/" in ran.err
    assert "not kept: bits/setuid: set-user-id bit" in ran.err
    assert oct((tmp_path / pod / "bits" / "setuid").stat().st_mode & 0o7777) == "0o755"


def test_a_fifo_that_was_named_is_a_failure_that_names_it(
    fleet: Fleet, pods: dict[str, str], kind: str, tmp_path: Path
) -> None:
    if kind not in KINDS_WITH_MKFIFO:
        pytest.skip("there is no mkfifo")
    ran = asynccp(fleet, "pull", f"{pods[kind]}:{PLACE}/pipe", tmp_path)
    assert ran.code == 1
    assert f"failed: nothing of {PLACE}/pipe can be copied: a FIFO is never copied" in ran.err


def test_an_empty_directory_and_an_empty_file_are_complete(
    fleet: Fleet, pods: dict[str, str], kind: str, tmp_path: Path
) -> None:
    """Nothing came of them but themselves."""
    sh(fleet, pods[kind], "sh", "-c", 'mkdir -p "$1" && : >"$1/../nothing"', "sh", "/tmp/empty")
    for path in ("/tmp/empty", "/tmp/empty/", "/tmp/nothing"):
        ran = asynccp(fleet, "pull", f"{pods[kind]}:{path}", tmp_path, "-o", "json")
        assert (ran.code, ran.outcomes) == (0, {pods[kind]: "complete"}), path


# --- what only a real cluster's volumes have


@pytest.fixture(scope="module")
def sockets(fleet: Fleet) -> dict[str, str]:
    """One pod of each kind that has a tar, with a socket in a tree, one beside it, and a file with an attribute."""
    if not isinstance(fleet, RealFleet):
        pytest.skip("for the real cluster")
    made = {kind: add_shared(fleet, kind, user=0) for kind in WITH_TAR}
    make = """
    mkdir tree; echo kept >tree/file; mkfifo tree/pipe; setfattr -n user.note -v x tree/file
    for s in x.sock tree/a.sock; do
        nc -l -U -s $s & until [ -S $s ]; do :; done; kill $!
    done"""
    for pod in made.values():
        as_root(fleet, pod, make)
    return made


@pytest.mark.cluster
@pytest.mark.parametrize("kind", WITH_TAR)
def test_a_socket_in_a_tree_is_left_out_like_a_fifo(
    real_fleet: RealFleet, sockets: dict[str, str], kind: str, tmp_path: Path
) -> None:
    ran = asynccp(real_fleet, "pull", f"{sockets[kind]}:/v/tree", tmp_path, "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"]) == (23, "partial")
    assert {entry["path"]: entry["reason"] for entry in one["left_out"]} == {
        "tree/a.sock": "a socket is never copied",
        "tree/pipe": "a FIFO is never copied",
    }
    assert "left out tree/a.sock: a socket is never copied" in ran.err
    assert (tmp_path / sockets[kind] / "tree" / "file").read_text() == "kept\n"


@pytest.mark.cluster
@pytest.mark.parametrize("kind", WITH_TAR)
def test_a_socket_that_was_named_is_a_failure_that_names_it(
    real_fleet: RealFleet, sockets: dict[str, str], kind: str, tmp_path: Path
) -> None:
    ran = asynccp(real_fleet, "pull", f"{sockets[kind]}:/v/x.sock", tmp_path, "-o", "json")
    assert ran.code == 1
    assert ran.errors == {sockets[kind]: "/v/x.sock is a socket, which is never copied"}


@pytest.mark.cluster
def test_attributes_that_a_tar_tells_of_are_named(
    real_fleet: RealFleet, sockets: dict[str, str], tmp_path: Path
) -> None:
    """libarchive's tar has them in its archive; the others say nothing of them."""
    ran = asynccp(real_fleet, "pull", f"{sockets['bsdtar']}:/v/tree", tmp_path, "-o", "json")
    (one,) = ran.report["pods"]
    assert one["not_kept"] == [{"path": "tree/file", "what": "extended attributes"}]
    assert "not kept: tree/file: extended attributes" in ran.err
