"""Relays: what they do is what is done from here; however a run ends, they are gone; one that dies costs no pod a file.

On the fake cluster a relay's commands run on this machine.
"""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from asynccp.report import PARTS_NAME
from asynccp.testing.kinds import gnu
from asynccp.testing.pod import Container, FakePod
from tests.e2e import relayimage
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import REAL, Fleet, asynccp, labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.e2e.running import Running, eventually, size_below
from tests.objects.fakes3 import BUCKET, FakeS3, served
from tests.schema import conforming

pytestmark = [
    pytest.mark.skipif(bool(REAL) and not relayimage.IS_THERE, reason="$ASYNCCP_TEST_RELAY_IMAGE names none"),
    pytest.mark.timeout(400),  # the first one's is the image's packing too, and of each the minute in which all is gone
]
PODS = 5
JOB = "batch.kubernetes.io/job-name"
MINUTE_S = 60.0


@pytest.fixture(scope="module")
def image() -> str:
    return relayimage.ready() if REAL else "asynccp:1"


@pytest.fixture(scope="module")
def relays(image: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Words that a command needs for relays, but for their number."""
    return relayimage.words(image, tmp_path_factory.mktemp("relays") / "template.yaml", {})


@pytest.fixture
def pods(fleet: Fleet) -> tuple[str, list[str]]:
    labels = labels_for("relays")
    return selector(labels), [fleet.add("gnu", f"{labels['app']}-{number}", labels) for number in range(PODS)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    top = tmp_path / "config"
    (top / "d").mkdir(parents=True)
    (top / "a").write_bytes(bytes(range(256)) * 10000)
    (top / "text").write_text("a line of text\n" * 200_000)
    (top / "empty").touch()
    (top / "d" / "b").write_text("1\n")
    (top / "d" / "b").chmod(0o640)
    (top / "link").symlink_to("d/b")
    os.link(top / "d" / "b", top / "d" / "c")
    return top


LOOK = 'cd "$1" && find . -type f -exec sha256sum {} + | sort && find . ! -name . -printf "%P %y %m %l %T@\\n" | sort'


def what_is_there(fleet: Fleet, pod: str, path: str) -> str:
    return sh(fleet, pod, "sh", "-c", LOOK, "sh", path).decode()


def left_behind(fleet: Fleet) -> list[str]:
    """Return what is in the cluster of relays, by kind and name."""
    if isinstance(fleet, FakeFleet):
        return [*fleet.cluster.owned(), *fleet.names_of("asynccp-relay-")]
    assert isinstance(fleet, RealFleet)
    return relayimage.left(fleet)


@pytest.fixture(autouse=True)
def _nothing_is_left(fleet: Fleet) -> Iterator[None]:
    yield
    eventually("nothing of relays is left", lambda: not left_behind(fleet), MINUTE_S)


def test_a_push_by_relays_is_the_push_that_is_made_from_here(
    fleet: Fleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...]
) -> None:
    here = asynccp(fleet, "push", config, "-l", f"{pods[0]}:/tmp/here", "-o", "json")
    there = asynccp(fleet, "push", config, "-l", f"{pods[0]}:/tmp/there", "-o", "json", "--relays", "2", *relays)
    assert (here.code, there.code) == (0, 0), there.err
    assert set(there.outcomes.values()) == {"complete"}
    for name in ("pod", "outcome", "bytes", "entries", "tally", "left_out", "not_kept"):
        assert [one.get(name) for one in there.report["pods"]] == [one.get(name) for one in here.report["pods"]]
    for pod in pods[1]:
        assert what_is_there(fleet, pod, "/tmp/there") == what_is_there(fleet, pod, "/tmp/here")
    again = asynccp(fleet, "push", config, "-l", f"{pods[0]}:/tmp/there", "-o", "json", "--relays", "1", *relays)
    assert {one["tally"]["same"] for one in again.report["pods"]} == {8}, again.err


def test_each_file_is_compared_afterwards_where_that_is_asked_for(
    fleet: Fleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...]
) -> None:
    push = ("push", f"{config}/", "-l", f"{pods[0]}:/tmp/compared", "--checksum", "-o", "json")
    ran = asynccp(fleet, *push, "--relays", "2", *relays)
    assert (ran.code, set(ran.outcomes.values())) == (0, {"complete"}), ran.err


def test_more_relays_than_pods_are_no_more_than_pods(
    fleet: Fleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...]
) -> None:
    ran = asynccp(fleet, "push", config, f"{pods[1][0]}:/tmp/one", "-o", "json", "--relays", "2", *relays)
    assert (ran.code, ran.outcomes) == (0, {pods[1][0]: "complete"}), ran.err


def test_pods_fail_by_relays_as_they_fail_from_here(
    fleet: Fleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...]
) -> None:
    sh(fleet, pods[1][0], "sh", "-c", ': >"$1"', "sh", "/tmp/there")
    ran = asynccp(fleet, "push", config, "-l", f"{pods[0]}:/tmp/there/x", "-o", "json", "--relays", "2", *relays)
    assert ran.code == 23, ran.err
    assert ran.outcomes == {pods[1][0]: "failed", **dict.fromkeys(pods[1][1:], "complete")}
    assert "/tmp/there" in ran.errors[pods[1][0]]


def test_an_image_that_is_not_to_be_had_is_said_and_nothing_is_copied(
    fleet: Fleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...]
) -> None:
    without = [one if one != relays[1] else "asynccp.test/nobody:1" for one in relays]
    push = ("push", config, "-l", f"{pods[0]}:/tmp/never", "--relays", "2")
    ran = asynccp(fleet, *push, *without)
    assert ran.code == 1
    assert "no relay has started: " in ran.err
    assert "ErrImagePull" in ran.err or "ImagePullBackOff" in ran.err
    for pod in pods[1]:
        assert sh(fleet, pod, "sh", "-c", 'test ! -e "$1"', "sh", "/tmp/never") == b""


def slow(pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...], path: str) -> tuple[str | Path, ...]:
    with (config / "large").open("wb") as file:
        file.truncate(20_000_000)
    push: tuple[str | Path, ...] = ("push", config, "-l", f"{pods[0]}:{path}", "--relays", "2", "--bwlimit", "10M")
    return (*push, "-z", "none", *relays)


def relay_pods(fleet: Fleet) -> list[str]:
    return sorted(one.removeprefix("pod/") for one in left_behind(fleet) if one.startswith(("pod/", "asynccp-relay-")))


def test_what_a_relay_had_not_finished_when_its_pod_was_deleted_is_done_by_another(
    fleet: Fleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...]
) -> None:
    with Running(fleet, *slow(pods, config, relays, "/tmp/lost")) as running:
        running.wait_for(pods[1][0], "started")
        fleet.delete(relay_pods(fleet)[0])
        ran = running.finish()
    assert (ran.code, set(ran.outcomes.values())) == (0, {"complete"}), ran.err
    assert [one["pod"] for one in ran.report["pods"]] == sorted(pods[1]), "none twice, none missing"
    lost = [attempt["class"] for one in ran.report["pods"] for attempt in one["attempts"]]
    assert set(lost) == {"WorkerLost"}
    for pod in pods[1]:
        assert sh(fleet, pod, "sh", "-c", 'wc -c <"$1"', "sh", "/tmp/lost/config/large").split() == [b"20000000"]
        assert sh(fleet, pod, "sh", "-c", 'ls -A "$1"', "sh", "/tmp/lost").split() == [b"config"]


def test_pods_are_named_when_somebody_deletes_the_job(
    fleet: Fleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...]
) -> None:
    with Running(fleet, *slow(pods, config, relays, "/tmp/gone")) as running:
        running.wait_for(pods[1][0], "started")
        delete_job(fleet, relay_pods(fleet)[0].rpartition("-")[0].rpartition("-")[0])
        ran = running.finish()
    assert ran.code in (1, 23), ran.err
    assert set(ran.outcomes) == set(pods[1])
    failed = [one for one in ran.report["pods"] if one["outcome"] != "complete"]
    assert failed
    assert all("its relay is gone: somebody has deleted the Job" in one["error"] for one in failed)


def delete_job(fleet: Fleet, name: str) -> None:
    if isinstance(fleet, FakeFleet):
        fleet.delete_job(name)
    else:
        assert isinstance(fleet, RealFleet)
        fleet.kubectl("delete", "job", name, "--wait=false")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_interrupt_ends_all_relays(
    fleet: Fleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...], number: signal.Signals
) -> None:
    with Running(fleet, *slow(pods, config, relays, "/tmp/ended")) as running:
        running.wait_for(pods[1][0], "started")
        running.send_signal(number)
        ran = running.finish()
    assert ran.code == 130, ran.err
    assert "interrupted" in set(ran.outcomes.values())
    for pod in pods[1]:
        there = sh(fleet, pod, "sh", "-c", 'ls -A "$1" 2>/dev/null || :', "sh", "/tmp/ended").split()
        assert there in ([], [b"config"])


FILL = 'mkdir -p "$1/d" && cd "$1" && seq 1 300000 >d/large && echo "$2" >name && ln -s d/large now && ln name other'


@pytest.fixture
def store() -> Iterator[FakeS3]:
    with served() as store:
        yield store


@pytest.mark.skipif(bool(REAL) and not relayimage.REACH, reason="relays don't reach a store on this machine")
def test_relays_pull_into_a_store_which_has_all_that_one_process_would_put_there(
    fleet: Fleet, pods: tuple[str, list[str]], image: str, store: FakeS3, tmp_path: Path
) -> None:
    for pod in pods[1]:
        sh(fleet, pod, "sh", "-c", FILL, "sh", "/tmp/out", pod)
    relays = relayimage.words(image, tmp_path / "template.yaml", store.environment)
    pull = ("pull", "-l", f"{pods[0]}:/tmp/out", "-o", "json")
    here = asynccp(fleet, *pull, f"s3://{BUCKET}/here", cwd=None, **store.environment)
    there = asynccp(fleet, *pull, f"s3://{BUCKET}/there", "--relays", "2", *relays)
    assert (here.code, there.code) == (0, 0), there.err
    assert {one["outcome"] for one in there.report["pods"]} == {"complete"}
    assert content_below(store, "there/") == content_below(store, "here/")
    assert list(store.objects)[-1].endswith("report.json")
    assert {one["outcome"] for one in conforming(store.objects["there/report.json"].content)["pods"]} == {"complete"}
    moved = len(store.puts())
    again = asynccp(fleet, *pull, f"s3://{BUCKET}/there", "--relays", "2", *relays)
    assert {one["tally"]["same"] for one in again.report["pods"]} == {6}, again.err
    assert [key for key in store.puts()[moved:] if PARTS_NAME not in key] == ["there/report.json"]


def test_relays_pull_to_this_machine_what_is_pulled_from_here(
    fleet: Fleet, pods: tuple[str, list[str]], relays: tuple[str, ...], tmp_path: Path
) -> None:
    for pod in pods[1]:
        sh(fleet, pod, "sh", "-c", FILL, "sh", "/tmp/out", pod)
    sh(fleet, pods[1][0], "sh", "-c", 'cd "$1" && ln -s ../../../etc out', "sh", "/tmp/out")
    pull = ("pull", "-l", f"{pods[0]}:/tmp/out", "-o", "json")
    here = asynccp(fleet, *pull, tmp_path / "here")
    there = asynccp(fleet, *pull, tmp_path / "there", "--relays", "2", *relays)
    assert (here.code, there.code) == (23, 23), there.err
    for name in ("pod", "outcome", "bytes", "entries", "left_out", "not_kept"):
        assert [one.get(name) for one in there.report["pods"]] == [one.get(name) for one in here.report["pods"]]
    assert listing(tmp_path / "there") == listing(tmp_path / "here")
    again = asynccp(fleet, *pull, tmp_path / "there", "--relays", "1", *relays, "-z", "none")
    assert again.code == 23, again.err
    assert listing(tmp_path / "there") == listing(tmp_path / "here")


def listing(top: Path) -> dict[str, object]:
    """Return all that stands below the pods' own: kinds, modes, times, names of one file, links, content."""
    found: dict[str, object] = {}
    for path in sorted(top.glob("*/**/*")):
        status = path.lstat()
        content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(top))] = (status.st_mode, int(status.st_mtime), status.st_nlink, content)
    return found


