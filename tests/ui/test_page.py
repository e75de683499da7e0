"""The page of a report: a file that asks nobody, in which what pods have said is no more than text."""

import hashlib
import json
import re
from base64 import b64encode

import pytest

from asynccp.entry import LeftOut
from asynccp.report import Attempt, Outcome, Report, Requested, Result
from asynccp.reportjson import load_report
from asynccp.target import Selector, Skipped, Target, Transfer
from asynccp.ui.page import page
from asynccp.wave import Passed
from tests.test_report_schema import REPORTS

EVIL = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&lt;{{script}}\x1b[2J\u202e"


def hostile() -> Report:
    transfer = Transfer(Target(EVIL, EVIL, EVIL, EVIL, several=True), EVIL)
    left_out = (LeftOut(EVIL.encode(), EVIL),)
    attempts = (Attempt(EVIL, EVIL, 1),)
    failed = Result(
        transfer, Outcome.FAILED, error=EVIL, error_class=EVIL, hint=EVIL, attempts=attempts, left_out=left_out,
        grown=(EVIL.encode(),), landed=EVIL, begun_s=0.0, seconds=1.0,
    )  # fmt: skip
    request = Requested(EVIL, EVIL, EVIL, (EVIL,), (Selector(EVIL, EVIL, EVIL),), EVIL, {EVIL: EVIL})
    return Report("pull", [failed], [Skipped(EVIL, EVIL)], left_out, request=request)


def data_of(html: str) -> str:
    (found,) = re.findall(r'<script type="application/json" id="report">(.*?)</script>', html, re.DOTALL)
    return str(found)


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_any_report_has_a_page(report: Report) -> None:
    html = page(report)
    data = json.loads(data_of(html))
    assert [one["outcome"] for one in data["pods"]] == [one.outcome.value for one in report.results]
    assert page(load_report(report.dumps())) == html


def test_what_is_hostile_is_data_and_ends_no_block() -> None:
    html = page(hostile())
    assert [html.count(one) for one in ("<script", "</script", "<style", "</style", "<img", "<!--")] == [
        2,
        2,
        1,
        1,
        0,
        0,
    ]
    data = data_of(html)
    assert "<" not in data
    assert data.isascii()
    assert data.isprintable()
    assert "{{" not in html.replace(data, "")


def test_nothing_but_its_own_style_and_script_may_run_or_load() -> None:
    html = page(hostile())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    for name in ("style", "script"):
        (text,) = re.findall(rf"<{name}>(.*?)</{name}>", html, re.DOTALL)
        digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"unsafe|\*|https?:", policy)
    markup = html.replace(data_of(html), "")
    assert not re.search(r"<[^>]+\s(on\w+|style)=", markup), "no handler, no style of a single element"
    assert set(re.findall(r'(?:src|href)="([^"]*)"', markup)) == {"data:,"}


def test_errors_are_grouped_by_class_with_attempts_that_were_made_good() -> None:
    pods = [Transfer(Target("shop", f"web-{number}", "main"), "/etc/app") for number in range(4)]
    lost = Attempt("gone", "SessionLost", 1)
    denied = [
        Result(one, Outcome.FAILED, error=f'pods "{one.target.pod}" is forbidden', error_class="Refused")
        for one in pods[:2]
    ]
    report = Report("push", [*denied, Result(pods[2], Outcome.COMPLETE, tries=3, attempts=(lost, lost)),
                             Result(pods[3], Outcome.PARTIAL, left_out=(LeftOut(b"a", "a FIFO"),))])  # fmt: skip
    errors = [
        [one[name] for name in ("class", "error", "failed", "attempts")]
        for one in json.loads(data_of(page(report)))["errors"]
    ]
    assert errors == [
        ["Refused", 'pods "POD" is forbidden', 2, 0],
        ["SessionLost", "gone", 0, 2],
        ["partial", "left out a: a FIFO", 1, 0],
    ]


def test_an_entry_that_all_pods_lack_is_one_row_and_rows_have_a_bound() -> None:
    pods = [Transfer(Target("shop", f"web-{number}", "main"), "/") for number in range(50)]
    same = Report("pull", [Result(one, Outcome.PARTIAL, left_out=(LeftOut(b"pipe", "a FIFO"),)) for one in pods])
    (row,) = json.loads(data_of(page(same)))["entries"]
    assert row["pods"].endswith("shop/web-19 and 30 more")
    many = tuple(LeftOut(b"%d" % number, "a FIFO") for number in range(10_007))
    *_, last = json.loads(data_of(page(Report("pull", [Result(pods[0], Outcome.PARTIAL, left_out=many)]))))["entries"]
    assert (last["what"], last["count"]) == ("and more", 7)


def test_waves_and_rounds_are_told() -> None:
    pods = [Transfer(Target("shop", f"web-{number}", "main"), "/etc/app") for number in range(3)]
    results = [Result(one, Outcome.COMPLETE, wave=1 + number, rounds=4) for number, one in enumerate(pods)]
    waves = [Passed(1, "canary", 1, 0.0, 2.0), Passed(2, "", 1, 2.0, 1.5, 1, "1 pod failed"), Passed(3, "", 1)]
    data = json.loads(data_of(page(Report("push", results, waves=waves))))
    assert [(one["wave"], one["rounds"]) for one in data["pods"]] == [(1, 4), (2, 4), (3, 4)]
    assert [(one["wave"], one["name"], one["begun"], one["seconds"], one["stopped"]) for one in data["waves"]] == [
        (1, "canary", 0.0, 2.0, ""),
        (2, "", 2.0, 1.5, "1 pod failed"),
        (3, "", None, None, ""),
    ]
