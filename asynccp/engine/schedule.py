"""Schedule: in which order transfers that were found together begin, and whether they go on. Pure.

How many are under way at a time is no part of it: see `engine.limiter`.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from asynccp.report import Result
from asynccp.target import Transfer


class Schedule(Protocol):
    """Waves: each begins when all results of the one before are there."""

    def waves(self, transfers: Sequence[Transfer]) -> Iterator[Sequence[Transfer]]:
        """Yield the transfers, each in one wave."""

    def objection(self, results: Sequence[Result]) -> str:
        """Return why no further wave may begin after one that had these results; empty when it may.

        It is said of every transfer that is not begun then: `not begun, because …`.
        """


class AllAtOnce:
    """One wave."""

    def waves(self, transfers: Sequence[Transfer]) -> Iterator[Sequence[Transfer]]:
        yield transfers

    def objection(self, results: Sequence[Result]) -> str:  # noqa: ARG002 (there is no further wave)
        return ""
