"""Directories that are there keep what they have; what is new is as if a program there had made it, with the source's
mode.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, asynccp, labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.e2e.shared import VOLUME, shared_spec

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(200)]

KEPT = {"/tmp": "1777", "/root": "700", "/root/.ssh": "700", "/srv": "2775", "/srv/deep": "3770", "/opt": "755"}


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A tree as README pushes it onto `/`."""
    tree = tmp_path / "rootfs"
    for name in ("tmp/one", "root/.ssh/key", "srv/deep/file", "srv/fresh/file", "opt/app"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    return tree


def states(fleet: Fleet, pod: str, *paths: str) -> dict[str, str]:
    """Return mode and group of some paths in a pod."""
    told = sh(fleet, pod, "stat", "-c", "%n %a %g", *paths).decode()
    return {name: f"{mode} {group}" for name, mode, group in (line.split() for line in told.splitlines())}


def test_a_tree_that_is_pushed_onto_the_root_leaves_its_directories_as_they_were(fleet: Fleet, rootfs: Path) -> None:
    labels = labels_for("kept")
    pods = [fleet.add(kind, f"kept-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]
    make = "mkdir -p /root/.ssh /srv/deep /opt /tmp; chown 0:4321 /srv /srv/deep; "
    make += "; ".join(f"chmod {mode} {path}" for path, mode in KEPT.items())
    before = {}
    for pod in pods:
        sh(fleet, pod, "sh", "-c", make)
        before[pod] = states(fleet, pod, *KEPT)
        assert {path: state.split()[0] for path, state in before[pod].items()} == KEPT, pod
    for flags in ([], ["--preserve-owner"]):
        ran = asynccp(fleet, "push", f"{rootfs}/", "-l", f"{selector(labels)}:/", *flags)
        assert ran.code == 0, ran.err
        for pod in pods:
            assert states(fleet, pod, *KEPT) == before[pod], f"{pod} {flags}"
            assert sh(fleet, pod, "cat", "/srv/deep/file") == b"srv/deep/file"
    for pod in pods:
        sh(fleet, pod, "sh", "-c", "rm -r /srv/fresh /srv/deep/file")
    ran = asynccp(fleet, "push", f"{rootfs}/", "-l", f"{selector(labels)}:/")
    assert ran.code == 0, ran.err
    for pod in pods:
        group = 0 if pod == "kept-bsdtar" else 4321  # which has no chown for /srv
        found = states(fleet, pod, "/srv/fresh", "/srv/fresh/file", "/srv/deep/file")
        new, file = f"2755 {group}", f"644 {group}"
        assert found == {"/srv/fresh": new, "/srv/fresh/file": file, "/srv/deep/file": file}, pod


def test_modes_of_directories_that_are_there_are_set_on_request(fleet: Fleet, rootfs: Path) -> None:
    labels = labels_for("set")
    pods = [fleet.add(kind, f"set-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]
    wanted = {"opt": 0o700, "srv": 0o1755, "srv/deep": 0o2750, "tmp": 0o1777, "root": 0o700, "root/.ssh": 0o700}
    for name, mode in wanted.items():
        (rootfs / name).chmod(mode)
    make = "mkdir -p /srv/deep /opt /root/.ssh /tmp; chmod 2775 /srv; chmod 1777 /srv/deep /opt"
    for pod in pods:
        sh(fleet, pod, "sh", "-c", make)
    ran = asynccp(fleet, "push", f"{rootfs}/", "-l", f"{selector(labels)}:/", "--dir-perms")
    assert ran.code == 0, ran.err
    for pod in pods:
        found = states(fleet, pod, *(f"/{name}" for name in wanted))
        assert {path[1:]: state.split()[0] for path, state in found.items()} == {
            name: f"{mode:o}" for name, mode in wanted.items()
        }, pod


@pytest.mark.parametrize("kind", WITH_TAR)
def test_a_volume_of_a_group_stays_one_whoever_the_container_runs_as(
    real_fleet: RealFleet, kind: str, rootfs: Path
) -> None:
    spec = real_fleet.spec(kind, ["main"], user=1000)
    spec["containers"] += real_fleet.spec(kind, ["root"])["containers"]
    spec["securityContext"] = {"fsGroup": 4321}
    spec["volumes"] = [{"name": "v", "emptyDir": {}}]
    for one in spec["containers"]:
        one["volumeMounts"] = [{"name": "v", "mountPath": VOLUME}]
    pod = real_fleet.run(f"group-{kind}", labels_for("group"), spec)
    there = states(real_fleet, pod, VOLUME)
    assert there[VOLUME] == "2777 4321", "what the kubelet makes of it"
    for container in ("main", "root"):
        for _ in range(2):  # new, and over what is there
            ran = asynccp(real_fleet, "push", rootfs, f"{pod}:{VOLUME}/{container}/", "-c", container)
            assert ran.code == 0, ran.err
            assert states(real_fleet, pod, VOLUME) == there
            names = ("", "/rootfs", "/rootfs/srv", "/rootfs/srv/deep", "/rootfs/srv/deep/file")
            found = states(real_fleet, pod, *(f"{VOLUME}/{container}{name}" for name in names))
            assert set(found.values()) == {"2755 4321", "644 4321"}, f"{container}: {found}"


# --- access control lists


@pytest.fixture
def with_acl(real_fleet: RealFleet, request: pytest.FixtureRequest) -> str:
    """A pod whose container `side` has programs for lists; the volume has a default list."""
    if shutil.which("setfacl") is None:
        pytest.skip("this machine has no setfacl to bring along")
    spec = shared_spec(real_fleet, request.param, user=0)
    spec["containers"][1] |= {"image": real_fleet.spec("gnu")["containers"][0]["image"]}
    pod = real_fleet.run(f"acl-{request.param}", labels_for("acl"), spec)
    for name in ("setfacl", "getfacl"):
        bring(real_fleet, pod, name)
    beside(real_fleet, pod, "mkdir there; setfacl -m u:1234:rwx,d:u:1234:rwx,d:g:77:r-x,d:o::- there; chmod 2770 there")
    return pod


def bring(fleet: RealFleet, pod: str, name: str) -> None:
    """Put a program of this machine into `side`, with its libraries."""
    program = str(shutil.which(name))
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
    for library in libraries:
        whole = Path(library).read_bytes()
        execute(fleet, pod, f"mkdir -p /acl; cat >/acl/{Path(library).name}; chmod 755 /acl/*", whole)
    execute(fleet, pod, f"cat >/acl/{name}; chmod 755 /acl/*", Path(program).read_bytes())
    loader = next(Path(library).name for library in libraries if Path(library).name.startswith("ld-"))
    wrapper = f'#!/bin/sh\nexec /acl/{loader} --library-path /acl /acl/{name} "$@"\n'
    execute(fleet, pod, f"cat >/bin/{name}; chmod 755 /bin/{name}", wrapper.encode())


def execute(fleet: RealFleet, pod: str, script: str, stdin: bytes = b"") -> str:
    whom = ["--kubeconfig", str(fleet.kubeconfig), "exec", "-i", pod, "-c", "side"]
    argv = ["kubectl", *whom, "--", "sh", "-ec", script]
    return subprocess.run(argv, input=stdin, capture_output=True, check=True, timeout=60).stdout.decode()


def beside(fleet: RealFleet, pod: str, script: str) -> str:
    return execute(fleet, pod, f"cd {VOLUME}\n{script}")


def lists(fleet: RealFleet, pod: str, *paths: str) -> list[str]:
    """Return the access control list of each path, without its name."""
    return [beside(fleet, pod, f"getfacl -cpn {path}") for path in paths]


@pytest.mark.parametrize("with_acl", WITH_TAR, indirect=True)
def test_what_is_new_inherits_as_if_a_program_there_had_made_it(
    real_fleet: RealFleet, with_acl: str, tmp_path: Path
) -> None:
    source = tmp_path / "new"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "file").write_text("x")
    (source / "plain").write_text("x")
    modes: dict[str, Any] = {"": 0o750, "sub": 0o700, "sub/file": 0o640, "plain": 0o660}
    for name, mode in modes.items():
        (source / name).chmod(mode)
    by_hand = "umask 022; cd there; mkdir made made/sub; : >made/sub/file; : >made/plain; "
    by_hand += "; ".join(f"chmod {mode:o} made/{name}" for name, mode in modes.items())
    beside(real_fleet, with_acl, by_hand)
    before = lists(real_fleet, with_acl, "there")
    ran = asynccp(real_fleet, "push", source, f"{with_acl}:{VOLUME}/there", "-c", "main")
    assert ran.code == 0, ran.err
    assert lists(real_fleet, with_acl, "there") == before
    for name in modes:
        new, made = lists(real_fleet, with_acl, f"there/new/{name}", f"there/made/{name}")
        assert new == made, name
    beside(real_fleet, with_acl, "setfacl -m u:99:r-x,m::rwx there/new/sub")
    before = lists(real_fleet, with_acl, "there/new/sub", "there/new")
    assert asynccp(real_fleet, "push", source, f"{with_acl}:{VOLUME}/there", "-c", "main").code == 0
    assert lists(real_fleet, with_acl, "there/new/sub", "there/new") == before, "what is there keeps its list"
