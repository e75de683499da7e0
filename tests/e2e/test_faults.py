"""What breaks while a copy is under way, on a real cluster: each time complete, or not zero and named with the cause.

Parts of the cluster are killed only where the environment says how (`component`); the rest needs no such right.
"""

import hashlib
import itertools
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.trust.faults.liars import bomb, hole
from tests.e2e import component
from tests.e2e.fleet import WITH_TAR, Fleet, Ran, asynccp, labels_for, selector, sh
from tests.e2e.processes import signal_tar
from tests.e2e.real import RealFleet
from tests.e2e.running import Running, eventually, size_below

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(300)]

MIB = 1024 * 1024
BIG = 64 * MIB  # some seconds of copying for four pods
UNDER_WAY = 8 * MIB
SLOWLY = ("--bwlimit", "32M", "-j", "4")  # else it is over too soon to be hit: 64 MiB are in two pods within a second

killing = pytest.mark.skipif(not component.may_be_killed, reason="$ASYNCCP_TEST_COMPONENT and _PIDS are not set")


class Fours:
    """Four pods, one of each kind that has a tar, each with a big file of its own in /tmp/here; and one more here."""

    def __init__(self, fleet: RealFleet, directory: Path) -> None:
        labels = labels_for("four")
        self.fleet = fleet
        self.selector = selector(labels)
        self.pods = [fleet.add(kind, f"four-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]
        self.source = directory / "big"
        self.source.write_bytes(os.urandom(BIG))
        self.digest = digest_of(self.source)
        self.digests = {pod: fill(fleet, pod, BIG) for pod in self.pods}

    def push_to(self, path: str) -> list[str]:
        return ["push", str(self.source), "-l", f"{self.selector}:{path}/"]

    def pull_to(self, directory: Path) -> list[str]:
        return ["pull", "-l", f"{self.selector}:/tmp/here/big", str(directory)]


@pytest.fixture(scope="module")
def four(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Fours:
    assert isinstance(fleet, RealFleet)
    return Fours(fleet, tmp_path_factory.mktemp("four"))


@pytest.fixture
def killed(fleet: Fleet, four: Fours) -> Iterator[None]:
    """Start whatever a test has killed, and wait until pods can be reached again."""
    yield
    component.mend(fleet, four.pods[0])


def wait_until_pushing(running: Running, pods: Iterable[object]) -> None:
    """Return when every pod takes bytes."""
    for _ in pods:
        running.wait_for("started")


def wait_until_pulled(directory: Path, size: int) -> None:
    eventually(f"{size} bytes below {directory}", lambda: size_below(directory) >= size)


def fill(fleet: Fleet, pod: str, size: int) -> str:
    """Make /tmp/here/big in a pod, of random bytes; return its SHA-256."""
    sh(fleet, pod, "sh", "-c", 'mkdir "$1" && head -c "$2" /dev/urandom >"$1/big"', "sh", "/tmp/here", str(size))
    return digest_in(fleet, pod, "/tmp/here/big")


def digest_in(fleet: Fleet, pod: str, path: str) -> str:
    """Return the SHA-256 of a file in a pod. Computed there: what kubectl exec brings here may lack its tail."""
    return sh(fleet, pod, "sha256sum", path).split()[0].decode()


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_complete_or_named(ran: Ran, pods: Iterable[str]) -> set[str]:
    """Return the pods that are complete; each other one is named with a cause, and the exit code isn't 0."""
    assert set(ran.outcomes) == set(pods)
    complete = {pod for pod, outcome in ran.outcomes.items() if outcome == "complete"}
    others = set(pods) - complete
    assert (ran.code == 0) is (not others), ran.report
    for pod in others:
        assert ran.errors[pod], f"{pod} failed without a word"
        assert f"/{pod}:" in ran.err
    return complete


def told(ran: Ran) -> str:
    """Return how a run ended, for whoever reads the tests' output."""
    pods = [f"{one['pod']} {one['outcome']} after {one['attempts']}: {one['error']}" for one in ran.report["pods"]]
    return f"exit code {ran.code}; " + "; ".join(pods)


@killing
@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize("name", component.NAMES)
def test_a_push_outlives_a_part_of_the_cluster(four: Fours, name: str) -> None:
    path = f"/tmp/outlives-{name}"
    with Running(four.fleet, *four.push_to(path), *SLOWLY) as running:
        wait_until_pushing(running, four.pods)
        component.kill(name)
        component.start(name)
        ran = running.finish()
    complete = assert_complete_or_named(ran, four.pods)
    print(f"\n{name} killed in a push: {told(ran)}")
    assert max(one["tries"] for one in ran.report["pods"]) > 1, "it did not hit the copy"
    component.mend(four.fleet, four.pods[0])
    for pod in complete:
        assert digest_in(four.fleet, pod, f"{path}/big") == four.digest, pod
    assert asynccp(four.fleet, *four.push_to(path)).code == 0
    for pod in four.pods:
        assert digest_in(four.fleet, pod, f"{path}/big") == four.digest, pod


@killing
@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize("name", component.NAMES)
def test_a_pull_outlives_a_part_of_the_cluster(four: Fours, name: str, tmp_path: Path) -> None:
    with Running(four.fleet, *four.pull_to(tmp_path)) as running:
        wait_until_pulled(tmp_path, UNDER_WAY)
        with running.held():
            component.kill(name)
            component.start(name)
        ran = running.finish()
    complete = assert_complete_or_named(ran, four.pods)
    print(f"\n{name} killed in a pull: {told(ran)}")
    assert max(one["tries"] for one in ran.report["pods"]) > 1, "it did not hit the copy"
    for pod in four.pods:
        # What is under the final name is whole, also where the pod is not complete.
        assert pod in complete or not (tmp_path / pod / "big").exists()
        assert pod not in complete or digest_of(tmp_path / pod / "big") == four.digests[pod]
    component.mend(four.fleet, four.pods[0])
    assert asynccp(four.fleet, *four.pull_to(tmp_path)).code == 0
    for pod in four.pods:
        assert digest_of(tmp_path / pod / "big") == four.digests[pod]
        assert os.listdir(tmp_path / pod) == ["big"]


def test_a_pull_names_the_pod_that_is_deleted_in_mid_copy(four: Fours, tmp_path: Path) -> None:
    labels = {"app": four.selector.removeprefix("app=")}
    four.fleet.add("gnu", "doomed", labels)
    fill(four.fleet, "doomed", 4 * BIG)
    with Running(four.fleet, *four.pull_to(tmp_path), "--bwlimit", "96M") as running:  # else it may be over before
        wait_until_pulled(tmp_path / "doomed", UNDER_WAY)
        with running.held():
            four.fleet.delete("doomed")
        ran = running.finish()
    assert ran.code == 23
    assert assert_complete_or_named(ran, [*four.pods, "doomed"]) == set(four.pods)
    assert "the pod was deleted" in ran.errors["doomed"]
    assert not (tmp_path / "doomed" / "big").exists()
    for pod in four.pods:
        assert digest_of(tmp_path / pod / "big") == four.digests[pod]


def test_nothing_of_a_push_goes_into_the_pod_that_replaces_a_deleted_one(four: Fours) -> None:
    """A StatefulSet gives the new pod the old one's name: its uid tells them apart."""
    fleet, labels = four.fleet, labels_for("replaced")
    spec = {
        "replicas": 2, "selector": {"matchLabels": labels}, "serviceName": "replaced",
        "template": {"metadata": {"labels": labels}, "spec": fleet.spec("busybox")}, "podManagementPolicy": "Parallel",
    }  # fmt: skip
    fleet.apply({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "replaced"}, "spec": spec})
    fleet.kubectl("rollout", "status", "statefulset/replaced", "--timeout=120s")
    with Running(fleet, "push", four.source, "-l", f"{selector(labels)}:/tmp/new/", *SLOWLY) as running:
        wait_until_pushing(running, range(2))
        with running.held():  # until the new pod is up, and so the old one's processes are gone
            fleet.delete_and_wait("replaced-0")
            fleet.kubectl("wait", "--for=create", "pod/replaced-0", "--timeout=60s")
            fleet.wait_ready("replaced-0")
        ran = running.finish()
    assert ran.code == 23
    assert assert_complete_or_named(ran, ["replaced-0", "replaced-1"]) == {"replaced-1"}
    assert "the pod was deleted" in ran.errors["replaced-0"]
    fleet.kubectl("rollout", "status", "statefulset/replaced", "--timeout=120s")
    sh(fleet, "replaced-0", "test", "!", "-e", "/tmp/new")
    assert digest_in(fleet, "replaced-1", "/tmp/new/big") == four.digest


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_container_that_is_restarted_in_mid_copy_is_named_or_has_all_of_it_afterwards(
    four: Fours, tmp_path: Path, direction: str
) -> None:
    fleet, name = four.fleet, f"restarted-{direction}"
    labels = labels_for(name)
    spec = fleet.spec("busybox")
    spec["containers"][0]["command"] = ["sh", "-c", 'trap "exit 1" TERM; sleep 1000000 & wait']
    fleet.run(name, labels, spec)
    healthy = fleet.add("busybox", f"healthy-{direction}", labels)
    for pod in (name, healthy):
        fill(fleet, pod, BIG)
    if direction == "push":
        running = Running(fleet, "push", four.source, "-l", f"{selector(labels)}:/tmp/new/", *SLOWLY)
    else:
        running = Running(fleet, "pull", "-l", f"{selector(labels)}:/tmp/here/big", tmp_path)
    with running:
        if direction == "push":
            wait_until_pushing(running, [name, healthy])
        else:
            wait_until_pulled(tmp_path / name, UNDER_WAY)
        with running.held(), suppress(AssertionError):  # the container may take the command with it
            sh(fleet, name, "kill", "1")
        ran = running.finish()
    print(told(ran))
    complete = assert_complete_or_named(ran, [name, healthy])
    assert healthy in complete
    eventually("it runs again", lambda: component.answers(fleet, name))
    if name not in complete:
        said = ran.errors[name] + (ran.report["pods"][1]["hint"] or "")
        assert any(word in said for word in ("restarted", "is terminated", "is waiting"))
        sh(fleet, name, "test", "!", "-e", "/tmp/new/big")
    else:  # the kubelet reports a restart a second late: another attempt may have begun before that
        assert direction == "push", "what was to be pulled is gone"
        assert digest_in(fleet, name, "/tmp/new/big") == four.digest


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_tar_that_stands_still_is_named_at_the_deadline_and_the_others_complete(
    four: Fours, tmp_path: Path, direction: str
) -> None:
    path = "/tmp/still"
    arguments = four.push_to(path) if direction == "push" else four.pull_to(tmp_path)
    with Running(four.fleet, *arguments, *SLOWLY, "--timeout", "5") as running:
        running.wait_for("/four-gnu:", "started")
        signal_tar(four.fleet, "four-gnu", "STOP")
        ran = running.finish(60)
    signal_tar_if_any(four.fleet, "four-gnu", "CONT")
    print(told(ran))
    assert ran.code == 23
    assert assert_complete_or_named(ran, four.pods) == set(four.pods) - {"four-gnu"}
    # A paced session's turn may take a while, which is no stall: it is looked for a second later.
    assert re.search("nothing moved for [56] s", ran.errors["four-gnu"])
    stalled = next(one for one in ran.report["pods"] if one["pod"] == "four-gnu")
    assert "--timeout" in stalled["hint"]
    assert stalled["seconds"] < 30


def signal_tar_if_any(fleet: Fleet, pod: str, name: str) -> None:
    try:
        signal_tar(fleet, pod, name, within_s=0.5)
    except AssertionError:
        return


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_tar_that_is_killed_is_told_at_once(four: Fours, tmp_path: Path, direction: str) -> None:
    arguments = four.push_to("/tmp/killed") if direction == "push" else four.pull_to(tmp_path)
    with Running(four.fleet, *arguments, *SLOWLY) as running:
        running.wait_for("/four-gnu:", "started")
        signal_tar(four.fleet, "four-gnu", "KILL")
        ran = running.finish(60)
    print(told(ran))
    assert ran.code == 23
    assert assert_complete_or_named(ran, four.pods) == set(four.pods) - {"four-gnu"}
    assert "killed (137)" in ran.errors["four-gnu"]
    killed = next(one for one in ran.report["pods"] if one["pod"] == "four-gnu")
    assert "memory limit" in killed["hint"]


# --- a pod whose programs lie

_numbers = itertools.count()
LIES = {
    "bomb": ("zstd", "cat /lie; exec sleep 1000"),
    "hole": ("tar", "cat /lie"),
    "chatter": ("tar", "head -c 1000 /lie; while :; do echo . >&2; sleep 1; done"),
}


def add_liar(fleet: RealFleet, labels: dict[str, str], name: str, directory: Path) -> str:
    """Start a pod in which a program gives what it likes for the file /d, whatever it is asked; return its name."""
    program, script = LIES[name]
    lie = bomb(48 * 1024 * MIB) if name == "bomb" else hole(900 * 1024 * MIB, directory)
    pod = fleet.add("gnu", f"liar-{name}-{next(_numbers)}", labels)
    sh(fleet, pod, "sh", "-c", "echo x >/d; cat >/lie", stdin=lie)
    words = f'#!/bin/sh\ncase $1 in --*) exec /bin/{program}.real "$@" ;; esac\n{script}\n'
    made = '[ ! -e "$1" ] || cp "$1" "$1.real"; cat >/new; chmod 755 /new; mv /new "$1"'
    sh(fleet, pod, "sh", "-c", made, "sh", f"/bin/{program}", stdin=words.encode())
    return pod


@pytest.mark.parametrize("name", LIES)
def test_a_pod_that_lies_costs_the_others_nothing_and_is_left_at_once_when_told(
    four: Fours, tmp_path: Path, name: str
) -> None:
    labels = labels_for(f"liars-{name}")
    good = four.fleet.add("gnu", f"good-{name}", labels)
    size, options = (
        (BIG, ("-z", "zstd")) if name == "bomb" else (8 * MIB, ("-z", "none", "--checksum", "--bwlimit", "2M"))
    )
    sh(four.fleet, good, "sh", "-c", f"head -c {size} /dev/urandom >/d")  # some seconds: all are at work by then
    liar = add_liar(four.fleet, labels, name, tmp_path)
    with Running(four.fleet, "pull", "-l", f"{selector(labels)}:/d", tmp_path / "back", *options) as running:
        running.wait_for(f"/{good}:", "complete")
        running.send_signal(signal.SIGINT)
        begun = time.monotonic()
        ran = running.finish(60)
    print(told(ran))
    assert time.monotonic() - begun < 5
    assert ran.code == 130
    assert ran.outcomes == {good: "complete", liar: "interrupted"}


def test_who_only_complains_stands_still(four: Fours, tmp_path: Path) -> None:
    labels = labels_for("complains")
    pod = add_liar(four.fleet, labels, "chatter", tmp_path)
    arguments = "pull", f"{pod}:/d", tmp_path / "back", "--timeout", "3", "-z", "none", "-o", "json"
    ran = asynccp(four.fleet, *arguments)
    assert ran.code == 1
    assert "nothing moved for 3 s" in ran.errors[pod]


def test_a_memory_limit_that_is_hit_is_named(four: Fours) -> None:
    """Pages of a memory-backed volume count, so that the kernel ends what fills it."""
    fleet, labels = four.fleet, labels_for("limited")
    spec = fleet.spec("gnu")
    spec["volumes"] = [{"name": "memory", "emptyDir": {"medium": "Memory"}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "memory", "mountPath": "/memory"}]
    spec["containers"][0]["resources"] = {"limits": {"memory": "48Mi"}}
    fleet.run("limited", labels, spec)
    fleet.add("gnu", "unlimited", labels)
    ran = asynccp(fleet, "push", four.source, "-l", f"{selector(labels)}:/memory", "--timeout", "10", "-o", "json")
    print(told(ran))
    assert ran.code == 23
    assert assert_complete_or_named(ran, ["limited", "unlimited"]) == {"unlimited"}
    # Where the kernel chose the shell, nobody is left to tell: containerd keeps the status while stdin is unread.
    said = ("killed (137)", "restarted", "nothing moved for 10 s")
    assert any(words in ran.errors["limited"] for words in said)


@pytest.mark.parametrize("kind", WITH_TAR)
def test_a_full_disk_in_the_pod_is_said_for_every_tar(four: Fours, kind: str) -> None:
    fleet, name = four.fleet, f"full-{kind}"
    spec = fleet.spec(kind)
    spec["volumes"] = [{"name": "small", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "small", "mountPath": "/small"}]
    fleet.run(name, {}, spec)
    ran = asynccp(fleet, "push", four.source, f"{name}:/small", "-o", "json")
    print(told(ran))
    assert ran.code == 1
    assert "the disk in the container is full" in ran.errors[name]


def test_a_user_without_rights_may_push_where_it_may_write_and_is_told_where_not(four: Fours) -> None:
    fleet, name = four.fleet, "unprivileged-writer"
    fleet.add("gnu", name, labels_for("unprivileged"), user=1_000_620_000)
    assert asynccp(fleet, "push", four.source, f"{name}:/tmp/mine/").code == 0
    assert digest_in(fleet, name, "/tmp/mine/big") == four.digest
    for path, said in (
        ("/etc", "/etc is not writable"),
        ("/var/new", "/var/new is not writable"),
        ("/var/new/", "/var/new/ can't be created"),
    ):
        ran = asynccp(fleet, "push", four.source, f"{name}:{path}", "-o", "json")
        assert ran.code == 1
        assert said in ran.errors[name]
