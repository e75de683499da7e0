"""Pushes that go on as pods come and go and as sources change, and pulls on a period; each ends with a report."""

import json
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from msgspec import field

from asynccp.events import Event, Finished, Standing
from asynccp.jsonlines import load_event
from asynccp.testing.faults import Fault, StruckLink
from asynccp.testing.kinds import KINDS
from asynccp.testing.pod import Container, FakePod
from tests.e2e import component
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import Fleet, asynccp, labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.e2e.running import Running, eventually
from tests.schema import conforming

fake_only = pytest.mark.fake_only


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text("a = 1\n")
    (tmp_path / "config" / "b").write_text("b\n")
    return tmp_path / "config"


class Web:
    """Pods of the fake cluster that come and go."""

    def __init__(self, fleet: FakeFleet) -> None:
        fleet.heal()
        self.fleet = fleet
        self.labels = labels_for("follow")
        self.selector = selector(self.labels)

    def add(self, number: int, phase: str = "Running") -> FakePod:
        name = f"{self.labels['app']}-{number}"
        pod = FakePod(name, self.labels, self.fleet.namespace, [Container("main", KINDS["gnu"]())], {}, phase)
        self.fleet.run(pod)
        return pod

    def text(self, pod: FakePod, name: str = "app.toml") -> str:
        path = pod.root() / "etc/app/config" / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def web(fake_fleet: FakeFleet) -> Web:
    return Web(fake_fleet)


def told(events: Path) -> list[Event]:
    """Return what was told so far."""
    return [load_event(line) for line in events.read_text().splitlines()] if events.exists() else []


def served(events: Path) -> Counter[tuple[str, int]]:
    """Return how often each life of a container was given all."""
    found: Counter[tuple[str, int]] = Counter()
    for event in told(events):
        if isinstance(event, Finished) and event.result.outcome.is_good:
            target = event.result.transfer.target
            found[target.uid, target.restarts] += 1
    return found


def all_current(events: Path) -> bool:
    """Tell whether all pods had the newest when something was told last."""
    standings = [one for one in told(events) if isinstance(one, Standing)]
    return bool(standings) and standings[-1].current == standings[-1].pods


def sizes(events: Path) -> Counter[int]:
    """Return how many copies were told to be complete, by how many bytes: what a pod has may not have been told yet."""
    results = [one.result for one in told(events) if isinstance(one, Finished)]
    return Counter(one.size for one in results if one.outcome.is_good)


@fake_only
def test_pods_that_come_or_are_restarted_get_the_same_once_and_the_report_has_all(
    web: Web, config: Path, tmp_path: Path
) -> None:
    events, report = tmp_path / "events", tmp_path / "run.json"
    arguments = ["push", str(config), "-l", f"{web.selector}:/etc/app", "--follow", "--events", str(events)]
    first, pending = web.add(0), web.add(1, "Pending")
    with Running(web.fleet, *arguments, "--report", report) as push:
        eventually("the first is served", lambda: web.text(first))
        web.add(2)
        pending.phase = "Running"
        eventually("the pending one is served when it runs", lambda: web.text(pending))
        (first.root() / "etc/app/config/app.toml").unlink()
        first.containers[0].restarts += 1
        eventually("one that was restarted is served again", lambda: web.text(first))
        web.fleet.delete(pending.name)
        replaced = web.add(1)
        eventually("one that took another's place is served", lambda: web.text(replaced) and len(served(events)) == 5)
        push.send_signal(signal.SIGINT)
        ran = push.finish()
    assert ran.code == 0, ran.err
    assert set(served(events).values()) == {1}
    assert len(served(events)) == 5
    found = conforming(report.read_text())
    assert {one["outcome"] for one in found["pods"]} == {"complete"}
    assert sorted(one["pod"] for one in found["pods"]) == sorted(f"{web.labels['app']}-{number}" for number in range(3))
    assert "following" not in json.dumps(found["request"]["settings"])


@fake_only
def test_who_may_not_watch_is_told_the_verb_and_nothing_is_copied(web: Web, config: Path) -> None:
    pod = web.add(0)
    web.fleet.forbid("watch", "pods", "onlooker")
    arguments = ["push", str(config), "-l", f"{web.selector}:/etc/app", "--follow"]
    ran = asynccp(web.fleet, *arguments, KUBECONFIG=str(web.fleet.login("onlooker")))
    assert ran.code == 1
    assert "the user needs the verb watch on pods; this asks for what is missing: kubectl auth can-i watch pods" in (
        ran.err
    )
    assert not web.text(pod)


