"""A second try: which transfers it has, and what the report of both runs says."""

from typing import Any

import pytest
from msgspec.structs import replace

from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry, Kind, LeftOut, Origin
from asynccp.plan.again import GONE, is_done, merged, narrowed
from asynccp.plan.plan import PullPlan, PushPlan, build_pull
from asynccp.report import Attempt, Outcome, Report, Result
from asynccp.reportjson import load_report
from asynccp.target import Log, Skipped, Target, Transfer
from asynccp.wave import Passed

ABSENT, COMPLETE, CHANGED, PARTIAL, FAILED, INTERRUPTED = Outcome
LAYOUT = ArchiveLayout([Entry(b"a", Kind.FILE, 5)], "0123456789abcdef")
PENDING = Skipped("shop/web-8", "is Pending")
NAMED = Skipped("shop/web-9", "is Pending", named=True)


def of(number: int, path: str = "/x", log: Log | None = None) -> Transfer:
    return Transfer(Target("shop", f"web-{number}", "main", uid=f"uid-{number}", for_log=log is not None), path, log)


def push_to(*transfers: Transfer, skipped: tuple[Skipped, ...] = ()) -> PushPlan:
    return PushPlan(("a",), LAYOUT, transfers, skipped)


def report(*results: Result, skipped: tuple[Skipped, ...] = (), strict: bool = False) -> Report:
    """As it is read from a file: without what no JSON has."""
    return load_report(Report("push", list(results), skipped, seconds=10.0, strict=strict).dumps())


def test_all_that_is_not_complete_is_tried_again_and_nothing_else() -> None:
    found = report(*(Result(of(number), outcome) for number, outcome in enumerate(Outcome)))
    plan = narrowed(push_to(*map(of, range(8))), found)
    assert plan.transfers == tuple(map(of, (2, 3, 4, 5))), "not pods that came later"


@pytest.mark.parametrize(
    ("skipped", "strict", "tried"),
    [((PENDING,), False, ()), ((PENDING,), True, (8,)), ((NAMED,), False, (9,)), ((PENDING, NAMED), True, (8, 9))],
)
def test_a_pod_that_was_skipped_is_tried_if_it_counts_as_failed(
    skipped: tuple[Skipped, ...], strict: bool, tried: tuple[int, ...]
) -> None:
    found = report(Result(of(0), COMPLETE), skipped=skipped, strict=strict)
    assert is_done(found) is (not tried)
    assert narrowed(push_to(of(0), of(8), of(9)), found).transfers == tuple(map(of, tried))


def test_a_container_that_was_skipped_is_tried_without_the_others_of_its_pod() -> None:
    side = Transfer(Target("shop", "web-0", "side"), "/x")
    skipped = Skipped("shop/web-0", "container side is waiting", named=True, container="side")
    assert narrowed(push_to(of(0), side), report(Result(of(0), COMPLETE), skipped=(skipped,))).transfers == (side,)


def test_another_pod_of_the_same_name_is_tried_and_another_path_or_log_of_it_is_not() -> None:
    other = Transfer(replace(of(0).target, uid="another", restarts=3), "/x")
    found = report(Result(of(0), FAILED), Result(of(0, "/y"), COMPLETE), Result(of(0, "l", Log()), COMPLETE))
    plan = narrowed(push_to(other, of(0, "/y"), of(0, "l", Log(since_s=7)), of(0, "l", Log(previous=True))), found)
    assert plan.transfers == (other,)


def test_what_lands_beside_it_is_not_a_mirrors_to_remove() -> None:
    plan = build_pull("logs", [of(0, "/var/log/"), of(0, "/srv")], (), "0123")
    again = narrowed(plan, report(Result(of(0, "/var/log/"), FAILED), Result(of(0, "/srv"), COMPLETE)))
    assert isinstance(again, PullPlan)
    assert again.transfers == (of(0, "/var/log/"),)
    assert again.inside() == plan.inside() == {"web-0": [b"srv"]}


def test_each_transfer_has_its_last_result_and_the_attempts_of_both_runs() -> None:
    lost, denied = Attempt("gone", "SessionLost", 1.0), Attempt("no", "Refused", 1.0)
    before = report(
        Result(of(0), COMPLETE, begun_s=0.5),
        Result(of(1), FAILED, begun_s=1.0, tries=2, attempts=(lost, lost), wire_size=7, archive_size=70),
        Result(of(2), INTERRUPTED),
    )
    later = Report(
        "push",
        [
            Result(of(2), COMPLETE, begun_s=0.25),
            Result(of(1), FAILED, begun_s=0.0, attempts=(denied,), wire_size=1, archive_size=10, error="no"),
        ],
        left_out=(LeftOut(b"sock", "a socket"),),
        seconds=3.0,
    )
    both = merged(before, later)
    assert [(one.transfer.target.pod, one.outcome) for one in both.results] == [
        ("web-0", COMPLETE),
        ("web-1", FAILED),
        ("web-2", COMPLETE),
    ]
    again = both.results[1]
    assert (again.tries, again.attempts, again.wire_size, again.archive_size) == (3, (lost, lost, denied), 8, 80)
    assert [(one.begun_s, one.tries) for one in both.results] == [(0.5, 1), (10.0, 3), (10.25, 1)]
    assert (both.seconds, both.left_out, both.exit_code) == (13.0, later.left_out, 23)


