import io

import pytest
from msgspec.structs import replace

from asynccp.entry import LeftOut, NotKept
from asynccp.events import Amended, Event, Finished, Retrying, Wait, WaveBegun, WaveEnded, WaveWaits
from asynccp.report import Attempt, HookRun, Outcome, Result, Tally
from asynccp.ui.lines import Lines, describe
from asynccp.wave import Passed, Wave

from .screen import Clock, complete, failed, pod

WEB = pod()
LEFT_OUT = (LeftOut(b"dev/null", "a device"), LeftOut(b"run/s", "a socket"))


def lines(count: int = 3, **options: object) -> Lines:
    return Lines(io.StringIO(), count, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("result", "verbose", "expected"),
    [
        (complete(WEB), 0, "complete  200 entries  1.5 MiB  0.8 s"),
        (complete(WEB), 1, "complete  200 entries  1.5 MiB  0.8 s  1.5 MiB on the wire  v4"),
        (Result(WEB, Outcome.COMPLETE, entries=1), 0, "complete  1 entry  0 B  0.0 s"),
        (Result(WEB, Outcome.COMPLETE, tries=3), 0, "complete after 3 attempts  0 entries  0 B  0.0 s"),
        (Result(WEB, Outcome.PARTIAL, left_out=LEFT_OUT), 0, "partial: 2 entries left out  0 entries  0 B  0.0 s"),
        (Result(WEB, Outcome.CHANGED, error="a.log grew"), 0, "changed: a.log grew  0 entries  0 B  0.0 s"),
        (
            Result(WEB, Outcome.COMPLETE, entries=1, landed="/etc/b\x1b.conf"),
            0,
            "complete  1 entry  0 B  0.0 s  landed as /etc/b\\x1b.conf",
        ),
        (
            replace(complete(WEB), tally=Tally(new=1, changed=2, same=197, saved=2**20)),
            0,
            "complete  200 entries  1.5 MiB  1 new, 2 changed, 197 the same, 1.0 MiB saved  0.8 s",
        ),
        (Result(WEB, Outcome.COMPLETE, tally=Tally(same=3, saved=9)), 0, "complete  3 the same, 9 B saved  0.0 s"),
        (replace(complete(WEB), tally=Tally(new=200)), 0, "complete  200 entries  1.5 MiB  0.8 s"),
        (Result(WEB, Outcome.COMPLETE, restored="2026\x1b"), 0, "complete  2026\\x1b is there again  0.0 s"),
        (Result(WEB, Outcome.COMPLETE, revisions=()), 0, "complete  0 revisions  0.0 s"),
        (failed(WEB), 0, "failed: the container has no tar"),
        (Result(WEB, Outcome.FAILED, tries=4, error="no route"), 0, "failed after 4 attempts: no route"),
        (Result(WEB, Outcome.FAILED), 0, "failed"),
        (Result(WEB, Outcome.INTERRUPTED), 0, "interrupted"),
        (Result(WEB, Outcome.FAILED, error="lost", protocol="v5"), 1, "failed: lost  0 B on the wire  v5"),
    ],
)
def test_a_result_is_one_line(result: Result, verbose: int, expected: str) -> None:
    assert describe(result, verbose=verbose) == expected


def test_each_finished_pod_has_a_line_with_a_counter() -> None:
    printer = lines(12)
    printer.finished(complete(pod("web-1")))
    printer.finished(failed(pod("web-2"), hint="add tar to the image"))
    assert printer.frame() == (
        "[ 1/12] default/web-1:/etc/app  complete  200 entries  1.5 MiB  0.8 s\n"
        "[ 2/12] default/web-2:/etc/app  failed: the container has no tar\n"
        "    add tar to the image\n"
    )
    assert printer.frame() == ""


def test_an_attempt_that_failed_is_told_to_who_wants_to_know() -> None:
    attempt = Attempt("the connection broke\x1b[2J", "SessionLost", 1.5)
    loud, brief = lines(verbose=1), lines()
    for printer in (loud, brief):
        printer(Retrying(WEB, attempt, 2.04))
    assert loud.frame() == (
        "[0/3] default/web-1:/etc/app  tries again in 2.0 s: SessionLost: the connection broke\\x1b[2J\n"
    )
    assert brief.frame() == ""


