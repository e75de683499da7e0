"""A push that goes through a fleet in waves: it stops where pods do not bear it, tells why, and is taken up again."""

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asynccp.events import Wait, WaveBegun, WaveEnded, WaveWaits
from asynccp.jsonlines import load_event
from asynccp.testing.faults import Refuse
from asynccp.testing.kinds import KINDS
from asynccp.testing.pod import Container, FakePod
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import asynccp, command, environment, labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.e2e.running import Running
from tests.schema import conforming

ONCE = ("--retries", "0")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text("a = 1\n")
    return tmp_path / "config"


class Web:
    """Five pods on two nodes, of which one is in a zone."""

    def __init__(self, fleet: FakeFleet) -> None:
        self.fleet = fleet
        labels = labels_for("waves")
        self.selector = selector(labels)
        self.pods = [
            FakePod(f"{labels['app']}-{number}", labels, fleet.namespace, [Container("main", KINDS["gnu"]())],
                    node=f"node-{'ab'[number % 2]}")
            for number in range(5)
        ]  # fmt: skip
        self.names = [fleet.run(pod) for pod in self.pods]
        fleet.cluster.place("node-b", "eu-1b")

    def push(self, config: Path) -> list[str]:
        return ["push", str(config), "-l", f"{self.selector}:/etc/app"]

    def have(self) -> list[bool]:
        """Return which pods have the file."""
        return [(pod.root() / "etc/app/config/app.toml").exists() for pod in self.pods]


@pytest.fixture
def web(request: pytest.FixtureRequest) -> Iterator[Web]:
    fleet = request.getfixturevalue("fake_fleet")
    fleet.heal()
    yield Web(fleet)
    fleet.heal()


def waves(report: dict[str, Any]) -> list[tuple[int, str | None, int, int, bool]]:
    return [(one["wave"], one["name"], one["pods"], one["failed"], bool(one["stopped"])) for one in report["waves"]]


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d s\b", "", text)


fake_only = pytest.mark.fake_only


@fake_only
def test_a_wave_that_fails_is_the_last_and_a_retry_goes_on_by_the_same_waves(
    web: Web, config: Path, tmp_path: Path
) -> None:
    web.fleet.strike(web.pods[1], Refuse(code=403, always=True))
    report, events = tmp_path / "run.json", tmp_path / "events"
    first = asynccp(
        web.fleet, *web.push(config), "--canary", "1", "--wave", "40%", *ONCE, "--report", report, "--events", events
    )
    assert first.code == 23, first.err
    assert "in 3 waves: 1 (canary), 2, 2 pods\n" in first.err
    assert "wave 2 of 3: 2 pods\n" in first.err
    assert web.have() == [True, False, True, False, False]
    found = conforming(report.read_text())
    assert waves(found) == [(1, "canary", 1, 0, False), (2, None, 2, 1, True), (3, None, 2, 0, False)]
    assert [one["wave"] for one in found["pods"]] == [1, 2, 2, 3, 3]
    why = f"1 pod failed (default/{web.names[1]})"
    assert [one["error"] for one in found["pods"][3:]] == [f"not begun, because {why}"] * 2
    assert f"stopped after wave 2 of 3: {why}; 2 pods were not begun\n" in first.out
    told = [type(event) for event in map(load_event, events.read_text().splitlines())]
    assert [kind for kind in told if kind in (WaveBegun, WaveEnded)] == [WaveBegun, WaveEnded] * 2

    shown = asynccp(web.fleet, "report", report)
    assert without_times(shown.out) == without_times(first.out)
    again = asynccp(web.fleet, "retry", report, *ONCE)
    assert again.code == 23
    assert "in 2 waves: 1, 2 pods\n" in again.err
    assert "wave 2 of 3: 1 pod\n" in again.err
    assert web.have() == [True, False, True, False, False], "it fails as before, and nothing goes on"
    web.fleet.heal()
    again = asynccp(web.fleet, "retry", report, "-o", "json")
    assert again.code == 0, again.err
    assert web.have() == [True] * 5
    assert waves(again.report) == [(1, "canary", 1, 0, False), (2, None, 2, 0, False), (3, None, 2, 0, False)]
    begun = [one["begun_seconds"] for one in again.report["waves"]]
    assert begun == sorted(begun)
    assert "nothing" in asynccp(web.fleet, "retry", report).err