@fake_only
def test_what_changes_here_is_pushed_as_it_does_also_to_pods_that_come_later(
    web: Web, config: Path, tmp_path: Path
) -> None:
    pod, events = web.add(0), tmp_path / "events"
    arguments = ["push", str(config), "-l", f"{web.selector}:/etc/app", "--follow", "--watch", "--delete"]
    arguments += ["--events", str(events)]
    with Running(web.fleet, *arguments) as push:
        eventually("the first state", lambda: web.text(pod) == "a = 1\n")
        (config / "app.toml").write_text("a = 2\n")  # of the same size, perhaps within the same second
        eventually("the second", lambda: web.text(pod) == "a = 2\n")
        (config / "app.toml").write_text("a = 3\n")
        eventually("the third", lambda: web.text(pod) == "a = 3\n")
        (config / "b").unlink()
        (config / "c").write_text("c\n")
        eventually("what is new", lambda: web.text(pod, "c") and not web.text(pod, "b"))
        later = web.add(1)
        eventually("a pod that comes later", lambda: web.text(later) == "a = 3\n")
        config.rename(config.with_name("away"))
        push.wait_for("asynccp: ", "config")
        assert web.text(pod) == "a = 3\n", "sources that are away for a moment remove nothing"
        config.with_name("away").rename(config)
        (config / "app.toml").write_text("a = 4444\n")
        eventually("the fourth, in both", lambda: web.text(pod) == web.text(later) == "a = 4444\n")
        eventually("all is told", lambda: sizes(events)[len("a = 4444\n")] == 2 and all_current(events))
        push.send_signal(signal.SIGINT)
        ran = push.finish()
    assert ran.code == 0, ran.err
    assert [one.get("rounds", 1) >= 2 for one in ran.report["pods"]] == [True, True]


class Held(Fault, frozen=True, kw_only=True):
    """A pod that says nothing until it may. `reached` tells that a copy to it is under way."""

    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    async def strike(self, link: StruckLink, rest: bytes) -> bytes:
        self.reached.set()
        await to_thread.run_sync(self.go.wait)
        return rest


@contextmanager
def held(fleet: FakeFleet, pods: Sequence[FakePod]) -> Iterator[Callable[[], None]]:
    """Hold each pod's next copy for as long as this lasts; yield what waits for the first of them."""
    go = threading.Event()
    holds = [Held(go=go) for _ in pods]
    for pod, hold in zip(pods, holds, strict=True):
        fleet.strike(pod, hold)
    try:
        yield lambda: eventually("one is under way", lambda: any(one.reached.is_set() for one in holds))
    finally:
        go.set()


@fake_only
def test_many_saves_while_copies_are_under_way_are_few_copies_and_the_last_is_in_every_pod(
    web: Web, config: Path, tmp_path: Path
) -> None:
    pods, events = [web.add(number) for number in range(5)], tmp_path / "events"
    arguments = ["push", str(config), "-l", f"{web.selector}:/etc/app", "--watch", "--events", str(events)]
    with Running(web.fleet, *arguments) as push:
        eventually("all have the first state", lambda: all_current(events))
        with held(web.fleet, pods) as wait_for_one:
            (config / "app.toml").write_text("a = 000\n")
            wait_for_one()
            for number in range(1, 51):
                (config / "app.toml").write_text(f"a = {number:03}\n")
            (config / "app.toml").write_text("a = 'the last'\n")
        eventually("the last save", lambda: {web.text(pod) for pod in pods} == {"a = 'the last'\n"})
        eventually("all is told", lambda: sizes(events)[len("a = 'the last'\n")] == 5 and all_current(events))
        push.send_signal(signal.SIGINT)
        ran = push.finish()
    assert ran.code == 0, ran.err
    # The first, for some the one that was held, what the saves were by then, and what the kernel told last.
    assert all(2 <= one["rounds"] <= 6 for one in ran.report["pods"])


