"""`--container-logs`: what `kubectl logs` has, beside what a pull copies; of containers that don't run, too."""

import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from asynccp.testing.kinds import gnu
from asynccp.testing.pod import Container, FakePod
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import Fleet, asynccp, labels_for, selector
from tests.e2e.real import RealFleet
from tests.e2e.running import eventually

NOW = datetime.now(UTC)
OLD, NEW = NOW - timedelta(hours=3), NOW - timedelta(minutes=5)
LINES = [(OLD, b"old\n"), (NEW, b"new \xff\n"), (NEW, b"no end")]

fake_only = pytest.mark.fake_only


@pytest.fixture
def pods(fake_fleet: FakeFleet) -> tuple[str, list[FakePod]]:
    """A selector, and two pods: one whose `app` runs and was restarted once, one whose `app` crashes."""
    labels = labels_for("logs")
    made = []
    for name in ("runs", "crashes"):
        containers = [Container("app", gnu()), Container("side", gnu())]
        made.append(FakePod(f"{name}-{labels['app']}", labels, containers=containers))
        fake_fleet.run(made[-1])
    for pod in made:
        pod.container("app").log = list(LINES)
        pod.container("app").previous = [(OLD, b"died\n")]
        pod.container("side").log = [(NEW, b"side\n")]
    made[1].container("app").waiting = "CrashLoopBackOff"
    return selector(labels), made


def files(directory: Path) -> dict[str, bytes]:
    return {str(one.relative_to(directory)): one.read_bytes() for one in directory.rglob("*") if one.is_file()}


@fake_only
def test_logs_alone_need_no_path_and_no_container_that_runs(
    fake_fleet: FakeFleet, pods: tuple[str, list[FakePod]], tmp_path: Path
) -> None:
    query, (runs, crashes) = pods
    ran = asynccp(fake_fleet, "pull", "-l", query, tmp_path, "--container-logs", "-o", "json")
    assert ran.code == 0, ran.err
    assert files(tmp_path) == {
        f"{runs.name}/app.log": b"old\nnew \xff\nno end",
        f"{crashes.name}/app.log": b"died\n",  # as of kubectl logs: the last that ran
    }
    assert [(one["container"], one["log"], one["outcome"]) for one in ran.report["pods"]] == [
        ("app", "current", "complete")
    ] * 2
    assert not fake_fleet.cluster.running_processes(), "no exec was opened"


@fake_only
def test_all_containers_and_what_was_before_the_restart(
    fake_fleet: FakeFleet, pods: tuple[str, list[FakePod]], tmp_path: Path
) -> None:
    query, (runs, crashes) = pods
    ran = asynccp(fake_fleet, "pull", "-l", query, tmp_path, "--container-logs", "--all-containers", "--previous")
    assert ran.code == 0, ran.err
    assert files(tmp_path) == {
        f"{runs.name}/app.log": b"old\nnew \xff\nno end",
        f"{runs.name}/app.previous.log": b"died\n",
        f"{runs.name}/side.log": b"side\n",
        f"{crashes.name}/app.log": b"died\n",
        f"{crashes.name}/app.previous.log": b"died\n",
        f"{crashes.name}/side.log": b"side\n",
    }


@fake_only
@pytest.mark.parametrize(
    ("flags", "log"),
    [
        (["--since", "1h"], b"new \xff\nno end"),
        (["--tail", "2"], b"new \xff\nno end"),
        (["--tail", "0"], b""),
        (["--tail", "-1"], b"old\nnew \xff\nno end"),
        (["--since", "4h", "--tail", "1"], b"no end"),
    ],
)
def test_which_lines_come_is_as_kubectl_has_it(
    fake_fleet: FakeFleet, pods: tuple[str, list[FakePod]], tmp_path: Path, flags: list[str], log: bytes
) -> None:
    ran = asynccp(fake_fleet, "pull", f"{pods[1][0].name}:", tmp_path, "--container-logs", *flags)
    assert ran.code == 0, ran.err
    assert files(tmp_path) == {f"{pods[1][0].name}/app.log": log}


@fake_only
def test_the_time_of_each_line(fake_fleet: FakeFleet, pods: tuple[str, list[FakePod]], tmp_path: Path) -> None:
    ran = asynccp(
        fake_fleet, "pull", f"{pods[1][0].name}:", tmp_path, "--container-logs", "--timestamps", "--tail", "1"
    )
    assert ran.code == 0, ran.err
    (log,) = files(tmp_path).values()
    moment, _, line = log.partition(b" ")
    assert datetime.fromisoformat(moment.decode()[:26] + "+00:00") == NEW
    assert line == b"no end"


@fake_only
def test_files_and_logs_come_together_and_a_pod_that_only_has_logs_is_told(
    fake_fleet: FakeFleet, pods: tuple[str, list[FakePod]], tmp_path: Path
) -> None:
    query, (runs, crashes) = pods
    (runs.root("app") / "srv" / "files").mkdir(parents=True)
    (runs.root("app") / "srv" / "files" / "a").touch()
    out = tmp_path / "out.tar"
    ran = asynccp(fake_fleet, "pull", "-l", f"{query}:/srv/files", "--archive", out, "--container-logs", "-o", "json")
    assert ran.code == 0, ran.err
    with tarfile.open(out) as tar:
        names = {one.name for one in tar if one.isfile()}
    assert names == {
        f"./{runs.name}/files/a",
        f"./{runs.name}/app.log",
        f"./{crashes.name}/app.log",
        "./report.json",
    }
    assert [(one["pod"], one["reason"]) for one in ran.report["skipped"]] == [
        (f"default/{crashes.name}", "container app is waiting (CrashLoopBackOff); side runs: -c side")
    ]


