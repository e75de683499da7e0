"""Lines: progress for a log, a pipe or a CI job: one line for each finished pod.

    [1/3] default/web-0:/etc/app  complete  200 entries  1.5 MiB  0.8 s
    [2/3] default/web-1:/etc/app  failed: the container has no tar
        add tar to the image
    [3/3] default/web-2:/etc/app  partial: 2 entries left out  198 entries  1.5 MiB  0.8 s
        left out app/pipe, app/pipe2: a FIFO, which is never copied

Observer calls only keep the text; `frame` hands it over and somebody else writes it, because a pipe that nobody reads
(`2>&1 | less`) blocks its writer, and the writer must not be the event loop.

A hint is said once, not for each of 300 pods that lack the same permission, and of pods that failed alike the first ten
have a line: the others are counted in the closing lines (`ui.text`). When nothing was said for a minute a line tells
how far the run is: CI servers kill jobs that keep silent.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TextIO

from asynccp.events import Listener, Wait, WaveBegun, WaveEnded, WaveWaits
from asynccp.report import Attempt, Outcome, Result, kind
from asynccp.target import Transfer
from asynccp.text import counted, human_size, printable
from asynccp.ui.entries import hook_lines, notes, tally_words

MOST_ALIKE = 10  # lines for pods that have the same to tell
SILENCE_S = 60.0  # CircleCI ends a job after ten silent minutes; people doubt it sooner
_CAUSE_LIMIT = 4000  # characters; a cause is cut by whoever raised it, this only bounds the line


class Lines(Listener):
    """Says each finished transfer in one line.

    count: how many transfers there are; 0: nobody knows. verbose: also say what started, the protocol, and each that
    failed, however many are alike. quiet: say only what is not complete. brief: of what is complete, say only what has
    more to tell than that. silence_s: how long to say nothing at most. clock: seconds, monotonic.
    """

    def __init__(
        self, stream: TextIO, count: int, *, verbose: int = 0, quiet: bool = False, brief: bool = False,
        silence_s: float = SILENCE_S, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.stream = stream
        self._count = count
        self._verbose = verbose
        self._quiet = quiet
        self._brief = brief
        self._silence_s = silence_s
        self._clock = clock
        self._said: list[str] = []
        self._said_at = clock()
        self._hints: set[str] = set()
        self._alike: Counter[tuple[object, ...]] = Counter()
        self._active: set[Transfer] = set()
        self._finished = 0
        self._failed = 0
        self._moved = 0  # archive bytes

    def started(self, transfer: Transfer, total: int | None) -> None:
        self._active.add(transfer)
        if self._verbose and not self._quiet:
            size = "" if total is None else f"  {human_size(total)} to move"
            self._say(f"{_name(transfer)}  started{size}")

    def advanced(self, transfer: Transfer, size: int) -> None:  # noqa: ARG002
        self._moved += size

    def retrying(self, transfer: Transfer, attempt: Attempt, delay_s: float) -> None:
        if self._verbose and not self._quiet:
            error = printable(attempt.error, _CAUSE_LIMIT)
            self._say(f"{_name(transfer)}  tries again in {delay_s:.1f} s: {attempt.error_class}: {error}")

    def finished(self, result: Result) -> None:
        self._active.discard(result.transfer)
        self._finished += 1
        self._failed += result.outcome is Outcome.FAILED
        more = notes(result)
        if not self._is_worth_a_line(result, more):
            return
        self._say(f"{_name(result.transfer)}  {describe(result, verbose=self._verbose)}")
        if result.hint and result.hint not in self._hints:
            self._hints.add(result.hint)
            more.append(printable(result.hint, _CAUSE_LIMIT))
        more += hook_lines(result.hooks) if self._verbose else []
        self._said += [f"    {line}" for line in more]

    def amended(self, result: Result) -> None:
        self._failed += result.outcome is Outcome.FAILED
        self._say(f"{_name(result.transfer)}  {describe(result, verbose=self._verbose)}")

    def waves(self, event: WaveBegun | WaveWaits | WaveEnded) -> None:
        if words := _wave_words(event, quiet=self._quiet):
            self._say(words)

    def _is_worth_a_line(self, result: Result, more: Sequence[str]) -> bool:
        if result.outcome.is_good:
            if self._quiet or (self._brief and not more):
                return False
            if not self._brief:
                return True
        like = (*kind(result), *more) if result.outcome is Outcome.COMPLETE else kind(result)
        self._alike[like] += 1
        if self._alike[like] == MOST_ALIKE + 1 and not self._verbose:
            self._said.append("    more of this kind are counted at the end (-v names each)")
        return self._alike[like] <= MOST_ALIKE or self._verbose > 0

    def frame(self) -> str:
        """Return the lines since the last frame; empty when there is nothing to say."""
        if not self._said and not self._quiet and self._clock() - self._said_at >= self._silence_s:
            failed = f", {self._failed} failed" if self._failed else ""
            self._say(f"{len(self._active)} active, {human_size(self._moved)} moved{failed}")
        if not self._said:
            return ""
        self._said_at = self._clock()
        text = "".join(f"{line}\n" for line in self._said)
        self._said.clear()
        return text

    def last_frame(self) -> str:
        """Return what is still to be said."""
        return self.frame() if self._said else ""

    def _say(self, text: str) -> None:
        of = f"/{self._count}" if self._count else ""
        self._said.append(f"[{self._finished:{len(str(self._count))}}{of}] {text}")


def describe(result: Result, *, verbose: int = 0) -> str:
    """Say on one line how a transfer ended, without its name and hint."""
    head = result.outcome.value + (f" after {result.tries} attempts" if result.tries > 1 else "")
    causes = [printable(result.error, _CAUSE_LIMIT)] if result.error else []
    left_out = sum(one.count for one in result.left_out)
    causes += [f"{counted(left_out, 'entry', 'entries')} left out"] if left_out else []
    facts = [": ".join([head, *(["; ".join(causes)] if causes else [])])]
    if result.outcome not in (Outcome.ABSENT, Outcome.FAILED, Outcome.INTERRUPTED):
        facts += [*_brought(result), f"{result.seconds:.1f} s"]
        facts += [f"landed as {printable(result.landed)}"] if result.landed else []
    if verbose:
        facts += [f"{human_size(result.wire_size)} on the wire", result.protocol, _compression(result)]
        facts += [f"by {result.way}"] if result.way not in ("", "tar") else []
    return "  ".join(fact for fact in facts if fact)


def _brought(result: Result) -> list[str]:
    """Say what came, or what would."""
    if result.differences:
        return [counted(len(result.differences), "difference", "differences")]
    if result.revisions is not None:
        return [counted(len(result.revisions), "revision", "revisions")]
    if result.restored:
        return [f"{printable(result.restored)} is there again"]
    words = tally_words(result.tally) if result.tally else []
    if words and not result.entries:
        return [", ".join(words)]
    return [
        counted(result.entries, "entry", "entries"),
        human_size(result.size),
        *([", ".join(words)] if words else []),
    ]


def _compression(result: Result) -> str:
    if result.compression:
        return f"{result.compression} of {human_size(result.archive_size)}"
    return f"not compressed: {result.compression_note}" if result.compression_note else ""


def _name(transfer: Transfer) -> str:
    return printable(str(transfer), _CAUSE_LIMIT)  # a target made by hand may hold any text


def _wave_words(event: WaveBegun | WaveWaits | WaveEnded, *, quiet: bool) -> str:
    """Say what happens to a wave; of one that is alone, only what is waited for."""
    match event:
        case WaveEnded(passed) if passed.stopped:
            return f"stopped: {printable(passed.stopped, _CAUSE_LIMIT)}"
        case WaveBegun(wave) if wave.of > 1 and not quiet:
            return f"{wave}: {wave.how_many}"
        case WaveWaits(number, of, Wait.SETTLE, seconds) if not quiet:
            return f"wave {number} of {of}: its pods are watched for {seconds:.0f} s"
        case WaveWaits(number, of, Wait.PAUSE, seconds) if not quiet:
            return f"wave {number} of {of}: begins after {seconds:.0f} s"
        case _:
            return ""
