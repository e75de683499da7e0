"""`--template`: where each copy lands, and that nothing is written where two would land on one name."""

from pathlib import Path

import pytest

from asynccp.testing.pod import FakePod
from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import Fleet, asynccp, labels_for, selector, sh

FILL = 'mkdir -p "$1/app" && cd "$1/app" && echo "$2" >who && ln -s ../../other away'

Pods = tuple[str, list[str]]


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> Pods:
    """A selector, and the two pods that it matches; one of them has a label that the other lacks."""
    labels = labels_for("template")
    kinds = fleet.kinds("gnu", "busybox")
    names = [
        fleet.add(kind, f"template-{kind}", {**labels, **({"tier": "Front"} if not index else {})})
        for index, kind in enumerate(kinds)
    ]
    for one in names:
        sh(fleet, one, "sh", "-c", FILL, "sh", "/tmp/t/log", one)
    return selector(labels), names


def test_a_copy_lands_as_the_template_says_and_the_report_tells_where(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    labels, names = pods
    template = "{namespace}/{pod}.{container}/{path}"
    ran = asynccp(fleet, "pull", "-l", f"{labels}:/tmp/t/log", "to", "--template", template, "-o", "json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    for one in names:
        landed = f"to/{fleet.namespace}/{one}.main/tmp/t/log"
        assert (tmp_path / landed / "app" / "who").read_text() == f"{one}\n"
        assert (tmp_path / landed / "app" / "away").is_symlink()
        assert landed in [found["landed"] for found in ran.report["pods"]]


def test_a_link_leads_no_further_than_the_copy_where_several_pods_share_a_directory(
    fleet: Fleet, pods: Pods, tmp_path: Path
) -> None:
    labels, names = pods
    ran = asynccp(fleet, "pull", "-l", f"{labels}:/tmp/t/log/app/", tmp_path, "--template", "{path}/{pod}")
    assert ran.code == 23, ran.err
    ran = asynccp(fleet, "pull", "-l", f"{labels}:/tmp/t/log/app", tmp_path, "--template", "{path}/{pod}")
    assert ran.code == 23, ran.err
    assert ran.err.count("leads out of the pod's directory") >= len(names)
    for one in names:
        assert [found.name for found in (tmp_path / "tmp/t/log/app" / one).iterdir()] == ["who"]


def test_a_single_file_gets_the_name_that_the_template_makes(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    labels, names = pods
    ran = asynccp(fleet, "pull", "-l", f"{labels}:/tmp/t/log/app/who", tmp_path, "--template", "who/{pod}-{path}")
    assert ran.code == 0, ran.err
    found = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()}
    assert found == {f"who/{one}-tmp/t/log/app/who" for one in names}


def test_a_dry_run_shows_where(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    arguments = ("pull", "-l", f"{pods[0]}:/tmp/t/log", tmp_path, "--template", "{pod}/{path}", "--dry-run")
    shown = asynccp(fleet, *arguments)
    planned = asynccp(fleet, *arguments, "-o", "json").report
    for one in pods[1]:
        assert f"{one}:/tmp/t/log → {tmp_path}/{one}/tmp/t/log\n" in shown.out
    assert sorted(one["lands_as"] for one in planned["pods"]) == sorted(
        f"{tmp_path}/{one}/tmp/t/log" for one in pods[1]
    )


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("logs", "would land on one name: logs/log"),
        ("{labels.app}", "would land on one name"),
        ("{pods}", "a template has no field {pods}"),
        ("{pod", "has no other half"),
        ("../{pod}", "leads out of the pull's directory"),
        ("/tmp/{pod}", "leads out of the pull's directory"),
        ("./", "a template names something"),
    ],
)
def test_what_can_not_be_is_one_sentence_and_nothing_is_written(
    fleet: Fleet, pods: Pods, tmp_path: Path, template: str, says: str
) -> None:
    ran = asynccp(fleet, "pull", "-l", f"{pods[0]}:/tmp/t/log", tmp_path / "to", "--template", template)
    assert ran.code == 2
    assert says in ran.err.splitlines()[0]
    assert list(tmp_path.iterdir()) == []


def test_a_pod_without_the_label_is_named_and_the_others_go_on(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    labels, (first, *others) = pods
    ran = asynccp(fleet, "pull", "-l", f"{labels}:/tmp/t/log", tmp_path, "--template", "{labels.tier}/{pod}")
    assert ran.code == (23 if others else 0), ran.err
    assert (tmp_path / "Front" / first / "log" / "app" / "who").read_text() == f"{first}\n"
    for one in others:
        assert f"skipped {fleet.namespace}/{one}: has no label tier" in ran.err


@pytest.mark.fake_only
@pytest.mark.parametrize("template", ["{pod}", "{pod}/{path}"])
def test_the_containers_home_is_pulled_as_its_contents(fake_fleet: FakeFleet, tmp_path: Path, template: str) -> None:
    labels = labels_for("home")
    pod = FakePod(f"home-{labels['app']}", labels)
    fake_fleet.run(pod)
    (pod.root() / "who").write_text("home")
    for home in ("~", "~/"):
        ran = asynccp(fake_fleet, "pull", f"{pod.name}:{home}", tmp_path, "--template", template)
        assert ran.code == 0, ran.err
        assert (tmp_path / pod.name / "who").read_text() == "home"
        (tmp_path / pod.name / "who").unlink()