@fake_only
def test_a_second_try_of_what_was_followed_takes_the_sources_as_they_were_last(
    web: Web, config: Path, tmp_path: Path
) -> None:
    pod, events, report = web.add(0), tmp_path / "events", tmp_path / "run.json"
    arguments = ["push", str(config), "-l", f"{web.selector}:/etc/app", "--watch", "--report", str(report)]
    arguments += ["--events", str(events)]
    with Running(web.fleet, *arguments) as push:
        eventually("the first state", lambda: web.text(pod))
        (config / "app.toml").write_text("a = 22\n")
        eventually("the second", lambda: web.text(pod) == "a = 22\n")
        eventually("all is told", lambda: sizes(events)[len("a = 22\n")] and all_current(events))
        push.send_signal(signal.SIGINT)
        ran = push.finish()
    assert ran.code == 0, ran.err
    document = json.loads(report.read_text())
    document["pods"][0].update(outcome="failed", error="as if", bytes=0, entries=0)
    report.write_text(json.dumps(document))
    again = asynccp(web.fleet, "retry", report)
    assert again.code == 0, again.err
    (config / "app.toml").write_text("a = 1\n")
    report.write_text(json.dumps(document))
    assert "the sources have changed since" in asynccp(web.fleet, "retry", report).err


@fake_only
def test_a_pull_on_a_period_brings_what_is_new_of_whoever_is_there(web: Web, tmp_path: Path) -> None:
    pod = web.add(0)
    log = pod.root() / "var/log/app.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\n")
    logs = tmp_path / "logs"
    pull = ["pull", "-l", f"{web.selector}:/var/log/", str(logs), "--follow", "1s"]
    with Running(web.fleet, *pull) as running:
        eventually("the first round", lambda: (logs / pod.name / "app.log").exists())
        log.write_text("one\ntwo\n")
        later = web.add(1)
        (later.root() / "var/log").mkdir(parents=True)
        (later.root() / "var/log/other.log").write_text("other\n")
        eventually("what was appended", lambda: (logs / pod.name / "app.log").read_text() == "one\ntwo\n")
        eventually("a pod that came", lambda: (logs / later.name / "other.log").exists())
        running.wait_for(f"/{later.name}:", "complete")
        web.fleet.delete(later.name)
        running.send_signal(signal.SIGINT)
        ran = running.finish()
    assert ran.code in (0, 130), ran.err
    assert {one["pod"] for one in ran.report["pods"]} == {pod.name, later.name}
    ended = asynccp(web.fleet, *pull[:-1], "1h", "--for", "1", "-o", "json")
    assert ended.code == 0, ended.err
    assert [one.get("rounds", 1) for one in ended.report["pods"]] == [1]


@fake_only
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("push config -l a=b:/x --for 5s", "nothing goes on that could end after a time"),
        ("push config -l a=b:/x --follow --wave 5", "what goes on takes pods as they come, and not in waves"),
        ("push config -l a=b:/x --watch --fail-fast", "what goes on does not end when a pod fails"),
        ("push s3://b/k -l a=b:/x --watch", "what changes in an object store is told to nobody: s3://b/k"),
        ("push config -l a=b:/x --follow --workers 2", "what goes on is done by one process"),
        ("pull -l a=b:/x --archive x.tar --follow 5s", "a pull that goes on has a directory"),
    ],
)
def test_what_has_no_meaning_is_refused(web: Web, config: Path, command: str, told: str) -> None:
    ran = asynccp(web.fleet, *command.split(), cwd=config.parent)
    assert (ran.code, told in ran.err) == (2, True), ran.err


@pytest.mark.cluster
def test_on_a_cluster_a_deployment_is_followed_while_it_is_scaled_and_rolled(
    real_fleet: RealFleet, config: Path, tmp_path: Path
) -> None:
    labels, events = labels_for("follow"), tmp_path / "events"
    real_fleet.add_deployment(labels["app"], "busybox", labels, 2)
    follow = ["push", str(config), f"deploy/{labels['app']}:/tmp/app", "--follow", "--events", str(events)]
    with Running(real_fleet, *follow) as push:
        push.wait_for("complete")
        real_fleet.kubectl("scale", f"deployment/{labels['app']}", "--replicas=5")
        real_fleet.kubectl("rollout", "status", f"deployment/{labels['app']}", "--timeout=120s")
        real_fleet.kubectl("rollout", "restart", f"deployment/{labels['app']}")
        real_fleet.kubectl("rollout", "status", f"deployment/{labels['app']}", "--timeout=120s")
        found = json.loads(real_fleet.kubectl("get", "pods", "-l", selector(labels), "-o", "json"))["items"]
        names = [one["metadata"]["name"] for one in found if not one["metadata"].get("deletionTimestamp")]

        def all_have(fleet: Fleet = real_fleet) -> bool:
            script = 'cat "$1" 2>/dev/null; true'
            texts = {sh(fleet, one, "sh", "-c", script, "sh", "/tmp/app/config/app.toml") for one in names}
            return texts == {b"a = 1\n"}

        eventually("all that are there have it", all_have, timeout_s=30)
        push.send_signal(signal.SIGINT)
        ran = push.finish()
    assert ran.code == 0, ran.err
    assert set(served(events).values()) == {1}


