"""Abreast: how many pods of a node are given what has changed at a time: as many as it serves as fast as few. Pure.

A node has so many cores, and an exec costs it a tenth of a second of one; what more are begun at once, all wait for
each other. So each that is done tells how many the node really worked on, as TCP Vegas does it for a line: where a copy
takes no longer beside others, the way is long rather than the node busy, and twice as many may be; where it takes n
times as long, an n-th of them had done.

Why it matters: what changes again while a copy is under way is old when that ends. 20 pods of one node, with two cores,
take 1.5 s by fours, and 1.3 to 2.0 all at once; but after the last of many changes, all at once may have begun with the
one before, and take that long twice.
"""

from collections import deque

LEAST = 4
RECENT = 64  # copies, the fastest of which tells how long one takes that waits for none
ROOM = 2.0  # times as many as the node worked on may be begun, so that it never idles


class Abreast:
    """For all nodes of a run that goes on."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=RECENT)
        self._most: dict[str, int] = {}

    def most(self, node: str) -> int:
        """Return how many pods of a node may be given something at a time."""
        return self._most.get(node, LEAST)

    def learn(self, node: str, seconds: float, beside: int) -> None:
        """Take in how long a copy took. beside: how many were under way on its node when it began, itself included."""
        self._seconds.append(seconds)
        worked_on = beside * min(self._seconds) / seconds if seconds > 0 else beside
        self._most[node] = max(LEAST, round(ROOM * worked_on))
