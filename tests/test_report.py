"""How a run ended: the exit code that a script sees, and the JSON that programs read."""

import json
from collections.abc import Sequence

import pytest

from asynccp.entry import LeftOut, NotKept
from asynccp.errors import (
    CommandFailed,
    DestinationError,
    Interrupted,
    NoSuchPath,
    NoTargets,
    PlanError,
    SessionLost,
    SourceChanged,
    Stalled,
    TransferError,
    UsageError,
)
from asynccp.report import Attempt, Outcome, Report, Result, Tally, cause, groups, outcome_of, settled
from asynccp.target import Log, Skipped, Target, Transfer
from asynccp.text import human_size

ABSENT, COMPLETE, CHANGED, PARTIAL, FAILED, INTERRUPTED = Outcome
DEVICE = LeftOut(b"dev/null", "a device, which is never copied")
SET_ID = NotKept(b"bin/su", "set-id bits")
NAMED = Skipped("shop/gone", "there is no such pod", named=True)
MATCHED = Skipped("shop/old", "is being deleted")


def result(outcome: Outcome = COMPLETE, pod: str = "web-0", **facts: object) -> Result:
    return Result(Transfer(Target("shop", pod, "main", "node-1"), "/etc/app"), outcome, **facts)  # type: ignore[arg-type]


def report(*outcomes: Outcome, skipped: Sequence[Skipped] = (), left_out: Sequence[LeftOut] = ()) -> Report:
    results = [result(outcome, f"web-{index}") for index, outcome in enumerate(outcomes)]
    return Report("push", results, skipped, left_out, 1.25)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (report(COMPLETE), 0),
        (report(COMPLETE, COMPLETE), 0),
        (report(COMPLETE, skipped=[MATCHED]), 0),
        (report(FAILED), 1),
        (report(FAILED, FAILED), 1),
        (Report("push", [result(FAILED), result(FAILED, "web-1", error_class="Unsettled")]), 23),  # it has the files
        (report(FAILED, skipped=[NAMED]), 1),
        (report(), 1),
        (report(COMPLETE, ABSENT), 0),
        (report(FAILED, ABSENT), 1),
        (report(CHANGED, ABSENT), 24),
        (report(COMPLETE, FAILED), 23),
        (report(PARTIAL), 23),
        (report(COMPLETE, PARTIAL), 23),
        (report(FAILED, PARTIAL), 23),
        (report(CHANGED, FAILED), 23),
        (report(COMPLETE, skipped=[NAMED]), 23),
        (report(COMPLETE, left_out=[DEVICE]), 23),
        (report(CHANGED, skipped=[NAMED]), 23),
        (report(CHANGED, left_out=[DEVICE]), 23),
        (report(CHANGED), 24),
        (report(COMPLETE, CHANGED), 24),
        (report(INTERRUPTED), 130),
        (report(COMPLETE, INTERRUPTED), 130),
        (report(COMPLETE, FAILED, PARTIAL, CHANGED, INTERRUPTED, skipped=[NAMED], left_out=[DEVICE]), 130),
    ],
)
def test_exit_code(found: Report, code: int) -> None:
    assert found.exit_code == code
    assert found.ok is (code == 0)


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("x"), 2), (PlanError("x"), 1), (NoTargets("x"), 3), (Interrupted("x"), 130)]
)
def test_exit_code_of_an_error_that_ends_the_run(error: UsageError | PlanError | Interrupted, code: int) -> None:
    assert error.exit_code == code


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (SourceChanged("a.log grew"), CHANGED),
        (Interrupted("^C"), INTERRUPTED),
        (SessionLost("gone"), FAILED),
        (Stalled("still"), FAILED),
        (CommandFailed("tar"), FAILED),
    ],
)
def test_what_an_error_means_for_its_transfer(error: TransferError, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


def test_a_path_that_another_container_has_is_absent_and_no_failure_of_this_one() -> None:
    error = NoSuchPath("/x does not exist")
    assert outcome_of(error) is FAILED
    error.may_lack = True
    assert outcome_of(error) is ABSENT
    assert report(COMPLETE, ABSENT).failed == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("main:/a absent, side:/a complete", "absent, complete"),
        ("main:/a absent, side:/a failed", "absent, failed"),
        ("main:/a absent, side:/a absent", "failed, failed"),
        ("main:/a absent, side:/a interrupted", "absent, interrupted"),
        ("main:/a absent, side:/b complete", "failed, complete"),
        ("main:/a absent, side:/a absent, main:/b absent, side:/b complete", "failed, failed, absent, complete"),
        ("main:/a complete", "complete"),
        ("", ""),
    ],
)
def test_what_no_container_of_a_pod_has_is_failed_there(before: str, after: str) -> None:
    other = result(COMPLETE, "another-pod")
    results = [other]
    for one in filter(None, before.split(", ")):
        where, outcome = one.split()
        container, path = where.split(":")
        transfer = Transfer(Target("shop", "web-0", container), path)
        results.append(Result(transfer, Outcome(outcome), error="it is not there"))
    assert ", ".join(one.outcome.value for one in settled(results)[1:]) == after
    assert settled(results)[0] == other, "whatever another pod has"