@fake_only
def test_failures_that_may_be_stop_nothing(web: Web, config: Path) -> None:
    web.fleet.strike(web.pods[0], Refuse(code=403, always=True))
    ran = asynccp(web.fleet, *web.push(config), "--wave", "1", "--max-failures", "20%", *ONCE, "-o", "json")
    assert ran.code == 23
    assert web.have() == [False, True, True, True, True]
    assert "stopped" not in ran.err


@fake_only
def test_a_pod_that_stops_being_ready_fails_its_wave_and_is_named(web: Web, config: Path) -> None:
    arguments = [*web.push(config), "--canary", "2", "--settle", "60"]
    with Running(web.fleet, *arguments) as push:
        push.wait_for("wave 1 of 2: its pods are watched for 60 s")
        web.pods[1].unready = "containers with unready status: [main]"
        ran = push.finish()
    error = "the pod stopped being Ready: containers with unready status: [main], after all was copied"
    assert ran.code == 23, ran.err
    assert ran.errors[web.names[1]] == error
    assert f"{web.names[1]}:/etc/app  failed: {error}" in ran.err
    assert [one["class"] for one in ran.report["pods"]] == [None, "Unsettled", None, None, None]
    assert web.have() == [True, True, False, False, False]


@fake_only
def test_between_waves_nothing_is_asked_when_it_is_interrupted(web: Web, config: Path) -> None:
    with Running(web.fleet, *web.push(config), "--canary", "1", "--pause", "10m") as push:
        push.wait_for("wave 2 of 2: begins after 600 s")
        push.send_signal(signal.SIGINT)
        ran = push.finish()
    assert ran.code == 130, ran.err
    assert [one["outcome"] for one in ran.report["pods"]] == ["complete", *["interrupted"] * 4]
    assert set(ran.errors.values()) == {"", "not begun, because the run was interrupted"}
    assert web.have() == [True, *[False] * 4]


@fake_only
def test_a_dry_run_shows_the_waves_and_begins_none(web: Web, config: Path) -> None:
    arguments = [*web.push(config), "--wave-by", "zone", "--dry-run"]
    ran = asynccp(web.fleet, *arguments)
    assert ran.code == 0, ran.err
    names = [f"default/{web.names[number]}" for number in (0, 2, 4)]
    assert f"wave 1 of 2 (no zone): 3 pods: {', '.join(names)}\n" in ran.out
    assert "wave 2 of 2 (zone eu-1b): 2 pods: " in ran.out
    found = asynccp(web.fleet, *arguments, "-o", "json").report
    assert [(one["name"], one["begun_seconds"]) for one in found["waves"]] == [("no zone", None), ("zone eu-1b", None)]
    assert [one["wave"] for one in found["pods"]] == [1, 2, 1, 2, 1]
    assert web.have() == [False] * 5
    pull = asynccp(web.fleet, "pull", "-l", f"{web.selector}:/tmp", config, "--wave", "3", "--dry-run", "-o", "json")
    assert [len(one["pods"]) for one in pull.report["waves"]] == [3, 2]


