"""A report that was written can be read again, and shown again to the same words; what is none is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from asynccp.report import Outcome, Report, Result
from asynccp.reportjson import Unreadable, load_report
from asynccp.target import Skipped
from asynccp.ui.text import closing, quiet_closing
from tests.test_report_schema import COMPARED, FULL, GONE_POD, PENDING, REPORTS, WEB

FOUND = {
    **REPORTS,
    "a pod that was named and skipped": Report("push", [Result(WEB, Outcome.COMPLETE)], [GONE_POD]),
    "all that is skipped counts": Report("push", [Result(WEB, Outcome.COMPLETE)], [Skipped("a/b", "c")], strict=True),
    "a begin": Report("push", [Result(WEB, Outcome.COMPLETE, begun_s=0.25, seconds=1.5)]),
    "differences that were asked for": Report("diff", [COMPARED], tells_differences=True),
}


@pytest.mark.parametrize("report", FOUND.values(), ids=FOUND)
def test_a_report_comes_back_and_says_the_same(report: Report) -> None:
    found = load_report(report.dumps())
    assert found.to_json() == report.to_json()
    assert closing(found) == closing(report)
    assert quiet_closing(found) == quiet_closing(report)
    assert found.exit_code == report.exit_code


def test_what_a_later_release_adds_is_passed_over() -> None:
    document = Report("push", [FULL]).to_json()
    document["new"] = document["pods"][0]["new"] = document["pods"][0]["attempts"][0]["new"] = {"of": "tomorrow"}
    assert load_report(json.dumps(document)).to_json() == Report("push", [FULL]).to_json()


def test_a_report_of_before_a_field_was_added_can_be_read() -> None:
    document = Report("push", [Result(PENDING, Outcome.COMPLETE, begun_s=1)], strict=True).to_json()
    del document["strict"], document["pods"][0]["begun_seconds"], document["pods"][0]["several"]
    assert load_report(json.dumps(document)).results[0].begun_s is None


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(Report("push", [FULL]).dumps())
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no JSON, or not whole"),
        (Report("push", [FULL]).dumps()[:300], "it is no JSON, or not whole"),
        ("hello", "it is no JSON, or not whole"),
        (b"\xff", "it is no report of asynccp"),
        ("[" * 100_000, "it is no report of asynccp"),
        ("[]", "it is no report of asynccp"),
        ("7", "it is no report of asynccp"),
        ("{}", "not a whole one: it lacks 'version'"),
        ('{"version": 1, "direction": "push"}', "it is the plan of a dry run, not a report"),
        (changed(lambda it: it.update(version=2)), "it is a report of version 2, and this asynccp reads 1"),
        (changed(lambda it: it.update(version="\x1b[2J")), r"it is a report of version \\x1b\[2J, and"),
        (changed(lambda it: it.pop("pods")), "not a whole one: it lacks 'pods'"),
        (changed(lambda it: it["pods"][0].pop("left_out")), "not a whole one: it lacks 'left_out'"),
        (changed(lambda it: it["pods"][0].pop("outcome")), "it is no report of asynccp: .*outcome"),
        (changed(lambda it: it["pods"][0].update(outcome="fine")), "it is no report of asynccp: .*fine"),
        (changed(lambda it: it["pods"][0].update(bytes="7")), "it is no report of asynccp: Expected `int`"),
        (changed(lambda it: it.update(seconds="x")), "it is no report of asynccp: Expected `float`"),
        (changed(lambda it: it.update(pods=7)), "it is no report of asynccp"),
        (changed(lambda it: it.update(request=[])), "it is no report of asynccp"),
        (changed(lambda it: it.update(request={})), "not a whole one: it lacks 'selectors'"),
        (changed(lambda it: it.update(direction="sideways")), "it is no report of asynccp: its direction is none"),
        (changed(lambda it: it["pods"][0].update(bytes=10**400)), "a number has too many digits"),
        (changed(lambda it: it["left_out"].append({"path": 1, "reason": ""})), "it is no report of asynccp"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(text: str | bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said) as caught:
        load_report(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
