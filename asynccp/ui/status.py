"""Status: of a push or pull that goes on: a line for what has happened, and on a terminal a last one for how it stands.

default/web-3:/etc/app  complete  24 entries  22.3 KiB  0.2 s
12 pods: 11 current, 1 under way; 31 copies, 44.6 KiB  3 s ago
"""

import time
from collections.abc import Callable
from typing import TextIO

from asynccp.events import Listener, Standing
from asynccp.report import Attempt, Outcome, Result
from asynccp.target import Transfer
from asynccp.text import counted, human_size
from asynccp.ui.bars import duration, terminal_size
from asynccp.ui.lines import Lines

_CLEAR = "\r\x1b[K"


class Status(Listener):
    """Says each finished transfer in one line. clock: seconds, monotonic."""

    def __init__(
        self, stream: TextIO, *, verbose: int = 0, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stream = stream
        self._is_terminal = stream.isatty() and not quiet
        self._verbose = verbose
        self._clock = clock
        self._lines = Lines(stream, 0, verbose=verbose, quiet=quiet, clock=clock)
        self._standing: Standing | None = None
        self._copies = 0
        self._moved = 0
        self._heard_at = clock()

    def started(self, transfer: Transfer, total: int | None) -> None:
        self._lines.started(transfer, total)

    def advanced(self, transfer: Transfer, size: int) -> None:
        self._moved += size
        self._lines.advanced(transfer, size)

    def retrying(self, transfer: Transfer, attempt: Attempt, delay_s: float) -> None:
        self._lines.retrying(transfer, attempt, delay_s)

    def finished(self, result: Result) -> None:
        self._copies += 1
        self._heard_at = self._clock()
        if result.outcome is not Outcome.CHANGED or self._verbose:  # it is pushed anew, as it is now
            self._lines.finished(result)

    def standing(self, event: Standing) -> None:
        self._standing = event

    def frame(self) -> str:
        said = self._lines.frame()
        return f"{_CLEAR}{said}{self._row()}" if self._is_terminal else said

    def last_frame(self) -> str:
        return (_CLEAR if self._is_terminal else "") + self._lines.last_frame()

    def _row(self) -> str:
        one = self._standing
        if one is None:
            return "waiting for pods"
        parts = [f"{one.current} current", f"{one.under_way} under way", f"{one.failed} failed"]
        told = [part for part in parts if not part.startswith("0 ")]
        ago = f"{duration(self._clock() - self._heard_at)} ago"
        row = f"{counted(one.pods, 'pod', 'pods')}: {', '.join(told) or 'none current'}; "
        row += f"{counted(self._copies, 'copy', 'copies')}, {human_size(self._moved)}  {ago}"
        return row[: terminal_size(self.stream).columns - 1]
