"""Pairs of signals, at any distance: two of ^C, a supervisor that insists, `timeout`, which signals a child twice."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_APART_S, CLOSE_S = 0.05, 0.001
SEED = 12
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two signals, the second so much later."""

    first: signal.Signals
    second: signal.Signals
    apart_s: float

    def __str__(self) -> str:
        return f"{self.first.name}, {self.apart_s * 1000:.1f} ms, {self.second.name}"

    def send(self, send: Callable[[int], None]) -> None:
        """Send both. The distance is what is tried here, so it is waited for."""
        send(self.first)
        time.sleep(self.apart_s)
        send(self.second)


def pairs(count: int) -> list[Pair]:
    """Return so many pairs, the same each time.

    Every second one is of two kinds, and closer together than a command takes to end for the first.
    """
    chance = random.Random(SEED)
    found = []
    for number in range(count):
        first, second = chance.sample(_SIGNALS, 2) if number % 2 else chance.choices(_SIGNALS, k=2)
        found.append(Pair(first, second, chance.random() * (CLOSE_S if number % 2 else MOST_APART_S)))
    return found