def test_what_a_relay_had_not_pulled_when_its_pod_was_deleted_another_one_does(
    fleet: Fleet, pods: tuple[str, list[str]], relays: tuple[str, ...], tmp_path: Path
) -> None:
    for pod in pods[1]:
        sh(fleet, pod, "sh", "-c", 'mkdir -p "$1" && seq 1 1000000 >"$1/large"', "sh", "/tmp/much")
    want = sh(fleet, pods[1][0], "cat", "/tmp/much/large")
    words = ("--relays", "2", *relays, "--bwlimit", "8M", "-z", "none", "-o", "json")
    with Running(fleet, "pull", "-l", f"{pods[0]}:/tmp/much", tmp_path, *words) as running:
        eventually("something has come", lambda: size_below(tmp_path) > 100_000)
        fleet.delete(relay_pods(fleet)[0])
        ran = running.finish(120)
    assert ran.code == 0, ran.err
    for pod in pods[1]:
        assert (tmp_path / pod / "much" / "large").read_bytes() == want
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"large"}


@pytest.mark.fake_only
def test_relays_pull_what_containers_have_said(fake_fleet: FakeFleet, relays: tuple[str, ...], tmp_path: Path) -> None:
    labels = labels_for("said")
    for number in range(3):
        pod = FakePod(f"{labels['app']}-{number}", labels, containers=[Container("app", gnu())])
        pod.container("app").log = [(datetime.now(UTC), f"line of {number}\n".encode() * 30_000)]
        fake_fleet.run(pod)
    pull = ("pull", "-l", selector(labels), "--container-logs", "--tail-bytes", "100K", "-o", "json")
    here = asynccp(fake_fleet, *pull, tmp_path / "here")
    there = asynccp(fake_fleet, *pull, tmp_path / "there", "--relays", "2", *relays)
    assert (here.code, there.code) == (0, 0), there.err
    content = {path.relative_to(tmp_path / "here"): path.read_bytes() for path in (tmp_path / "here").glob("*/app.log")}
    assert len(content) == 3
    assert {path.relative_to(tmp_path / "there"): path.read_bytes() for path in tmp_path.glob("there/*/*")} == content