def test_a_pod_that_is_gone_stays_failed_and_says_why() -> None:
    before = report(Result(of(0), FAILED, error="no tar", tries=2, begun_s=0.0), Result(of(8), FAILED))
    both = merged(before, Report("push", [], [PENDING]))
    assert [(one.outcome, one.error) for one in both.results] == [
        (FAILED, f"not tried again: {GONE}"),
        (FAILED, "not tried again: is Pending"),
    ]
    assert both.skipped == []
    assert [bool(one.hint) for one in both.results] == [True, False]


def test_a_pod_that_was_skipped_has_a_result_when_it_was_tried_and_else_its_present_reason() -> None:
    before = report(Result(of(0), COMPLETE), skipped=(PENDING, NAMED))
    tried = merged(before, Report("push", [Result(of(9), COMPLETE)]))
    assert [one.transfer.target.pod for one in tried.results] == ["web-0", "web-9"]
    assert (tried.skipped, tried.exit_code) == ([PENDING], 0)
    still = merged(before, Report("push", [], [Skipped("shop/web-9", "is Failed", named=True)]))
    assert (still.skipped, still.exit_code) == ([PENDING, replace(NAMED, reason="is Failed")], 23)


FILE = Entry(b"a", Kind.FILE, 5, 0o644, 7, origin=Origin(b"/srv", b"a", 1, 2, 3, 4))
DIRECTORY = Entry(b"d", Kind.DIRECTORY, 0, 0o755, 7, origin=Origin(b"/srv", b"d", 1, 2, 3, 4))
LINK = Entry(b"l", Kind.SYMLINK, 0, 0o777, 7, link=b"a", origin=Origin(b"/srv", b"l", 1, 2, 3, 4))


def digest(*entries: Entry) -> str:
    return PushPlan(("a",), ArchiveLayout(entries, "0123456789abcdef"), ()).digest


def at(entry: Entry, **changed: Any) -> Entry:
    assert entry.origin
    return replace(entry, origin=entry.origin._replace(**changed))


@pytest.mark.parametrize(
    ("entries", "is_same"),
    [
        ((FILE, DIRECTORY, LINK), True),
        ((at(FILE, mtime_ns=5), DIRECTORY, LINK), False),
        ((replace(FILE, size=6), DIRECTORY, LINK), False),
        ((replace(FILE, mode=0o600), DIRECTORY, LINK), False),
        ((replace(FILE, path=b"b"), DIRECTORY, LINK), False),
        ((FILE, DIRECTORY, replace(LINK, link=b"d")), False),
        ((FILE, DIRECTORY), False),
        ((replace(FILE, mtime_ns=8), DIRECTORY, LINK), True),  # the time that it is given: of now, with --no-times
        ((at(FILE, inode=9, ctime_ns=9), DIRECTORY, LINK), True),  # another copy of it
        ((FILE, at(DIRECTORY, mtime_ns=9), LINK), True),  # a file in it came and went
    ],
)
def test_sources_are_the_same_as_long_as_nothing_of_them_differs(entries: tuple[Entry, ...], is_same: bool) -> None:
    assert (digest(*entries) == digest(FILE, DIRECTORY, LINK)) is is_same


WAVES = [Passed(1, "canary", 1, 0.0, 2.0), Passed(2, "", 2, 2.0, 2.0, 1, "1 pod failed"), Passed(3, "", 1)]


def stopped_in_waves() -> Report:
    results = [
        Result(of(0), COMPLETE, wave=1, begun_s=0.5),
        Result(of(1), FAILED, wave=2, begun_s=2.0),
        Result(of(2), COMPLETE, wave=2, begun_s=2.0),
        Result(of(3), FAILED, wave=3, error="not begun, because 1 pod failed"),
    ]
    return load_report(Report("push", results, (NAMED,), seconds=10.0, waves=WAVES).dumps())


def test_a_second_try_goes_by_the_waves_of_the_first_and_a_pod_that_had_none_is_in_the_last() -> None:
    plan = narrowed(push_to(*map(of, (9, 0, 1, 2, 3, 7))), stopped_in_waves())
    assert [(str(one), one.transfers) for one in plan.waves] == [
        ("wave 2 of 3", (of(1),)), ("wave 3 of 3", (of(9), of(3))),
    ]  # fmt: skip
    assert narrowed(push_to(of(0)), report(Result(of(0), FAILED))).waves == ()


def test_the_waves_of_both_runs_are_told_as_those_of_one() -> None:
    later = Report(
        "push",
        [Result(of(1), COMPLETE, wave=2, begun_s=0.0), Result(of(3), FAILED, wave=3, begun_s=1.0)],
        seconds=5.0,
        waves=[Passed(2, "", 1, 0.0, 1.0), Passed(3, "", 1, 1.0, 3.0, 1, "1 pod failed again")],
    )
    assert list(merged(stopped_in_waves(), later).waves) == [
        Passed(1, "canary", 1, 0.0, 2.0),
        Passed(2, "", 2, 2.0, 3.0),
        Passed(3, "", 1, 11.0, 3.0, 1, "1 pod failed again"),
    ]
