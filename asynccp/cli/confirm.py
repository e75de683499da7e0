"""Confirm: a question on the terminal before each wave. It is drawn as part of the picture, which stands still for it.

Whoever draws frames writes it, so that no bar is drawn over it; what was typed before it was asked is no answer.
"""

import os
import sys
import termios
from contextlib import suppress
from typing import TextIO

import anyio

from asynccp.errors import UsageError
from asynccp.events import Event
from asynccp.text import listed
from asynccp.ui.printer import Printer
from asynccp.wave import Wave

_NAMES = 4  # of pods, on one line
_YES = ("y", "yes")
_LONGEST = 4096  # bytes of a line that a terminal hands over (N_TTY)


def refuse_without_terminal() -> None:
    """Raise UsageError where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "a wave can be confirmed on a terminal only, and this is none",
            hint="leave --confirm out, or run it where somebody can be asked",
        )


class Asking:
    """A printer that asks questions: they take the place of its picture."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._question = ""
        self._is_asked = False

    @property
    def stream(self) -> TextIO:
        return self._printer.stream

    def __call__(self, event: Event) -> None:
        self._printer(event)

    def frame(self) -> str:
        if not self._question:
            return self._printer.frame()
        if self._is_asked:
            return ""
        self._is_asked = True
        return self._printer.last_frame() + self._question

    def last_frame(self) -> str:
        return ("\n" if self._is_asked else "") + self._printer.last_frame()

    async def confirm(self, wave: Wave) -> bool:
        """Ask whether a wave may begin; only `y` and `yes` say so, and the end of input says no."""
        with suppress(termios.error):
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
        which = f"{wave}, " if wave.of > 1 else ""
        self._question = f"begin {which}{wave.how_many} ({listed(wave.pods, _NAMES)})? [y/N] "
        await anyio.wait_readable(sys.stdin)
        answer = os.read(sys.stdin.fileno(), _LONGEST).decode("utf-8", "replace")
        self._question, self._is_asked = "", False
        return answer.strip().lower() in _YES
