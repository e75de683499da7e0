"""Status: what has happened in a run that goes on, and on a terminal how it stands, in one line that stays one."""

import io

import pytest

from asynccp.events import Advanced, Finished, Standing
from asynccp.report import Outcome, Result
from asynccp.ui.status import Status

from .screen import Clock, complete, failed, pod


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_each_copy_is_a_line_and_what_was_overtaken_by_a_later_save_is_none() -> None:
    printer = Status(io.StringIO())
    printer(Finished(complete(pod("web-1"))))
    printer(Finished(Result(pod("web-2"), Outcome.CHANGED, error="app.toml changed while it was read")))
    printer(Finished(failed(pod("web-2"))))
    assert printer.frame() == (
        "[1] default/web-1:/etc/app  complete  200 entries  1.5 MiB  0.8 s\n"
        "[2] default/web-2:/etc/app  failed: the container has no tar\n"
    )


@pytest.mark.parametrize(
    ("standing", "row"),
    [
        (None, "waiting for pods"),
        (Standing(0, 0, 0, 0), "0 pods: none current; 1 copy, 2.0 KiB  5s ago"),
        (Standing(12, 11, 1, 0), "12 pods: 11 current, 1 under way; 1 copy, 2.0 KiB  5s ago"),
        (Standing(1, 0, 0, 1), "1 pod: 1 failed; 1 copy, 2.0 KiB  5s ago"),
    ],
)
def test_a_terminal_has_a_last_line_that_is_drawn_anew(standing: Standing | None, row: str) -> None:
    clock = Clock()
    printer = Status(Terminal(), clock=clock)
    printer(Advanced(pod("web-1"), 2048))
    printer(Finished(complete(pod("web-1"))))
    if standing:
        printer(standing)
    said, _, last = printer.frame().rpartition("\n")
    clock.now += 5
    assert said.startswith("\r\x1b[K[1] default/web-1")
    assert printer.frame() == f"\r\x1b[K{row}"
    assert last
    assert printer.last_frame() == "\r\x1b[K"


def test_the_last_line_is_no_longer_than_the_terminal_is_wide() -> None:
    printer = Status(Terminal(), clock=Clock())
    printer(Standing(10**40, 10**40, 10**40, 10**40))
    assert len(printer.frame()) < 80 + len("\r\x1b[K")
