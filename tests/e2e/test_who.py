"""Who is copied to and from: names as people write them, containers beside others, pods that don't run or go away."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from asynccp.testing.kinds import gnu
from asynccp.testing.pod import Container, FakePod
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import Fleet, Ran, asynccp, labels_for, selector, sh
from tests.e2e.real import RealFleet

NO_IMAGE = "ErrImageNeverPull"
UNKILLABLE = "trap '' TERM; while :; do sleep 1; done"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("x")
    return tmp_path / "file"


@pytest.fixture
def going(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """A pod that is being deleted and whose container runs on, beside one that stays; its name, and their labels."""
    labels = labels_for("going")
    fleet.add("gnu", "stays", labels)
    if isinstance(fleet, FakeFleet):
        fleet.run(FakePod("going", labels, deleting=datetime.now(UTC)))
    else:
        assert isinstance(fleet, RealFleet)
        spec = fleet.spec("gnu") | {"terminationGracePeriodSeconds": 900}
        spec["containers"][0]["command"] = ["sh", "-c", UNKILLABLE]
        fleet.run("going", labels, spec)
        fleet.kubectl("delete", "pod", "going", "--wait=false")
    yield "going", selector(labels)
    fleet.delete("going")
    fleet.delete("stays")


def add_sick(fleet: Fleet, name: str, labels: dict[str, str]) -> None:
    """Start a pod whose container `main` never runs, and whose `side` does."""
    if isinstance(fleet, FakeFleet):
        fleet.run(FakePod(name, labels, containers=[Container(waiting=NO_IMAGE), Container("side", gnu())]))
        return
    assert isinstance(fleet, RealFleet)
    spec = fleet.spec("gnu", ["main", "side"])
    spec["containers"][0] |= {"image": "asynccp.test/no-such-image:1", "imagePullPolicy": "Never"}
    fleet.run(name, labels, spec, wait=False)
    state = '{.status.containerStatuses[?(@.name=="%s")]%s}'
    for container, what in (("side", ".started}=true"), ("main", ".state.waiting.reason}=" + NO_IMAGE)):
        path, _, value = what.partition("}=")
        fleet.kubectl("wait", f"pod/{name}", f"--for=jsonpath={state % (container, path)}={value}", "--timeout=60s")


def said(ran: Ran) -> str:
    """Return the error of a run: the line that starts with `asynccp:`, of which there is exactly one."""
    (line,) = [line for line in ran.err.splitlines() if line.startswith("asynccp: ")]
    return line.removeprefix("asynccp: ")


def test_the_container_is_named_in_every_line_where_the_pod_has_another(fleet: Fleet, file: Path) -> None:
    fleet.add("gnu", "pair", labels_for("pair"), containers=["main", "side"])
    fleet.add("gnu", "alone", labels_for("alone"))
    for flags, container in (([], "main"), (["-c", "side"], "side")):
        named = f"{fleet.namespace}/pair/{container}"
        ran = asynccp(fleet, "push", file, "pair:/tmp/c", *flags)
        assert ran.code == 0, ran.err
        assert ran.err.splitlines()[0].endswith(f"to 1 pod: {named}")
        assert f"{named}:/tmp/c  complete" in ran.err
        assert f"{named}:/tmp/c  complete" in asynccp(fleet, "push", file, "pair:/tmp/c", *flags, "--dry-run").err
    failed = asynccp(fleet, "pull", "pair:/no/such/path", file.parent / "back")
    assert failed.code == 1
    assert f"{fleet.namespace}/pair/main" in failed.out
    assert f"{fleet.namespace}/alone:/tmp/c  complete" in asynccp(fleet, "push", file, "alone:/tmp/c").err


def test_a_container_that_runs_is_offered_for_one_that_does_not(fleet: Fleet, file: Path) -> None:
    labels = labels_for("sick")
    add_sick(fleet, "sick", labels)
    fleet.add("gnu", "well", labels)
    ran = asynccp(fleet, "push", file, "sick:/tmp/c")
    assert ran.code == 3
    why = f"container main is waiting ({NO_IMAGE}); side runs: -c side"
    assert said(ran) == f"nothing can be copied to or from pod sick in namespace {fleet.namespace}: {why}"
    assert asynccp(fleet, "push", file, "sick:/tmp/c", "-c", "side").code == 0
    ran = asynccp(fleet, "push", file, "-l", f"{selector(labels)}:/tmp/c")
    assert ran.code == 0
    assert f"skipped {fleet.namespace}/sick: {why}" in ran.err


def test_23_when_some_pods_lack_the_container_that_was_asked_for(fleet: Fleet, file: Path) -> None:
    labels = labels_for("lack")
    fleet.add("gnu", "has-side", labels, containers=["main", "side"])
    fleet.add("gnu", "lacks-side", labels)
    ran = asynccp(fleet, "push", file, "-l", f"{selector(labels)}:/tmp/c", "-c", "side", "-o", "json")
    assert (ran.code, ran.outcomes) == (23, {"has-side": "complete"})
    reason = "has no container 'side', only main"
    assert ran.report["skipped"] == [{"pod": f"{fleet.namespace}/lacks-side", "reason": reason, "named": True}]
    ran = asynccp(fleet, "push", file, "-l", f"{selector(labels)}:/tmp/c", "-c", "third")
    assert ran.code == 3
    assert "has no container 'third', only main, side" in said(ran)


def test_a_pod_that_is_being_deleted_is_copied_when_it_is_named(
    fleet: Fleet, going: tuple[str, str], file: Path
) -> None:
    pod, labels = going
    ran = asynccp(fleet, "push", file, f"{pod}:/tmp/last/")
    assert ran.code == 0, ran.err
    assert f"{fleet.namespace}/{pod} is being deleted, and copied while it runs" in ran.err
    assert asynccp(fleet, "pull", f"{pod}:/tmp/last/file", file.parent / "back").code == 0
    assert (file.parent / "back" / pod / "file").read_text() == "x"
    ran = asynccp(fleet, "push", file, "-l", f"{labels}:/tmp/last")
    assert ran.code == 0
    assert ran.err.splitlines()[0].endswith(f"to 1 of 2 pods, 1 skipped: {fleet.namespace}/stays")
    assert f"skipped {fleet.namespace}/{pod}: is being deleted" in ran.err


def test_a_fleet_that_is_only_partly_served_is_told_on_the_first_line(fleet: Fleet, file: Path) -> None:
    labels = labels_for("partly")
    fleet.add("gnu", "partly-0", labels)
    for number in (1, 2, 3):
        fleet.add("gnu", f"partly-{number}", labels, node="no-such-node", wait=False)
    ran = asynccp(fleet, "push", file, "-l", f"{selector(labels)}:/tmp/c")
    first, second = ran.err.splitlines()[:2]
    assert first.endswith(f"to 1 of 4 pods, 3 skipped: {fleet.namespace}/partly-0")
    assert second.startswith("skipped 3 pods: ")
    assert all(f"{fleet.namespace}/partly-{number}" in second for number in (1, 2, 3))
    assert (
        asynccp(fleet, "push", file, "-l", f"{selector(labels)}:/tmp/c", "--dry-run").out.count("skipped 3 pods") == 1
    )


@pytest.mark.parametrize(
    "who", ["pod/{0}", "pods/{0}", "po/{0}", "deploy/called", "deployment.apps/called", "deployments.v1.apps/called",
            "svc/called", "service/called"]
)  # fmt: skip
def test_kubectls_ways_to_name_pods_are_understood(fleet: Fleet, called: str, file: Path, who: str) -> None:
    ran = asynccp(fleet, "push", file, f"{who.format(called)}:/tmp/c", "-o", "json")
    assert (ran.code, ran.outcomes) == (0, {called: "complete"}), ran.err


@pytest.fixture(scope="module")
def called(fleet: Fleet) -> str:
    """The one pod of a Deployment and a service, both named `called`."""
    labels = labels_for("called")
    fleet.add_service("called", labels)
    fleet.add_service("leads-elsewhere", {})
    (pod,) = fleet.add_deployment("called", "gnu", labels, 1)
    return pod


@pytest.mark.parametrize(
    ("who", "code", "says"),
    [
        ("no-such-pod:/x", 3, "there is no pod no-such-pod in namespace {0}"),
        ("pod/no-such-pod:/x", 3, "there is no pod no-such-pod in namespace {0}"),
        ("svc/no-such-service:/x", 3, "there is no svc/no-such-service in namespace {0}"),
        ("statefulsets.apps/none:/x", 3, "there is no statefulsets.apps/none in namespace {0}"),
        (
            "svc/leads-elsewhere:/x",
            3,
            "svc/leads-elsewhere in namespace {0} has no selector, so no pods belong to it",
        ),
        ("cronjob/nightly:/x", 2, "cronjob in 'cronjob/nightly:/x' is a kind whose pods asynccp does not know"),
        ("node/node-1:/x", 2, "node in 'node/node-1:/x' is a kind whose pods asynccp does not know"),
        ("a.b/c:/x", 2, "a.b in 'a.b/c:/x' is a kind whose pods asynccp does not know"),
        ("C:\\x", 2, "'C:\\\\x' looks like a path of Windows"),
    ],
)
def test_a_name_that_leads_to_no_pod_is_told_in_a_sentence(
    fleet: Fleet, called: str, file: Path, who: str, code: int, says: str
) -> None:
    ran = asynccp(fleet, "push", file, who)
    assert (ran.code, said(ran)) == (code, says.format(fleet.namespace))


def test_a_service_or_deployment_without_pods_is_told(fleet: Fleet, file: Path) -> None:
    fleet.add_service("empty", labels_for("empty"))
    ran = asynccp(fleet, "push", file, "svc/empty:/x")
    assert (ran.code, said(ran)) == (3, f"svc/empty in namespace {fleet.namespace} has no pods")


def test_a_file_with_a_colon_that_exists_is_local(fleet: Fleet, called: str, tmp_path: Path) -> None:
    log = "2024-01-01T10:00:00.log"
    (tmp_path / log).write_text("x")
    (tmp_path / "logs:old").mkdir()
    assert asynccp(fleet, "push", log, f"{called}:/tmp/colon/", cwd=tmp_path).code == 0
    assert asynccp(fleet, "pull", f"{called}:/tmp/colon/{log}", "logs:old", cwd=tmp_path).code == 0
    assert (tmp_path / "logs:old" / called / log).read_text() == "x"


def test_a_dash_is_refused_and_a_file_of_that_name_is_not(fleet: Fleet, called: str, tmp_path: Path) -> None:
    (tmp_path / "-").write_text("x")
    for arguments in (("push", "-", f"{called}:/tmp/dash"), ("cp", f"{called}:/tmp/dash/-", "-")):
        ran = asynccp(fleet, *arguments, cwd=tmp_path)
        assert ran.code == 2
        assert "'-' is no file" in said(ran)
    assert asynccp(fleet, "push", "./-", f"{called}:/tmp/dash/", cwd=tmp_path).code == 0
    assert sh(fleet, called, "cat", "/tmp/dash/-") == b"x"
    os.remove(tmp_path / "-")
    assert asynccp(fleet, "pull", f"{called}:/tmp/dash/-", "./-", cwd=tmp_path).code == 0
    assert (tmp_path / "-" / called / "-").read_text() == "x"


@pytest.mark.parametrize(
    ("arguments", "says", "helps"),
    [
        (["push", "web-0:/x", "web-1:/y"], "'web-0:/x' was read as a path in pod web-0", "asynccp cp SOURCE TARGET"),
        (["pull", "web-0:/x", "web-1:/y"], "'web-1:/y' was read as a path in pod web-1", "asynccp cp SOURCE TARGET"),
        (["push", "conf:1", "-l", "a=b:/x"], "'conf:1' was read as a path in pod conf", "./conf:1"),
        (["push", "c:/temp/a.txt", "web-0:/tmp"], "looks like a path of Windows", "/mnt/c/temp/a.txt"),
        (["pull", "web-0:/tmp", "C:\\logs"], "looks like a path of Windows", "/mnt/c/logs"),
    ],
    ids=" ".join,
)
def test_when_nothing_is_local_it_is_said_how_the_argument_was_read(
    fleet: Fleet, tmp_path: Path, arguments: list[str], says: str, helps: str
) -> None:
    ran = asynccp(fleet, *arguments, cwd=tmp_path)
    assert ran.code == 2
    assert says in said(ran)
    assert helps in ran.err


def test_the_layout_of_a_pull_is_the_same_when_one_more_namespace_matches(
    fleet: Fleet, called: str, tmp_path: Path
) -> None:
    labels, other = labels_for("layout"), fleet.add_namespace()
    fleet.add("gnu", "first", labels)
    sh(fleet, "first", "sh", "-c", 'echo x >"$1"', "sh", "/tmp/layout")
    both = ["-n", fleet.namespace, "-n", other, "-l", f"{selector(labels)}:/tmp/layout"]
    for where in (both, ["-A", *both[-2:]]):
        directory = tmp_path / where[0]
        assert asynccp(fleet, "pull", *where, directory).code == 0
        assert (directory / fleet.namespace / "first" / "layout").exists()
    fleet.add("gnu", "second", labels, namespace=other, containers=["another", "main"])
    sh(fleet, "second", "sh", "-c", 'echo x >"$1"', "sh", "/tmp/layout", namespace=other)
    asynccp(fleet, "pull", *both, "-c", "main", tmp_path / "later")  # the first pod's main, the second's main
    assert (tmp_path / "later" / fleet.namespace / "first" / "layout").exists()
    assert asynccp(fleet, "pull", "-l", f"{selector(labels)}:/tmp/layout", tmp_path / "one").code == 0
    assert (tmp_path / "one" / "first" / "layout").exists()
