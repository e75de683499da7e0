"""Estimate: how far a run is, when only some of its transfers have told how much they have. Pure.

Sizes are in archive bytes. What is known counts as it is: a transfer that is over, with what it has moved, and one that
told its size, with that (or with what it has moved, since a size is told as `about`). The others are expected to be as
large as those are on average. One that is under way, however much it has moved, always has half of that still to come,
and half the average at least: else a large one among small ones would look finished all the while.

A transfer that failed tells nothing about the others. While nothing is known, the transfers themselves are counted.
"""

from collections.abc import Collection
from typing import Protocol

from msgspec import Struct

MOST_TOO_FAR = 0.1  # of the bar
NEARLY = 0.99  # all, as far as a bar may say before it is so


class Underway(Protocol):
    """A transfer under way. expected: its size, None when nobody has told it."""

    @property
    def moved(self) -> int: ...
    @property
    def expected(self) -> int | None: ...


class Over(Struct):
    """The transfers that are over. whole: those of them that brought what they have; the others failed."""

    count: int = 0
    moved: int = 0
    whole: int = 0
    whole_moved: int = 0

    def add(self, moved: int, *, whole: bool) -> None:
        self.count += 1
        self.moved += moved
        self.whole += whole
        self.whole_moved += moved if whole else 0


def expected_bytes(count: int, share: int | None, over: Over, underway: Collection[Underway]) -> float | None:
    """Return how many bytes all `count` transfers will have moved in the end; None while nobody can tell.

    share: the size of each, when that is known beforehand (a push).
    """
    sized = [max(one.moved, one.expected) for one in underway if one.expected is not None]
    unsized = [one.moved for one in underway if one.expected is None]
    waiting = max(0, count - over.count - len(underway))
    average = float(share) if share is not None else _average(over.whole_moved + sum(sized), over.whole + len(sized))
    if average is None:
        return None
    guessed = [max(average, moved + max(average, moved) / 2) for moved in unsized]
    return over.moved + sum(sized) + sum(guessed) + waiting * average


def fraction_done(count: int, over: Over, moved: int, expected: float | None) -> float:
    """Return how much of the run is done, from 0 to 1. moved: bytes so far; expected: in the end."""
    if expected:
        return min(1.0, moved / expected)
    to_come = count - (over.count - over.whole)
    return min(1.0, over.whole / to_come) if to_come > 0 else 1.0


class Steady:
    """A fraction as a bar shows it: it goes back only when it is too far by more than a tenth of the bar.

    Each size that is told moves the estimate. Where the truth is a little less than what is shown, the bar waits for
    it; where it is much less (one pod has a giant, an attempt was in vain), the bar goes back to it at once: better one
    jump than a bar that stands still for an hour. It is full only while all is done.
    """

    def __init__(self) -> None:
        self._shown = 0.0

    def show(self, fraction: float) -> float:
        """Return what to show for `fraction`, given what was shown before."""
        if not fraction < self._shown <= fraction + MOST_TOO_FAR:
            self._shown = fraction
        return self._shown if fraction >= 1 else min(self._shown, NEARLY)


def _average(total: int, count: int) -> float | None:
    return total / count if count else None