@pytest.mark.parametrize(("current", "before", "after"), [(COMPLETE, ABSENT, ABSENT), (ABSENT, ABSENT, FAILED)])
def test_a_log_from_before_a_restart_that_is_gone_is_no_failure_beside_the_current_one(
    current: Outcome, before: Outcome, after: Outcome
) -> None:
    target = Target("shop", "web-0", "main")
    logs = [Transfer(target, "main.log", Log()), Transfer(target, "main.previous.log", Log(previous=True))]
    found = settled([Result(logs[0], current), Result(logs[1], before)])
    assert found[1].outcome is after


def test_a_run_whose_destination_is_not_whole_has_nothing_complete() -> None:
    before = report(COMPLETE, FAILED, INTERRUPTED, PARTIAL)
    spoiled = before.spoiled(DestinationError("out.tar can't be written: it is full", hint="free some space"))
    assert [one.outcome for one in spoiled.results] == [FAILED, FAILED, INTERRUPTED, FAILED]
    why = "out.tar can't be written: it is full"
    assert [one.error for one in spoiled.results] == [why, "", "", why]
    assert (spoiled.direction, spoiled.seconds, spoiled.exit_code) == ("push", 1.25, 130)
    assert [one.outcome for one in before.results] == [COMPLETE, FAILED, INTERRUPTED, PARTIAL]


def test_the_skipped_pods_that_count_as_failed() -> None:
    assert report(COMPLETE, skipped=[MATCHED, NAMED]).missed == [NAMED]
    strict = Report("push", [result()], [MATCHED, NAMED], strict=True)
    assert strict.missed == [MATCHED, NAMED]
    assert Report("push", [result()], [MATCHED], strict=True).exit_code == 23


@pytest.mark.parametrize(
    ("pod", "error", "expected"),
    [
        ("web-0", "there is no tar in the container", "there is no tar in the container"),
        ("web-0", 'pods "web-0" is forbidden: User "ci"', 'pods "POD" is forbidden: User "ci"'),
        ("web-0", "shop/web-0: shop/web-0/main: pod web-0.", "shop/POD: shop/POD/main: pod POD."),
        ("web-1", 'pod web-10, "web-1-x", shop/web-1.shop, myshop/web-1 and /web-1 are others', None),
        ("tar", "there is no tar in the container of pod tar", "there is no tar in the container of pod POD"),
        ("a.b", "'a-b' is another than 'a.b'", "'a-b' is another than 'POD'"),
        ("web-0", "", ""),
    ],
)
def test_a_cause_is_the_error_without_the_pods_own_name(pod: str, error: str, expected: str | None) -> None:
    assert cause(result(FAILED, pod, error=error)) == (error if expected is None else expected)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "left out 0: a FIFO"),
        (2, "left out 0: a FIFO, and 1 more"),
        (300, "left out 0: a FIFO, and 299 more"),
    ],
)
def test_the_cause_of_a_partial_copy_is_what_was_left_out(count: int, expected: str) -> None:
    left_out = tuple(LeftOut(str(number).encode(), "a FIFO") for number in range(count))
    assert cause(result(PARTIAL, left_out=left_out)) == expected
    assert cause(result(PARTIAL, left_out=left_out, error="tar passed over some")) == "tar passed over some"