class Census:
    """Pods with some labels, as somebody else sees them who looks every second.

    lived: the seconds for which each was seen to run, by its uid; a pod that ends is not counted any more.
    """

    def __init__(self, fleet: RealFleet, labels: dict[str, str]) -> None:
        self.lived: dict[str, float] = {}
        self.gone: set[str] = set()
        self._fleet, self._labels = fleet, labels
        self._first: dict[str, float] = {}
        self._over = threading.Event()

    @contextmanager
    def taken(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look_on)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    @property
    def events(self) -> int:
        """How many pods came, and went."""
        return len(self.lived) + len(self.gone)

    def running(self) -> dict[str, str]:
        """Return the pods that run now and are not about to end: uid → name."""
        found = json.loads(self._fleet.kubectl("get", "pods", "-l", selector(self._labels), "-o", "json"))["items"]
        metadata = [one["metadata"] for one in found if _runs(one)]
        return {one["uid"]: one["name"] for one in metadata}

    def _look_on(self) -> None:
        while not self._over.wait(1):
            try:
                running = self.running()
            except (AssertionError, subprocess.TimeoutExpired):
                continue  # the API server is away
            now = time.monotonic()
            for uid in running:
                self.lived[uid] = now - self._first.setdefault(uid, now)
            self.gone = self.lived.keys() - running.keys()


def _runs(pod: dict[str, Any]) -> bool:
    states = [one.get("state", {}) for one in pod["status"].get("containerStatuses", [])]
    return not pod["metadata"].get("deletionTimestamp") and any("running" in one for one in states)


@pytest.mark.cluster
@pytest.mark.alone
@pytest.mark.timeout(540)
@pytest.mark.skipif(not component.may_be_killed, reason="$ASYNCCP_TEST_COMPONENT and _PIDS are not set")
def test_no_pod_of_a_deployment_is_missed_or_served_twice_while_it_is_scaled_rolled_and_the_api_server_restarted(
    real_fleet: RealFleet, config: Path, tmp_path: Path
) -> None:
    labels, events = labels_for("census"), tmp_path / "events"
    name, census = f"deployment/{labels['app']}", Census(real_fleet, labels)
    real_fleet.add_deployment(labels["app"], "busybox", labels, 4)

    def scale(replicas: int) -> None:
        real_fleet.kubectl("scale", name, f"--replicas={replicas}")
        real_fleet.kubectl("rollout", "status", name, "--timeout=240s")
        eventually(f"{replicas} are there", lambda: len(census.running()) == replicas, timeout_s=60)

    def restart_server() -> None:
        component.kill("apiserver")
        component.start("apiserver")
        eventually("the API server answers", lambda: answers(census), timeout_s=60)

    def all_have() -> bool:
        script = 'cat "$1" 2>/dev/null; true'
        path = "/tmp/app/config/app.toml"
        return {sh(real_fleet, one, "sh", "-c", script, "sh", path) for one in census.running().values()} == {
            b"a = 1\n"
        }

    follow = ["push", str(config), "-l", f"{selector(labels)}:/tmp/app", "--follow", "--events", str(events)]
    with Running(real_fleet, *follow) as push, census.taken():
        push.wait_for("complete")
        cycles = 0
        while census.events < 100:
            cycles += 1
            scale(12)
            if cycles % 2:
                restart_server()
            real_fleet.kubectl("rollout", "restart", name)
            if not cycles % 2:
                restart_server()
            real_fleet.kubectl("rollout", "status", name, "--timeout=240s")
            eventually("all that are there have it", all_have, timeout_s=60)
            scale(4)
        push.send_signal(signal.SIGINT)
        ran = push.finish()
    found = served(events)
    print(f"{census.events} pods came or went in {cycles} cycles; {len(found)} were served")
    assert ran.code == 0, ran.err
    assert set(found.values()) == {1}
    assert {uid for uid, lived_s in census.lived.items() if lived_s > 10} - {uid for uid, _ in found} == set()


def answers(census: Census) -> bool:
    try:
        return bool(census.running())
    except AssertionError:
        return False
