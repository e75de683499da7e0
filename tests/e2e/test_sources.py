"""Sources that change while they are read, here and in the pod: told and named, never a quiet mixture.

F05 to F08 of the fault catalogue: a source that grows, shrinks, vanishes, or may not be read.
"""

import hashlib
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, asynccp, labels_for, selector, sh
from tests.e2e.running import Running

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

MIB = 1024 * 1024
FILES = 4
FILE = 32 * MIB  # all together more than what is under way between a pod and a client that stands still


@pytest.fixture(scope="module")
def four(fleet: Fleet) -> tuple[str, list[str]]:
    """Four pods, one of each kind that has a tar; the selector, and their names."""
    labels = labels_for("source")
    return selector(labels), [fleet.add(kind, f"source-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]


CHANGES = {
    "grows": 'for f in "$1"/*; do echo more >>"$f"; done',
    "shrinks": 'for f in "$1"/*; do : >"$f"; done',
    "vanishes": 'rm "$1"/*',
}


@pytest.mark.parametrize(
    ("kind", "flags"), [*((kind, []) for kind in WITH_TAR), ("bsdtar", ["--checksum"])], ids=lambda one: "".join(one)
)
@pytest.mark.parametrize("change", CHANGES)
def test_a_source_in_the_pod_that_changes_is_told_or_the_copy_is_of_a_state_that_it_had(
    fleet: Fleet, four: tuple[str, list[str]], tmp_path: Path, change: str, kind: str, flags: list[str]
) -> None:
    """The client stands still until all files have changed: tar has read some of them by then, never all.

    GNU tar tells every change. The others say nothing of a file that grows: they take what it had when it was opened.
    libarchive's fills up with zeros what a file has lost, and says nothing: the one case that --checksum alone finds.
    """
    pod = f"source-{kind}"
    make = 'rm -rf "$1"; mkdir "$1"; for n in 0 1 2 3; do head -c "$2" /dev/urandom >"$1/$n"; done'
    sh(fleet, pod, "sh", "-c", make, "sh", "/tmp/changes", str(FILE))
    before = digests(fleet, pod)
    with Running(fleet, "pull", f"{pod}:/tmp/changes", tmp_path, *flags) as running:
        running.wait_for("started")
        running.send_signal(signal.SIGSTOP)
        sh(fleet, pod, "sh", "-c", CHANGES[change], "sh", "/tmp/changes")
        running.send_signal(signal.SIGCONT)
        ran = running.finish()
    (one,) = ran.report["pods"]
    print(f"\n{change}: {pod} {one['outcome']} after {one['attempts']}: {one['error']}")
    if one["outcome"] != "complete":
        assert ran.code != 0
        assert one["error"]
        assert f"/{pod}:" in ran.err
        return
    # Complete: what is here is what the pod has, or had when its tar opened it.
    assert kind != "gnu"
    after = digests(fleet, pod)
    here = {path.name: digest_of(path) for path in (tmp_path / pod / "changes").iterdir()}
    assert set(after) <= set(here)
    assert all(digest in (before[name], after.get(name)) for name, digest in here.items()) or (
        (change, kind, flags) == ("shrinks", "bsdtar", [])
    )


def digests(fleet: Fleet, pod: str) -> dict[str, str]:
    """Return name → SHA-256 of the files, computed in the pod."""
    script = 'cd "$1" && for f in *; do [ ! -e "$f" ] || sha256sum "$f"; done'
    lines = sh(fleet, pod, "sh", "-c", script, "sh", "/tmp/changes").decode().splitlines()
    return {line.split()[1]: line.split()[0] for line in lines}


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_here_that_changes_is_named_and_no_pod_gets_a_mixture(
    fleet: Fleet, four: tuple[str, list[str]], tmp_path: Path, change: str
) -> None:
    which, pods = four
    source = tmp_path / "tree"
    source.mkdir()
    for number in range(FILES):
        (source / str(number)).write_bytes(os.urandom(FILE))
    with Running(fleet, "push", source, "-l", f"{which}:/tmp/from-here-{change}") as running:
        running.wait_for("started")
        for path in source.iterdir():
            if change == "grows":
                with path.open("ab") as file:
                    file.write(b"more")
            elif change == "shrinks":
                os.truncate(path, FILE // 2)
            else:
                path.unlink()
        ran = running.finish()
    print(f"\n{change}: exit code {ran.code}, {ran.errors}")
    assert ran.code == 24
    assert ran.outcomes == dict.fromkeys(pods, "changed")
    for pod in pods:
        assert "/tree/" in ran.errors[pod]


def test_what_may_not_be_read_in_a_pod_is_named_and_the_rest_arrives(fleet: Fleet, tmp_path: Path) -> None:
    labels = labels_for("unreadable")
    pods = [fleet.add(kind, f"unreadable-{kind}", labels, user=65534) for kind in fleet.kinds(*WITH_TAR)]
    make = 'mkdir -p "$1" && echo x >"$1/a-readable" && echo x >"$1/secret" && chmod 000 "$1/secret" && echo x >"$1/z"'
    for pod in pods:
        sh(fleet, pod, "sh", "-c", make, "sh", "/tmp/tree")
    ran = asynccp(fleet, "pull", "-l", f"{selector(labels)}:/tmp/tree", tmp_path, "-o", "json")
    for one in ran.report["pods"]:
        print(f"\n{one['pod']} {one['outcome']}: {one['error']} ({one['hint']})")
    assert ran.code in (1, 23)
    for pod in pods:
        assert ran.outcomes[pod] in ("failed", "partial")
        assert "secret" in ran.errors[pod]
        assert "Permission denied" in ran.errors[pod]
    # GNU's, libarchive's and toybox's tar go on after a file that they can't read; BusyBox's stops there.
    assert (tmp_path / "unreadable-gnu" / "tree" / "a-readable").read_text() == "x\n"
