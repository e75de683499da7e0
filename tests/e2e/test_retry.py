"""A second try touches what was not complete, and nothing else; what can't be tried again is refused in a sentence."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from asynccp.jsonlines import load_event
from asynccp.testing.faults import Refuse
from asynccp.testing.kinds import KINDS
from asynccp.testing.pod import Container, FakePod
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import Fleet, Ran, asynccp, labels_for, selector, sh
from tests.e2e.running import Running
from tests.schema import conforming

ONCE = ("--retries", "0")
pytestmark = pytest.mark.fake_only  # pods that refuse, each when it is told to


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text("a = 1\n")
    (tmp_path / "config" / "b").write_text("b\n")
    return tmp_path / "config"


class Pods:
    """Three pods, of which some refuse for a while."""

    def __init__(self, fleet: FakeFleet, name: str) -> None:
        self.fleet = fleet
        self.labels = labels_for(name)
        self.selector = selector(self.labels)
        self.pods = [self.made(f"{name}-{number}") for number in range(3)]
        self.names = [pod.name for pod in self.pods]

    def made(self, name: str) -> FakePod:
        pod = FakePod(name, self.labels, self.fleet.namespace, [Container("main", KINDS["gnu"]())], {}, "Running")
        self.fleet.run(pod)
        return pod

    def deny(self, *numbers: int) -> None:
        for number in numbers:
            self.fleet.strike(self.pods[number], Refuse(code=403, always=True))

    def inodes(self) -> list[bytes]:
        """Return which file each pod has; b"none" for none."""
        script = 'ls -i "$1" 2>/dev/null || echo none'
        return [
            sh(self.fleet, one, "sh", "-c", script, "sh", "/etc/app/config/app.toml").split()[0] for one in self.names
        ]


@pytest.fixture
def pods(fake_fleet: FakeFleet, request: pytest.FixtureRequest) -> Pods:
    fake_fleet.heal()
    return Pods(fake_fleet, f"again-{abs(hash(request.node.name)) % 10**6}")


def outcomes(file: Path) -> dict[str, str]:
    return {one["pod"]: one["outcome"] for one in conforming(file.read_text())["pods"]}


def test_a_retry_touches_only_what_was_not_complete_and_then_there_is_nothing_to_do(
    pods: Pods, config: Path, tmp_path: Path
) -> None:
    pods.deny(1, 2)
    first = asynccp(
        pods.fleet, "push", "./config", "-l", pods.selector, ":/etc/app", "--report", "run.json", *ONCE, cwd=tmp_path
    )
    assert first.code == 23, first.err
    pods.fleet.heal()
    before = pods.inodes()
    assert before[1:] == [b"none", b"none"]
    pods.fleet.delete(pods.names[2])
    pods.made(pods.names[2])  # as a StatefulSet does it: another pod of the same name
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = asynccp(pods.fleet, "retry", tmp_path / "run.json", "-o", "json", cwd=elsewhere)
    assert again.code == 0, again.err
    assert f"to 2 pods: default/{pods.names[1]}, default/{pods.names[2]}" in again.err
    assert pods.inodes()[0] == before[0], "what was complete is not touched"
    assert b"none" not in pods.inodes()
    report = again.report
    assert [one["outcome"] for one in report["pods"]] == ["complete"] * 3
    assert [(one["tries"], len(one["attempts"])) for one in report["pods"]] == [(1, 0), (2, 1), (2, 1)]
    assert conforming((tmp_path / "run.json").read_text()) == report
    assert report["seconds"] >= report["pods"][1]["begun_seconds"] > report["pods"][0]["begun_seconds"]

    text = (tmp_path / "run.json").read_bytes()
    once_more = asynccp(pods.fleet, "retry", tmp_path / "run.json", KUBECONFIG="/none")
    assert (once_more.code, once_more.err) == (0, f"nothing in {tmp_path}/run.json is left to be tried again\n")
    assert once_more.out.startswith("pushed to 3 of 3 pods; 9 entries, ")
    assert (tmp_path / "run.json").read_bytes() == text


def test_a_pod_that_is_gone_is_named_and_its_successor_left_alone(pods: Pods, config: Path, tmp_path: Path) -> None:
    pods.deny(1)
    report = tmp_path / "run.json"
    assert asynccp(pods.fleet, "push", config, "-l", pods.selector, ":/etc/app", "--report", report, *ONCE).code == 23
    pods.fleet.heal()
    pods.fleet.delete(pods.names[1])
    successor = pods.made(f"{pods.names[1]}-later").name
    again = asynccp(pods.fleet, "retry", report, "-o", "json")
    assert again.code == 23
    assert again.errors[pods.names[1]] == "not tried again: no such pod matches any more"
    assert sh(pods.fleet, successor, "sh", "-c", 'ls "$1" 2>/dev/null; true', "sh", "/etc/app") == b""


def test_sources_that_have_changed_are_refused_and_pushed_anyway_when_that_is_said(
    pods: Pods, config: Path, tmp_path: Path
) -> None:
    pods.deny(1)
    report = tmp_path / "run.json"
    assert asynccp(pods.fleet, "push", config, "-l", pods.selector, ":/etc/app", "--report", report, *ONCE).code == 23
    pods.fleet.heal()
    (config / "c").write_text("new\n")
    text = report.read_bytes()
    refused = asynccp(pods.fleet, "retry", report)
    assert refused.code == 1
    assert "the sources have changed since: 3 entries, 8 B then, 4 entries, 12 B now" in refused.err
    assert "--anyway" in refused.err
    (config / "c").unlink()
    os.utime(config / "b", ns=(0, 1))
    touched = asynccp(pods.fleet, "retry", report)
    assert "the sources have changed since: names, times or modes are others now" in touched.err
    (config / "c").write_text("new\n")
    assert report.read_bytes() == text
    assert pods.inodes()[1] == b"none"
    assert asynccp(pods.fleet, "retry", report, "--anyway").code == 0
    assert sh(pods.fleet, pods.names[1], "cat", "/etc/app/config/c") == b"new\n"


def test_a_pull_is_taken_up_where_it_lands_with_its_own_filters_and_a_mirror_spares_the_others(
    pods: Pods, tmp_path: Path
) -> None:
    script = 'mkdir -p "$1/d" "$2" && echo a >"$1/a.log" && echo b >"$1/b" && echo c >"$2/c"'
    for name in pods.names:
        sh(pods.fleet, name, "sh", "-c", script, "sh", "/var/log", "/srv")
    (tmp_path / "patterns").write_text("b\n")
    pull = ["pull", "-l", f"{pods.selector}:/var/log/", *(f"{name}:/srv" for name in pods.names), "./logs", "--mirror"]
    done = asynccp(pods.fleet, *pull, "--exclude-from", "patterns", "--report", "run.json", cwd=tmp_path)
    assert done.code == 0, done.err
    (tmp_path / "patterns").unlink()
    document = json.loads((tmp_path / "run.json").read_text())
    (one,) = [it for it in document["pods"] if it["pod"] == pods.names[0] and it["path"] == "/var/log/"]
    one.update(outcome="failed", error="as if", bytes=0, entries=0)
    (tmp_path / "run.json").write_text(json.dumps(document))
    (tmp_path / "logs" / pods.names[0] / "left").write_text("not in the pod")
    again = asynccp(pods.fleet, "retry", tmp_path / "run.json", cwd=Path("/"))
    assert again.code == 0, again.err
    found = sorted(
        str(path.relative_to(tmp_path / "logs" / pods.names[0]))
        for path in (tmp_path / "logs" / pods.names[0]).rglob("*")
    )
    assert found == ["a.log", "d", "srv", "srv/c"], (
        "the filter holds, what is not in the pod goes, the other copy stays"
    )


def test_what_a_run_that_ended_early_has_not_begun_is_tried(pods: Pods, config: Path, tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    pods.deny(0, 1, 2)
    first = asynccp(
        pods.fleet,
        "push",
        config,
        "-l",
        pods.selector,
        ":/etc/app",
        "--report",
        report,
        "-j",
        "1",
        "--fail-fast",
        *ONCE,
    )
    assert first.code == 1, first.err
    assert "not begun" in report.read_text()
    pods.fleet.heal()
    assert asynccp(pods.fleet, "retry", report).code == 0
    assert b"none" not in pods.inodes()


def test_what_was_interrupted_is_tried_again(pods: Pods, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(4 * 1024**2))
    report, slowly = tmp_path / "run.json", ("--bwlimit", "1M", "-z", "none", "-j", "1")
    push = ["push", str(tmp_path / "big"), "-l", pods.selector, ":/tmp/big", *slowly, "--report", str(report)]
    with Running(pods.fleet, *push) as running:
        running.wait_for("started")
        running.send_signal(signal.SIGTERM)
        assert running.finish().code == 130
    assert set(outcomes(report).values()) == {"interrupted"}
    again = asynccp(pods.fleet, "retry", report, "-o", "json")
    assert (again.code, set(again.outcomes.values())) == (0, {"complete"})
    assert sorted(one["tries"] for one in again.report["pods"]) == [1, 1, 2], "two had not begun"


def with_change(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    def changed(text: str) -> str:
        document = json.loads(text)
        change(document)
        return json.dumps(document)

    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:200], "can't be used: it is no JSON, or not whole"),
        (lambda text: "hello", "can't be used: it is no JSON, or not whole"),
        (with_change(lambda it: it.pop("pods")), "can't be used: it is no report of asynccp, or not a whole one"),
        (with_change(lambda it: it.update(version=7)), "can't be used: it is a report of version 7"),
        (with_change(lambda it: it.pop("exit_code")), "can't be used: it is the plan of a dry run"),
        (with_change(lambda it: it.pop("request")), "can't be tried again: it does not say what was asked for"),
        (with_change(lambda it: it.update(direction="diff")), "can't be tried again: it is of a comparison"),
        (with_change(lambda it: it["request"].pop("selectors")), "can't be used: it is no report of asynccp, or not a"),
        (with_change(lambda it: it["request"]["settings"].update({"showing.report": "/x"})), "showing.report"),
        (with_change(lambda it: it["request"]["settings"].update({"options.new": 1})), "options.new"),
        (with_change(lambda it: it["request"]["settings"].update({"options.sync.delete": "x"})), "Expected `bool`"),
        (with_change(lambda it: it["request"].update(arguments=7)), "Expected `array`"),
    ],
)
def test_what_can_not_be_tried_again_is_refused(
    fleet: Fleet, report_text: str, tmp_path: Path, change: Callable[[str], str], said: str
) -> None:
    file = tmp_path / "run.json"
    file.write_text(change(report_text))
    text = file.read_bytes()
    ran = asynccp(fleet, "retry", file, "--events", tmp_path / "events")
    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) <= 2
    assert (ran.out, file.read_bytes(), os.listdir(tmp_path)) == ("", text, ["run.json"])


@pytest.fixture(scope="module")
def report_text(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("report")
    pod = fleet.add("gnu", "reported", labels_for("reported"))
    (directory / "file").write_text("x")
    assert asynccp(fleet, "push", directory / "file", f"{pod}:/tmp/x", "--report", directory / "run.json").code == 0
    return (directory / "run.json").read_text()


def test_a_report_is_shown_again_without_a_cluster(fleet: Fleet, report_text: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(report_text)
    shown = asynccp(fleet, "report", file, KUBECONFIG="/none")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("pushed to 1 of 1 pod as /tmp/x; 1 entry, 1 B in ")
    assert asynccp(fleet, "report", file, "-o", "json").report == json.loads(report_text)
    gone = asynccp(fleet, "report", tmp_path / "none.json")
    assert (gone.code, gone.err) == (
        2,
        f"asynccp: the report {tmp_path}/none.json can't be read: there is no such file\n",
    )
    assert asynccp(fleet, "report").code == 2


def test_no_secret_is_in_a_report(pods: Pods, config: Path, tmp_path: Path) -> None:
    document = yaml.safe_load(pods.fleet.kubeconfig.read_text())
    document["users"][0]["user"] |= {"token": "s3cr3t-token"}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(document))
    files = [tmp_path / "run.json", tmp_path / "run.html", tmp_path / "events"]
    flags = [f"--{flag}={file}" for flag, file in zip(("report", "html", "events"), files, strict=True)]
    push = ["push", str(config), "-l", pods.selector, ":/etc/app", "--kubeconfig", str(kubeconfig), *flags]
    assert asynccp(pods.fleet, *push).code == 0
    assert [file.name for file in files if "s3cr3t" in file.read_text()] == []
    assert str(kubeconfig) in files[0].read_text(), "its path, for a second try"


def events_of(ran: Ran, text: str) -> list[str]:
    assert ran.code == 0, ran.err
    return [type(load_event(line)).__name__ for line in text.splitlines()]


def test_events_are_written_while_it_runs_to_a_file_or_to_stdout(pods: Pods, config: Path, tmp_path: Path) -> None:
    push = ["push", str(config), "-l", pods.selector, ":/etc/app"]
    to_file = asynccp(pods.fleet, *push, "--events", tmp_path / "events")
    assert to_file.out.startswith("pushed to 3 of 3 pods")
    kinds = events_of(to_file, (tmp_path / "events").read_text())
    assert (kinds.count("Started"), kinds.count("Finished")) == (3, 3)
    moved = [load_event(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert sum(getattr(one, "size", 0) for one in moved) >= 3 * 4096
    to_stdout = asynccp(pods.fleet, *push, "--events", "-")
    assert events_of(to_stdout, to_stdout.out).count("Finished") == 3
    assert "pushed to 3 of 3 pods" in to_stdout.err


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--events", "missing/events"], 1, "the events can't be written to missing/events: No such file or directory"),
        (["--events", "."], 1, "the events can't be written to .: Is a directory"),
        (["--events", "-", "-o", "json"], 2, "stdout is for the events, or for the report, or for an archive"),
        (["--html", "missing/page"], 1, "the report can't be written to missing/page: there is no such directory"),
    ],
)
def test_what_can_not_be_written_is_found_out_before_anything_is_copied(
    pods: Pods, config: Path, tmp_path: Path, flags: list[str], code: int, said: str
) -> None:
    ran = asynccp(pods.fleet, "push", "config", "-l", pods.selector, ":/etc/app", *flags, cwd=tmp_path)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert pods.inodes() == [b"none"] * 3
    assert os.listdir(tmp_path) == ["config"]


def test_events_that_a_full_disk_could_not_take_are_told(pods: Pods, config: Path) -> None:
    ran = asynccp(pods.fleet, "push", config, "-l", pods.selector, ":/etc/app", "--events", "/dev/full")
    assert ran.code == 23
    assert "the events could not be written to /dev/full: No space left on device" in ran.err
    assert ran.out.startswith("pushed to 3 of 3 pods")