def test_a_hint_is_said_once() -> None:
    printer = lines()
    for name in ("web-1", "web-2"):
        printer.finished(failed(pod(name), hint="ask for create on pods/exec"))
    printer.finished(failed(pod("web-3"), hint="add tar to the image"))
    text = printer.last_frame()
    assert text.count("ask for create") == text.count("add tar") == 1


def test_what_was_left_out_and_what_was_not_kept_is_named_under_the_pods_line() -> None:
    printer = lines(quiet=True)
    lack = NotKept(b"bin/su", "set-id bits")
    printer.finished(Result(WEB, Outcome.PARTIAL, left_out=LEFT_OUT, not_kept=(lack,), grown=(b"log",), hint="look"))
    assert printer.frame() == (
        "[1/3] default/web-1:/etc/app  partial: 2 entries left out  0 entries  0 B  0.0 s\n"
        "    left out dev/null: a device\n"
        "    left out run/s: a socket\n"
        "    not kept: bin/su: set-id bits\n"
        "    1 file grew while it was read, complete up to the size it had: log\n"
        "    look\n"
    )


def test_what_a_complete_pod_lacks_is_named_but_where_it_is_quiet() -> None:
    result = replace(complete(WEB), not_kept=(NotKept(b"bin/su", "set-id bits"),))
    loud, quiet = lines(), lines(quiet=True)
    for printer in (loud, quiet):
        printer.finished(result)
    assert loud.frame().splitlines()[1] == "    not kept: bin/su: set-id bits"
    assert quiet.frame() == ""


def named(text: str) -> int:
    return text.count("default/web-")


@pytest.mark.parametrize(
    ("count", "verbose", "quiet", "expected", "notice"),
    [(10, 0, False, 10, 0), (11, 0, False, 10, 1), (300, 0, False, 10, 1), (300, 0, True, 10, 1),
     (300, 1, False, 300, 0), (300, 1, True, 300, 0)],
)  # fmt: skip
def test_of_pods_that_fail_alike_ten_have_a_line(
    count: int, verbose: int, quiet: bool, expected: int, notice: int
) -> None:
    printer = lines(count, verbose=verbose, quiet=quiet)
    for number in range(count):
        printer.finished(failed(pod(f"web-{number}"), f'pods "web-{number}" is forbidden', "ask for it"))
    text = printer.last_frame()
    assert named(text) == expected
    assert text.count("counted at the end") == notice
    assert text.count("ask for it") == 1


def test_another_cause_and_another_hint_are_told_however_many_came_before() -> None:
    printer = lines(50)
    for number in range(40):
        printer.finished(failed(pod(f"web-{number}")))
    printer.finished(failed(pod("web-40"), "the disk is full"))
    printer.finished(failed(pod("web-41"), hint="add tar to the image"))
    *_, other, same, hint = printer.frame().splitlines()
    assert other == "[41/50] default/web-40:/etc/app  failed: the disk is full"
    assert same == "[42/50] default/web-41:/etc/app  failed: the container has no tar"
    assert hint == "    add tar to the image"


def test_each_complete_pod_has_its_line_however_many_are_alike() -> None:
    printer = lines(300)
    for number in range(300):
        printer.finished(replace(complete(pod(f"web-{number}")), grown=(b"log",)))
    assert named(printer.frame()) == 300


def test_brief_says_of_complete_pods_only_what_else_there_is_and_of_equals_ten() -> None:
    printer = lines(300, brief=True)
    for number in range(50):
        printer.finished(complete(pod(f"web-{number}")))
        printer.finished(replace(complete(pod(f"web-a{number}")), grown=(b"log",)))
    text = printer.frame()
    assert named(text) == text.count("default/web-a") == 10
    assert text.count("counted at the end") == 1


