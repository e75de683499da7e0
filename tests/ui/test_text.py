"""The report as people read it: what is said after the last pod, and that it stays short however large the fleet."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from asynccp.entry import LeftOut, NotKept
from asynccp.report import Outcome, Report, Result
from asynccp.target import Log, Skipped, Target, Transfer
from asynccp.ui.text import closing, quiet_closing, slowest
from asynccp.wave import Passed

ABSENT, COMPLETE, CHANGED, PARTIAL, FAILED, INTERRUPTED = Outcome
DEVICE = LeftOut(b"dev/null", "a device, which is never copied")
NAMED = Skipped("shop/gone", "there is no such pod", named=True)
MATCHED = Skipped("shop/old", "is being deleted")
SET_ID = NotKept(b"bin/su", "set-id bits")


def result(outcome: Outcome = COMPLETE, pod: str = "web-0", path: str = "/etc/app", **facts: object) -> Result:
    return Result(Transfer(Target("shop", pod, "main", "node-1"), path), outcome, **facts)  # type: ignore[arg-type]


def report(*outcomes: Outcome, skipped: Sequence[Skipped] = (), left_out: Sequence[LeftOut] = ()) -> Report:
    results = [result(outcome, f"web-{index}") for index, outcome in enumerate(outcomes)]
    return Report("push", results, skipped, left_out, 1.25)


def forbidden(count: int) -> list[Result]:
    return [
        result(FAILED, f"web-{number}", error=f'pods "web-{number}" is forbidden: permission denied')
        for number in range(count)
    ]


def test_a_whole_success_is_one_line() -> None:
    found = Report(
        "push", [result(size=3 * 512, entries=2), result(pod="web-1", size=3 * 512, entries=2)], seconds=0.84
    )
    assert closing(found) == "pushed to 2 of 2 pods; 4 entries, 3.0 KiB in 0.8 s"
    assert quiet_closing(found) == ""


def test_a_pull_of_one_file_from_one_pod() -> None:
    assert closing(Report("pull", [result(size=5, entries=1)], seconds=2)) == (
        "pulled from 1 of 1 pod; 1 entry, 5 B in 2.0 s"
    )


def test_of_very_many_places_the_first_are_named_and_the_others_counted() -> None:
    found = Report("pull", [result(pod=f"web-{number}", landed=f"logs/{number}") for number in range(300)])
    lines = closing(found).splitlines()[1:]
    assert len(lines) == 11
    assert lines[0] == "landed as logs/0: shop/web-0"
    assert lines[-1] == "landed in 290 other places (-o json has all)"


def test_what_some_containers_lack_is_counted_and_no_trouble() -> None:
    log = Transfer(Target("shop", "web-0", "main"), "main.previous.log", Log(previous=True))
    found = Report("pull", [result(), result(ABSENT), Result(log, ABSENT, error="gone")], seconds=1.0)
    assert closing(found).splitlines() == [
        "pulled from 1 of 1 pod; 0 entries, 0 B in 1.0 s",
        "not in 1 container, as told above (-o json names each)",
        "no log from before the restart any more of 1 container, as told above (-o json names each)",
    ]
    assert quiet_closing(found) == ""


def test_all_that_is_not_complete_is_counted_and_named() -> None:
    found = report(COMPLETE, FAILED, FAILED, CHANGED, PARTIAL, INTERRUPTED, skipped=[MATCHED, NAMED], left_out=[DEVICE])
    lines = closing(found).splitlines()
    assert lines[0] == "left out dev/null: a device, which is never copied"
    assert lines[1].startswith("pushed to 1 of 6 pods (1 changed, 1 partial, 2 failed, 1 interrupted, 2 skipped); ")
    assert lines[2:] == [
        "2 pods failed (shop/web-1, shop/web-2)",
        "1 pod changed (shop/web-3)",
        "1 pod partial (shop/web-4)",
        "1 pod interrupted (shop/web-5)",
        "skipped 1 pod that counts as failed: there is no such pod (shop/gone)",
        "skipped 1 pod that matched: is being deleted (shop/old)",
    ]


def test_three_hundred_equal_failures_are_told_once() -> None:
    found = Report("push", [*forbidden(312), result(FAILED, "db-0", error="there is no tar in the container")])
    _, denied, missing = closing(found).splitlines()
    assert denied == (
        '312 pods failed: pods "POD" is forbidden: permission denied (shop/web-0, shop/web-1, shop/web-2 and 309 more)'
    )
    assert missing == "1 pod failed: there is no tar in the container (shop/db-0)"


def test_an_interrupted_fleet_is_counted_without_a_cause() -> None:
    results = [result(INTERRUPTED, f"web-{number}", error="interrupted before it was complete") for number in range(9)]
    last = closing(Report("pull", results)).splitlines()[-1]
    assert last == "9 pods interrupted (shop/web-0, shop/web-1, shop/web-2 and 6 more)"


def test_a_thousand_different_failures_do_not_fill_the_screen() -> None:
    results = [result(FAILED, f"web-{number}", error=f"node {number} is gone: " + "x" * 5000) for number in range(1000)]
    _, *lines = closing(Report("push", results)).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "990 pods for 990 other causes (-o json has all)"
    assert max(map(len, lines)) < 600


def test_the_path_is_named_where_more_than_one_was_copied() -> None:
    found = Report("pull", [result(path="/a"), result(FAILED, path="/b", error="full")])
    summary, trouble = closing(found).splitlines()
    assert summary.startswith("pulled from 0 of 1 pod (1 failed); ")
    assert trouble == "1 pod failed: full (shop/web-0:/b)"


@pytest.mark.parametrize(
    ("skipped", "strict", "expected"),
    [
        ([], False, ""),
        ([MATCHED], False, "skipped 1 pod that matched: is being deleted (shop/old)"),
        ([MATCHED], True, "skipped 1 pod that counts as failed: is being deleted (shop/old)"),
        ([NAMED], False, "skipped 1 pod that counts as failed: there is no such pod (shop/gone)"),
        (
            [MATCHED, NAMED],
            True,
            "skipped 2 pods that count as failed: is being deleted (shop/old); there is no such pod (shop/gone)",
        ),
        (
            [Skipped(f"shop/web-{number}", "is Pending") for number in range(5)],
            False,
            "skipped 5 pods that matched: is Pending (shop/web-0, shop/web-1, shop/web-2 and 2 more)",
        ),
    ],
)
def test_who_was_skipped_is_the_last_line_also_where_it_is_quiet(
    skipped: list[Skipped], strict: bool, expected: str
) -> None:
    found = Report("push", [result()], skipped, strict=strict)
    assert quiet_closing(found) == expected
    assert closing(found).splitlines()[1:] == ([expected] if expected else [])


def test_what_no_pod_was_sent_is_named_also_where_it_is_quiet() -> None:
    assert quiet_closing(report(COMPLETE, left_out=[DEVICE])) == "left out dev/null: a device, which is never copied"


def test_a_copy_from_pod_to_pod_is_called_neither_push_nor_pull() -> None:
    assert closing(Report("forward", [result(size=5, entries=1, landed="/x")], seconds=1)) == (
        "copied to 1 of 1 pod as /x; 1 entry, 5 B in 1.0 s"
    )


def test_a_thousand_reasons_for_skipping_are_one_short_line() -> None:
    skipped = [Skipped(f"shop/web-{number}", f"reason {number}") for number in range(1000)]
    text = quiet_closing(Report("push", [result()], skipped))
    assert text.endswith("reason 9 (shop/web-9); and for 990 other reasons")
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(("count", "lines"), [(1, 0), (10, 0), (11, 1), (312, 1)])
def test_where_it_is_quiet_a_cause_is_repeated_only_if_not_every_pod_had_its_line(count: int, lines: int) -> None:
    text = quiet_closing(Report("push", forbidden(count)))
    assert len(text.splitlines()) == lines
    assert not lines or text.startswith(f"{count} pods failed: ")


@pytest.mark.parametrize(
    ("seconds", "slow", "median"),
    [
        ([], [], 0.0),
        ([100.0], [], 100.0),
        ([1.0, 1.1, 12.4], [12.4], 1.1),
        ([1.0, 12.4], [12.4], 1.0),
        ([1.0, 2.0], [], 1.0),
        ([1.0, 2.01], [2.01], 1.0),
        ([0.1, 0.2, 0.9], [], 0.2),
        ([0.0, 0.0, 1.01], [1.01], 0.0),
        ([1, 1, 1, 1, 1, 1, 3, 4, 5, 6], [6, 5, 4], 1),
        ([5.0, 5.0, 5.0, 9.0], [], 5.0),
    ],
)
def test_who_is_slow(seconds: list[float], slow: list[float], median: float) -> None:
    results = [result(pod=f"web-{number}", seconds=one) for number, one in enumerate(seconds)]
    found, middle = slowest(results)
    assert ([one.seconds for one in found], middle) == (slow, median)


def test_the_slowest_is_told_and_failures_are_not_called_slow() -> None:
    results = [result(pod=f"web-{number}", seconds=one) for number, one in enumerate((1.0, 1.1, 12.4))]
    _, slow, _ = closing(Report("pull", [*results, result(FAILED, "db-0", seconds=120)])).splitlines()
    assert slow == "slowest: shop/web-2 12.4 s (median 1.1 s)"


@pytest.mark.parametrize(
    ("landed", "expected"),
    [
        (["", ""], ["pushed to 2 of 2 pods; 0 entries, 0 B in 0.0 s"]),
        (["/etc/b.conf", "/etc/b.conf"], ["pushed to 2 of 2 pods as /etc/b.conf; 0 entries, 0 B in 0.0 s"]),
        (
            ["/etc/b.conf", "/etc/b.conf/a", "/etc/b.conf"],
            [
                "pushed to 3 of 3 pods; 0 entries, 0 B in 0.0 s",
                "landed as /etc/b.conf: shop/web-0, shop/web-2",
                "landed as /etc/b.conf/a: shop/web-1",
            ],
        ),
    ],
)
def test_where_it_landed_is_told(landed: list[str], expected: list[str]) -> None:
    results = [result(pod=f"web-{number}", landed=place) for number, place in enumerate(landed)]
    assert closing(Report("push", results)).splitlines() == expected


def test_what_several_pods_did_not_keep_is_added_up_and_does_not_make_them_partial() -> None:
    results = [result(pod=f"web-{number}", not_kept=(SET_ID, SET_ID), grown=(b"log",)) for number in range(3)]
    grown, lack, summary = closing(Report("pull", results)).splitlines()
    assert grown.startswith("3 files of 3 pods grew while they were read, complete up to the size they had")
    assert lack == "not kept: set-id bits of 6 entries of 3 pods (-o json names them)"
    assert summary == "pulled from 3 of 3 pods; 0 entries, 0 B in 0.0 s"


def test_what_one_pod_did_not_keep_was_said_with_it_and_is_not_repeated() -> None:
    found = Report("pull", [result(not_kept=(SET_ID,), grown=(b"log",)), result(pod="web-1")])
    assert len(closing(found).splitlines()) == 1


def test_what_the_archive_cannot_carry_is_told_once_for_all_pods() -> None:
    lines = closing(Report("push", [result()], not_kept=[SET_ID])).splitlines()
    assert lines[0] == "not kept: bin/su: set-id bits"


def test_what_compression_saved_is_told_in_one_line() -> None:
    packed = [
        result(COMPLETE, pod=f"web-{n}", wire_size=2 << 20, archive_size=20 << 20, compression="gzip") for n in "01"
    ]
    plain = result(COMPLETE, pod="web-2", wire_size=20 << 20, archive_size=20 << 20)
    first, _ = closing(Report("push", [*packed, plain])).splitlines()
    assert first == "compressed with gzip for 2 pods: 4.0 MiB instead of 40.0 MiB"


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\r\nb", "\u202egpj", "\x9b31m", "\xad\u200b"])
def test_nothing_that_a_pod_says_reaches_the_terminal_raw(hostile: str) -> None:
    lack, left = NotKept(hostile.encode(), hostile), LeftOut(hostile.encode(), hostile)
    results = [
        result(outcome, f"web-{number}{hostile}", f"/{hostile}{number}", error=hostile, hint=hostile, left_out=(left,),
               not_kept=(lack,), grown=(hostile.encode(),), landed=f"{hostile}{number}", seconds=4.0 ** number)
        for outcome in Outcome for number in range(3)
    ]  # fmt: skip
    skipped = [Skipped(f"{hostile}{number}", hostile, named=bool(number)) for number in range(2)]
    found = Report("pull", results, skipped, [left], not_kept=[lack])
    assert all(line.isprintable() for line in f"{closing(found)}\n{quiet_closing(found)}".split("\n"))


def test_a_pod_of_which_several_paths_were_copied_is_one_pod() -> None:
    facts: dict[str, Any] = {"compression": "gzip", "grown": (b"a",), "not_kept": (SET_ID,), "landed": "/x/a"}
    results = [result(path=path, seconds=seconds, **facts) for path, seconds in (("/a", 0.1), ("/b", 9.0))]
    results += [result(FAILED, pod, path, error="full") for pod in ("web-1", "web-2") for path in ("/a", "/b")]
    lines = closing(Report("pull", results)).splitlines()
    assert lines == [
        "2 files of 1 pod grew while they were read, complete up to the size they had (-o json names them)",
        "not kept: set-id bits of 2 entries of 1 pod (-o json names them)",
        "compressed with gzip for 1 pod: 0 B instead of 0 B",
        "pulled from 1 of 3 pods as /x/a (2 failed); 0 entries, 0 B in 0.0 s",
        "slowest: shop/web-0:/b 9.0 s (median 0.1 s)",
        "2 pods failed: full (shop/web-1:/a, shop/web-1:/b, shop/web-2:/a and 1 more)",
    ]


def in_waves(*passed: Passed, direction: str = "push") -> Report:
    results = [result(pod=f"web-{number}", wave=number, begun_s=0.5) for number in (1, 2)]
    results.append(result(FAILED, "web-3", wave=3, error="not begun, because 1 pod failed"))
    return Report(direction, results, waves=passed)


def test_a_run_that_was_stopped_says_after_which_wave_and_how_many_never_began() -> None:
    waves = Passed(1, "canary", 1, 0.0), Passed(2, "zone \x1b", 1, 1.0, 1.0, 1, "1 pod failed"), Passed(3, "", 1)
    assert "stopped after wave 2 of 3 (zone \\x1b): 1 pod failed; 1 pod was not begun" in closing(in_waves(*waves))
    before = replace(waves[1], begun_s=None)
    assert "stopped before wave 2 of 3 (zone" in closing(in_waves(waves[0], before, waves[2]))
    alone = replace(waves[1], wave=1)
    assert "stopped: 1 pod failed; 1 pod was not begun" in closing(in_waves(alone))
    assert "stopped" not in closing(in_waves(waves[0], waves[2]))


def test_a_comparison_tells_the_waves_and_of_very_many_the_first() -> None:
    lines = closing(in_waves(Passed(1, "canary", 1), Passed(2, "", 1), direction="diff")).splitlines()
    assert "wave 1 of 2 (canary): 1 pod: shop/web-1" in lines
    many = closing(in_waves(*(Passed(number, "", 1) for number in range(1, 50)), direction="diff")).splitlines()
    assert "and 39 more waves (-o json has all)" in many
