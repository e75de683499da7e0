"""Interrupt: how the program is ended from outside, from its first lines until the process is gone.

The first SIGINT, SIGTERM or SIGHUP is answered by what is under way: a copy ends its remote commands and reports, and
planning is given up. Where nothing is under way, the program ends. The second ends it at once, and asks nobody: what
doesn't come to its end may be the event loop, a thread that waits for a disk, or a pipe that nobody reads.

These handlers stay. asyncio's go away with its loop; a signal that comes after them raises KeyboardInterrupt where the
main thread tells another one to end, which then is waited for, for ever.

For the program alone: a library installs no handlers (`asynccp.push` takes `stop`).
"""

import itertools
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

EXIT_CODE = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

ECHO_S = 0.01
"""Seconds in which the same signal is the first one once more. `timeout` sends it to its child and then to its child's
process group; closer together, the kernel makes one of the two. No person is that fast."""


_count = itertools.count()
_first: tuple[int, float] | None = None  # its number, and when it came
_answers: list[Callable[[], object]] = []  # the innermost one last


def listen() -> None:
    """Install the handlers. What was ignored when the program started stays so (nohup; `&` in a script)."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _take)


def patience_s() -> float:
    """Return the seconds that who completes a word waits for an answer: half a second, or $ASYNCCP_COMPLETE_S."""
    with suppress(ValueError):
        return max(0.1, min(60.0, float(os.environ.get("ASYNCCP_COMPLETE_S", ""))))
    return 0.5


def end_after(seconds: float) -> None:
    """End the process in silence after so long, whatever it does by then."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, seconds)


def heard() -> bool:
    """Tell whether a signal has come."""
    return _first is not None


@contextmanager
def answered_by(answer: Callable[[], object]) -> Iterator[None]:
    """Have the first signal call `answer`, should it come meanwhile; in a signal handler, so it may only hand on."""
    _answers.append(answer)
    try:
        yield
    finally:
        _answers.pop()


def end(words: str) -> NoReturn:
    """End the process now, without Python's own way out, which waits for threads. Say why, if that can't block."""
    with suppress(OSError, ValueError):  # stderr is closed, or its terminal is gone
        if select.select((), (2,), (), 0)[1]:
            below_the_bars = "\n" if os.isatty(2) else ""
            os.write(2, f"{below_the_bars}asynccp: {words}\n".encode())
    os._exit(EXIT_CODE)


def _take(number: int, _: FrameType | None) -> None:
    """Take a signal. Another one may come in the middle of this, and is taken before this goes on."""
    global _first
    if next(_count) == 0:
        _first = (number, time.monotonic())
        if _answers:
            _answers[-1]()
        else:
            end("interrupted")
    elif _first is None or number != _first[0] or time.monotonic() - _first[1] > ECHO_S:
        end("interrupted again, ended at once")
