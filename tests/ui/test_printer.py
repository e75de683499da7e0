import asyncio
import io
import os
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from asynccp.errors import ClusterError
from asynccp.events import Listener
from asynccp.ui.bars import Bars
from asynccp.ui.lines import Lines
from asynccp.ui.printer import draw_while, observer_for

from .screen import Screen, complete, failed, pod


class Fake(Listener):
    """A printer that counts its frames."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream
        self.frames = 0
        self.drawn_twice = anyio.Event()

    def frame(self) -> str:
        self.frames += 1
        if self.frames == 2:
            self.drawn_twice.set()
        return "frame\n"

    def last_frame(self) -> str:
        return "last\n"


@pytest.mark.parametrize(
    ("stream", "quiet", "term", "expected"),
    [
        (Screen, False, "xterm", Bars),
        (Screen, True, "xterm", Lines),
        (Screen, False, "dumb", Lines),
        (io.StringIO, False, "xterm", Lines),
    ],
)
def test_a_terminal_gets_bars_and_the_rest_lines(
    stream: Callable[[], io.StringIO], quiet: bool, term: str, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    assert type(observer_for(stream(), quiet=quiet, verbose=0, count=3, expected_total=None)) is expected


def test_a_trace_gets_no_bars_that_it_would_tear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert type(observer_for(Screen(), quiet=False, verbose=2, count=3)) is Lines
    assert type(observer_for(Screen(), quiet=False, verbose=1, count=3)) is Bars


async def test_it_draws_while_the_work_goes_on_and_ends_with_the_last_frame() -> None:
    printer = Fake(io.StringIO())

    async def work() -> str:
        await printer.drawn_twice.wait()
        return "done"

    assert await draw_while(printer, work) == "done"
    assert printer.stream.getvalue().endswith("frame\nlast\n")


async def test_the_error_of_the_work_comes_out_alone_with_its_cause() -> None:
    printer = Fake(io.StringIO())

    async def work() -> None:
        raise ClusterError("refused") from OSError("no route")

    with pytest.raises(ClusterError) as caught:
        await draw_while(printer, work)
    assert isinstance(caught.value.__cause__, OSError)
    assert printer.stream.getvalue().endswith("last\n")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_run_is_cancelled_and_leaves_a_clean_screen() -> None:
    screen = Screen()
    bars = Bars(screen, 3, size=screen.size)
    bars.started(pod(), 100)
    bars.finished(failed(pod("web-2")))
    task = asyncio.create_task(draw_while(bars, anyio.sleep_forever))
    await anyio.wait_all_tasks_blocked()
    task.cancel()  # as asyncio does for ^C
    with pytest.raises(asyncio.CancelledError):
        await task
    assert screen.rows == ["[1/3] default/web-2:/etc/app  failed: the container has no tar"]


async def test_a_deadline_around_it_still_works() -> None:
    printer = Fake(io.StringIO())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await draw_while(printer, anyio.sleep_forever)
    assert scope.cancelled_caught
    assert printer.stream.getvalue().endswith("last\n")


async def test_a_terminal_that_is_stopped_does_not_stop_the_work() -> None:
    resumed, reached = threading.Event(), threading.Event()

    class Stopped(io.StringIO):
        def write(self, text: str) -> int:
            reached.set()
            resumed.wait(10)
            return super().write(text)

    printer = Fake(Stopped())

    async def work() -> str:
        await anyio.to_thread.run_sync(reached.wait, 10)
        moved_meanwhile = printer.stream.getvalue() == ""
        resumed.set()
        return "moved" if moved_meanwhile else "waited"

    assert await draw_while(printer, work) == "moved"


async def test_a_terminal_that_went_away_does_not_end_the_work() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    printer = Fake(Gone())
    await draw_while(printer, printer.drawn_twice.wait)


async def test_on_a_real_terminal_that_changes_its_size() -> None:
    termios = pytest.importorskip("termios")
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (10, 60))
    seen = bytearray()

    def read() -> None:
        with open(master, "rb", buffering=0) as keyboard_side:
            while True:
                try:
                    piece = keyboard_side.read(4096)
                except OSError:  # the other side is closed
                    return
                if not piece:
                    return
                seen.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    with open(slave, "w", encoding="utf-8") as stream:  # noqa: ASYNC230  # a terminal
        printer: Any = observer_for(stream, quiet=False, verbose=0, count=9, expected_total=900)
        for number in range(9):
            printer.started(pod(f"web-{number}"), 100)

        async def work() -> None:
            await anyio.wait_all_tasks_blocked()
            termios.tcsetwinsize(slave, (7, 70))
            printer.finished(failed(pod("web-0")))
            printer.finished(complete(pod("web-1")))

        await draw_while(printer, work)
    reader.join(10)
    screen = Screen(70, 10)
    screen.write(seen.decode().replace("\r\n", "\n"))
    assert "web-5" in screen.text
    assert [row for row in screen.rows if row] == ["[1/9] default/web-0:/etc/app  failed: the container has no tar"]


async def test_a_frame_that_was_taken_is_written_even_when_the_work_ends_in_that_moment() -> None:
    """The lines of a short run were lost: taken from the printer, then cancelled on the way to the writer's thread."""
    taken = anyio.Event()

    class TakenOnce(Fake):
        def frame(self) -> str:
            if taken.is_set():
                return ""
            taken.set()
            return "the only line\n"

    printer = TakenOnce(io.StringIO())
    await draw_while(printer, taken.wait)
    assert printer.stream.getvalue() == "the only line\nlast\n"