def forbidden(pod: str, hint: str = "") -> Result:
    return result(FAILED, pod, error=f'pods "{pod}" is forbidden', hint=hint)


FIFO = (LeftOut(b"p", "a FIFO"),)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([], []),
        ([forbidden("a")], [(FAILED, 'pods "a" is forbidden', "", 1)]),
        ([forbidden("a"), forbidden("b")], [(FAILED, 'pods "POD" is forbidden', "", 2)]),
        (
            [result(FAILED, "a", error="full"), forbidden("b"), forbidden("c")],
            [(FAILED, 'pods "POD" is forbidden', "", 2), (FAILED, "full", "", 1)],
        ),
        (
            [forbidden("a", "ask for it"), forbidden("b", "log in")],
            [(FAILED, 'pods "a" is forbidden', "ask for it", 1), (FAILED, 'pods "b" is forbidden', "log in", 1)],
        ),
        (
            [result(FAILED, "a", error="grew"), result(CHANGED, "b", error="grew")],
            [(FAILED, "grew", "", 1), (CHANGED, "grew", "", 1)],
        ),
        (
            [result(PARTIAL, "a", left_out=FIFO), result(PARTIAL, "b", left_out=FIFO), result(PARTIAL, "c")],
            [(PARTIAL, "left out p: a FIFO", "", 2), (PARTIAL, "", "", 1)],
        ),
        (
            [result(FAILED, "a", error="exit code 1"), result(FAILED, "b", error="exit code 2")],
            [(FAILED, "exit code 1", "", 1), (FAILED, "exit code 2", "", 1)],
        ),
    ],
)
def test_pods_that_failed_for_one_cause_are_one_group_and_the_largest_is_first(
    results: list[Result], expected: list[tuple[Outcome, str, str, int]]
) -> None:
    assert [(one.outcome, one.cause, one.hint, len(one.pods)) for one in groups(results)] == expected


def test_a_group_in_json_counts_all_its_pods_and_names_twenty() -> None:
    found = report(COMPLETE, *[FAILED] * 312).to_json()["groups"]
    (group,) = found
    assert (group["outcome"], group["error"], group["hint"], group["count"]) == ("failed", None, None, 312)
    assert group["pods"] == [f"shop/web-{number}" for number in range(1, 21)]


def test_a_pod_with_two_paths_is_counted_once_in_its_group() -> None:
    target = Target("shop", "web-0", "main")
    (group,) = groups([Result(Transfer(target, path), FAILED, error="full") for path in ("/a", "/b")])
    assert (group.to_json()["count"], len(group.results)) == (1, 2)


def test_a_thousand_causes_of_a_thousand_pods_are_grouped_at_once() -> None:
    results = [forbidden(f"web-{number}") for number in range(1000)]
    assert len(groups(results)) == 1


TALLY = Tally(new=1, changed=1, same=7, saved=70)


