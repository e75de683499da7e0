"""What a command was asked for comes back from its report as it was, whatever it was; and nothing that is not asked."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from asynccp import Compression, Rule, Selection
from asynccp.archive.layout import ArchiveLayout
from asynccp.cli.flags import flags_of, request_of
from asynccp.cli.record import Asked, asked_again, recorded
from asynccp.cli.request import Request
from asynccp.errors import UsageError
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.report import Report
from asynccp.reportjson import load_report
from asynccp.target import Selector
from tests.schema import mismatch

PUSH = PushPlan(("a",), ArchiveLayout([], "0123456789abcdef"), ())
PULL = PullPlan("logs", (), "0123456789abcdef")
WHO = (Selector("labels", "app=web", "/x\udcff"), Selector("deploy", "web", "", "shop"))
GIVEN = Request(command="retry")


def written(asked: Asked, plan: PushPlan | PullPlan = PUSH, direction: str = "") -> Report:
    """Return the report of a command, as it is read again."""
    request = recorded(asked, plan, began_s=1e9 + 0.9, namespace="team", context="kind")
    report = Report(direction or asked.request.command, request=request)
    assert mismatch(report.to_json()) == ""
    return load_report(report.dumps())


def settings_of(report: Report) -> Mapping[str, object]:
    assert report.request is not None
    return report.request.settings


WORDS = {
    "push": {
        "include": ["a"], "exclude": ["*.bak", "b\udcff"], "delete": True, "max_delete": "10", "no_follow": True,
        "compress": "zstd", "timeout": "0.5", "bwlimit": "10M", "container": "main", "all_namespaces": True,
        "namespace": ["a", "b"], "strict": True, "concurrency": "3",
    },
    "pull": {
        "since_time": "1970-01-01T00:00:10Z", "mirror": True, "template": "{pod}/{path}", "container_logs": True,
        "previous": True, "tail": "7", "max_size": "4G", "field_selector": "spec.nodeName=a", "all_containers": True,
    },
}  # fmt: skip


@pytest.mark.parametrize("command", WORDS)
def test_a_request_comes_back_as_it_was(command: str) -> None:
    request = request_of(command, WORDS[command])
    request = request.dated(20_000_000_000) if command == "pull" else request
    selection = request.where._replace(selectors=WHO, logs=request.logs.logs())
    again = asked_again(written(Asked(request, ("/srv/a",), selection), PUSH if command == "push" else PULL), GIVEN)
    assert again.request.options == request.options
    assert again.request.logs == request.logs
    assert (again.request.template, again.request.command) == (request.template, "retry")
    namespaces = ("a", "b") if command == "push" else ("team",)
    assert again.selection == selection._replace(namespaces=namespaces)
    assert again.local == ("/srv/a",)
    assert again.request.server.context == "kind"


def test_several_contexts_are_kept_by_their_names_and_each_has_its_own_namespace() -> None:
    asked = Asked(request_of("push", {"context": ["prod-*"]}), ("a",), Selection(WHO))
    request = recorded(asked, PUSH, began_s=1e9, namespace="", context=None, contexts=["prod-a", "prod-b"])
    assert request.settings == {"server.contexts": ["prod-a", "prod-b"]}
    report = load_report(Report("push", request=request).dumps())
    assert asked_again(report, GIVEN).request.server.contexts == ("prod-a", "prod-b")
    other = request_of("retry", {"context": ["prod-b"]})
    assert asked_again(report, other).request.server.contexts == ("prod-b",)


def test_what_is_as_usual_is_not_kept_and_may_be_otherwise_in_a_second_try() -> None:
    report = written(Asked(request_of("push", {"timeout": "5"}), ("a",), Selection(WHO)))
    assert settings_of(report) == {"options.deadlines.stall_after_s": 5.0, "where.namespaces": ["team"]}
    assert report.request is not None
    assert report.request.began == "2001-09-09T01:46:40Z"
    given = request_of("retry", {"timeout": "600", "retries": "9", "context": ["other"]})
    again = asked_again(report, given).request
    assert (again.options.deadlines.stall_after_s, again.options.failures.retries) == (600.0, 9)
    assert again.server.context == "other"


@pytest.mark.parametrize("command", ["push", "pull", "diff"])
def test_every_setting_that_a_flag_can_make_is_kept_but_what_is_shown(command: str) -> None:
    report = written(
        Asked(request_of(command, {"verbose": 2, "report": "r", "events": "-"}), ("a",), Selection(WHO)), PULL
    )
    assert settings_of(report) == {"where.namespaces": ["team"]}
    assert {flag.sets.partition(".")[0] for flag in flags_of(command)} <= {
        "labels", "where", "server", "options", "showing", "since", "template", "archive", "logs",
        "configured", "workers", "relays", "following",
    }  # fmt: skip


def test_relative_paths_are_those_of_the_directory_where_it_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    request = request_of("push", {"kubeconfig": "kube/config"})
    report = written(Asked(request, ("./config/", "/srv/a"), Selection(WHO)))
    monkeypatch.chdir("/")
    again = asked_again(report, GIVEN)
    assert again.local == (f"{tmp_path}/./config/", "/srv/a")
    assert again.request.server.kubeconfig == f"{tmp_path}/kube/config"
    assert os.getcwd() == "/"


def test_a_template_lands_where_it_did_on_the_day_of_the_run() -> None:
    request = request_of("pull", {"template": "{date}/{pod}/{path}"})
    again = asked_again(written(Asked(request, ("logs",), Selection(WHO)), PULL), GIVEN)
    assert again.request.template == "2001-09-09/{pod}/{path}"


def test_a_working_directory_that_is_gone_costs_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert asked_again(written(Asked(Request(command="push"), ("/srv/a",), Selection(WHO))), GIVEN).local == ("/srv/a",)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (Report("push"), "it does not say what was asked for"),
        (written(Asked(request_of("push", {"dry_run": True}), ("a",), Selection(WHO)), direction="diff"), "comparison"),
        (written(Asked(Request(command="pull"), ("-",), Selection(WHO)), PULL), "it is of a pull into one archive"),
        (
            written(Asked(request_of("pull", {"archive": "a.tar"}), ("a.tar",), Selection(WHO)), PULL),
            "into one archive",
        ),
    ],
)
def test_what_can_not_be_asked_for_again_is_refused(report: Report, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked_again(report, GIVEN)


def test_rules_and_choices_have_their_types_again() -> None:
    request = request_of("push", {"exclude": ["*.bak"], "compress": "gzip"})
    options = asked_again(written(Asked(request, ("a",), Selection(WHO))), GIVEN).request.options
    assert options.filtering.rules == (Rule(False, ("*.bak",)),)
    assert options.compression is Compression.GZIP
