"""Where a push puts what it brings: under which name, among what is mounted or may not be written, beside another push,
and without a trace when it fails.
"""

import contextlib
import os
import pty
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet import WITH_TAR, asynccp, command, environment, labels_for, sh
from tests.e2e.processes import assert_all_ended
from tests.e2e.real import RealFleet
from tests.e2e.running import Running
from tests.e2e.shared import VOLUME, add_shared, as_root, seen_by_side, shared_spec
from tests.schema import conforming

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(200)]

MIB = 1024 * 1024
Facts = dict[str, Any]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three files, one of them in a directory."""
    tree = tmp_path / "tree"
    for name in ("app.conf", "other", "sub/more"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"new {name}\n")
    return tree


def content(fleet: RealFleet, pod: str, path: str) -> str:
    return sh(fleet, pod, "cat", path).decode()


def below(fleet: RealFleet, pod: str, path: str) -> set[str]:
    """Return all names below a directory of `main`, as `side` or itself sees them."""
    script = 'cd "$1" && for f in * .[!.]* */*; do [ ! -e "$f" ] || echo "$f"; done'
    told = sh(fleet, pod, "sh", "-c", script, "sh", path)
    return set(told.decode().split())


# --- two at once


def test_two_pushes_through_two_containers_into_one_volume_are_both_complete(
    real_fleet: RealFleet, tree: Path, tmp_path: Path
) -> None:
    pod = add_shared(real_fleet, "gnu", user=0)
    (tmp_path / "big").write_bytes(bytes(8 * MIB))
    slow = ("push", tmp_path / "big", f"{pod}:{VOLUME}/d/", "-c", "main", "--bwlimit", "2M", "-z", "none")
    with Running(real_fleet, *slow) as running:
        running.wait_for("started")
        with running.held():
            for container in ("side", "main"):
                ran = asynccp(real_fleet, "push", tree, f"{pod}:{VOLUME}/d", "-c", container)
                assert ran.code == 0, ran.err
            seen = seen_by_side(real_fleet, pod, "d")
            assert any(name.startswith(b".asynccp") for name in seen), "it still is under way"
        assert running.finish().code == 0
    assert set(seen_by_side(real_fleet, pod, "d")) == {
        b"big", b"tree", b"tree/app.conf", b"tree/other", b"tree/sub", b"tree/sub/more"
    }  # fmt: skip


# --- a push that fails


@pytest.fixture(scope="module")
def small(fleet: RealFleet) -> str:
    """A pod with a volume of 10 MiB at /small."""
    spec = fleet.spec("gnu")
    spec["volumes"] = [{"name": "small", "emptyDir": {"medium": "Memory", "sizeLimit": "10Mi"}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "small", "mountPath": "/small"}]
    return fleet.run("small", labels_for("small"), spec)


def test_a_push_that_fails_leaves_no_directory_that_was_not_there(
    real_fleet: RealFleet, small: str, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(bytes(20 * MIB))
    sh(real_fleet, small, "mkdir", "-p", "/small/there/empty")
    for where in ("new/", "new/a/b/c/", "new/a/b/name", "there/empty/", "there/empty/d/"):
        ran = asynccp(real_fleet, "push", tmp_path / "big", f"{small}:/small/{where}", "-z", "none")
        assert ran.code == 1, where
        assert below(real_fleet, small, "/small") == {"there", "there/empty"}, where
    with Running(
        real_fleet, "push", tmp_path / "big", f"{small}:/small/n/e/w/", "--bwlimit", "1M", "-z", "none"
    ) as running:
        running.wait_for("started")
    assert_all_ended(real_fleet, small)
    assert below(real_fleet, small, "/small") == {"there", "there/empty"}, "the command was killed"


def test_a_volume_that_has_no_room_for_both_is_told_with_the_reason(
    real_fleet: RealFleet, small: str, tmp_path: Path
) -> None:
    (tmp_path / "six").write_bytes(bytes(6 * MIB))
    assert asynccp(real_fleet, "push", tmp_path / "six", f"{small}:/small/", "-z", "none").code == 0
    again = ("--ignore-times", "-z", "none", "-o", "json")
    ran = asynccp(real_fleet, "push", tmp_path / "six", f"{small}:/small/", *again)
    assert ran.code == 1
    assert "the disk in the container is full" in ran.errors[small]
    assert "needs room for the old files and the new ones" in ran.report["pods"][0]["hint"]
    sh(real_fleet, small, "rm", "/small/six")


# --- what can't be replaced


@pytest.fixture(scope="module", params=WITH_TAR)
def mounted(request: pytest.FixtureRequest, fleet: RealFleet) -> str:
    """A pod with a file of a ConfigMap at /etc/app/app.conf, as charts mount one."""
    kind = request.param
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"app-{kind}"}, "data": {"app.conf": "old\n"}}
    fleet.apply(data)
    spec = fleet.spec(kind)
    spec["volumes"] = [{"name": "c", "configMap": {"name": f"app-{kind}"}}]
    mount = {"name": "c", "mountPath": "/etc/app/app.conf", "subPath": "app.conf"}
    spec["containers"][0]["volumeMounts"] = [mount]
    return fleet.run(f"mounted-{kind}", labels_for("mounted"), spec)


def test_a_file_that_is_mounted_is_found_out_before_anything_changes(
    real_fleet: RealFleet, mounted: str, tree: Path
) -> None:
    sh(real_fleet, mounted, "sh", "-c", "rm -rf /etc/app/sub; echo old >/etc/app/other")
    ran = asynccp(real_fleet, "push", f"{tree}/", f"{mounted}:/etc/app", "-o", "json")
    assert ran.code == 1
    error = ran.errors[mounted]
    assert error.startswith("nothing was changed, because some of it can't be put in its place: app.conf"), error
    assert "it is mounted there" in error
    assert below(real_fleet, mounted, "/etc/app") == {"app.conf", "other"}
    assert content(real_fleet, mounted, "/etc/app/other") == "old\n"


def test_the_rest_is_put_in_its_place_on_request_and_what_is_mounted_is_named(
    real_fleet: RealFleet, mounted: str, tree: Path
) -> None:
    sh(real_fleet, mounted, "sh", "-c", "rm -rf /etc/app/sub; echo old >/etc/app/other")
    ran = asynccp(real_fleet, "push", f"{tree}/", f"{mounted}:/etc/app", "--partial", "-o", "json")
    assert (ran.code, ran.outcomes[mounted]) == (23, "partial")
    (left_out,) = ran.report["pods"][0]["left_out"]
    assert left_out["path"] == "app.conf"
    assert "mounted" in left_out["reason"]
    assert below(real_fleet, mounted, "/etc/app") == {"app.conf", "other", "sub", "sub/more"}
    assert content(real_fleet, mounted, "/etc/app/other") == "new other\n"
    assert content(real_fleet, mounted, "/etc/app/app.conf") == "old\n"


def test_a_mounted_file_that_may_be_written_is_overwritten_on_request(
    real_fleet: RealFleet, mounted: str, tmp_path: Path
) -> None:
    """As /etc/hosts, which the kubelet mounts, and a program may write."""
    (tmp_path / "etc").mkdir()
    old = content(real_fleet, mounted, "/etc/hosts")
    (tmp_path / "etc" / "hosts").write_text(old + "10.0.0.1 db\n")
    assert asynccp(real_fleet, "push", f"{tmp_path}/etc/", f"{mounted}:/etc").code == 1
    assert content(real_fleet, mounted, "/etc/hosts") == old
    ran = asynccp(real_fleet, "push", f"{tmp_path}/etc/", f"{mounted}:/etc", "--in-place", "-o", "json")
    assert ran.code == 0, ran.err
    (not_kept,) = ran.report["pods"][0]["not_kept"]
    assert not_kept["path"] == "hosts"
    assert "overwritten in place" in not_kept["what"]
    assert content(real_fleet, mounted, "/etc/hosts") == old + "10.0.0.1 db\n"


@pytest.mark.parametrize("kind", WITH_TAR)
def test_what_is_in_the_way_is_named_and_nothing_changes(real_fleet: RealFleet, kind: str, tree: Path) -> None:
    pod = real_fleet.add(kind, f"in-the-way-{kind}", labels_for("in-the-way"))
    make = "rm -rf /d; mkdir -p /d/app.conf/full; echo old >/d/other; ln -s nowhere /d/sub"
    for flags, code in (([], 1), (["--partial"], 23)):
        sh(real_fleet, pod, "sh", "-c", make)
        ran = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:/d", "-o", "json", *flags)
        assert ran.code == code
        said = str(ran.report["pods"][0])
        assert "app.conf: a directory is in its place" in said or "'reason': 'a directory is in its place'" in said
        assert "a file or a dangling link is in its place" in said
        assert content(real_fleet, pod, "/d/other") == ("new other\n" if flags else "old\n")
        sh(real_fleet, pod, "sh", "-c", "[ -d /d/app.conf/full ] && [ -h /d/sub ]")


# --- where a directory may not be written


@pytest.mark.parametrize("kind", WITH_TAR)
def test_a_file_that_may_be_written_in_a_directory_that_may_not_is_overwritten_on_request(
    real_fleet: RealFleet, kind: str, tree: Path
) -> None:
    pod = add_shared(real_fleet, kind)
    make = "rm -rf c; mkdir -p c/sub; for f in other app.conf sub/more; do echo old >c/$f; chmod 666 c/$f; done"
    as_root(real_fleet, pod, f"{make}; chmod 755 c c/sub")
    before = as_root(real_fleet, pod, "stat -c '%i %a %u' c/other")
    ran = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:{VOLUME}/c", "-c", "main", "-o", "json")
    assert ran.code == 1
    assert "--in-place" in ran.report["pods"][0]["hint"]
    ran = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:{VOLUME}/c", "-c", "main", "--in-place", "-o", "json")
    assert ran.code == 0, ran.err
    assert {one["path"] for one in ran.report["pods"][0]["not_kept"]} == {"other", "app.conf", "sub/more"}
    assert as_root(real_fleet, pod, "cat c/other c/app.conf c/sub/more") == "new other\nnew app.conf\nnew sub/more\n"
    assert as_root(real_fleet, pod, "stat -c '%i %a %u' c/other") == before
    (tree / "fresh").write_text("x")
    ran = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:{VOLUME}/c", "-c", "main", "--in-place", "-o", "json")
    assert ran.code == 1, "a new file can't be made there"
    assert "fresh" in ran.errors[pod]


@pytest.mark.parametrize("kind", WITH_TAR)
def test_writable_mounts_of_a_read_only_root_are_reached_from_the_root_on_request(
    real_fleet: RealFleet, kind: str, tmp_path: Path
) -> None:
    spec = real_fleet.spec(kind, user=1000, read_only=True)
    spec["volumes"] = [{"name": name, "emptyDir": {}} for name in ("v", "w", "tmp")]
    spec["containers"][0]["volumeMounts"] = [
        {"name": name, "mountPath": f"/{path}"} for name, path in (("v", "data/v"), ("w", "data/w"), ("tmp", "tmp"))
    ]
    pod = real_fleet.run(f"mounts-{kind}", labels_for("mounts"), spec)
    for name in ("data/v/new/file", "data/w/file"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text(name)
    push = ("push", f"{tmp_path}/root/", f"{pod}:/", "-o", "json")
    ran = asynccp(real_fleet, *push)
    assert ran.code == 1
    assert "read-only" in ran.errors[pod]
    ran = asynccp(real_fleet, *push, "--in-place")
    assert ran.code == 0, ran.err
    for name in ("data/v/new/file", "data/w/file"):
        assert content(real_fleet, pod, f"/{name}") == name
    assert below(real_fleet, pod, "/tmp") == set(), "where it was staged"
    (tmp_path / "root" / "etc").mkdir()
    (tmp_path / "root" / "etc" / "x").write_text("x")
    ran = asynccp(real_fleet, *push, "--in-place")
    assert ran.code == 1
    assert "etc" in ran.errors[pod]


# --- what takes long


def test_putting_in_place_may_take_longer_than_the_deadline(real_fleet: RealFleet, tree: Path) -> None:
    """Across mounts mv copies; nothing else moves meanwhile."""
    spec = shared_spec(real_fleet, "gnu", user=0, path=f"{VOLUME}/bin:/bin")
    spec["volumes"].append({"name": "below", "emptyDir": {}})
    spec["containers"][0]["volumeMounts"].append({"name": "below", "mountPath": f"{VOLUME}/d/sub"})
    pod = real_fleet.run("slow-mv", labels_for("slow-mv"), spec)
    slow = '#!/bin/sh\ncase $PWD in */sub) sleep 6 ;; esac\nexec /bin/mv "$@"\n'
    as_root(real_fleet, pod, f"mkdir -p bin; cat >bin/mv <<'E'\n{slow}E\nchmod 755 bin/mv")
    ran = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:{VOLUME}/d", "-c", "main", "--timeout", "3", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.report["pods"][0]["seconds"] > 6
    assert sh(real_fleet, pod, "cat", f"{VOLUME}/d/sub/more") == b"new sub/more\n"


def on_a_terminal(fleet: RealFleet, *arguments: str | Path) -> int:
    """Run the real command with a terminal for its stderr, as a person does; return its code."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command(*arguments), stdout=slave, stderr=slave, env=environment(fleet))
    os.close(slave)
    with contextlib.suppress(OSError):  # EIO: the last one that had it open has ended
        while os.read(master, 65536):
            pass
    os.close(master)
    return process.wait(timeout=60)


