"""Lines of events: each event once, in order, and as few for what moves as there are looks at it."""

import io

from asynccp.events import (
    Advanced,
    Amended,
    Event,
    Finished,
    Retrying,
    Sized,
    Started,
    Wait,
    WaveBegun,
    WaveEnded,
    WaveWaits,
)
from asynccp.jsonlines import load_event
from asynccp.report import Attempt, Outcome, Result
from asynccp.target import Target, Transfer
from asynccp.ui.events import EventLines
from asynccp.wave import Passed, Wave

WEB, API = (Transfer(Target("shop", name, "main"), "/x") for name in ("web", "api"))


def heard(*events: Event) -> EventLines:
    lines = EventLines(io.StringIO())
    for one in events:
        lines(one)
    return lines


def read(text: str) -> list[Event]:
    return [load_event(line) for line in text.splitlines()]


def test_every_event_is_a_line() -> None:
    told: list[Event] = [Started(WEB, 10), Sized(WEB, 20), Retrying(WEB, Attempt("gone", "SessionLost", 1.0), 0.5),
            Finished(Result(WEB, Outcome.COMPLETE))]  # fmt: skip
    lines = heard(*told)
    assert read(lines.frame()) == told
    assert lines.frame() == lines.last_frame() == ""


def test_what_has_moved_since_the_last_lines_is_one_of_each_transfer() -> None:
    lines = heard(Started(WEB, 10), *[Advanced(WEB, 1), Advanced(API, 100)] * 1000)
    assert read(lines.frame()) == [Started(WEB, 10), Advanced(WEB, 1000), Advanced(API, 100_000)]
    lines(Advanced(WEB, 5))
    assert read(lines.last_frame()) == [Advanced(WEB, 5)]


def test_what_has_moved_is_told_before_what_came_of_it() -> None:
    lines = heard(Advanced(WEB, 3), Advanced(API, 4), Finished(Result(WEB, Outcome.FAILED)))
    assert read(lines.frame()) == [Advanced(WEB, 3), Finished(Result(WEB, Outcome.FAILED)), Advanced(API, 4)]


def test_what_is_told_of_waves_and_of_amended_results_is_a_line_each() -> None:
    wave = Wave(1, 1, "", (WEB,))
    told: list[Event] = [WaveBegun(wave), WaveWaits(1, 1, Wait.SETTLE, 5.0), WaveEnded(Passed(1, "", 1, 0.5)),
            Amended(Result(WEB, Outcome.FAILED))]  # fmt: skip
    assert read(heard(*told).frame()) == told