def content_below(store: FakeS3, prefix: str) -> dict[str, object]:
    """Return all objects, of the manifest its lines without what is of one run."""
    found: dict[str, object] = {}
    for key, one in store.objects.items():
        if key.startswith(prefix) and not key.endswith("report.json"):
            content = one.content
            found[key.removeprefix(prefix)] = content if not key.endswith(".jsonl") else content.splitlines()
    return found


def test_relays_without_credentials_for_a_store_say_so_for_each_pod(
    fleet: Fleet, pods: tuple[str, list[str]], relays: tuple[str, ...]
) -> None:
    sh(fleet, pods[1][0], "sh", "-c", FILL, "sh", "/tmp/out", "x")
    ran = asynccp(fleet, "pull", f"{pods[1][0]}:/tmp/out", "s3://nowhere/x", "-o", "json", "--relays", "1", *relays)
    assert ran.code == 1, ran.err
    assert "there are no credentials for s3://nowhere/x" in ran.errors[pods[1][0]]


@pytest.mark.cluster
def test_relays_of_a_client_that_was_killed_end_themselves(
    fleet: Fleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...]
) -> None:
    with Running(fleet, *slow(pods, config, relays, "/tmp/killed")) as running:
        running.wait_for(pods[1][0], "started")
        running.send_signal(signal.SIGKILL)
    eventually("nothing of relays is left", lambda: not left_behind(fleet), MINUTE_S)