@fake_only
def test_what_can_not_be_done_is_refused_before_anything_is_written(web: Web, config: Path) -> None:
    web.fleet.forbid("list", "nodes", "anybody")
    refused = asynccp(web.fleet, *web.push(config), "--wave-by", "zone", KUBECONFIG=str(web.fleet.login("anybody")))
    assert refused.code == 1
    assert "nodes can't be listed, by which pods have a zone" in refused.err
    assert "the user needs the verb list on nodes; this asks for what is missing: kubectl auth can-i list nodes" in (
        refused.err
    )
    for flags, told in (
        (("--confirm",), "a wave can be confirmed on a terminal only, and this is none"),
        (("--pause", "5"), "there is one wave, so there is no pause between two"),
        (("--wave", "many"), "'many' is no number of pods"),
    ):
        ran = asynccp(web.fleet, *web.push(config), *flags)
        assert (ran.code, told in ran.err) == (2, True), ran.err
    assert web.have() == [False] * 5


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, web: Web, *arguments: str) -> None:
        self._near, far = pty.openpty()
        self._process = subprocess.Popen(
            command(*arguments), stdin=far, stdout=far, stderr=far, env=environment(web.fleet), start_new_session=True
        )
        os.close(far)
        self.shown = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._near)

    def type(self, text: str) -> None:
        os.write(self._near, text.encode())

    def wait_for(self, words: str) -> None:
        while words not in self.shown:
            self._read()

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        try:
            while True:
                self._read()
        except OSError:  # the far end is closed
            return self._process.wait(timeout=60)

    def _read(self) -> None:
        self.shown += os.read(self._near, 65536).decode("utf-8", "replace")


@fake_only
@pytest.mark.parametrize(
    ("answers", "code", "have"),
    [(("y\n", "yes\n"), 0, 5), (("y\n", "n\n"), 23, 1), (("\n",), 1, 0), (("\x04",), 1, 0), (("y\n", "^C"), 130, 1)],
)
def test_each_wave_is_asked_for_on_a_terminal(
    web: Web, config: Path, answers: tuple[str, ...], code: int, have: int
) -> None:
    with Terminal(web, *web.push(config), "--canary", "1", "--confirm") as terminal:
        for number, answer in enumerate(answers, 1):
            terminal.wait_for(f"begin wave {number} of 2")
            terminal.wait_for("? [y/N] ")
            terminal.shown = ""
            if answer == "^C":
                terminal.interrupt()
            else:
                terminal.type(answer)
        assert terminal.end() == code, terminal.shown
    assert sum(web.have()) == have
    if code in (1, 23):
        assert f"wave {len(answers)} of 2" in terminal.shown
        assert "was not confirmed" in terminal.shown


PROBED = "test ! -e /tmp/app/config/broken"


@pytest.mark.cluster
def test_on_a_cluster_a_canary_that_a_probe_finds_unready_spares_the_others(
    real_fleet: RealFleet, config: Path, tmp_path: Path
) -> None:
    (config / "broken").write_text("a mistake\n")
    labels = labels_for("settle")
    manifest = real_fleet.spec("busybox")
    probe = {"exec": {"command": ["sh", "-c", PROBED]}, "periodSeconds": 1, "failureThreshold": 1}
    manifest["containers"][0]["readinessProbe"] = probe
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": labels["app"]},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": manifest},
        },
    }
    real_fleet.apply(deployment)
    real_fleet.kubectl("rollout", "status", f"deployment/{labels['app']}", "--timeout=120s")
    names = json.loads(real_fleet.kubectl("get", "pods", "-l", selector(labels), "-o", "json"))["items"]
    pods = sorted(one["metadata"]["name"] for one in names)
    events = tmp_path / "events"
    push = ["push", str(config), "-l", f"{selector(labels)}:/tmp/app", "--canary", "1", "--settle", "20"]
    ran = asynccp(real_fleet, *push, "-o", "json", "--events", events)
    assert ran.code == 23, ran.err
    assert "the pod stopped being Ready" in ran.errors[pods[0]]
    there = 'test -e "$1" && echo yes || echo no'
    has = [sh(real_fleet, name, "sh", "-c", there, "sh", "/tmp/app/config/broken") for name in pods]
    assert has == [b"yes\n", b"no\n", b"no\n"]
    waits = [one for one in map(load_event, events.read_text().splitlines()) if isinstance(one, WaveWaits)]
    assert [one.what for one in waits] == [Wait.SETTLE]
