"""Bars: progress on a terminal: one bar for the whole run, and one for each pod that fits under it.

    web-7c9d6b5f4-4k2xq   61%|████████▌     |   22.9 MiB    3.1 MiB/s

Observer calls add to counters; `frame` asks tqdm for the bars and returns the text, which somebody else writes in one
piece. So a thousand pods cost a thousand additions, never a thousand bars, a frame does not flicker, and a terminal
that was stopped with ^S stops no transfer.

The longest active transfers have the bars: when one ends its bar goes to the next that has waited for one, so in the
end the stragglers are what is left to see. A pod that failed, or that left entries out, leaves its line above the bars
at once. How far the whole is, is estimated (`ui.estimate`): the pods of a pull tell their sizes late, or never.

tqdm moves the cursor, draws the bar and cuts the line to the screen; what stands left and right of the bar is made
here, because tqdm's own rate has powers of 1000 next to sizes in powers of 1024, and never falls while nothing moves.
tqdm takes TQDM_* from the environment as defaults of its arguments, so every argument is given. Nothing is coloured,
which is what NO_COLOR asks for. This is the only module that imports tqdm.
"""

import io
import math
import os
import time
from collections.abc import Callable, Collection, Hashable, Sequence
from threading import RLock
from typing import ClassVar, TextIO, TypeVar
from weakref import WeakSet

from msgspec import Struct
from tqdm.std import tqdm
from tqdm.utils import disp_len, disp_trim

from asynccp.events import Listener, WaveBegun, WaveEnded, WaveWaits
from asynccp.report import Attempt, Outcome, Result
from asynccp.target import Transfer
from asynccp.text import human_size, printable
from asynccp.ui.estimate import Over, Steady, expected_bytes, fraction_done
from asynccp.ui.lines import Lines

MOST_BARS = 8  # more than that nobody reads
SPARE_ROWS = 4  # of the terminal: the total, the prompt, and two lines of what was said
SPEED_MEMORY_S = 5.0  # a rate follows a change in about this time, and does not jump with each chunk
IDLE_AFTER_S = 3.0  # a pod's disk may well pause for a second or two
WIDE = 64  # columns from which a line has room for the bytes moved

T = TypeVar("T", bound=Hashable)


