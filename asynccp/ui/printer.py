"""Printer: an observer that shows what it heard. Which one suits a stream, and how it is shown while work goes on.

    printer = observer_for(sys.stderr, quiet=False, verbose=0, count=len(plan.transfers), expected_total=…)
    report = await draw_while(printer, lambda: push(plan, observer=printer))

A printer does no I/O: `frame` gives text, and the ticker here writes it from a thread, since a terminal stopped with
^S, a hung SSH connection and a pipe that nobody reads all block their writer.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TextIO, TypeVar

import anyio
from anyio import CancelScope, CapacityLimiter, create_task_group, to_thread

from asynccp.events import Event
from asynccp.ui.lines import Lines

FRAME_EVERY_S = 0.1

T = TypeVar("T")


class Printer(Protocol):
    """An observer with a picture of what it heard."""

    def __call__(self, event: Event) -> None:
        """Hear it."""

    @property
    def stream(self) -> TextIO:
        """Where the picture goes."""

    def frame(self) -> str:
        """Return the text that brings the picture up to date; empty when it is."""

    def last_frame(self) -> str:
        """Return the text that ends the picture: nothing of it stays but what is meant to."""


def observer_for(
    stream: TextIO, *, quiet: bool, verbose: int, count: int, unit: str = "pods", expected_total: int | None = None
) -> Printer:
    """Return bars for a terminal, lines for everything else, and for who wants it quiet, or a trace.

    verbose: 1 for more lines, 2 if a trace is written to the stream as well. count: transfers. unit: what they are
    called. expected_total: archive bytes of all of them, when known beforehand.
    """
    if quiet or verbose > 1 or not stream.isatty() or os.environ.get("TERM") == "dumb":
        return Lines(stream, count, verbose=verbose, quiet=quiet)
    from asynccp.ui.bars import Bars  # here, because tqdm takes 70 ms that only a terminal is worth

    return Bars(stream, count, unit=unit, verbose=verbose, expected_total=expected_total)


async def draw_while(printer: Printer, work: Callable[[], Awaitable[T]]) -> T:
    """Await `work()` and return what it returns; draw the printer all the while, and its last frame however it ends."""
    error: BaseException | None = None
    try:
        async with create_task_group() as tasks:
            tasks.start_soon(_tick, printer)
            result = await work()
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        error = group.exceptions[0]  # the work's: the ticker raises nothing
    finally:
        _put(printer.stream, printer.last_frame())
    if error is not None:
        raise error  # here, where the group does not become its context
    return result


async def _tick(printer: Printer) -> None:
    limiter = CapacityLimiter(1)  # its own: a frame does not wait behind the disk's work for a thread
    while True:
        if text := printer.frame():
            with CancelScope(shield=True):  # the end of the work must not swallow a frame that was taken already
                await to_thread.run_sync(_put, printer.stream, text, limiter=limiter)
        await anyio.sleep(FRAME_EVERY_S)


def _put(stream: TextIO, text: str) -> None:
    """Write `text` now. A terminal that went away is no reason to end a transfer: report and exit code remain."""
    with suppress(OSError):
        stream.write(text)
        stream.flush()