@pytest.mark.cluster
def test_a_relay_runs_under_the_restricted_level(fleet: RealFleet, image: str, tmp_path: Path) -> None:
    """As nobody, from a root that it can't write to; there it does not reach the API server of this cluster."""
    namespace = fleet.add_namespace()
    fleet.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted", namespace="default")
    template = tmp_path / "template.yaml"
    template.write_text('{"spec": {"containers": [{"name": "relay", "imagePullPolicy": "IfNotPresent"}]}}')
    words = ("--relays", "1", "--relay-image", image, "--relay-namespace", namespace, "--relay-template", str(template))
    shown = asynccp(fleet, "relay", "manifest", *words)
    assert shown.code == 0, shown.err
    fleet.kubectl("apply", "-f", "-", stdin=shown.out, namespace=namespace)
    pod = f"-l{JOB}=asynccp-relay"
    fleet.kubectl("wait", "--for=create", "pod", pod, "--timeout=60s", namespace=namespace)
    fleet.kubectl("wait", "--for=condition=Ready", "pod", pod, "--timeout=60s", namespace=namespace)
    name = fleet.kubectl("get", "pod", pod, "-o", "name", namespace=namespace).strip()
    look = "import os,asynccp.relay.worker; print(os.getuid(), os.access('/', os.W_OK), os.access('/relay', os.W_OK))"
    assert fleet.kubectl("exec", name, "--", "python3", "-c", look, namespace=namespace).split() == [
        "65532", "False", "True",
    ]  # fmt: skip