class Bars(Listener):
    """Shows the whole run and the longest active transfers as bars.

    count: how many transfers there are, and unit: what they are called, `pods` where each has one. expected_total:
    archive bytes of all of them together, when that is known beforehand (a push: the archive's size times their
    number). verbose: a complete transfer leaves a line too. clock: seconds, monotonic. size: of the terminal; asked at
    every frame.
    """

    def __init__(
        self, stream: TextIO, count: int, *, unit: str = "pods", verbose: int = 0, expected_total: int | None = None,
        clock: Callable[[], float] = time.monotonic, size: Callable[[], os.terminal_size] | None = None,
    ) -> None:  # fmt: skip
        self.stream = stream
        self._count = count
        self._unit = unit
        self._verbose = verbose
        self._clock = clock
        self._size = size or (lambda: terminal_size(stream))
        self._lines = Lines(stream, count, verbose=verbose, brief=not verbose, silence_s=math.inf)
        self._encoding = stream.encoding or "utf-8"
        self._screen = _Screen(ascii=not _has_blocks(self._encoding))
        self._active: dict[Transfer, _Active] = {}  # in the order in which they started
        self._shown: list[Transfer] = []
        self._namespaces: set[tuple[str, str]] = set()  # with their contexts
        self._paths: set[str] = set()
        self._longest_name = 0  # columns; it only grows, else the bars would dance
        self._over = Over()
        self._steady = Steady()
        self._moved = 0  # archive bytes that count: what an attempt in vain has moved is taken off again
        self._heard = 0  # archive bytes in all
        self._heard_at = clock()
        self._speed = Speed(clock())
        self._share = None if expected_total is None or not count else expected_total // count

    def started(self, transfer: Transfer, total: int | None) -> None:
        now = self._clock()
        before = self._active.get(transfer)
        active = _Active(self._share if total is None else total, now, Speed(now))
        if before:  # another attempt
            self._moved -= before.moved
            active.attempt = before.attempt + 1
            active.expected = before.expected if total is None else total
        self._active[transfer] = active
        self._namespaces.add((transfer.target.context, transfer.target.namespace))
        self._paths.add(transfer.path)

    def sized(self, transfer: Transfer, total: int) -> None:
        if active := self._active.get(transfer):
            active.expected = total

    def advanced(self, transfer: Transfer, size: int) -> None:
        active = self._active.get(transfer)
        if active is None:
            return
        active.moved += size
        active.moved_at = self._heard_at = self._clock()
        self._moved += size
        self._heard += size

    def retrying(self, transfer: Transfer, attempt: Attempt, delay_s: float) -> None:
        self._lines.retrying(transfer, attempt, delay_s)

    def finished(self, result: Result) -> None:
        active = self._active.pop(result.transfer, None)
        failed = result.outcome in (Outcome.ABSENT, Outcome.FAILED, Outcome.INTERRUPTED)
        self._over.add(active.moved if active else 0, whole=not failed)
        if result.outcome is not Outcome.INTERRUPTED or self._verbose:  # who pressed ^C knows
            self._lines.finished(result)

    def amended(self, result: Result) -> None:
        self._over.whole -= 1
        self._lines.amended(result)

    def waves(self, event: WaveBegun | WaveWaits | WaveEnded) -> None:
        self._lines.waves(event)

    def frame(self) -> str:
        """Return what to write to the terminal to bring it up to date."""
        columns, lines = self._size()
        width = columns - 1  # a character in the last column makes some terminals go to the next line
        room = min(MOST_BARS, max(0, lines - SPARE_ROWS)) if self._count > 1 else 1
        self._shown = assign(self._shown, self._active, room)
        now = self._clock()
        pods = [self._pod_row(transfer, self._active[transfer], now) for transfer in self._shown]
        total = self._total_row(now, width, longest_s=max([0.0, *(row.seconds_left for row in pods)]))
        self._longest_name = max([self._longest_name, *(disp_len(row.name) for row in pods)])
        name_width = min(max(self._longest_name, len(total.name)), name_limit(width))
        # A single pod is the whole run: one bar says it all.
        shown = [total, *pods] if self._count > 1 or not pods else pods
        texts = [(*layout(row, name_width, width), row.fraction) for row in shown]
        return self._screen.draw(texts, width, lines, self._lines.frame())

    def last_frame(self) -> str:
        """Return what clears the bars from the terminal; lines that were not yet said come first."""
        columns, lines = self._size()
        return self._screen.draw([], columns - 1, lines, self._lines.last_frame())

    def _total_row(self, now: float, width: int, longest_s: float) -> "Row":
        over, failed = self._over, self._over.count - self._over.whole
        name = f"{over.count}/{self._count}" + (f" {self._unit}" if width >= WIDE else "")
        name += f", {failed} failed" if failed else ""
        speed, note = self._speed.measure(now, self._heard), ""
        expected = expected_bytes(self._count, self._share, over, self._active.values())
        done = self._steady.show(fraction_done(self._count, over, self._moved, expected))
        if expected:
            # The fleet's speed promises too much when one slow pod is what everybody will wait for.
            note = _eta(max(_seconds(expected - self._moved, speed), longest_s))
        if over.count < self._count and now - self._heard_at >= IDLE_AFTER_S:
            speed, note = 0.0, _idle(now - self._heard_at)
        return Row(name, done, self._moved, speed, note, cut=False)

    def _pod_row(self, transfer: Transfer, active: "_Active", now: float) -> "Row":
        target = transfer.target
        name = target.label if len(self._namespaces) == 1 else str(target)
        name += f":{transfer.path}" if len(self._paths) > 1 else ""
        name = printable(name).encode(self._encoding, "backslashreplace").decode(self._encoding)
        speed = active.speed.measure(now, active.moved)
        note = f"attempt {active.attempt}" if active.attempt > 1 else ""
        if now - active.moved_at >= IDLE_AFTER_S:
            speed, note = 0.0, _idle(now - active.moved_at)
        if active.expected is None:
            return Row(name, None, active.moved, speed, note)
        if active.moved >= active.expected:
            return Row(name, 1.0, active.moved, speed, "finishing")
        seconds_left = _seconds(active.expected - active.moved, speed)
        if self._count == 1:
            note = note or _eta(seconds_left)
        return Row(name, active.moved / active.expected, active.moved, speed, note, seconds_left)