@fake_only
def test_a_container_that_never_ran_has_none(
    fake_fleet: FakeFleet, pods: tuple[str, list[FakePod]], tmp_path: Path
) -> None:
    query, (runs, crashes) = pods
    crashes.container("app").previous = None
    crashes.container("app").waiting = "ContainerCreating"
    ran = asynccp(fake_fleet, "pull", "-l", query, tmp_path, "--container-logs")
    assert ran.code == 0, ran.err
    assert f"skipped default/{crashes.name}: container app is waiting (ContainerCreating), and has no log" in ran.err
    assert files(tmp_path).keys() == {f"{runs.name}/app.log"}
    ran = asynccp(fake_fleet, "pull", f"{crashes.name}:", tmp_path, "--container-logs")
    assert ran.code == 3


@fake_only
def test_who_may_not_read_logs_is_told_the_verb(
    fake_fleet: FakeFleet, pods: tuple[str, list[FakePod]], tmp_path: Path
) -> None:
    fake_fleet.forbid("get", "pods/log", "reader")
    ran = asynccp(
        fake_fleet, "pull", "-l", pods[0], tmp_path, "--container-logs", KUBECONFIG=str(fake_fleet.login("reader"))
    )
    assert ran.code == 1
    assert "logs are forbidden" in ran.err
    assert "kubectl auth can-i get pods --subresource=log" in ran.err


@fake_only
def test_a_log_and_a_file_on_one_name_are_refused(
    fake_fleet: FakeFleet, pods: tuple[str, list[FakePod]], tmp_path: Path
) -> None:
    ran = asynccp(fake_fleet, "pull", f"{pods[1][0].name}:/srv/app.log", tmp_path / "to", "--container-logs")
    assert ran.code == 2
    assert "would land on one name" in ran.err
    assert f"{pods[1][0].name}/app log" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--container-logs", "--since", "yesterday"], "'yesterday' is no span of time"),
        (["--container-logs", "--since", "0s"], "--since is at least 1"),
        (["--container-logs", "--tail", "x"], "--tail is a whole number, not 'x'"),
        (["--container-logs", "--tail", "-2"], "--tail is at least -1"),
        (["--previous"], "no logs are asked for, but which lines of them"),
        (["--tail", "5"], "no logs are asked for, but which lines of them"),
        ([], "-l app=none has no path"),
    ],
)
def test_what_can_not_be_is_one_sentence_and_nothing_is_written(
    fleet: Fleet, tmp_path: Path, flags: list[str], says: str
) -> None:
    ran = asynccp(fleet, "pull", "-l", "app=none", tmp_path / "to", *flags)
    assert ran.code == 2
    assert says in ran.err.splitlines()[0]
    assert list(tmp_path.iterdir()) == []


TALKS = 'for n in 1 2 3 4 5; do echo "line $n"; done; echo to-stderr >&2; printf no-end; sleep 1; %s'


@pytest.mark.cluster
def test_every_log_is_what_kubectl_has(real_fleet: RealFleet, tmp_path: Path) -> None:
    labels, spec = labels_for("logs"), real_fleet.spec("busybox", ["talks", "crashes", "silent"])
    spec["restartPolicy"] = "Always"
    for index, last in enumerate(("sleep 3600", "exit 3", "")):
        spec["containers"][index]["command"] = ["sh", "-c", TALKS % last if last else "sleep 3600"]
    init = real_fleet.spec("busybox", ["setup"])["containers"][0]
    spec["initContainers"] = [{**init, "command": ["sh", "-c", "echo set up"]}]
    name = real_fleet.run(f"logs-{labels['app']}", labels, spec, wait=False)

    def restarted() -> bool:
        where = '{.status.containerStatuses[?(@.name=="crashes")].lastState.terminated.exitCode}'
        return real_fleet.kubectl("get", "pod", name, "-o", f"jsonpath={where}") == "3"

    eventually("the container has crashed and was started again", restarted, 90)
    eventually("it has said its words", lambda: "line 5" in real_fleet.kubectl("logs", name, "-c", "talks"))
    arguments = ("pull", "-l", selector(labels), "--container-logs", "--all-containers", "--previous")
    ran = asynccp(real_fleet, *arguments, tmp_path, "-o", "json")
    assert ran.code == 0, ran.err
    found = files(tmp_path / name)
    assert found.keys() - {"crashes.previous.log"} == {"talks.log", "crashes.log", "silent.log", "setup.log"}
    for one in ("talks", "silent", "setup"):
        assert found[f"{one}.log"].decode() == real_fleet.kubectl("logs", name, "-c", one)
    assert b"line 5\n" in found["crashes.log"]
    before = found.get("crashes.previous.log")  # a node keeps only the last of those that crash, and may have none
    (outcome,) = [one["outcome"] for one in ran.report["pods"] if one["log"] == "previous"]
    assert outcome == ("absent" if before is None else "complete")
    assert before is None or b"to-stderr\n" in before
    flags = ("--tail", "2", "--timestamps", "--since", "1h")
    ran = asynccp(real_fleet, "pull", f"{name}:", tmp_path / "two", "--container-logs", "-c", "talks", *flags)
    assert ran.code == 0, ran.err
    assert (tmp_path / "two" / name / "talks.log").read_text() == real_fleet.kubectl(
        "logs", name, "-c", "talks", "--tail=2", "--timestamps", "--since=1h"
    )