def test_json_has_everything_and_survives_a_round_trip() -> None:
    one = result(
        PARTIAL, size=10, entries=2, wire_size=2048, seconds=0.12345, tries=2,
        attempts=(Attempt("gone", "SessionLost", 0.04),), way="tar", protocol="v4", left_out=(DEVICE,),
        archive_size=10240, compression="gzip", not_kept=(SET_ID,), grown=(b"log/big",), landed="/etc/app/a",
        tally=TALLY,
    )  # fmt: skip
    two = result(
        FAILED,
        pod="web-1",
        error="there is no tar in the container",
        error_class="CommandMissing",
        hint="name another with -c",
    )
    found = Report("pull", [one, two], [NAMED], [DEVICE], 1.23456, [SET_ID])
    assert json.loads(found.dumps()) == found.to_json()
    assert found.to_json() == {
        "version": 1,
        "direction": "pull",
        "exit_code": 23,
        "seconds": 1.235,
        "pods": [
            {
                "namespace": "shop",
                "pod": "web-0",
                "container": "main",
                "node": "node-1",
                "path": "/etc/app",
                "outcome": "partial",
                "bytes": 10,
                "entries": 2,
                "wire_bytes": 2048,
                "archive_bytes": 10240,
                "compression": "gzip",
                "compression_note": None,
                "seconds": 0.123,
                "tries": 2,
                "attempts": [{"error": "gone", "class": "SessionLost", "seconds": 0.04}],
                "way": "tar",
                "protocol": "v4",
                "error": None,
                "class": None,
                "hint": None,
                "left_out": [{"path": "dev/null", "reason": "a device, which is never copied"}],
                "not_kept": [{"path": "bin/su", "what": "set-id bits"}],
                "grown": ["log/big"],
                "landed": "/etc/app/a",
                "tally": TALLY.to_json(),
            },
            {
                "namespace": "shop",
                "pod": "web-1",
                "container": "main",
                "node": "node-1",
                "path": "/etc/app",
                "outcome": "failed",
                "bytes": 0,
                "entries": 0,
                "wire_bytes": 0,
                "archive_bytes": 0,
                "compression": None,
                "compression_note": None,
                "seconds": 0.0,
                "tries": 1,
                "attempts": [],
                "way": None,
                "protocol": "",
                "error": "there is no tar in the container",
                "class": "CommandMissing",
                "hint": "name another with -c",
                "left_out": [],
                "not_kept": [],
                "grown": [],
                "landed": None,
                "tally": None,
            },
        ],
        "groups": [
            {
                "outcome": "partial",
                "error": "left out dev/null: a device, which is never copied",
                "hint": None,
                "count": 1,
                "pods": ["shop/web-0"],
            },
            {
                "outcome": "failed",
                "error": "there is no tar in the container",
                "hint": "name another with -c",
                "count": 1,
                "pods": ["shop/web-1"],
            },
        ],
        "skipped": [{"pod": "shop/gone", "reason": "there is no such pod", "named": True}],
        "left_out": [{"path": "dev/null", "reason": "a device, which is never copied"}],
        "not_kept": [{"path": "bin/su", "what": "set-id bits"}],
    }


def test_json_is_ascii_whatever_a_pod_says() -> None:
    hostile = "a\x1b[2J\n\xe9\u202e.txt"
    transfer = Transfer(Target("shop", "web-0", "main", node=hostile), hostile)
    lost = Result(
        transfer, PARTIAL, error=hostile, hint=hostile, left_out=(LeftOut(hostile.encode(), hostile),),
        not_kept=(NotKept(hostile.encode(), hostile),), grown=(hostile.encode(), b"\xff"), landed=hostile,
    )  # fmt: skip
    text = Report("push", [lost], left_out=lost.left_out).dumps()
    assert text.isascii()
    assert set(text) & set(map(chr, range(32))) == {"\n"}
    assert Report("push", [lost]).to_json()["pods"][0]["left_out"][0]["path"] == "a\\x1b[2J\\n\xe9\\u202e.txt"


def test_no_two_paths_share_a_place_in_the_report() -> None:
    paths = [b"a\x1b", b"a\\x1b", b"\x9b", b"\xc2\x9b", b"\\x9b", b"long" * 500 + b"1", b"long" * 500 + b"2"]
    digests = {path: str(number) for number, path in enumerate(paths)}
    transfer = Transfer(Target("shop", "web-0", "main"), "/tmp")
    told = Result(transfer, COMPLETE, checksum="sha256sum", digests=digests).to_json()
    assert sorted(told["digests"].values()) == sorted(digests.values())


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2, "1.0 MiB"),
        (int(1.5 * 1024**2), "1.5 MiB"),
        (1024**3, "1.0 GiB"),
        (1024**4, "1.0 TiB"),
        (5000 * 1024**4, "5000.0 TiB"),
        (12.5, "12 B"),
    ],
)
def test_sizes_as_people_read_them(size: float, text: str) -> None:
    assert human_size(size) == text