@pytest.mark.parametrize("kind", ["gnu", "toybox"])  # BusyBox's shell runs its own, libarchive's tar is told its names
def test_a_container_that_is_slow_to_count_delays_no_pull(
    real_fleet: RealFleet, kind: str, tree: Path, tmp_path: Path
) -> None:
    """Where a person waits the pod is asked for its size, too."""
    pod = add_shared(real_fleet, kind, user=0, path=f"{VOLUME}/bin:/bin")
    slow = "for p in find ls du; do printf '#!/bin/sh\\nexec sleep 75\\n' >bin/$p; chmod 755 bin/$p; done"
    as_root(real_fleet, pod, f"mkdir bin d; {slow}; echo x >d/x")
    begun = time.monotonic()
    report = tmp_path / "report.json"
    assert on_a_terminal(real_fleet, "pull", f"{pod}:{VOLUME}/d", tmp_path, "-c", "main", "--report", str(report)) == 0
    (one,) = conforming(report.read_text())["pods"]
    assert (one["outcome"], one["tries"]) == ("complete", 1)
    assert (tmp_path / pod / "d" / "x").read_text() == "x\n"
    assert time.monotonic() - begun < 20
    assert_all_ended(real_fleet, pod, within_s=3)


def test_what_an_earlier_push_left_delays_none_however_long_it_takes(real_fleet: RealFleet, tree: Path) -> None:
    pod = add_shared(real_fleet, "gnu", user=0, path=f"{VOLUME}/bin:/bin")
    uid = real_fleet.kubectl("get", "pod", pod, "-o", "jsonpath={.metadata.uid}")[:8]
    slow = '#!/bin/sh\ncase $PWD in *-4194304.77) exec sleep 75 ;; esac\nexec /bin/rm "$@"\n'
    left = f"d/.asynccp-{uid}-main-4194304.77"
    as_root(real_fleet, pod, f"mkdir -p bin {left}/new; chmod 700 {left}; echo {left[2:]} >{left}/made")
    as_root(real_fleet, pod, f"cat >bin/rm <<'E'\n{slow}E\nchmod 755 bin/rm")
    begun = time.monotonic()
    ran = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:{VOLUME}/d", "-c", "main", "--timeout", "5")
    assert ran.code == 0, ran.err
    assert time.monotonic() - begun < 30
    assert_all_ended(real_fleet, pod, within_s=3)
    as_root(real_fleet, pod, "rm bin/rm")
    ran = asynccp(real_fleet, "push", f"{tree}/", f"{pod}:{VOLUME}/d", "-c", "main", "--ignore-times")
    assert ran.code == 0, ran.err
    assert set(seen_by_side(real_fleet, pod, "d")) == {b"app.conf", b"other", b"sub", b"sub/more"}


