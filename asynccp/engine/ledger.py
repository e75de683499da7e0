"""Ledger: the memory that the results of a run take, of what pods have told of single entries.

A result is kept until the report, so a thousand pods that each tell of a thousand entries are a sum. Each may take as
much as half of what is left; the rest is counted, and the first few are always named.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from asynccp.report import LeftOut, NotKept, Result, more_left_out, more_not_kept

SIZE = 16 * 1024 * 1024
LEAST_NAMED = 10  # entries, of each kind: what is shown of one pod
_COST = 200  # bytes for one, besides its name and words


class Ledger:
    """`size` bytes for all results."""

    def __init__(self, size: int = SIZE) -> None:
        self._left = size

    def keep(self, result: Result) -> Result:
        """Return a result that may be kept: with so many names as there is room for, and the count of the others."""
        if not (result.left_out or result.not_kept or result.grown):
            return result
        grown = self._first([len(path) for path in result.grown])
        left_out = self._first([len(one.path) + len(one.reason) for one in result.left_out])
        not_kept = self._first([len(one.path) + len(one.what) for one in result.not_kept])
        return replace(
            result,
            left_out=(*result.left_out[:left_out], *more_left_out(_count(result.left_out[left_out:]))),
            not_kept=(*result.not_kept[:not_kept], *more_not_kept(_count(result.not_kept[not_kept:]))),
            grown=result.grown[:grown],
            grown_unnamed=len(result.grown) - grown,
        )

    def _first(self, sizes: Sequence[int]) -> int:
        """Take room for the first of some things; return how many."""
        room = self._left // 2
        for count, size in enumerate(sizes):
            room -= size + _COST
            if room < 0 and count >= LEAST_NAMED:
                return count
            self._left -= size + _COST
        return len(sizes)


def _count(told: Iterable[LeftOut | NotKept]) -> int:
    return sum(one.count for one in told)