class Speed:
    """Bytes a second of late: an average in which what is SPEED_MEMORY_S old counts for a third (1/e)."""

    def __init__(self, now: float) -> None:
        self._at = now
        self._count = 0
        self._average = 0.0
        self._weight = 0.0  # of what was averaged so far; below 1 in the beginning

    def measure(self, now: float, count: int) -> float:
        """Return the speed, given how many bytes have moved since the beginning."""
        passed = now - self._at
        if passed > 0:
            keep = math.exp(-passed / SPEED_MEMORY_S)
            self._average = keep * self._average + (1 - keep) * (count - self._count) / passed
            self._weight = keep * self._weight + (1 - keep)
            self._at, self._count = now, count
        return self._average / self._weight if self._weight else 0.0


class _Active(Struct):
    """A transfer under way. expected: archive bytes, None when nobody knows."""

    expected: int | None
    moved_at: float
    speed: Speed
    moved: int = 0
    attempt: int = 1


class Row(Struct, frozen=True):
    """What one line shows.

    fraction: of the bar, None without a bar. moved is in bytes, speed in bytes a second; seconds_left is 0 when nobody
    knows. cut: the name may be shortened.
    """

    name: str
    fraction: float | None
    moved: int
    speed: float = 0.0
    note: str = ""
    seconds_left: float = 0.0
    cut: bool = True


def assign(slots: Sequence[T], active: Collection[T], room: int) -> list[T]:
    """Return who has the slots now, at most `room`.

    Who is still active keeps its slot; a free one goes to the next. When nobody waits, the last moves up into the gap.
    """
    held = set(slots[:room])
    waiting = (one for one in active if one not in held)
    now = [one if one in active else next(waiting, None) for one in slots[:room]]
    while len(now) < room and (one := next(waiting, None)) is not None:
        now.append(one)
    while None in now:
        last = now.pop()
        if last is not None:
            now[now.index(None)] = last
    return [one for one in now if one is not None]


def layout(row: Row, name_width: int, width: int) -> tuple[str, str]:
    """Return what stands left and right of the bar on a line of `width` columns.

    Wide:     name  61%|███   |   22.9 MiB    3.1 MiB/s eta 2m05s
    Narrow:   name  61%|███   |   3.1MiB/s          or the note instead of the speed
    No total: the same without percentage and bar; the bytes moved are always there.
    """
    name = shorten(row.name, name_width) if row.cut else row.name
    name += " " * (name_width - disp_len(name))
    moved, speed = human_size(row.moved), f"{human_size(row.speed)}/s"
    left, edge = (name, " ") if row.fraction is None else (f"{name} {min(100, int(row.fraction * 100)):3}%|", "|")
    if width >= WIDE:
        return left, f"{edge} {moved:>10} {speed:>12} {row.note:<10}"
    right = row.note or speed.replace(" ", "")
    return left, f"{edge} {right:>10}" if row.fraction is not None else f"{moved:>10} {right:>10}"


def name_limit(width: int) -> int:
    """Return how many columns of a line of `width` a pod's name may take."""
    return width * 3 // 10 if width >= WIDE else max(8, width - 23)