# --- names


@pytest.mark.parametrize("kind", WITH_TAR)
def test_a_single_file_lands_where_cp_would_put_it_and_the_report_says_where(
    real_fleet: RealFleet, kind: str, tree: Path
) -> None:
    pod = real_fleet.add(kind, f"names-{kind}", labels_for("names"))
    sh(real_fleet, pod, "sh", "-c", "mkdir -p /d/there; echo old >/d/file")
    table = {
        "/d/b.conf": "/d/b.conf",
        "/d/file": "/d/file",
        "/d/there": "/d/there/app.conf",
        "/d/there/": "/d/there/app.conf",
        "/d/new/": "/d/new/app.conf",
        "/d/deep/er/b.conf": "/d/deep/er/b.conf",
        "/d/deep/er/": "/d/deep/er/app.conf",
        "relative.conf": "/relative.conf",
        "~/in-home": "/in-home",
    }
    home = sh(real_fleet, pod, "sh", "-c", 'echo "${HOME%/}"').decode().strip()
    for path, lands in table.items():
        ran = asynccp(real_fleet, "push", tree / "app.conf", f"{pod}:{path}", "-o", "json")
        assert ran.code == 0, f"{path}: {ran.err}"
        where = home + lands if path.startswith("~") else lands
        assert content(real_fleet, pod, where) == "new app.conf\n", path
        told = ran.report["pods"][0]["landed"]
        assert told in (where, lands.removeprefix("/"), path), path
        assert told.endswith(lands.rpartition("/")[2])
    sh(real_fleet, pod, "sh", "-c", "[ ! -e '~' ] && [ ! -d /d/b.conf ]")


def test_a_pattern_is_refused_and_makes_no_directory(real_fleet: RealFleet, tree: Path) -> None:
    pod = real_fleet.add("gnu", "patterns", labels_for("patterns"))
    for path in ("/tm*", "/etc/app?/", "/d/[a]/x"):
        ran = asynccp(real_fleet, "push", tree, f"{pod}:{path}", "-o", "json")
        assert ran.code == 1
        assert "looks like a pattern" in ran.errors[pod], path
    assert below(real_fleet, pod, "/").isdisjoint({"tm*", "d"})
