"""How a run ended: the exit code that a script sees, and the text and the JSON that people and programs read."""

import json
import unicodedata
from collections.abc import Sequence

import pytest

from asynccp.errors import (
    CommandFailed,
    Interrupted,
    NoTargets,
    PlanError,
    SessionLost,
    SourceChanged,
    Stalled,
    TransferError,
    UsageError,
)
from asynccp.report import LeftOut, Outcome, Report, Result, human_size, outcome_of
from asynccp.target import Skipped, Target, Transfer

COMPLETE, CHANGED, PARTIAL, FAILED, INTERRUPTED = Outcome
DEVICE = LeftOut(b"dev/null", "a device, which is never copied")
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
        (report(FAILED, skipped=[NAMED]), 1),
        (report(), 1),
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


def test_text_of_a_whole_success() -> None:
    found = Report(
        "push", [result(size=3 * 512, entries=2), result(pod="web-1", size=3 * 512, entries=2)], seconds=0.84
    )
    assert found.to_text() == "pushed to 2 of 2 pods; 4 entries, 3.0 KiB in 0.8 s"


def test_text_of_a_pull_of_one_file_from_one_pod() -> None:
    report = Report("pull", [result(size=5, entries=1)], seconds=2)
    assert report.to_text() == "pulled from 1 of 1 pod; 1 entry, 5 B in 2.0 s"


def test_text_counts_and_names_all_that_is_not_complete() -> None:
    found = report(COMPLETE, FAILED, FAILED, CHANGED, PARTIAL, INTERRUPTED, skipped=[MATCHED, NAMED], left_out=[DEVICE])
    lines = found.to_text().splitlines()
    assert lines[0] == "left out dev/null: a device, which is never copied"
    assert lines[1].startswith("pushed to 1 of 6 pods (1 changed, 1 partial, 2 failed, 1 interrupted, 2 skipped); ")
    assert lines[2:] == [
        "failed: shop/web-1:/etc/app, shop/web-2:/etc/app",
        "partial: shop/web-4:/etc/app",
        "changed: shop/web-3:/etc/app",
        "interrupted: shop/web-5:/etc/app",
    ]
    assert [str(one.transfer) for one in found.failed] == [f"shop/web-{index}:/etc/app" for index in range(1, 6)]


@pytest.mark.parametrize(
    ("count", "named", "more"), [(20, 20, ""), (21, 20, ", and 1 more"), (500, 20, ", and 480 more")]
)
def test_a_fleet_that_failed_does_not_fill_the_screen(count: int, named: int, more: str) -> None:
    last = report(*[FAILED] * count).to_text().splitlines()[-1]
    assert last.count("shop/web-") == named
    assert last.endswith(f"shop/web-{named - 1}:/etc/app{more}")


def test_json_has_everything_and_survives_a_round_trip() -> None:
    one = result(
        PARTIAL, size=10, entries=2, wire_size=2048, seconds=0.12345, attempts=2, protocol="v4", left_out=(DEVICE,),
        archive_size=10240, compression="gzip",
    )  # fmt: skip
    two = result(FAILED, pod="web-1", error="there is no tar in the container", hint="name another with -c")
    found = Report("pull", [one, two], [NAMED], [DEVICE], 1.23456)
    assert json.loads(found.dumps()) == found.to_json()
    assert found.to_json() == {
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
                "attempts": 2,
                "protocol": "v4",
                "error": None,
                "hint": None,
                "left_out": [{"path": "dev/null", "reason": "a device, which is never copied"}],
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
                "attempts": 1,
                "protocol": "",
                "error": "there is no tar in the container",
                "hint": "name another with -c",
                "left_out": [],
            },
        ],
        "skipped": [{"pod": "shop/gone", "reason": "there is no such pod"}],
        "left_out": [{"path": "dev/null", "reason": "a device, which is never copied"}],
    }


def test_nothing_unescaped_reaches_text_or_json() -> None:
    hostile = LeftOut(b"a\x1b[2J\n\xff\xe2\x80\xae.txt", "a device")
    transfer = Transfer(Target("shop", "web-0", "main"), "/etc/\x1b[31m\n\u202eapp")
    found = Report("push", [Result(transfer, PARTIAL, left_out=(hostile,))], left_out=[hostile])
    shown = [*found.to_text().splitlines(), str(hostile), *json.dumps(found.to_json(), ensure_ascii=False).splitlines()]
    unsafe = [character for line in shown for character in line if unicodedata.category(character) in ("Cc", "Cf")]
    assert unsafe == []
    assert found.to_json()["left_out"][0]["path"] == "a\\x1b[2J\\n\\xff\\u202e.txt"


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


def test_what_compression_saved_is_told_in_one_line() -> None:
    packed = [
        result(COMPLETE, pod=f"web-{n}", wire_size=2 << 20, archive_size=20 << 20, compression="gzip") for n in "01"
    ]
    plain = result(COMPLETE, pod="web-2", wire_size=20 << 20, archive_size=20 << 20)
    first, _ = Report("push", [*packed, plain]).to_text().splitlines()
    assert first == "compressed with gzip for 2 pods: 4.0 MiB instead of 40.0 MiB"