def shorten(text: str, width: int) -> str:
    """Cut `text` in the middle: what tells pods apart stands at both ends."""
    if disp_len(text) <= width:
        return text
    head = disp_trim(text, (width - 1) // 2)
    return head + "…" + disp_trim(text[::-1], width - 1 - disp_len(head))[::-1]


def duration(seconds: float) -> str:
    """Return a duration in at most five characters: `12s`, `2m05s`, `12m`, `1h02m`, `12h`, `3d`."""
    whole = int(seconds)
    for limit, text in (
        (60, f"{whole}s"),
        (600, f"{whole // 60}m{whole % 60:02}s"),
        (3600, f"{whole // 60}m"),
        (36_000, f"{whole // 3600}h{whole // 60 % 60:02}m"),
        (360_000, f"{whole // 3600}h"),
    ):
        if whole < limit:
            return text
    return f"{whole // 86_400}d"


def terminal_size(stream: TextIO) -> os.terminal_size:
    """Return the size of the terminal behind `stream`; 80×24 when it doesn't tell, as a serial line."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, rows = 0, 0
    return os.terminal_size((columns or 80, rows or 24))


class _Screen:
    """The bars as tqdm has them, and the text by which it draws them."""

    def __init__(self, *, ascii: bool) -> None:  # noqa: A002
        self._ascii = ascii
        self._text = io.StringIO()
        self._bars: list[_Bar] = []
        self._width = 0

    def draw(self, rows: Sequence[tuple[str, str, float | None]], width: int, lines: int, said: str) -> str:
        """Return the text that shows `said`, and under it exactly `rows` (left, right, fraction).

        The cursor stays where the first row begins: the next frame is drawn over this one, and what was said remains.
        """
        lines = max(2, lines)  # with less, tqdm gives the first bar the place of one that it closes
        for bar in self._bars:
            bar.ncols, bar.nrows = width, lines
            if width < self._width:  # else tqdm blanks as much as the longer line had, beyond the edge
                bar.sp = bar.status_printer(bar.fp)
                bar.display(" " * width)
        self._width = width
        while len(self._bars) > len(rows):
            self._bars.pop().close()
        if said and self._bars:
            _Bar.write(said, file=self._text, end="")
        else:
            self._text.write(said)
        for position, (left, right, fraction) in enumerate(rows):
            if position == len(self._bars):
                self._bars.append(_open_bar(self._text, position, width, lines, ascii=self._ascii))
            self._bars[position].show(left.replace("…", "~") if self._ascii else left, right, fraction)
        if rows:
            self._text.write("\r")  # at the end of the line, the terminal's echo of ^C would go to the next one
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text


class _Bar(tqdm):  # type: ignore[type-arg]  # tqdm is generic for the type checker only
    """tqdm, apart from all other use of it in this process: positions, lock and thread are not shared."""

    monitor_interval = 0  # no thread
    _instances: ClassVar["WeakSet[_Bar]"] = WeakSet()

    def show(self, left: str, right: str, fraction: float | None) -> None:
        self.desc = left
        self.bar_format = "{desc}{bar}" + right  # `right` holds numbers and our own words, never a brace
        self.n, self.total = (0, None) if fraction is None else (min(fraction, 1.0), 1)
        self.refresh()


_Bar.set_lock(RLock())  # tqdm's own is also one between processes, and starts one to look after it


def _open_bar(file: io.StringIO, position: int, width: int, lines: int, *, ascii: bool) -> _Bar:  # noqa: A002
    return _Bar(
        None, desc="", total=None, leave=False, file=file, ncols=width, nrows=lines, mininterval=0, maxinterval=0,
        miniters=0, ascii=ascii, disable=False, unit="B", unit_scale=True, unit_divisor=1024, dynamic_ncols=False,
        smoothing=0, bar_format="{desc}", initial=0, position=position, postfix=None, write_bytes=False, lock_args=None,
        colour=None, delay=0, gui=False,
    )  # fmt: skip


def _seconds(left: float, speed: float) -> float:
    return left / speed if left > 0 and speed >= 1 else 0.0


def _eta(seconds_left: float) -> str:
    return f"eta {duration(seconds_left)}" if seconds_left else ""


def _idle(seconds: float) -> str:
    return f"idle {duration(seconds)}"


def _has_blocks(encoding: str) -> bool:
    try:
        "█…".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