@pytest.mark.fake_only
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--relays", "0"), "is no number of relays"),
        (("--relays", "2", "--relay-image", ""), "is no image"),
        (("--relays", "2"), "relays need an image with asynccp in it"),
        (("--relays", "2", "--relay-image", "a", "--workers", "2"), "workers are processes of this machine"),
        (("--relays", "2", "--relay-image", "a", "--canary", "1"), "pods wait for each other"),
        (("--relays", "2", "--relay-image", "a", "--relay-namespace", "b"), "their role is for namespace b"),
        (("--relays", "2", "--relay-image", "a", "--relay-template", "nowhere"), "can't be read"),
        (("--relays", "2", "--relay-image", "a", "--follow"), "what goes on is done by one process, here"),
    ],
)
def test_what_relays_do_not_do_is_refused_before_anything_is_made(
    fleet: FakeFleet, pods: tuple[str, list[str]], config: Path, words: tuple[str, ...], said: str
) -> None:
    ran = asynccp(fleet, "push", config, "-l", f"{pods[0]}:/tmp/x", *words)
    assert (ran.code, said in ran.err) == (2, True), ran.err
    assert left_behind(fleet) == []


@pytest.mark.fake_only
def test_who_may_make_no_job_is_told_so(
    fleet: FakeFleet, pods: tuple[str, list[str]], config: Path, relays: tuple[str, ...]
) -> None:
    fleet.forbid("create", "roles", "jobless")
    kubeconfig = fleet.login("jobless")
    words = ("-l", f"{pods[0]}:/tmp/x", "--relays", "2", *relays, "--kubeconfig", str(kubeconfig))
    ran = asynccp(fleet, "push", config, *words)
    assert ran.code == 1
    assert "the API server did not make a Role in namespace default" in ran.err
    assert 'cannot create resource "roles"' in ran.err