def test_quiet_says_only_failures() -> None:
    printer = lines(quiet=True, verbose=1)
    printer.started(WEB, 10)
    printer.finished(complete(WEB))
    assert printer.frame() == ""
    printer.finished(failed(pod("web-2")))
    assert printer.frame().startswith("[2/3] default/web-2:/etc/app  failed: ")


@pytest.mark.parametrize(("total", "expected"), [(None, "started"), (2048, "started  2.0 KiB to move")])
def test_verbose_says_what_started(total: int | None, expected: str) -> None:
    printer = lines(verbose=1)
    printer.started(WEB, total)
    assert printer.frame() == f"[0/3] default/web-1:/etc/app  {expected}\n"


def test_after_a_minute_of_silence_a_line_says_how_far_it_is() -> None:
    clock = Clock()
    printer = lines(clock=clock)
    printer.started(WEB, None)
    printer.advanced(WEB, 1024)
    clock.now += 59
    assert printer.frame() == ""
    clock.now += 1
    assert printer.frame() == "[0/3] 1 active, 1.0 KiB moved\n"
    assert printer.frame() == ""
    printer.finished(failed(pod("web-2")))
    assert printer.frame().startswith("[1/3] default/web-2")
    clock.now += 60
    assert printer.frame() == "[1/3] 1 active, 1.0 KiB moved, 1 failed\n"


def test_quiet_is_silent_for_hours() -> None:
    clock = Clock()
    printer = lines(clock=clock, quiet=True)
    clock.now += 10_000
    assert printer.frame() == ""


def test_no_control_character_reaches_a_log() -> None:
    printer = lines(verbose=1)
    hostile = pod("web\x1b[2J", "/tmp/\u202egpj.exe\r")
    printer.started(hostile, None)
    printer.finished(failed(hostile, error="tar: \x1b]0;title\x07\nok", hint="\x9b31m"))
    text = printer.frame()
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) == 3


def test_waves_are_told_when_they_begin_and_when_something_is_waited_for() -> None:
    wave = Wave(2, 3, "zone \x1b", (WEB,))
    told: list[tuple[Event, str]] = [
        (WaveBegun(wave), "wave 2 of 3 (zone \\x1b): 1 pod"),
        (WaveBegun(replace(wave, number=1, of=1)), ""),
        (WaveWaits(2, 3, Wait.SETTLE, 30), "wave 2 of 3: its pods are watched for 30 s"),
        (WaveWaits(2, 3, Wait.PAUSE, 5), "wave 2 of 3: begins after 5 s"),
        (WaveWaits(2, 3, Wait.CONFIRM, 0), ""),
        (WaveEnded(Passed(2, "", 1, 0.0, 1.0)), ""),
        (WaveEnded(Passed(2, "", 1, 0.0, 1.0, 1, "1 pod failed\x1b")), "stopped: 1 pod failed\\x1b"),
    ]
    for event, words in told:
        printer = lines()
        printer(event)
        assert printer.frame() == (f"[0/3] {words}\n" if words else "")
    quiet = lines(quiet=True)
    for event, _ in told:
        quiet(event)
    assert quiet.frame() == "[0/3] stopped: 1 pod failed\\x1b\n"


def test_a_pod_that_fails_when_all_was_copied_is_told_once_more_and_not_counted_twice() -> None:
    printer = lines()
    printer(Finished(complete(WEB)))
    printer(Amended(failed(WEB)))
    assert printer.frame().splitlines()[-1] == "[1/3] default/web-1:/etc/app  failed: the container has no tar"


def test_what_the_users_commands_said_is_told_to_who_wants_to_know() -> None:
    hooks = (HookRun("before", 0, 0.12), HookRun("after", 3, 1.0, "reloading\nno such\x1b[2J file"))
    result = replace(complete(WEB), hooks=hooks)
    verbose, usual = lines(1, verbose=1), lines(1)
    for one in (verbose, usual):
        one.finished(result)
    assert verbose.frame().splitlines()[1:] == [
        "    before: exit code 0, 0.1 s",
        "    after: exit code 3, 1.0 s",
        "    | reloading",
        "    | no such\\x1b[2J file",
    ]
    assert len(usual.frame().splitlines()) == 1
