"""Schedule: in which order transfers that were found together begin, and whether they go on. Pure.

How many are under way at a time is no part of it: see `engine.limiter`.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from asynccp.options import OnFailure, Waves
from asynccp.plan.waves import allowed
from asynccp.report import Result
from asynccp.target import Transfer
from asynccp.text import counted, listed, printable
from asynccp.wave import Wave, pods_of

_NAMES = 3  # of pods that failed


class Schedule(Protocol):
    """Waves: each begins when all results of the one before are there."""

    def waves(self, transfers: Sequence[Transfer]) -> Sequence[Wave]:
        """Return the transfers, each in one wave."""

    def objection(self, failures: Sequence[Result]) -> str:
        """Return why nothing more may begin after these failures, which are all so far; empty when it may.

        It is said of every transfer that is not begun then: `not begun, because …`.
        """


class AllAtOnce:
    """One wave, which has no number: nobody hears of it."""

    def waves(self, transfers: Sequence[Transfer]) -> Sequence[Wave]:
        return [Wave(0, 0, "", tuple(transfers))]

    def objection(self, failures: Sequence[Result]) -> str:  # noqa: ARG002 (there is no further wave)
        return ""


class InWaves(Struct, frozen=True):
    """The waves of a plan. most_failures: pods that may fail; None: any number."""

    planned: Sequence[Wave]
    most_failures: int | None

    def waves(self, transfers: Sequence[Transfer]) -> Sequence[Wave]:
        found = {one for wave in self.planned for one in wave.transfers}
        assert found == set(transfers), "they are the plan's own"
        return self.planned

    def objection(self, failures: Sequence[Result]) -> str:
        if self.most_failures is None:
            return ""
        failed = pods_of([one.transfer for one in failures])
        if len(failed) <= self.most_failures:
            return ""
        told = f"{counted(len(failed), 'pod', 'pods')} failed ({listed(failed, _NAMES, printable)})"
        return told + (f", and no more than {self.most_failures} may" if self.most_failures else "")


def schedule_of(waves: Sequence[Wave], asked: Waves) -> Schedule:
    """Return the schedule of a plan that has these waves, none if it was asked for none."""
    if not waves:
        return AllAtOnce()
    pods = len(pods_of([one for wave in waves for one in wave.transfers]))
    if asked.most_failures is not None:
        return InWaves(waves, allowed(asked.most_failures, pods))
    is_heeded = asked.divides or asked.on_failure is OnFailure.ROLLBACK
    return InWaves(waves, 0 if is_heeded else None)
