import io

import pytest

from asynccp.report import LeftOut, Outcome, Result
from asynccp.ui.lines import Lines, describe

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
        (Result(WEB, Outcome.COMPLETE, attempts=3), 0, "complete after 3 attempts  0 entries  0 B  0.0 s"),
        (Result(WEB, Outcome.PARTIAL, left_out=LEFT_OUT), 0, "partial: 2 entries left out  0 entries  0 B  0.0 s"),
        (Result(WEB, Outcome.CHANGED, error="a.log grew"), 0, "changed: a.log grew  0 entries  0 B  0.0 s"),
        (failed(WEB), 0, "failed: the container has no tar"),
        (Result(WEB, Outcome.FAILED, attempts=4, error="no route"), 0, "failed after 4 attempts: no route"),
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


def test_a_hint_is_said_once() -> None:
    printer = lines()
    for name in ("web-1", "web-2"):
        printer.finished(failed(pod(name), hint="ask for create on pods/exec"))
    printer.finished(failed(pod("web-3"), hint="add tar to the image"))
    text = printer.last_frame()
    assert text.count("ask for create") == text.count("add tar") == 1


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
