"""One command for several clusters: one run, one report, the context in each line and path; one may be down."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fakefleet import FakeFleet, served
from tests.e2e.fleet import Ran, asynccp, labels_for, selector, sh

pytestmark = [pytest.mark.timeout(120), pytest.mark.fake_only]


class Clusters:
    """Two, and a third that is down: contexts `prod-a`, `prod-b` and `prod-c` of one kubeconfig."""

    def __init__(self, a: FakeFleet, b: FakeFleet, directory: Path) -> None:
        self.a, self.b = a, b
        self.labels = labels_for("contexts")
        self.who = selector(self.labels)
        self.kubeconfig = directory / "joined"
        found = {name: json.loads(one.kubeconfig.read_text())["clusters"][0]["cluster"] for name, one in self.each}
        found["prod-c"] = {"server": "https://127.0.0.1:1"}
        document = {
            "clusters": [{"name": name, "cluster": cluster} for name, cluster in found.items()],
            "contexts": [{"name": name, "context": {"cluster": name}} for name in found],
            "current-context": "prod-a",
        }
        self.kubeconfig.write_text(json.dumps(document))
        for _, one in self.each:
            for pod in ("web-0", "web-1"):
                one.add("gnu", pod, self.labels)

    @property
    def each(self) -> list[tuple[str, FakeFleet]]:
        return [("prod-a", self.a), ("prod-b", self.b)]

    def run(self, *arguments: str | Path) -> Ran:
        return asynccp(self.a, *arguments, "--kubeconfig", self.kubeconfig)


@pytest.fixture(scope="module")
def clusters(fleet: FakeFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    directory = tmp_path_factory.mktemp("contexts")
    with served(directory) as other:
        yield Clusters(fleet, other, directory)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "file").write_text("of everybody\n")
    return tmp_path / "config"


BOTH = ("--context", "prod-a", "--context", "prod-b")
PLACES = {("prod-a", "web-0"), ("prod-a", "web-1"), ("prod-b", "web-0"), ("prod-b", "web-1")}


def test_a_push_reaches_the_pods_of_each_context_in_one_run(clusters: Clusters, source: Path) -> None:
    ran = clusters.run("push", source, "-l", f"{clusters.who}:/tmp/one", *BOTH, "-o", "json")
    assert ran.code == 0, ran.err
    assert {(one["context"], one["pod"]) for one in ran.report["pods"]} == PLACES
    for context, pod in PLACES:
        assert f"{context}/default/{pod}:/tmp/one  complete" in ran.err
    for _, one in clusters.each:
        assert sh(one, "web-1", "cat", "/tmp/one/config/file") == b"of everybody\n"
    again = clusters.run("diff", source, "-l", f"{clusters.who}:/tmp/one", *BOTH)
    assert again.code == 0, again.out
    assert ran.report["request"]["settings"]["server.contexts"] == ["prod-a", "prod-b"]


def test_a_pull_gives_each_context_a_directory(clusters: Clusters, tmp_path: Path) -> None:
    for name, one in clusters.each:
        sh(one, "web-0", "sh", "-c", 'mkdir -p "$1" && echo "$2" >"$1/log"', "sh", "/tmp/logs", name)
    who: list[str | Path] = ["web-0:/tmp/logs", tmp_path / "to"]
    assert clusters.run("pull", *who, *BOTH).code == 0
    assert clusters.run("pull", *who, "--context", "prod-[b]", "--template", "{pod}/{context}").code == 0
    assert clusters.run("pull", *who, "--context", "prod-a", "--template", "{pod}/{context}").code == 0
    assert clusters.run("pull", *who, "--context", "prod-a").code == 0
    found = {path.relative_to(tmp_path / "to").as_posix(): path.read_text() for path in tmp_path.rglob("log")}
    assert found == {
        "prod-a/web-0/logs/log": "prod-a\n",
        "prod-b/web-0/logs/log": "prod-b\n",
        "web-0/prod-b/logs/log": "prod-b\n",
        "web-0/prod-a/logs/log": "prod-a\n",
        "web-0/logs/log": "prod-a\n",
    }


def test_a_context_that_is_down_is_named_and_the_others_go_on(clusters: Clusters, source: Path, tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    ran = clusters.run("push", source, "-l", f"{clusters.who}:/tmp/two", "--context", "prod-*", "--report", report)
    assert ran.code == 23
    (line,) = [line for line in ran.err.splitlines() if line.startswith("skipped")]
    assert "prod-c" in line
    assert "can't be reached" in line
    assert "skipped 1 context that counts as failed: the API server at https://127.0.0.1:1 can't be reached" in ran.out
    again = clusters.run("retry", report)
    assert again.code == 23, "it is still down, and there is nothing else to do"
    assert "skipped prod-c: the API server" in again.err
    assert "complete" not in again.err


def test_a_second_try_touches_only_what_failed_in_its_context(clusters: Clusters, source: Path, tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    for pod in ("web-0", "web-1"):
        sh(clusters.b, pod, "touch", "/tmp/three")
    ran = clusters.run("push", source, "-l", f"{clusters.who}:/tmp/three", *BOTH, "--report", report)
    for pod in ("web-0", "web-1"):
        sh(clusters.b, pod, "rm", "/tmp/three")
    assert ran.code == 23
    again = clusters.run("retry", report, "-o", "json")
    assert again.code == 0, again.err
    assert again.err.splitlines()[0].endswith("to 2 pods: prod-b/default/web-0, prod-b/default/web-1")
    assert {(one["context"], one["pod"]) for one in again.report["pods"]} == PLACES
    assert clusters.run("retry", report).code == 0


def test_what_a_push_has_replaced_comes_back_in_each_context(clusters: Clusters, source: Path) -> None:
    push = ["push", f"{source}/", "-l", f"{clusters.who}:/tmp/four", *BOTH, "--backup"]
    assert clusters.run(*push).code == 0
    (source / "file").write_text("of nobody\n")
    assert clusters.run(*push).code == 0
    ran = clusters.run("rollback", "-l", f"{clusters.who}:/tmp/four", *BOTH)
    assert ran.code == 0, ran.err
    for _, one in clusters.each:
        assert sh(one, "web-0", "cat", "/tmp/four/file") == b"of everybody\n"


def test_check_asks_each_context(clusters: Clusters) -> None:
    ran = clusters.run("check", "-l", clusters.who, *BOTH, "-o", "json")
    assert ran.code == 0, ran.err
    checked = json.loads(ran.out)
    assert list(checked["contexts"]) == ["prod-a", "prod-b"]
    assert all(len(one["pods"]) == 2 for one in checked["contexts"].values())
    ran = clusters.run("check", "-l", clusters.who, "--context", "prod-*")
    assert ran.code == 1
    assert "context prod-c:" in ran.out
    assert "can't be reached" in ran.out


def test_a_name_that_is_no_context_and_a_cp_to_several_are_refused(clusters: Clusters, source: Path) -> None:
    ran = clusters.run("push", source, "-l", f"{clusters.who}:/tmp/x", "--context", "prod-a", "--context", "nope")
    assert (ran.code, "has no context 'nope'" in ran.err) == (1, True)
    ran = clusters.run("cp", source / "file", "web-0:/tmp/x", *BOTH)
    assert (ran.code, "cp is for one pod, and so for one context" in ran.err) == (2, True)


def test_no_context_has_the_pods_then_the_code_is_3(clusters: Clusters, source: Path) -> None:
    ran = clusters.run("push", source, "-l", "app=nobody:/tmp/x", *BOTH)
    assert ran.code == 3
    assert "in context prod-a there are no pods with labels app=nobody" in ran.err
    assert "in context prod-b there are no pods" in ran.err
